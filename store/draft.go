package store

import (
	"fmt"
	"slices"

	"ringside.dev/ringside/app/cti"
)

// draft holds the values of legs and log that one change touches, so that each is read and written once.
type draft struct {
	*index
	legs []*draftLeg
	logs []*draftLog
}

type draftLeg struct {
	leg
	name    string
	mac     []byte
	changed bool
}

type draftLog struct {
	logged
	key     uint64
	changed bool
}

func (d *draft) leg(name string) (*draftLeg, error) {
	for _, l := range d.legs {
		if l.name == name {
			return l, nil
		}
	}
	mac := d.mac(name)
	have, err := d.index.leg(mac)
	l := &draftLeg{leg: have, name: name, mac: mac}
	d.legs = append(d.legs, l)
	return l, err
}

func (d *draft) logged(key uint64) (*draftLog, error) {
	for _, l := range d.logs {
		if l.key == key {
			return l, nil
		}
	}
	have, err := d.index.logged(key)
	l := &draftLog{logged: have, key: key}
	d.logs = append(d.logs, l)
	return l, err
}

// save writes what was changed, and deletes what says nothing any more.
func (d *draft) save() error {
	for _, l := range d.legs {
		if err := d.keep(bucketLegs, l.mac, l.changed, l.call == 0 && len(l.newest) == 0, func() ([]byte, error) { return l.encode(), nil }); err != nil {
			return err
		}
	}
	for _, l := range d.logs {
		if err := d.keep(bucketLog, bytes8(l.key), l.changed, l.call == nil && l.write == nil, l.encode); err != nil {
			return err
		}
	}
	return nil
}

func (d *draft) keep(bucket string, key []byte, changed, empty bool, encode func() ([]byte, error)) error {
	if !changed {
		return nil
	}
	if empty {
		return d.delete(bucket, key)
	}
	plain, err := encode()
	if err != nil {
		return err
	}
	return d.put(bucket, key, plain)
}

// putCall brings a call in. It keeps its place in the log; a new one has it from the change.
func (d *draft) putCall(place, number uint64, call LoggedCall) error {
	e, err := d.leg(call.Call.Leg)
	if err != nil {
		return err
	}
	known := e.call != 0
	if !known {
		e.call, e.changed = place, true
	}
	l, err := d.logged(e.call)
	if err != nil || known && l.call != nil && l.number >= number {
		return err
	}
	if known != (l.call != nil) {
		return fmt.Errorf("%w: a call is not where it should be in the log", errDamaged)
	}
	l.number, l.call, l.changed = number, &call, true
	return nil
}

// removeCall forgets the call at a place in the log.
func (d *draft) removeCall(place uint64) error {
	l, err := d.logged(place)
	if err != nil || l.call == nil {
		return err
	}
	e, err := d.leg(l.call.Call.Leg)
	if err != nil {
		return err
	}
	e.call, e.changed = 0, true
	l.number, l.call, l.changed = 0, nil, true
	return nil
}

// putWrite brings in an item's write-back, if it is not the same already.
func (d *draft) putWrite(seq uint64, w cti.WriteBack) error {
	l, err := d.logged(seq)
	if err != nil {
		return err
	}
	if l.write != nil && l.write.Equal(w) {
		return nil
	}
	if l.write != nil && (l.write.Leg != w.Leg || l.write.Key != w.Key) {
		if err := d.forgetKey(seq, *l.write); err != nil {
			return err
		}
	}
	l.write, l.changed = &w, true
	e, err := d.leg(w.Leg)
	if err != nil {
		return err
	}
	mac := string(d.mac(w.Key))
	switch i := e.find(mac); {
	case i < 0:
		e.newest, e.changed = append(e.newest, newest{mac, seq}), true
	case e.newest[i].seq < seq:
		e.newest[i].seq, e.changed = seq, true
	}
	return nil
}

// removeWrite forgets an item's write-back and, unless a newer item has it, its key.
func (d *draft) removeWrite(seq uint64) error {
	l, err := d.logged(seq)
	if err != nil || l.write == nil {
		return err
	}
	if err := d.forgetKey(seq, *l.write); err != nil {
		return err
	}
	l.write, l.changed = nil, true
	return nil
}

func (d *draft) forgetKey(seq uint64, w cti.WriteBack) error {
	e, err := d.leg(w.Leg)
	if err != nil {
		return err
	}
	if i := e.find(string(d.mac(w.Key))); i >= 0 && e.newest[i].seq == seq {
		e.newest, e.changed = slices.Delete(e.newest, i, i+1), true
	}
	return nil
}
