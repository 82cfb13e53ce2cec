//go:build unix

package relay

import "os"

// private sees to it that nobody but this user, and root, looks into a folder.
func private(dir string) error { return os.Chmod(dir, 0o700) } //nolint:gosec // a folder
