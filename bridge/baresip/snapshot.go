package baresip

import (
	"context"
	"time"
)

// maxAsks bounds how often a snapshot is begun again because calls came or went between its two replies.
const maxAsks = 5

// snapshotter follows the two questions a snapshot takes: listcalls counts the calls without ids, callstat names the current one.
// Both are sent at once; their replies are placed among the events by the order of the stream, so what the phone reported between
// them is seen, and they are asked again. With two calls or more no snapshot can be taken: it is owed until one of them has ended.
type snapshotter struct {
	asks  int
	open  bool // asked, not finished
	count int  // of listcalls; -1 before its reply
	moved bool // calls came or went since
	owed  bool
}

// saw notes a message and whether it said anything about calls; true asks for the snapshot to be taken now.
func (s *snapshotter) saw(eventType string, told bool) bool {
	s.moved = s.moved || told
	if eventType != "CALL_CLOSED" || !s.owed || s.open {
		return false
	}
	s.owed, s.asks = false, 0
	return true
}

// ask begins a snapshot. It runs, as all of this, on the goroutine that reads the connection.
func (c *session) ask(ctx context.Context, l *link) {
	c.snap.asks++
	c.snap.open, c.snap.count, c.snap.moved = true, -1, false
	_, err := l.send("listcalls", "", func(m message) {
		c.snap.moved = false
		if n, ok := activeCalls(m.Data); ok && m.OK {
			c.snap.count = n
		}
	})
	if err == nil {
		_, err = l.send("callstat", "", func(m message) { c.answered(ctx, l, m) })
	}
	if err != nil {
		c.snap.open = false
		c.source.log.Warn("phone not asked for its calls", "error", err)
	}
}

func (c *session) answered(ctx context.Context, l *link, m message) {
	c.snap.open = false
	switch {
	case c.snap.moved && c.snap.asks < maxAsks:
		c.ask(ctx, l)
		return
	case c.snap.count == 0 && !c.snap.moved:
		c.push(ctx, c.in.snapshot(nil, time.Now().UTC()))
		return
	case c.snap.count == 1 && !c.snap.moved:
		if current, ok := parseStat(m.Data); ok {
			c.push(ctx, c.in.snapshot([]stat{current}, time.Now().UTC()))
			return
		}
	}
	c.snap.owed = true
	c.source.log.Warn("no snapshot of the phone's calls: it can only name one", "calls", c.snap.count)
}
