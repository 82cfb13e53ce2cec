//go:build unix

package relayed

import "syscall"

// What the system says when nothing listens at an address, and when the other side is gone.
const (
	errNobody = syscall.ECONNREFUSED
	errGone   = syscall.ECONNRESET
)
