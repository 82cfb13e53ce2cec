package phonetest

import (
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"net"
)

// The ports of a phone lie in a slot of ten: SIP over UDP and TCP on the first, its TLS on the next (baresip takes that by itself),
// ctrl_tcp on the fifth, and on the last a listener of ours that keeps other processes off the slot while the phone runs.
// All slots are below the ephemeral ports. RTP ports are shared: baresip looks for free ones.
const (
	firstPort = 20000
	slots     = 700
	slotSize  = 10
	ctlOffset = 4
	ownOffset = 9
	rtpFrom   = 27000
	rtpTo     = 31998
	maxTries  = 50
)

// Slot is nine ports on loopback, one after the other, that no other Slot has, of any process. Close it when nothing listens on them any more.
type Slot struct {
	own net.Listener
	// First is the first of the ports.
	First int
}

// Close lets others have the ports.
func (s *Slot) Close() error { return s.own.Close() }

// Reserve finds a slot of which every port is free. Between the check and the program's start only a program that does not know our
// listener can take one: Start then notices, since the phone that answers is not its own.
func Reserve() (*Slot, error) {
	var last error
	for range maxTries {
		base := firstPort + slotSize*mathrand.IntN(slots) //nolint:gosec // a port to try first is no secret
		own, err := net.Listen("tcp", addr(base+ownOffset))
		if err != nil {
			last = err
			continue
		}
		if last = free(base); last == nil {
			return &Slot{own, base}, nil
		}
		last = errors.Join(last, own.Close())
	}
	return nil, fmt.Errorf("phonetest: no free ports in %d tries: %w", maxTries, last)
}

func free(base int) error {
	u, err := net.ListenPacket("udp", addr(base))
	if err != nil {
		return err
	}
	if err := u.Close(); err != nil {
		return err
	}
	for port := base; port < base+ownOffset; port++ {
		l, err := net.Listen("tcp", addr(port))
		if err != nil {
			return err
		}
		if err := l.Close(); err != nil {
			return err
		}
	}
	return nil
}

func addr(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
