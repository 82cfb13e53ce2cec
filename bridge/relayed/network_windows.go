package relayed

import "golang.org/x/sys/windows"

// What the system says when nothing listens at an address, and when the other side is gone. The names of package syscall are not Windows's.
const (
	errNobody = windows.WSAECONNREFUSED
	errGone   = windows.WSAECONNRESET
)
