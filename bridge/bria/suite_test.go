package bria_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge"
	"ringside.dev/ringside/bridge/bria"
	"ringside.dev/ringside/bridge/bria/briatest"
	"ringside.dev/ringside/bridge/sourcetest"
)

var _ bridge.Taped = (*bria.Source)(nil)

// bound is far beyond what anything takes that is waited for.
const bound = 20 * time.Second

func phone(t *testing.T) *briatest.Server {
	t.Helper()
	s, err := briatest.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func source(t *testing.T, s *briatest.Server) *bria.Source {
	t.Helper()
	of, err := bria.New(s.Address(), "1001", nil)
	if err != nil {
		t.Fatal(err)
	}
	of.Trust(s.Roots)
	return of
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// within runs something that waits.
func within(t *testing.T, do func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	must(t, do(ctx))
}

// world plays callers and callees around one Bria.
type world struct {
	*briatest.Server

	people int
	rang   string // the number that rang last
}

func (w *world) far(id func() (string, error)) sourcetest.FarEnd {
	of := func(t *testing.T) string {
		t.Helper()
		one, err := id()
		must(t, err)
		return one
	}
	return sourcetest.FarEnd{
		Heard: func(t *testing.T, digits string) {
			t.Helper()
			within(t, func(ctx context.Context) error { return w.Heard(ctx, digits) })
		},
		AwaitHold: func(t *testing.T, held bool) {
			t.Helper()
			within(t, func(ctx context.Context) error { return w.Await(ctx, of(t), held) })
		},
		AwaitMuted: func(t *testing.T, muted bool) {
			t.Helper()
			within(t, func(ctx context.Context) error { return w.AwaitMuted(ctx, muted) })
		},
		Hold: func(t *testing.T, held bool) { t.Helper(); must(t, w.FarHolds(of(t), held)) },
	}
}

func (w *world) ring(r sourcetest.Ringer) sourcetest.Caller {
	w.rang = r.Number
	id := w.Ring(r.Number, r.Name)
	return sourcetest.Caller{Number: r.Number, Hangup: func(t *testing.T) { t.Helper(); must(t, w.FarHangsUp(id)) },
		FarEnd: w.far(func() (string, error) { return id, nil })}
}

func (w *world) callee(*testing.T) sourcetest.Callee {
	w.people++
	number := fmt.Sprintf("200%d", w.people)
	return sourcetest.Callee{Target: number, Number: number,
		Answer: func(t *testing.T) {
			t.Helper()
			within(t, func(ctx context.Context) error { return w.Answers(ctx, number) })
		},
		Refuse: func(t *testing.T) {
			t.Helper()
			within(t, func(ctx context.Context) error { return w.Refuses(ctx, number) })
		},
		Hangup: func(t *testing.T) {
			t.Helper()
			id, err := w.Find(number)
			must(t, err)
			must(t, w.FarHangsUp(id))
		},
		FarEnd: w.far(func() (string, error) { return w.Find(number) })}
}

func rig(o func(*briatest.Options)) func(t *testing.T) sourcetest.Rig {
	return func(t *testing.T) sourcetest.Rig {
		t.Helper()
		w := &world{Server: phone(t)}
		w.Set(o)
		restore := func(t *testing.T) { t.Helper(); must(t, w.Restore()) }
		return sourcetest.Rig{
			Source: source(t, w.Server), NoReasons: true, Digits: []string{"5", "12*0#"}, TellsFarHold: true, TellsMute: true,
			Ring: func(_ *testing.T, name string) sourcetest.Caller {
				w.people++
				return w.ring(sourcetest.Ringer{Number: fmt.Sprintf("1380013%04d", w.people), Name: name})
			},
			RingWith:  func(_ *testing.T, r sourcetest.Ringer) sourcetest.Caller { return w.ring(r) },
			Reachable: w.callee,
			Join: func(t *testing.T) string {
				t.Helper()
				id, err := w.Find(w.rang)
				must(t, err)
				must(t, w.Joins(id, "2999", "Wang Wu"))
				return "2999"
			},
			Break: func(*testing.T) { w.Cut() }, Restore: restore,
			Kill: func(*testing.T) { w.Kill() }, Revive: restore,
			Garbage: func(t *testing.T, raw []byte) {
				t.Helper()
				within(t, func(ctx context.Context) error { return w.Say(ctx, raw) })
			},
			Disorder: func(*testing.T) { w.Set(func(o *briatest.Options) { o.Repeats = true }) },
		}
	}
}

func TestBriaConforms(t *testing.T) { sourcetest.Run(t, rig(func(*briatest.Options) {})) }

// Ended calls may stay in the list, and old versions know less.
func TestAnOldBriaThatListsEndedCallsConforms(t *testing.T) {
	sourcetest.Run(t, func(t *testing.T) sourcetest.Rig {
		r := rig(func(o *briatest.Options) { o.Version, o.Lingers = "5.8.4", true })(t)
		r.Source = without{r.Source, func(p *cti.Phone) { p.Complete = nil }} // which an old one refuses: see below
		return r
	})
}

// without is a source that is not asked for something.
type without struct {
	sourcetest.Source

	take func(p *cti.Phone)
}

func (w without) Phone() cti.Phone {
	p := w.Source.Phone()
	w.take(&p)
	return p
}

// A phone that accepts the answer, with nothing following, is no answered call (reducer rule 4).
func TestASilentPhoneIsNoAnswer(t *testing.T) {
	sourcetest.Silent(t, rig(func(o *briatest.Options) { o.Silent = true })(t))
}

// The figure includes the question that follows each notice, and its answer.
func TestLatency(t *testing.T) { sourcetest.Latency(t, rig(func(*briatest.Options) {})) }
