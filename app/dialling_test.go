package app

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"ringside.dev/ringside/app/cti"
)

func TestWhoMustNotBeCalledIsNotWithTheReason(t *testing.T) {
	n := cti.Number{Raw: "138", E164: "+86138", Key: "138"}
	customer := func(grade cti.Grade, status string, tags ...string) []cti.Match {
		return []cti.Match{{Grade: grade, Customer: cti.Customer{Status: status, Tags: tags}}}
	}
	offline := cti.Errorf(cti.Offline, "no CRM", nil)
	for name, test := range map[string]struct {
		known, found []cti.Match
		err          error
		reason       string
	}{
		"a tag":                     {known: customer(cti.Sure, "active", "VIP", "do-not-call"), reason: "do-not-call"},
		"a status":                  {known: customer(cti.Likely, "locked"), reason: "locked"},
		"one of several":            {known: append(customer(cti.Sure, "active"), customer(cti.Sure, "locked")...), reason: "locked"},
		"only the CRM knows":        {found: customer(cti.Sure, "locked"), reason: "locked"},
		"perhaps somebody else":     {known: customer(cti.Perhaps, "locked")},
		"the CRM knows better":      {known: customer(cti.Perhaps, "active"), found: customer(cti.Sure, "locked"), reason: "locked"},
		"as the CRM spells it":      {known: customer(cti.Sure, "active", "Do-Not-Call "), reason: "Do-Not-Call "},
		"a status in capitals":      {known: customer(cti.Sure, "LOCKED"), reason: "LOCKED"},
		"nobody":                    {},
		"the CRM cannot be reached": {err: offline},
		"a customer like others":    {known: customer(cti.Sure, "active", "VIP")},
	} {
		d := dialling{log: slog.New(slog.DiscardHandler), stop: cti.DiallingProfile{StopTags: []string{"do-not-call"}, StopStatuses: []string{"locked"}},
			known: func(cti.Number) []cti.Match { return test.known },
			find:  func(context.Context, cti.Number) ([]cti.Match, error) { return test.found, test.err }}
		err := d.allow(t.Context(), n)
		want := "this customer must not be called: " + test.reason
		if test.reason == "" && err != nil || test.reason != "" && (cti.KindOf(err) != cti.Denied || cti.MessageOf(err) != want) {
			t.Errorf("%s: %v, want %q", name, err, test.reason)
		}
	}
	asked := false
	free := dialling{find: func(context.Context, cti.Number) ([]cti.Match, error) { asked = true; return nil, nil }, known: func(cti.Number) []cti.Match { return nil }}
	if err := free.allow(t.Context(), n); err != nil || asked {
		t.Errorf("a site that stops nobody: %v, asked %v", err, asked)
	}
}

func TestASecondClickIsTheSameDial(t *testing.T) {
	offline := cti.Errorf(cti.Offline, "no phone", nil)
	for name, test := range map[string]struct {
		takes  time.Duration // of each dial
		fails  bool
		clicks []time.Duration // after the one before, the first at once
		dials  int
	}{
		"one click":                     {clicks: []time.Duration{0}, dials: 1},
		"two at once":                   {takes: time.Second, clicks: []time.Duration{0, 0}, dials: 1},
		"while the phone is slow":       {takes: 3 * time.Second, clicks: []time.Duration{0, 2500 * time.Millisecond}, dials: 1},
		"after it dialled, just within": {takes: time.Second, clicks: []time.Duration{0, 2*time.Second - 1}, dials: 1},
		"after two seconds":             {takes: time.Second, clicks: []time.Duration{0, 2 * time.Second}, dials: 2},
		"again and again":               {clicks: []time.Duration{0, time.Second, time.Second, time.Second}, dials: 2},
		"under way when it fails":       {takes: time.Second, fails: true, clicks: []time.Duration{0, time.Second / 2}, dials: 1},
		"after it failed":               {takes: time.Second, fails: true, clicks: []time.Duration{0, 1100 * time.Millisecond}, dials: 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var c clicks
				dials, ended := 0, make(chan error, len(test.clicks))
				dial := func(_ context.Context, number string) error {
					if dials++; number != "138" {
						t.Errorf("dialled %s", number)
					}
					time.Sleep(test.takes) //nolint:forbidigo // fake time
					if test.fails {
						return offline
					}
					return nil
				}
				for _, after := range test.clicks {
					time.Sleep(after) //nolint:forbidigo // fake time
					go func() { ended <- c.once(t.Context(), "138", dial) }()
					synctest.Wait()
				}
				for range test.clicks {
					if err := <-ended; (err != nil) != test.fails || err != nil && !errors.Is(err, offline) {
						t.Errorf("a click gives %v", err)
					}
				}
				if dials != test.dials {
					t.Errorf("dialled %d times, want %d", dials, test.dials)
				}
			})
		})
	}
}

func TestAClickOnAnotherNumberIsAnotherDialAndWhoWaitsMayGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c clicks
		var dialled []string
		dial := func(_ context.Context, number string) error { dialled = append(dialled, number); return nil }
		for i := range 100 {
			for _, number := range []string{"138", "139", "138"} {
				if err := c.once(t.Context(), number, dial); err != nil {
					t.Error(err)
				}
			}
			if len(dialled) != 2*(i+1) || len(c.at) != 2 {
				t.Fatalf("dialled %q, remembered %d", dialled, len(c.at))
			}
			time.Sleep(sameClick) //nolint:forbidigo // fake time
		}
		ended := make(chan error, 1)
		go func() {
			ended <- c.once(context.Background(), "1", func(context.Context, string) error {
				time.Sleep(time.Minute) //nolint:forbidigo // fake time
				return nil
			})
		}()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if err := c.once(ctx, "1", dial); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
			t.Errorf("who waits: %v after %v", err, time.Since(began))
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestAConnectorThatBreaksKeepsNobodyFromDialling(t *testing.T) {
	d := dialling{log: slog.New(slog.DiscardHandler), stop: cti.DiallingProfile{StopTags: []string{"do-not-call"}}, known: func(cti.Number) []cti.Match { return nil },
		find: func(context.Context, cti.Number) ([]cti.Match, error) { panic("a broken connector") }}
	if err := d.allow(t.Context(), cti.Number{Raw: "138", E164: "+86138", Key: "138"}); err != nil {
		t.Errorf("%v", err)
	}
}
