package ari_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge"
	"ringside.dev/ringside/bridge/ari"
	"ringside.dev/ringside/bridge/ari/aritest"
	"ringside.dev/ringside/bridge/sourcetest"
)

const extension = "1001"

// desk is the exchange's extension with the phone on the agent's desk, on which the agent answers: ARI cannot do that for them.
type desk struct {
	bridge.Source
	exchange *ari.Exchange
	server   *aritest.Server
}

func (d desk) Phone() cti.Phone {
	p := d.Source.Phone()
	p.Answer = func(_ context.Context, c cti.Call) error {
		id, err := d.exchange.Find(extension, c)
		if err != nil {
			return err
		}
		d.server.Answer(d.server.Channel(id))
		return nil
	}
	return p
}

func newRig(t *testing.T) sourcetest.Rig {
	t.Helper()
	server := aritest.Start(t)
	server.Desk = true
	x, err := ari.New(ari.Config{URL: server.URL(), User: aritest.User, Password: aritest.Password, Context: "from-internal", Variables: []string{"X-*"}})
	if err != nil {
		t.Fatal(err)
	}
	x.Phone(extension)
	var callers atomic.Int32
	ring := func(t *testing.T, r sourcetest.Ringer) sourcetest.Caller {
		t.Helper()
		c := server.Incoming(r.Number, r.Name, extension, r.Data)
		server.Dial(c, "PJSIP/"+extension)
		data := map[string]string{}
		for variable, value := range r.Data {
			data[strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(variable, "X-")), "-", "_")] = value
		}
		return sourcetest.Caller{Number: r.Number, Data: data, Hangup: func(*testing.T) { server.Hangup(c) },
			FarEnd: sourcetest.FarEnd{Hold: func(_ *testing.T, held bool) { server.Hold(c, held) }}}
	}
	return sourcetest.Rig{
		Source: desk{bridge.Extension(x, extension), x, server},
		Ring: func(t *testing.T, name string) sourcetest.Caller {
			t.Helper()
			return ring(t, sourcetest.Ringer{Number: fmt.Sprintf("1380013800%d", callers.Add(1)), Name: name})
		},
		RingWith: ring,
		Reachable: func(t *testing.T) sourcetest.Callee {
			t.Helper()
			const number = "13900139000"
			there := func(t *testing.T) *aritest.Channel {
				t.Helper()
				return server.Await(t, "a phone rings outside", func(c *aritest.Channel) bool { return c.Number == number && c.State == "Ringing" })
			}
			return sourcetest.Callee{Target: number, Number: number,
				Answer: func(t *testing.T) { t.Helper(); server.Answer(there(t)) },
				Refuse: func(t *testing.T) { t.Helper(); server.Refuse(there(t), 17) },
				Hangup: func(t *testing.T) {
					t.Helper()
					server.Hangup(server.Await(t, "a phone outside", func(c *aritest.Channel) bool { return c.Number == number && c.State == "Up" }))
				}}
		},
		Join: func(t *testing.T) string {
			t.Helper()
			leg := server.Await(t, "the agent talks", func(c *aritest.Channel) bool { return c.Number == extension && c.State == "Up" })
			server.Join(leg, server.Incoming("13700137000", "Wang Wu", "700", nil))
			return "13700137000"
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
