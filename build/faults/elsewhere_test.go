//go:build !linux

package faults

import "testing"

func TestFaults(t *testing.T) {
	t.Skip("the disk whose power is cut is a FUSE file system: this needs Linux")
}
