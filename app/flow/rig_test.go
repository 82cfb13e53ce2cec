package flow_test

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/flow"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errDisk = errors.New("no space left on device")

// rig is a flow between fakes, in a synctest bubble. The fields that are functions may be set by a test before start.
type rig struct {
	t     *testing.T
	flow  *flow.Flow
	stop  context.CancelFunc
	ended chan error

	phone    cti.Phone
	several  bool // sources
	presence flow.PresenceConfig
	outcomes []string
	earlier  []flow.Unfinished
	owing    *cti.PresenceChange
	calls    []flow.Earlier // of an earlier run
	cached   func(n cti.Number) []cti.Match
	find     func(ctx context.Context, n cti.Number) ([]cti.Match, error)
	details  func(ctx context.Context, id string) (flow.Details, error)
	full     atomic.Bool // the disk

	mu       sync.Mutex
	order    []string // what happened at the fakes
	cards    []flow.Card
	dropped  []string
	up       []bool
	states   []flow.Presence
	journal  []cti.PresenceChange
	accepted []accepted
	live     map[string]flow.Earlier // as the disk knows them
}

type accepted struct {
	call   cti.Call
	wrap   cti.WrapUp
	writes []cti.WriteBack
}

func newRig(t *testing.T) *rig {
	return &rig{
		t:       t,
		cached:  func(cti.Number) []cti.Match { return nil },
		find:    func(context.Context, cti.Number) ([]cti.Match, error) { return nil, nil },
		details: func(context.Context, string) (flow.Details, error) { return flow.Details{}, nil },
	}
}

// start runs the flow until the test ends.
func (r *rig) start() *rig {
	r.flow = flow.New(flow.Config{Tenant: "site", Phone: r.phone, Finder: finder{r}, Screen: screen{r}, Queue: queue{r},
		Log: slog.New(slog.DiscardHandler), Outcomes: r.outcomes, Several: r.several, Presence: r.presence,
		Journal: func(c cti.PresenceChange) { r.journal = append(r.journal, c) }, Unfinished: r.earlier, Earlier: r.calls, Owing: r.owing})
	ctx, stop := context.WithCancel(context.Background())
	r.stop, r.ended = stop, make(chan error, 1)
	go func() { r.ended <- r.flow.Run(ctx) }()
	r.t.Cleanup(r.end)
	return r
}

func (r *rig) end() {
	r.stop()
	if err := <-r.ended; err != nil {
		r.t.Errorf("Run ended with %v", err)
	}
	r.ended <- nil // for the next one who asks
}

func (r *rig) note(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.order = append(r.order, what)
}

// happened gives what happened at the fakes since it was last asked.
func (r *rig) happened() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer func() { r.order = nil }()
	return r.order
}

// tell feeds events and lets all that follows at once happen.
func (r *rig) tell(events ...cti.Event) {
	for _, e := range events {
		r.flow.Event(r.t.Context(), e)
		synctest.Wait()
	}
}

// delivered tells that a call's record has reached the CRM.
func (r *rig) delivered(leg string) {
	r.flow.Progress(flow.Progress{Leg: leg, Write: flow.Write{State: flow.WriteDelivered}})
	synctest.Wait()
}

// card is the newest card shown.
func (r *rig) card() flow.Card {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.cards) == 0 {
		r.t.Fatal("no card was shown")
	}
	return r.cards[len(r.cards)-1]
}

func (r *rig) shown() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.cards)
}

// writes are all write-backs the queue took, in order.
func (r *rig) writes() []cti.WriteBack {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []cti.WriteBack
	for _, a := range r.accepted {
		all = append(all, a.writes...)
	}
	return all
}

func (r *rig) lastAccepted() accepted {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.accepted) == 0 {
		r.t.Fatal("the queue took nothing")
	}
	return r.accepted[len(r.accepted)-1]
}

