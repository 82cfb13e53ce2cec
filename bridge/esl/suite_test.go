package esl_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge"
	"ringside.dev/ringside/bridge/esl"
	"ringside.dev/ringside/bridge/esl/esltest"
	"ringside.dev/ringside/bridge/sourcetest"
)

const extension = "1001"

// rig is a FreeSWITCH whose phones obey NOTIFY, and one extension of it.
func newRig(t *testing.T) sourcetest.Rig {
	t.Helper()
	server := esltest.Start(t, nil)
	server.Desk = true
	x, err := esl.New(esl.Config{Address: server.Address(), Password: esltest.Password, Context: "default", AgentDomain: esltest.Domain, PhoneEvents: true})
	if err != nil {
		t.Fatal(err)
	}
	x.Phone(extension)
	var callers atomic.Int32
	var mu sync.Mutex
	var last *esltest.Channel
	ring := func(t *testing.T, r sourcetest.Ringer) sourcetest.Caller {
		t.Helper()
		c := server.Incoming(r.Number, r.Name, "600", r.Data)
		server.Dial(c, extension)
		mu.Lock()
		last = c
		mu.Unlock()
		data := map[string]string{}
		for header, value := range r.Data {
			data[strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(header, "X-")), "-", "_")] = value
		}
		heard := 0
		return sourcetest.Caller{Number: r.Number, Data: data, Hangup: func(*testing.T) { server.Hangup(c) },
			FarEnd: sourcetest.FarEnd{Hold: func(_ *testing.T, held bool) { server.Hold(c, held) },
				Heard: func(t *testing.T, digits string) {
					t.Helper()
					if got := server.Heard(c)[heard:]; got != digits {
						t.Errorf("the far end heard %q, want %q", got, digits)
					}
					heard += len(digits)
				}}}
	}
	return sourcetest.Rig{
		Source: bridge.Extension(x, extension),
		Ring: func(t *testing.T, name string) sourcetest.Caller {
			t.Helper()
			return ring(t, sourcetest.Ringer{Number: fmt.Sprintf("1380013800%d", callers.Add(1)), Name: name})
		},
		RingWith: ring,
		Reachable: func(t *testing.T) sourcetest.Callee {
			t.Helper()
			const number = "13900139000"
			there := func(t *testing.T) *esltest.Channel {
				t.Helper()
				return server.Await(t, "a phone rings outside", func(c *esltest.Channel) bool { return c.Dest == number && c.State == "RINGING" })
			}
			return sourcetest.Callee{Target: number, Number: number,
				Answer: func(t *testing.T) { t.Helper(); server.Answer(there(t)) },
				Refuse: func(t *testing.T) { t.Helper(); server.Refuse(there(t), "CALL_REJECTED") },
				Hangup: func(t *testing.T) {
					t.Helper()
					server.Hangup(server.Await(t, "a phone outside", func(c *esltest.Channel) bool { return c.Dest == number && c.State == "ACTIVE" }))
				}}
		},
		Join: func(t *testing.T) string {
			t.Helper()
			leg := server.Await(t, "the agent talks", func(c *esltest.Channel) bool {
				return c.Presence == extension+"@"+esltest.Domain && c.State == "ACTIVE"
			})
			mu.Lock()
			customer := last
			mu.Unlock()
			server.Conference("room", leg, customer, server.Incoming("13700137000", "Wang Wu", "700", nil))
			return "13700137000"
		},
		Recorded: func(*testing.T) string {
			mu.Lock()
			defer mu.Unlock()
			const path = "/var/lib/freeswitch/recordings/1.wav"
			server.Recorded(last, path)
			return path
		},
		Break: server.Break, Restore: server.Restore,
		Kill:         func(t *testing.T) { t.Helper(); server.Break(t); server.Crash() },
		Revive:       server.Restore,
		Garbage:      server.Raw,
		Disorder:     func(*testing.T) { server.Disorder() },
		TellsFarHold: true,
	}
}

func TestSource(t *testing.T) { sourcetest.Run(t, newRig) }

func TestLatency(t *testing.T) { sourcetest.Latency(t, newRig) }

// deaf is the phone that takes NOTIFY and does nothing (reducer rule 4).
func TestAPhoneThatDoesNotObey(t *testing.T) {
	server := esltest.Start(t, nil)
	server.Deaf = true
	x, err := esl.New(esl.Config{Address: server.Address(), Password: esltest.Password, PhoneEvents: true})
	if err != nil {
		t.Fatal(err)
	}
	x.Phone(extension)
	sourcetest.Silent(t, sourcetest.Rig{Source: bridge.Extension(x, extension), Ring: func(t *testing.T, name string) sourcetest.Caller {
		t.Helper()
		c := server.Incoming("13800138000", name, "600", nil)
		server.Dial(c, extension)
		return sourcetest.Caller{Number: "13800138000", Hangup: func(*testing.T) { server.Hangup(c) }}
	}})
}

// An extension's phone that may not be commanded by NOTIFY is answered by hand.
func TestWithoutPhoneEventsNothingIsOfferedThatOnlyAPhoneCanDo(t *testing.T) {
	x, err := esl.New(esl.Config{Address: "127.0.0.1:8021", Password: esltest.Password})
	if err != nil {
		t.Fatal(err)
	}
	p := x.Phone(extension)
	if p.Answer != nil || p.Hold != nil || p.Resume != nil || p.Dial != nil || p.Transfer != nil || p.Presence != nil {
		t.Errorf("it can %v", p.Abilities())
	}
	if err := p.Hangup(context.Background(), cti.Call{}); cti.KindOf(err) != cti.Offline {
		t.Errorf("%v, want offline", err)
	}
}
