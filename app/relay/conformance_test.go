package relay_test

import (
	"net"
	"slices"
	"testing"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/sim"
	"ringside.dev/ringside/bridge/sourcetest"
)

// The source relayed through a real relay, over TLS and a network that can be spoilt, with a simulated exchange behind it.
func TestConformance(t *testing.T) { sourcetest.Run(t, rig) }

func TestAnExchangeThatAnswersSilently(t *testing.T) {
	r, far := rigAt(t)
	far.SetScript(sim.Script{AnswerSilently: true})
	sourcetest.Silent(t, r)
}

func rig(t *testing.T) sourcetest.Rig {
	r, _ := rigAt(t)
	return r
}

func rigAt(t *testing.T) (sourcetest.Rig, far) {
	w := newWorld(t, full())
	p := newProxy(t, w.address)
	x := far{w.exchange.Extension("1001")}
	return sourcetest.Rig{
		Source: w.through(p.Addr().String(), "1001", w.enrol("1001")),
		Ring: func(_ *testing.T, name string) sourcetest.Caller {
			return x.caller(x.Ring("13800138000", name), "13800138000", nil)
		},
		RingWith: x.ringWith, Reachable: x.reachable, Join: x.join, Recorded: x.recorded,
		Break: func(*testing.T) { x.Disconnect() }, Restore: func(*testing.T) { x.Reconnect() },
		Kill: func(*testing.T) { x.Crash() }, Revive: func(*testing.T) { x.Reconnect() },
		Garbage:      p.garbage,
		Disorder:     func(*testing.T) { x.SetScript(sim.Script{Disorder: true}) },
		TellsFarHold: true, TellsMute: true,
	}, x
}

// far is everybody but the agent, at the exchange.
type far struct{ *sim.Source }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// the gives the one live call of a kind.
func (w far) the(t *testing.T, kind func(cti.Call) bool) cti.Call {
	t.Helper()
	calls := slices.DeleteFunc(w.Live(), func(c cti.Call) bool { return !kind(c) })
	if len(calls) != 1 {
		t.Fatalf("%d such calls among %+v, want one", len(calls), w.Live())
	}
	return calls[0]
}

func named(ref string) func(cti.Call) bool {
	return func(c cti.Call) bool { return c.Refs[sim.Ref] == ref }
}

func (w far) caller(ref, number string, data map[string]string) sourcetest.Caller {
	return sourcetest.Caller{Number: number, Data: data,
		Hangup: func(t *testing.T) {
			if w.the(t, named(ref)).EstablishedAt.IsZero() {
				must(t, w.Abandon(ref))
				return
			}
			must(t, w.RemoteHangup(ref))
		},
		FarEnd: w.farEnd(func(*testing.T) string { return ref })}
}

func (w far) farEnd(ref func(*testing.T) string) sourcetest.FarEnd {
	heard := 0
	return sourcetest.FarEnd{
		Heard: func(t *testing.T, digits string) {
			all := w.Heard(ref(t))
			if got := all[heard:]; got != digits {
				t.Errorf("the far end heard %q, want %q", got, digits)
			}
			heard = len(all)
		},
		AwaitHold: func(t *testing.T, held bool) {
			if by := w.the(t, named(ref(t))).HeldBy; slices.Contains(by, cti.ByLocal) != held {
				t.Errorf("held by %v, want by the agent: %v", by, held)
			}
		},
		AwaitMuted: func(t *testing.T, muted bool) {
			if got := w.the(t, named(ref(t))).Muted; got != muted {
				t.Errorf("muted is %v, want %v", got, muted)
			}
		},
		Hold: func(t *testing.T, held bool) { must(t, w.RemoteHold(ref(t), held)) },
	}
}

func (w far) ringWith(_ *testing.T, r sourcetest.Ringer) sourcetest.Caller {
	data := map[string]string{}
	for header, value := range r.Data {
		if name := cti.DataName(header); name != "" {
			data[name] = value
		}
	}
	return w.caller(w.RingWith(sim.Incoming{Number: r.Number, Name: r.Name, Data: data}), r.Number, data)
}

func (w far) reachable(*testing.T) sourcetest.Callee {
	dialled := func(t *testing.T) string {
		return w.the(t, func(c cti.Call) bool { return c.Direction == cti.Out }).Refs[sim.Ref]
	}
	return sourcetest.Callee{Target: "600", Number: "600",
		Answer: func(t *testing.T) {
			if len(w.Live()) > 0 { // a call that was given to this callee is none of the agent's any more
				must(t, w.RemoteAnswer(dialled(t)))
			}
		},
		Refuse: func(t *testing.T) { must(t, w.RemoteRefuse(dialled(t), "")) },
		Hangup: func(t *testing.T) { must(t, w.RemoteHangup(dialled(t))) },
		FarEnd: w.farEnd(dialled)}
}

func (w far) join(t *testing.T) string {
	must(t, w.Join(w.the(t, func(cti.Call) bool { return true }).Refs[sim.Ref], "10086"))
	return "10086"
}

func (w far) recorded(t *testing.T) string {
	past, err := w.Phone().History(t.Context(), time.Time{})
	must(t, err)
	must(t, w.Record(past[len(past)-1].Call.Refs[sim.Ref], cti.Recording{ID: "rec-1", URL: "https://pbx.example/rec-1.wav"}))
	return "rec-1"
}

// garbage sends bytes to the workstation as if the relay had.
func (p *proxy) garbage(t *testing.T, raw []byte) {
	t.Helper()
	timeout := time.After(patience)
	for {
		err := net.ErrClosed
		p.mu.Lock()
		if len(p.conns) > 0 {
			_, err = p.conns[len(p.conns)-2].Write(raw)
		}
		p.mu.Unlock()
		if err == nil {
			return
		}
		select {
		case <-p.fresh:
		case <-timeout:
			t.Fatalf("no connection to spoil: %v", err)
		}
	}
}

// What the way through a relay adds to a pop: the exchange's event, written down, over TLS, acknowledged.
func TestLatency(t *testing.T) {
	sourcetest.Latency(t, func(t *testing.T) sourcetest.Rig {
		w := newWorld(t, full())
		x := far{w.exchange.Extension("1001")}
		return sourcetest.Rig{Source: w.source("1001", w.enrol("1001")), Ring: func(_ *testing.T, name string) sourcetest.Caller {
			return x.caller(x.Ring("13800138000", name), "13800138000", nil)
		}}
	})
}
