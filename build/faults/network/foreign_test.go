package network_test

import (
	"context"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"ringside.dev/ringside/app/crm/sandbox"
	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/wire"
	"ringside.dev/ringside/build/faults/hostile/rig"
)

// Fault 41: whoever answers instead of the CRM, or nobody, nothing counts as delivered; the records wait, with words that say why, and
// reach the CRM once it is there.
func TestWhatAnswersInsteadOfTheCRMIsNoSuccess(t *testing.T) {
	t.Parallel()
	serve := func(h http.HandlerFunc, tls bool) func(t *testing.T) string {
		return func(t *testing.T) string {
			s := httptest.NewUnstartedServer(h)
			s.Config.ErrorLog = log.New(io.Discard, "", 0)
			if tls {
				s.StartTLS()
			} else {
				s.Start()
			}
			t.Cleanup(s.Close)
			return s.URL
		}
	}
	for name, test := range map[string]struct {
		address func(t *testing.T) string
		kinds   []cti.Kind
		says    string
	}{
		"a name that does not resolve": {func(*testing.T) string { return "https://crm.ringside.invalid" }, []cti.Kind{cti.Offline}, "reached"},
		"nobody":                       {func(t *testing.T) string { return "http://" + nobody(t) }, []cti.Kind{cti.Offline}, "reached"},
		"a captive portal": {serve(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, "<html><title>Welcome to our hotel</title></html>")
		}, false), []cti.Kind{cti.Offline, cti.Uncertain}, "web page"},
		"a proxy that wants a sign-in": {serve(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusProxyAuthRequired) }, false), []cti.Kind{cti.Offline}, "proxy"},
		"a proxy that looks inside TLS": {serve(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusCreated)
			_, _ = io.WriteString(w, `{"id":"call_1"}`)
		}, true), []cti.Kind{cti.Offline}, "certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const calls = 20
			w := newWorld(t, 0)
			w.load.Waiting, w.load.Internal = 2*calls, true
			w.load.More, w.load.Edits = func(accepted int) bool { return accepted < calls }, func() bool { return false }
			w.load.Customers(t, w.crm)
			w.agent = rig.Start(t, rig.Connector(t, rig.Header, "timeout: "+rig.Timeout, patient), map[string]string{"base_url": test.address(t), "token": sandbox.DefaultToken})
			w.load.Agent = w.agent
			ctx, cancel := context.WithTimeout(t.Context(), rig.Patience)
			defer cancel()
			w.load.Run(ctx)
			tried := func(i wire.OutboxItem) bool { return len(i.Tries) > 0 }
			var first wire.OutboxItem
			if !rig.Wait(ctx, func() bool {
				items, err := w.agent.Outbox(ctx, wire.OutboxQuery{Limit: wire.MaxOutboxPage})
				for _, i := range items {
					if tried(i) && first.Seq == 0 {
						first = i
					}
				}
				return err == nil && first.Seq != 0
			}) {
				t.Fatal("nothing was tried")
			}
			last := first.Tries[len(first.Tries)-1]
			known := false
			for _, k := range test.kinds {
				known = known || last.Kind == k
			}
			if !known || !strings.Contains(last.Message, test.says) {
				t.Errorf("the attempt failed as %s: %q; want one of %v, and words of %q", last.Kind, last.Message, test.kinds, test.says)
			}
			status, err := w.agent.Status(ctx)
			if err != nil || status.Outbox.Waiting != w.load.Accepted() || status.Outbox.Review != 0 {
				t.Errorf("the status is %+v, %v; want %d that wait", status, err, w.load.Accepted())
			}
			w.agent.Stop()
			w.agent.Params = map[string]string{"base_url": w.crm.URL(), "token": sandbox.DefaultToken}
			w.agent.Launch()
			w.arrived(ctx, t)
		})
	}
}
