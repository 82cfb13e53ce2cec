package baresip_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/baresip"
	"ringside.dev/ringside/bridge/baresip/phonetest"
	"ringside.dev/ringside/bridge/sourcetest"
)

// phoneTimeout bounds what one real phone is asked to do.
const phoneTimeout = 10 * time.Second

var callers atomic.Int64

// phone starts a real phone for one test. Without baresip the test is skipped, unless RINGSIDE_REQUIRE says that phones must be there.
func phone(t *testing.T, p phonetest.Phone) *phonetest.Running {
	t.Helper()
	r, err := phonetest.Start(context.Background(), p)
	if errors.Is(err, phonetest.ErrNotInstalled) && !strings.Contains(os.Getenv("RINGSIDE_REQUIRE"), "phones") {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("log of phone %s:\n%s", p.User, r.Log())
		}
	})
	return r
}

func act(t *testing.T, f func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), phoneTimeout)
	defer cancel()
	if err := f(ctx); err != nil {
		t.Fatal(err)
	}
}

// farEnd is what a real phone that the agent talks to can do and tell.
func farEnd(c *phonetest.Running) sourcetest.FarEnd {
	return sourcetest.FarEnd{
		Heard: func(t *testing.T, digits string) {
			t.Helper()
			act(t, func(ctx context.Context) error { return c.AwaitDigits(ctx, digits) })
		},
		AwaitHold: func(t *testing.T, held bool) {
			t.Helper()
			act(t, func(ctx context.Context) error { return c.AwaitHold(ctx, held) })
		},
		AwaitMuted: func(t *testing.T, muted bool) {
			t.Helper()
			act(t, func(ctx context.Context) error { return c.AwaitMuted(ctx, muted) })
		},
		Hold: func(t *testing.T, held bool) {
			t.Helper()
			if held {
				act(t, c.Hold)
				return
			}
			act(t, c.Resume)
		},
	}
}

// rig has the agent's phone behind a line that can be cut, so that the source loses it while its calls go on.
func rig(t *testing.T, p phonetest.Phone) sourcetest.Rig {
	t.Helper()
	agent := phone(t, p)
	between := sourcetest.NewLine(t, agent.Address(), netstring)
	s, err := baresip.New(between.Address(), "1001", nil)
	if err != nil {
		t.Fatal(err)
	}
	return sourcetest.Rig{
		Source: s,
		Ring: func(t *testing.T, name string) sourcetest.Caller {
			t.Helper()
			if len(name) > 100 { // no phone sends such a name: an attacker does
				return inviteByHand(t, agent, sourcetest.Ringer{Number: "+8613800138000", Name: name})
			}
			user := fmt.Sprintf("1380013%04d", callers.Add(1))
			c := phone(t, phonetest.Phone{User: user, Display: name, Meter: true})
			act(t, func(ctx context.Context) error { return c.Dial(ctx, agent.AOR()) })
			return sourcetest.Caller{Number: user, Hangup: func(t *testing.T) { t.Helper(); act(t, c.Hangup) }, FarEnd: farEnd(c)}
		},
		RingWith: func(t *testing.T, r sourcetest.Ringer) sourcetest.Caller { return inviteByHand(t, agent, r) },
		Reachable: func(t *testing.T) sourcetest.Callee {
			t.Helper()
			c := phone(t, phonetest.Phone{User: "600", Display: "Six Hundred", Meter: true})
			return sourcetest.Callee{Target: c.AOR(), Number: "600",
				Answer: func(t *testing.T) { t.Helper(); act(t, c.Answer) },
				Refuse: func(t *testing.T) { t.Helper(); act(t, c.AwaitRing); act(t, c.Hangup) },
				Hangup: func(t *testing.T) { t.Helper(); act(t, c.Hangup) },
				FarEnd: farEnd(c)}
		},
		Break: between.Cut, Restore: between.Restore,
		Kill: func(t *testing.T) {
			t.Helper()
			act(t, func(context.Context) error { return agent.Kill() })
			between.Cut(t)
		},
		Revive: func(t *testing.T) {
			t.Helper()
			act(t, func(context.Context) error { return agent.Revive(context.Background()) })
			between.Restore(t)
		},
		Garbage: between.Inject, Disorder: func(*testing.T) { between.Disorder(isEvent) },
		TellsMute: true,
	}
}

func TestRealPhonesConform(t *testing.T) {
	sourcetest.Run(t, func(t *testing.T) sourcetest.Rig {
		return rig(t, phonetest.Phone{User: "agent", Display: "Agent Wang"})
	})
}

func TestRealPhoneWithABrokenMicrophone(t *testing.T) {
	sourcetest.Silent(t, rig(t, phonetest.Phone{User: "agent", BrokenAudio: true}))
}

// A number nobody has, a port nobody listens on and a name nobody knows, as the real phone words them.
func TestRealPhoneDialsInVain(t *testing.T) {
	agent := phone(t, phonetest.Phone{User: "agent"})
	other := phone(t, phonetest.Phone{User: "600"})
	for _, c := range []struct {
		name, target string
		want         cti.CauseCode
	}{
		{"unknown number", "sip:nobody@" + other.SIPAddress(), cti.CauseNotFound},
		{"unknown extension", "12345", cti.CauseNotFound}, // completed by the phone with its own domain
		{"unknown host", "sip:600@no-such-host.invalid", cti.CauseUnreachable},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := baresip.New(agent.Address(), "1001", nil)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), phoneTimeout)
			defer cancel()
			ledger := cti.NewLedger("test")
			var got []cti.Call
			err = s.Run(ctx, func(e cti.Event) {
				if e.Type == cti.Snapshot {
					go func() { // emit must not wait for a reply that comes after it
						if err := s.Phone().Dial(ctx, c.target); err != nil {
							t.Error(err)
						}
					}()
				}
				for _, change := range ledger.Apply(e.Clean()) {
					if change.Ended() {
						got = append(got, change.After)
						cancel()
					}
				}
			})
			if err != nil || len(got) != 1 {
				t.Fatalf("%d calls ended, error %v; want one", len(got), err)
			}
			if got[0].Cause.Code != c.want || got[0].Direction != cti.Out || len(got[0].Refs) != 2 {
				t.Errorf("cause %+v, direction %s, refs %v; want %s, out, and both references", got[0].Cause, got[0].Direction, got[0].Refs, c.want)
			}
		})
	}
}
