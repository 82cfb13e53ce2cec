package handlers

import "ringside.dev/ringside/app/cti"

// On macOS a program registers through the Info.plist of its bundle (wails.json holds the schemes), and a person chooses.
func elsewhere() error {
	return cti.Errorf(cti.Invalid, "on macOS the person chooses: put Ringside.app into Applications and open it once, then choose it in FaceTime, "+
		"Settings, Default for calls", nil)
}

func install([]string, []string) error { return elsewhere() }

func remove([]string) error { return elsewhere() }

// owner: the system tells only programs with its own frameworks.
func owner(string) (program string, ours bool, err error) { return "", false, nil }