// pass lets fake time pass and all of it happen.
func pass(d time.Duration) {
	time.Sleep(d) //nolint:forbidigo // fake time
	synctest.Wait()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
	synctest.Wait()
}

type finder struct{ *rig }

func (f finder) Cached(n cti.Number) []cti.Match { return f.cached(n) }
func (f finder) Picked(n cti.Number, id string)  { f.note("picked " + n.Best() + " " + id) }
func (f finder) Added(c cti.Customer)            { f.note("added " + c.ID) }
func (f finder) Read(c cti.Customer)             { f.note("read " + c.ID) }
func (f finder) Wrong(n cti.Number)              { f.note("wrong " + n.Best()) }
func (f finder) Find(ctx context.Context, n cti.Number) ([]cti.Match, error) {
	f.note("find")
	return f.find(ctx, n)
}
func (f finder) Details(ctx context.Context, id string) (flow.Details, error) {
	return f.details(ctx, id)
}

type screen struct{ *rig }

func (s screen) Show(c flow.Card) {
	s.note("show " + c.Write.State)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cards = append(s.cards, c)
}

func (s screen) Drop(leg string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropped = append(s.dropped, leg)
}

func (q queue) Recorded(leg string, r cti.Recording) error {
	q.note("recorded " + leg + " " + r.ID)
	return nil
}

func (s screen) Presence(p flow.Presence) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.states = append(s.states, p)
}

func (s screen) Phone(up bool, _ time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.up = append(s.up, up)
}

type queue struct{ *rig }

func (q queue) Accept(call cti.Call, wrap cti.WrapUp, writes []cti.WriteBack) error {
	if q.full.Load() {
		q.note("refuse")
		return errDisk
	}
	q.note("accept")
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.live, call.Leg)
	q.accepted = append(q.accepted, accepted{call, wrap, writes})
	return nil
}

func (q queue) Track(call cti.Call, wrap cti.WrapUp) error {
	if q.full.Load() {
		return errDisk
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.live == nil {
		q.live = map[string]flow.Earlier{}
	}
	q.live[call.Leg] = flow.Earlier{Call: call, WrapUp: wrap}
	return nil
}

// onDisk are the live calls as the disk knows them.
func (r *rig) onDisk() map[string]flow.Earlier {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.live)
}

const customersNumber = "+8613800138000"

func number(e164 string) cti.Number { return cti.Number{Raw: e164, E164: e164, Key: e164} }

func event(t cti.EventType, id string) cti.Event {
	return cti.Event{V: cti.EnvelopeVersion, Type: t, At: time.Now().UTC(), Source: cti.Source{Adapter: "sim", Instance: "sim"},
		Call: cti.CallRef{Leg: id, Refs: map[string]string{cti.RefSIPCallID: id}}}
}

func ring(id string) cti.Event {
	e := event(cti.Delivered, id)
	e.Side, e.Remote.Number = cti.SideLocal, number(customersNumber)
	return e
}

func answer(id string) cti.Event { return event(cti.Established, id) }

func hangup(id string) cti.Event { return event(cti.Cleared, id) }

// dialled is an outgoing call that appears.
func dialled(id string) cti.Event {
	e := event(cti.Originated, id)
	e.Remote.Number = number(customersNumber)
	return e
}

func better(id, e164 string) cti.Event {
	e := event(cti.Info, id)
	e.Remote.Number = number(e164)
	return e
}

func match(grade cti.Grade, ids ...string) []cti.Match {
	var matches []cti.Match
	for _, id := range ids {
		matches = append(matches, cti.Match{Customer: cti.Customer{ID: id, Name: "customer " + id}, Grade: grade})
	}
	return matches
}

// knows makes the CRM know these for every number.
func (r *rig) knows(matches []cti.Match) *rig {
	r.find = func(context.Context, cti.Number) ([]cti.Match, error) { return matches, nil }
	return r
}

// silentCRM never answers by itself.
func silentCRM(ctx context.Context, _ cti.Number) ([]cti.Match, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}
