package store

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"

	"ringside.dev/ringside/app/cti"
)

// Calls gives the newest finished calls, newest first, at most limit.
func (s *Store) Calls(limit int) ([]LoggedCall, error) {
	s.mu.Lock()
	waiting := maps.Clone(s.pending.calls)
	s.mu.Unlock()
	var calls []LoggedCall
	for _, p := range waiting {
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
	slices.SortStableFunc(calls, func(a, b LoggedCall) int {
		return -bytes.Compare(byTime(a.Call, []byte(a.Call.Leg)), byTime(b.Call, []byte(b.Call.Leg)))
	})
	return calls[:min(limit, len(calls))], nil
}

// calls gives the newest calls but some.
func (x *index) calls(limit int, but map[string]numbered[LoggedCall]) ([]LoggedCall, error) {
	b, err := x.bucket(bucketByTime)
	if err != nil {
		return nil, err
	}
	var calls []LoggedCall
	c := b.Cursor()
	for k, _ := c.Last(); k != nil && len(calls) < limit; k, _ = c.Prev() {
		var stored storedCall
		if _, err := x.getJSON(bucketByTime, k, &stored); err != nil {
			return nil, err
		}
		if _, newer := but[stored.Call.Leg]; !newer {
			calls = append(calls, stored.LoggedCall)
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
func (s *Store) Live() ([]cti.Call, error) {
	s.mu.Lock()
	waiting, over := maps.Clone(s.pending.live), maps.Clone(s.pending.calls)
	s.mu.Unlock()
	var live map[string]cti.Call
	if err := s.view(func(x *index) (err error) {
		live, err = x.live()
		for leg, p := range waiting {
			delete(live, leg)
			if _, accepted := over[leg]; p.value != nil && !accepted && !x.has(bucketCalls, x.mac(leg)) {
				live[leg] = *p.value
			}
		}
		return err
	}); err != nil {
		return nil, fmt.Errorf("read the live calls: %w", err)
	}
	return slices.SortedFunc(maps.Values(live), func(a, b cti.Call) int {
		return cmp.Or(a.StartedAt.Compare(b.StartedAt), cmp.Compare(a.Leg, b.Leg))
	}), nil
}

func (x *index) live() (map[string]cti.Call, error) {
	live := map[string]cti.Call{}
	b, err := x.bucket(bucketLive)
	if err != nil {
		return live, err
	}
	return live, b.ForEach(func(k, _ []byte) error {
		var l liveCall
		_, err := x.getJSON(bucketLive, k, &l)
		live[l.Call.Leg] = l.Call
		return err
	})
}
