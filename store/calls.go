package store

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"ringside.dev/ringside/app/cti"
)

// Calls gives the calls that were accepted last, at most limit, in the order of their start: the newest first.
func (s *Store) Calls(limit int) ([]LoggedCall, error) {
	s.mu.Lock()
	waiting := maps.Clone(s.pending.calls)
	s.mu.Unlock()
	var calls []LoggedCall
	for _, p := range slices.SortedFunc(maps.Values(waiting), func(a, b numbered[LoggedCall]) int { return cmp.Compare(b.number, a.number) }) {
		calls = append(calls, p.value)
	}
	err := s.view(func(x *index) error {
		settled, err := x.calls(limit, waiting)
		calls = append(calls, settled...)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the call list: %w", err)
	}
	calls = calls[:min(limit, len(calls))]
	slices.SortFunc(calls, func(a, b LoggedCall) int {
		return cmp.Or(b.Call.StartedAt.Compare(a.Call.StartedAt), cmp.Compare(b.Call.Leg, a.Call.Leg))
	})
	return calls, nil
}

// calls gives the calls that were accepted last but some.
func (x *index) calls(limit int, but map[string]numbered[LoggedCall]) ([]LoggedCall, error) {
	b, err := x.bucket(bucketLog)
	if err != nil {
		return nil, err
	}
	var calls []LoggedCall
	c := b.Cursor()
	for k, _ := c.Last(); k != nil && len(calls) < limit; k, _ = c.Prev() {
		l, err := x.logged(be(k))
		if err != nil {
			return nil, err
		}
		if l.call != nil && !in(but, l.call.Call.Leg) {
			calls = append(calls, *l.call)
		}
	}
	return calls, nil
}

// Call gives one finished call; kind notfound if there is none with this leg.
func (s *Store) Call(leg string) (LoggedCall, error) {
	s.mu.Lock()
	p, ok := s.pending.calls[leg]
	s.mu.Unlock()
	if ok {
		return p.value, nil
	}
	var stored storedCall
	found := false
	if err := s.view(func(x *index) (err error) {
		stored, found, err = x.call(x.mac(leg))
		return err
	}); err != nil {
		return LoggedCall{}, fmt.Errorf("read call %s: %w", leg, err)
	}
	if !found {
		return LoggedCall{}, cti.Errorf(cti.NotFound, fmt.Sprintf("there is no finished call %q: see ringctl calls list", leg), nil)
	}
	return stored.LoggedCall, nil
}

// Live gives the calls that Track keeps and Accept has not had, by their start.
func (s *Store) Live() ([]LoggedCall, error) {
	s.mu.Lock()
	waiting, over := maps.Clone(s.pending.live), maps.Clone(s.pending.calls)
	s.mu.Unlock()
	var live map[string]LoggedCall
	if err := s.view(func(x *index) (err error) {
		if live, err = x.live(); err != nil {
			return err
		}
		for leg, p := range waiting {
			delete(live, leg)
			if p.value == nil || in(over, leg) {
				continue
			}
			accepted, err := x.over(x.mac(leg))
			if err != nil {
				return err
			}
			if !accepted {
				live[leg] = *p.value
			}
		}
		return nil
	}); err != nil {
		return nil, fmt.Errorf("read the live calls: %w", err)
	}
	return slices.SortedFunc(maps.Values(live), func(a, b LoggedCall) int {
		return cmp.Or(a.Call.StartedAt.Compare(b.Call.StartedAt), cmp.Compare(a.Call.Leg, b.Call.Leg))
	}), nil
}

func (x *index) live() (map[string]LoggedCall, error) {
	live := map[string]LoggedCall{}
	b, err := x.bucket(bucketLive)
	if err != nil {
		return live, err
	}
	return live, b.ForEach(func(k, _ []byte) error {
		var l liveCall
		_, err := x.getJSON(bucketLive, k, &l)
		live[l.Call.Leg] = l.LoggedCall
		return err
	})
}
