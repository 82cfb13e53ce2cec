package app

import (
	"context"
	"maps"
	"strings"
	"sync"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/number"
	"ringside.dev/ringside/bridge"
	"ringside.dev/ringside/bridge/tape"
	"ringside.dev/ringside/bridge/wire"
)

// The events that support can look at.
const (
	// keptEvents is how many of the newest are kept in memory: some hours of a busy workstation.
	keptEvents = 500
	// eventBuffer is how many a listener may be behind before events are left out for it.
	eventBuffer = 1024
)

// eventLog keeps the newest canonical events and passes them on to who follows. It is safe for concurrent use and waits for nobody.
type eventLog struct {
	mu        sync.Mutex
	newest    []cti.Event
	followers map[chan cti.Event]struct{}
}

func (l *eventLog) note(e cti.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.newest = append(l.newest, e); len(l.newest) >= 2*keptEvents { // not at each: calls may not wait
		n := copy(l.newest, l.kept())
		clear(l.newest[n:])
		l.newest = l.newest[:n]
	}
	for c := range l.followers {
		select {
		case c <- e:
		default: // who looks may be slow; calls may not wait
		}
	}
}

func (l *eventLog) kept() []cti.Event { return l.newest[max(0, len(l.newest)-keptEvents):] }

// follow gives what is there, and a channel of what comes; stop may be called more than once.
func (l *eventLog) follow() (newest []cti.Event, next <-chan cti.Event, stop func()) {
	c := make(chan cti.Event, eventBuffer)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.followers == nil {
		l.followers = map[chan cti.Event]struct{}{}
	}
	l.followers[c] = struct{}{}
	return append([]cti.Event(nil), l.kept()...), c, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.followers, c)
	}
}

// Events gives the newest canonical events to each, the oldest first, and with follow those that come, until ctx ends or each fails. Numbers are
// masked as the profile says, or all of them where that is asked for.
func (a *App) Events(ctx context.Context, q wire.EventQuery, each func(cti.Event) error) error {
	mask := a.mask
	if q.Mask {
		mask.Mode = number.MaskAll
	}
	newest, next, stop := a.events.follow()
	defer stop()
	for _, e := range newest {
		if err := each(mask.event(e)); err != nil {
			return err
		}
	}
	for q.Follow {
		select {
		case e := <-next:
			if err := each(mask.event(e)); err != nil {
				return err
			}
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}

// event hides the numbers of an event. Ids stay, for they tell nobody, but for a number that one is made of.
func (m masker) event(e cti.Event) cti.Event {
	if m.Mode == number.ShowAll {
		return e
	}
	known := m.toldBy(e)
	hide := func(text string) string { return m.Numbers(m.plan, m.Text(text, known...)) }
	e.Call.Refs = mapped(e.Call.Refs, func(id string) string { return m.Text(id, known...) })
	e.Data = mapped(e.Data, func(value string) string { return hide(m.own(value, known)) })
	e.Remote.URI, e.Remote.Asserted, e.Remote.Name, e.Dialled = hide(e.Remote.URI), hide(e.Remote.Asserted), hide(e.Remote.Name), hide(e.Dialled)
	e.Remote.Number = m.Number(e.Remote.Number)
	if e.Transfer != nil {
		t := *e.Transfer
		t.To = hide(t.To)
		e.Transfer = &t
	}
	if e.Queue != nil {
		q := *e.Queue
		q.Name = hide(q.Name)
		e.Queue = &q
	}
	if e.Cause != nil {
		c := *e.Cause
		c.Raw = hide(c.Raw)
		e.Cause = &c
	}
	if e.Recording != nil {
		r := *e.Recording
		r.URL, r.ID, r.Name = "", m.Text(r.ID, known...), hide(r.Name)
		e.Recording = &r
	}
	legs := e.Legs
	e.Legs = nil
	for _, leg := range legs {
		e.Legs = append(e.Legs, m.event(leg))
	}
	return e
}

// toldBy are the numbers that an event names, also those of headers that were not believed.
func (m masker) toldBy(e cti.Event) []cti.Number {
	all := []cti.Number{e.Remote.Number}
	for _, written := range append([]string{e.Remote.Raw, e.Remote.URI, e.Dialled}, strings.Split(e.Remote.Asserted, ",")...) {
		all = append(all, m.plan.Callee(written, ""))
	}
	if e.Transfer != nil {
		all = append(all, m.plan.Callee(e.Transfer.To, ""))
	}
	return all
}

func mapped(values map[string]string, to func(string) string) map[string]string {
	values = maps.Clone(values)
	for name, value := range values {
		values[name] = to(value)
	}
	return values
}

// Record gives what a source's phone sends and is sent from now on, byte for byte, until stop. Errors: notfound for a source the profile does
// not have, invalid for one without a wire.
func (a *App) Record(source string) (frames <-chan tape.Frame, stop func(), err error) {
	for i, of := range a.cfg.Profile.Phone.Sources() {
		if of.Source != source || i >= len(a.phones) {
			continue
		}
		taped, ok := a.phones[i].Source.(bridge.Taped)
		if !ok {
			return nil, nil, cti.Errorf(cti.Invalid, "this source has no wire to record", nil)
		}
		frames, stop = taped.Tape().Listen()
		return frames, stop, nil
	}
	return nil, nil, cti.Errorf(cti.NotFound, "the profile has no such source", nil)
}
