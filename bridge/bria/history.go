package bria

import (
	"context"
	"slices"
	"strconv"
	"time"

	"ringside.dev/ringside/app/cti"
)

// The lengths of history that are asked for, one after the other until they reach back far enough: a day's calls, then all there may be.
const (
	someHistory = 100
	maxHistory  = 1000
)

// history gives the calls that ended since a time, from Bria's own list of them. Bria tells when a call began and how long it was talked;
// where this source saw the answer, its time is that one, else it is the call's beginning.
func (s *Source) history(ctx context.Context, since time.Time) ([]cti.Event, error) {
	s.mu.Lock()
	l := s.link
	s.mu.Unlock()
	if l == nil {
		return nil, offline(nil)
	}
	var items []past
	for _, count := range []int{someHistory, maxHistory} {
		d, err := l.ask(ctx, "status", status("callHistory", element{name: "count", text: strconv.Itoa(count)}, element{name: "entryType", text: "all"}))
		if err != nil {
			return nil, err
		}
		items = d.History[:min(len(d.History), maxHistory)]
		if len(items) < count || slices.ContainsFunc(items, func(p past) bool { return seconds(p.Begun).Before(since) }) {
			break
		}
	}
	slices.SortStableFunc(items, func(a, b past) int { return seconds(a.Begun).Compare(seconds(b.Begun)) })
	s.mu.Lock()
	defer s.mu.Unlock()
	var events []cti.Event
	for _, p := range items {
		events = append(events, s.in.past(p, since)...)
	}
	return events, nil
}

// past is one call of the history as events; none for what ended before since, goes on, or says nothing.
func (i *interpreter) past(p past, since time.Time) []cti.Event {
	begun := seconds(p.Begun)
	n, err := strconv.ParseInt(p.Duration, 10, 32)
	if p.ID == "" || begun.IsZero() || i.known(p.ID) != nil {
		return nil
	}
	talk := time.Duration(0)
	if err == nil && n > 0 {
		talk = time.Duration(n) * time.Second
	}
	k := &known{id: p.ID, ref: p.ID, number: p.Number, name: p.Name, dir: cti.In, state: stateRinging}
	first := cti.Event{Type: cti.Delivered, Side: cti.SideLocal, SourceAt: begun}
	switch p.Type {
	case "received", "missed":
	case "dialed":
		k.dir, k.state = cti.Out, stateConnecting
		first = cti.Event{Type: cti.Originated, SourceAt: begun}
	default:
		return nil
	}
	answered := begun
	if before := i.over[p.ID].established; !before.IsZero() {
		answered = before
	}
	ended := answered.Add(talk)
	if ended.Before(since) {
		return nil
	}
	events := []cti.Event{i.event(k, begun, first)}
	if p.Type != "missed" && (talk > 0 || !i.over[p.ID].established.IsZero()) {
		k.state = stateConnected
		events = append(events, i.event(k, answered, cti.Event{Type: cti.Established, SourceAt: answered}))
	}
	return append(events, i.event(k, ended, k.ending(false, ended)))
}
