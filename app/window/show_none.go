//go:build !windows && !(desktop && cgo && (linux || darwin))

package window

// Built without the tags of the window: the package compiles everywhere, and Run fails with Wails' own words.

func beforeShow() error { return nil }

func warmUp() bool { return false }

func endWarmUp() {}

func showQuietly() {}
