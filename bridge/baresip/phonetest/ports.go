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
	tlsOffset = 1
	ctlOffset = 4
	ownOffset = 9
	rtpFrom   = 27000
	rtpTo     = 31998
	maxTries  = 50
)

// slot is a reserved range of ports; close it when the phone has ended.
type slot struct {
	own          net.Listener
	sip, control int
}

func (s *slot) close() error { return s.own.Close() }

// reserve finds a slot of which every port is free. Between the check and the phone's start only a program that does not know our
// listener can take one: Start then notices, since the phone that answers is not its own.
func reserve() (*slot, error) {
	var last error
	for range maxTries {
		base := firstPort + slotSize*mathrand.IntN(slots) //nolint:gosec // a port to try first is no secret
		own, err := net.Listen("tcp", addr(base+ownOffset))
		if err != nil {
			last = err
			continue
		}
		if last = free(base); last == nil {
			return &slot{own: own, sip: base, control: base + ctlOffset}, nil
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
	for _, offset := range []int{0, tlsOffset, ctlOffset} {
		l, err := net.Listen("tcp", addr(base+offset))
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
