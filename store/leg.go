package store

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// leg is a value of the bucket legs: what is found by the MAC of a leg. On the disk it is
//
//	uvarint  call
//	for each key: its MAC with its length before it, uvarint the number
type leg struct {
	call   uint64 // its key in the log; 0: the call is not over, or is forgotten
	newest []newest
}

// newest is the newest item with a key.
type newest struct {
	mac string // of the key
	seq uint64
}

func (l leg) encode() []byte {
	b := binary.AppendUvarint(make([]byte, 0, 32), l.call)
	for _, n := range l.newest {
		b = append(binary.AppendUvarint(b, uint64(len(n.mac))), n.mac...)
		b = binary.AppendUvarint(b, n.seq)
	}
	return b
}

func decodeLeg(b []byte) (leg, error) {
	p := parser{b: b}
	l := leg{call: p.uvarint()}
	for len(p.b) > 0 {
		l.newest = append(l.newest, newest{string(p.text()), p.uvarint()})
	}
	if p.bad {
		return leg{}, fmt.Errorf("%w: what is known of a leg is too short", errDamaged)
	}
	return l, nil
}

// of gives the newest item with a key; 0: there is none.
func (l leg) of(mac string) uint64 {
	if i := l.find(mac); i >= 0 {
		return l.newest[i].seq
	}
	return 0
}

func (l leg) find(mac string) int {
	return slices.IndexFunc(l.newest, func(n newest) bool { return n.mac == mac })
}

// leg gives what is known of a leg by its MAC; the zero leg: nothing.
func (x *index) leg(mac []byte) (leg, error) {
	plain, err := x.get(bucketLegs, mac)
	if err != nil || plain == nil {
		return leg{}, err
	}
	return decodeLeg(plain)
}

// over tells whether a call was accepted.
func (x *index) over(mac []byte) (bool, error) {
	l, err := x.leg(mac)
	return l.call != 0, err
}

// latest gives the number of the newest item with a key; 0: there is none.
func (x *index) latest(leg, key string) (uint64, error) {
	l, err := x.leg(x.mac(leg))
	return l.of(string(x.mac(key))), err
}

// call gives a call by the MAC of its leg; false: there is none.
func (x *index) call(mac []byte) (c storedCall, found bool, err error) {
	e, err := x.leg(mac)
	if err != nil || e.call == 0 {
		return c, false, err
	}
	l, err := x.logged(e.call)
	if err != nil {
		return c, false, err
	}
	if l.call == nil {
		return c, false, fmt.Errorf("%w: a call is not in the log", errDamaged)
	}
	return storedCall{e.call, l.number, *l.call}, true, nil
}
