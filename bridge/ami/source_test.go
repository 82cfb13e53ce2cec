package ami_test

import (
	"context"
	"maps"
	"sync/atomic"
	"testing"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge"
	"ringside.dev/ringside/bridge/ami"
	"ringside.dev/ringside/bridge/ami/amitest"
	"ringside.dev/ringside/bridge/sourcetest"
)

// headers are the call data of the suite, as the variables that a dialplan's PJSIP_HEADER makes of them.
var headers = []string{"SIP_HEADER(X-Order-Id)", "SIP_HEADER(X-Level)", "SIP_HEADER(X-Crlf)"}

func config(s *amitest.Server) ami.Config {
	return ami.Config{Address: s.Address(), Username: amitest.Username, Secret: func() (string, error) { return amitest.Secret, nil },
		Instance: "pbx-1", Context: "internal", Serves: func(e string) bool { return e == "1001" || e == "1002" }, Variables: headers,
		RecordingVariable: "MIXMONITOR_FILENAME"}
}

func exchange(t *testing.T, c ami.Config) *ami.Exchange {
	t.Helper()
	x, err := ami.New(c, nil)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// phone is the exchange together with the hands at the agent's phone: what the manager interface cannot do, answering, holding and consulting,
// is done there. It gives the errors that a source's own command would.
type phone struct {
	bridge.Source
	server  *amitest.Server
	running *atomic.Bool
}

func (p phone) Run(ctx context.Context, emit func(cti.Event)) error {
	if p.running.CompareAndSwap(false, true) {
		defer p.running.Store(false)
	}
	return p.Source.Run(ctx, emit)
}

func (p phone) Phone() cti.Phone {
	can := p.Source.Phone()
	hand := func(do func(c *amitest.Channel) error) func(context.Context, cti.Call) error {
		return func(_ context.Context, c cti.Call) error {
			if !p.running.Load() || !p.server.Connected() {
				return cti.Errorf(cti.Offline, "not connected", nil)
			}
			channel := p.server.Find(c.Refs[ami.RefVendor])
			if channel == nil {
				return cti.Errorf(cti.NotFound, "no such call", nil)
			}
			return do(channel)
		}
	}
	can.Answer = hand(func(c *amitest.Channel) error { c.Answer(); return nil })
	can.Hold = hand(func(c *amitest.Channel) error { c.Hold(true); return nil })
	can.Resume = hand(func(c *amitest.Channel) error { c.Hold(false); return nil })
	can.Consult = func(ctx context.Context, c cti.Call, to string) error {
		return hand(func(c *amitest.Channel) error { c.Consult(to); return nil })(ctx, c)
	}
	can.Complete = hand(func(c *amitest.Channel) error {
		if !c.Complete() {
			return cti.Errorf(cti.Conflict, "there is nobody to give it to", nil)
		}
		return nil
	})
	return can
}

func rigOf(options amitest.Options) func(t *testing.T) sourcetest.Rig {
	return func(t *testing.T) sourcetest.Rig {
		s := amitest.Start(t, options)
		s.Member("support", "1001")
		var last *amitest.Channel
		ring := func(_ *testing.T, r sourcetest.Ringer) sourcetest.Caller {
			vars := map[string]string{}
			data := map[string]string{}
			for name, value := range r.Data {
				vars["SIP_HEADER("+name+")"] = value
			}
			maps.Copy(data, map[string]string{"order_id": r.Data["X-Order-Id"], "level": r.Data["X-Level"]})
			agent := s.Ring("1001", amitest.Caller{Number: r.Number, Name: r.Name, Vars: vars})
			last = agent
			caller := agent.Peer()
			return sourcetest.Caller{Number: r.Number, Data: data, Hangup: func(*testing.T) { caller.Hangup() }, FarEnd: farEnd(caller, agent)}
		}
		return sourcetest.Rig{
			Source: phone{bridge.Extension(exchange(t, config(s)), "1001"), s, new(atomic.Bool)},
			Ring: func(t *testing.T, name string) sourcetest.Caller {
				return ring(t, sourcetest.Ringer{Number: "13800138000", Name: name})
			},
			RingWith: ring,
			Reachable: func(*testing.T) sourcetest.Callee {
				c := s.Reachable("7788")
				return sourcetest.Callee{Target: "7788", Number: "7788",
					Answer: func(*testing.T) { c.Rings().Answer() },
					Refuse: func(*testing.T) { c.Rings().Hangup() },
					Hangup: func(*testing.T) { c.Talks().Hangup() }}
			},
			Join: func(*testing.T) string {
				last.Join("13900139000")
				return "13900139000"
			},
			Recorded: func(*testing.T) string {
				last.Recorded("/var/spool/asterisk/monitor/2026/11/26/q-600-1.wav")
				return "q-600-1.wav"
			},
			Break: func(*testing.T) { s.Cut() }, Restore: func(*testing.T) { s.Restore() },
			Kill: func(*testing.T) { s.Kill() }, Revive: func(*testing.T) { s.Restore() },
			Garbage:      func(_ *testing.T, raw []byte) { s.Raw(raw) },
			Disorder:     func(*testing.T) { s.SetDisorder() },
			TellsFarHold: true, TellsMute: true,
		}
	}
}

func farEnd(caller, agent *amitest.Channel) sourcetest.FarEnd {
	return sourcetest.FarEnd{
		Heard: func(t *testing.T, digits string) {
			if got := caller.Heard(); got != digits {
				t.Errorf("the far end heard %q, want %q", got, digits)
			}
			if got := agent.Heard(); got != "" {
				t.Errorf("the agent heard %q", got)
			}
		},
		AwaitMuted: func(t *testing.T, muted bool) {
			if agent.Muted() != muted {
				t.Errorf("muted %v, want %v", agent.Muted(), muted)
			}
		},
		Hold: func(_ *testing.T, held bool) { caller.Hold(held) },
	}
}

func TestConformance(t *testing.T) { sourcetest.Run(t, rigOf(amitest.Options{})) }

func TestLatency(t *testing.T) { sourcetest.Latency(t, rigOf(amitest.Options{})) }

// A user with the least rights, and the other channel driver: the Call-ID is asked for.
func TestConformanceWithLeastRights(t *testing.T) {
	sourcetest.Run(t, rigOf(amitest.Options{Technology: "PJSIP", Read: []string{"call", "agent", "user"},
		Write: []string{"call", "agent", "originate", "reporting", "system"}}))
}
