package bridge_test

import (
	"context"
	"testing"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge"
	"ringside.dev/ringside/bridge/ami/amitest"
)

// Without a relay the exchange is one phone: its own extension's calls come, with what came with them, and a colleague's do not.
func TestAnExchangeWithoutARelayIsOnePhone(t *testing.T) {
	server := amitest.Start(t, amitest.Options{})
	p := cti.Profile{Phone: cti.PhoneProfile{Source: "ami", Address: server.Address(), Extension: "1001",
		Exchange: cti.ExchangeAccess{User: amitest.Username, Password: "keychain:pbx", Variables: []string{"ORDER_ID"}}}}
	var asked []string
	s, err := bridge.Open(p, p.Phone.Sources()[0], bridge.Place{Secret: func(name string) (string, error) { asked = append(asked, name); return amitest.Secret, nil }})
	if err != nil || len(asked) != 1 || asked[0] != "pbx" {
		t.Fatalf("%v, asked for %v", err, asked)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	events := make(chan cti.Event, 64)
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, func(e cti.Event) { events <- e }) }()
	await := func(is cti.EventType) cti.Event {
		t.Helper()
		for {
			select {
			case e := <-events:
				if e.Local.Extension == "1002" {
					t.Errorf("a colleague's event came: %+v", e)
				}
				if e.Type == is {
					return e
				}
			case <-ctx.Done():
				t.Fatalf("%s did not come", is)
			}
		}
	}
	await(cti.Snapshot)
	server.Ring("1002", amitest.Caller{Number: "13900139000"})
	leg := server.Ring("1001", amitest.Caller{Number: "13800138000", Vars: map[string]string{"ORDER_ID": "A-17"}})
	if e := await(cti.Delivered); e.Remote.Raw != "13800138000" || e.Data["order_id"] != "A-17" || e.Source.Instance != "ami" {
		t.Errorf("%+v", e)
	}
	leg.Answer()
	e := await(cti.Established)
	if err := s.Phone().Hangup(ctx, cti.Call{Refs: e.Call.Refs, State: cti.Connected}); err != nil {
		t.Error(err)
	}
	await(cti.Cleared)
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
