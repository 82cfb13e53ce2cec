package rig

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ringside.dev/ringside/app/crm/sandbox"
	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/wire"
)

// Load brings calls and edits to an agent, from several customers at once, each customer's one after the other. What a killed agent may
// not have taken is brought again until it says that it has it: so the same call ends twice now and then.
type Load struct {
	Agent *Agent
	Lanes int
	Note  int // how long a note is, in bytes
	Seed  uint64
	// Waiting is how much may wait in the outbox before no more is brought; 0 means 60: the faults shall meet calls that come in, and edits of
	// all ages.
	Waiting int
	// Internal makes all callers colleagues: nobody looks up their numbers, and each record is one request.
	Internal bool
	// More tells whether another call is wanted, from the number of what was accepted so far.
	More func(accepted int) bool
	// Edits tells whether calls are edited by now.
	Edits func() bool

	t        testing.TB
	contacts []string // by lane; "" for an unknown number
	taken    atomic.Int64
	mu       sync.Mutex
	calls    []*call
}

// call is one call as the test knows it.
type call struct {
	leg, number, contact string
	answered             bool
	cut                  bool // the agent was killed while it was told of the call; the phone here dies with it, so how the call ended is not known then
	events               []cti.Event
	note                 string // as the agent accepted it
	maybe                string // what it was given later, and did not say that it has
}

// Customers makes the CRM know every second lane's number.
func (l *Load) Customers(t testing.TB, crm *sandbox.Server) {
	t.Helper()
	l.t, l.contacts = t, make([]string, l.Lanes)
	for lane := 0; lane < l.Lanes && !l.Internal; lane += 2 {
		body := fmt.Sprintf(`{"name":"Customer %d","phones":[{"label":"mobile","number":%q}]}`, lane, l.number(lane))
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, crm.URL()+"/api/contacts", bytes.NewBufferString(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+sandbox.DefaultToken)
		r.Header.Set("Content-Type", "application/json")
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != http.StatusCreated {
			t.Fatalf("no customer was made: %s, %v", text, err)
		}
		_ = res.Body.Close()
		var made struct{ ID string }
		if err := json.Unmarshal(text, &made); err != nil {
			t.Fatal(err)
		}
		l.contacts[lane] = made.ID
	}
}

func (l *Load) number(lane int) string {
	if l.Internal {
		return fmt.Sprint(2000 + lane)
	}
	return fmt.Sprintf("199%08d", 73000000+lane)
}

// Run returns when nothing more is wanted and all of it is accepted, or ctx ends.
func (l *Load) Run(ctx context.Context) {
	var lanes sync.WaitGroup
	for lane := range l.Lanes {
		lanes.Go(func() { l.lane(ctx, lane) })
	}
	lanes.Wait()
}

// Accepted is how many calls and edits the agent has accepted.
func (l *Load) Accepted() int { return int(l.taken.Load()) }

func (l *Load) lane(ctx context.Context, lane int) {
	chance := rand.New(rand.NewPCG(l.Seed, uint64(lane))) //nolint:gosec // no secret, and not negative
	for n := 0; ctx.Err() == nil && l.More(l.Accepted()); n++ {
		if !l.Agent.until(ctx, func() bool { return l.Agent.up && l.Agent.outbox.Waiting < cmp.Or(l.Waiting, 60) }) {
			return
		}
		c := l.newCall(lane, n, chance.IntN(2) == 0)
		l.bring(ctx, c)
		if chance.IntN(8) == 0 { // the end of the call is told twice, by a phone that stutters
			_ = l.Agent.Feed(ctx, c.events[len(c.events)-1]) // killed meanwhile: then only once
		}
		if l.Edits() {
			if chance.IntN(2) == 0 {
				l.edit(ctx, c, 1)
			}
			if chance.IntN(3) == 0 {
				l.delivered(ctx, c)
				l.edit(ctx, c, 2)
			}
		}
	}
}

func (l *Load) newCall(lane, n int, answered bool) *call {
	ref := cti.CallRef{Direction: cti.In, Refs: map[string]string{"id": fmt.Sprint(lane, "-", n)}}
	c := &call{leg: cti.ID(tenant, "sim", "sim", extension, "id", ref.Refs["id"]), number: l.number(lane), contact: l.contacts[lane], answered: answered}
	at := time.Now().UTC().Truncate(time.Millisecond)
	tell := func(t cti.EventType, side cti.Side) {
		c.events = append(c.events, cti.Event{Type: t, At: at, Side: side, Call: ref, Remote: cti.Remote{Number: cti.Number{Raw: c.number}}})
	}
	tell(cti.Delivered, cti.SideLocal)
	if answered {
		tell(cti.Established, "")
	}
	tell(cti.Cleared, "")
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls = append(l.calls, c)
	return c
}

// bring tells the agent of a call until it has it on the disk.
func (l *Load) bring(ctx context.Context, c *call) {
	a := l.Agent
	for first := true; a.Up(ctx); first = false {
		run := a.runs()
		if !first {
			c.cut = true
			if _, err := a.Call(ctx, c.leg); err == nil {
				break
			}
		}
		for _, e := range c.events {
			if a.Feed(ctx, e) != nil {
				break // it is gone, or will soon be asked whether it has the call
			}
		}
		soon, cancel := context.WithTimeout(ctx, time.Second) // whoever falls behind is not told everything
		a.until(soon, func() bool { return a.run != run || !a.up || a.accepted(c.leg) })
		cancel()
		a.mu.Lock()
		has := a.run == run && a.accepted(c.leg)
		a.mu.Unlock()
		if has {
			break
		}
	}
	if ctx.Err() == nil {
		l.taken.Add(1)
	}
}

// delivered waits until the agent says that the CRM has a call, but not for ever: what comes next is meant for an update.
func (l *Load) delivered(ctx context.Context, c *call) {
	soon, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	run := l.Agent.runs()
	l.Agent.until(soon, func() bool {
		return l.Agent.run != run || l.Agent.cards[c.leg].Write.State == wire.WriteDelivered
	})
}

// edit says something about a call until the agent has accepted it; a call whose card is gone by then cannot be edited so.
func (l *Load) edit(ctx context.Context, c *call, n int) {
	text := fmt.Sprintf("note %d of %s ", n, c.leg)
	for len(text) < l.Note {
		text += "and so on "
	}
	text = strings.TrimSpace(text[:max(l.Note, len(c.leg)+10)])
	for sent := false; l.Agent.Up(ctx); {
		err := l.Agent.WrapUp(ctx, c.leg, wire.WrapUpRequest{Outcome: outcome, Note: text})
		switch cti.KindOf(err) {
		case "":
			c.note, c.maybe = text, ""
			l.taken.Add(1)
			return
		case cti.NotFound:
			if !sent {
				c.maybe = ""
			}
			return
		case cti.Offline, cti.Uncertain: // it was killed, and may have taken it
			c.maybe, sent = text, true
			pause(ctx, askAgain)
		default:
			l.t.Errorf("the agent refused a note: %v", err)
			return
		}
	}
}
