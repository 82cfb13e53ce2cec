package app

import (
	"context"
	"maps"
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
	if l.newest = append(l.newest, e); len(l.newest) > keptEvents {
		l.newest = append([]cti.Event(nil), l.newest[len(l.newest)-keptEvents:]...)
	}
	for c := range l.followers {
		select {
		case c <- e:
		default: // who looks may be slow; calls may not wait
		}
	}
}

// follow gives what is there, and a channel of what comes; stop may be called more than once.
func (l *eventLog) follow() (newest []cti.Event, next <-chan cti.Event, stop func()) {
	c := make(chan cti.Event, eventBuffer)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.followers == nil {
		l.followers = map[chan cti.Event]struct{}{}
	}
	l.followers[c] = struct{}{}
	return append([]cti.Event(nil), l.newest...), c, func() {
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

// event hides the numbers of an event; ids stay, for they tell nobody.
func (m masker) event(e cti.Event) cti.Event {
	if m.Mode == number.ShowAll {
		return e
	}
	n := e.Remote.Number
	e.Dialled = m.dialled(e.Dialled, n, e.Call.Direction)
	e.Remote.URI, e.Remote.Asserted = m.Text(e.Remote.URI, n), m.Text(e.Remote.Asserted, n)
	e.Remote.Name = m.Text(e.Remote.Name, n)
	e.Remote.Number = m.Number(n)
	if e.Transfer != nil {
		t := *e.Transfer
		t.To = m.own(t.To, nil)
		e.Transfer = &t
	}
	e.Data = maps.Clone(e.Data)
	for name, value := range e.Data {
		e.Data[name] = m.own(value, []cti.Number{n})
	}
	if e.Recording != nil {
		r := *e.Recording
		r.URL = ""
		e.Recording = &r
	}
	legs := e.Legs
	e.Legs = nil
	for _, leg := range legs {
		e.Legs = append(e.Legs, m.event(leg))
	}
	return e
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
