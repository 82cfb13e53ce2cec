package app_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"ringside.dev/ringside/app"
	"ringside.dev/ringside/app/crm/sandbox"
	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/secret"
	"ringside.dev/ringside/bridge/wire"
)

func TestAnAgentRestartedBeforeTheDeliveryDeliversOnce(t *testing.T) {
	w := newWorld(t)
	a := w.start(t)
	leg := a.ring(t, "restart", knownNumber)
	a.card(t, "the customer", leg, func(c wire.Card) bool { return c.Picked != "" })
	w.fault(t, sandbox.Fault{DropAnswer: true, Match: "/api/calls"}) // the CRM takes it and we never hear
	a.talk(t, leg)
	a.wrapUp(t, leg)
	a.card(t, "the lost answer", leg, func(c wire.Card) bool { return c.Write.Kind == cti.Uncertain })
	a.stop()
	w.fault(t, sandbox.Fault{})

	b := w.start(t)
	b.emptied(t)
	r := w.one(t, leg)
	wantContact(t, r, knownCustomer)
	if *r.Note != note {
		t.Errorf("the record is %+v", r)
	}
	logged, err := b.client.Call(t.Context(), leg)
	if err != nil || logged.WrapUp.Note != note || logged.Call.Leg != leg {
		t.Errorf("the call list has %+v, %v", logged, err)
	}
}

// Fault 27: nor two agents.
func TestTwoAgentsDoNotShareAStateFolderOrASocket(t *testing.T) {
	w := newWorld(t)
	w.start(t)
	_, err := app.New(w.config())
	if cti.KindOf(err) != cti.Conflict || !strings.Contains(err.Error(), "--state") {
		t.Errorf("the second agent on the same state gets %v", err)
	}
	other := w.config()
	other.StateDir = t.TempDir()
	second, err := app.New(other)
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Run(t.Context()); cti.KindOf(err) != cti.Conflict || !strings.Contains(err.Error(), w.socket) {
		t.Errorf("the second agent on the same socket gets %v", err)
	}
	if err := second.Close(); err != nil {
		t.Error(err)
	}
}

func TestWithAWrongTokenTheRecordWaitsAtNoCostUntilTheTokenIsRight(t *testing.T) {
	w := newWorld(t)
	w.token = wrongToken
	a := w.start(t)
	if s := a.Status(); s.CRM.State != wire.LinkAuth {
		t.Errorf("the CRM's link is %+v", s.CRM)
	}
	leg := a.ring(t, "token", knownNumber)
	if card := a.talk(t, leg); card.SearchError != cti.Auth {
		t.Errorf("the card is %+v", card)
	}
	card := a.card(t, "a refused attempt", leg, func(c wire.Card) bool { return c.Write.State == wire.WriteRetrying })
	if card.Write.Kind != cti.Auth || card.Write.Attempts != 0 || !strings.Contains(card.Write.Message, "token") {
		t.Errorf("the write is %+v", card.Write)
	}
	if items := a.outbox(t); len(items) != 1 || items[0].Attempts != 0 || items[0].Kind != cti.Auth {
		t.Errorf("the outbox holds %+v", items)
	}
	a.stop()
	w.token = rightToken

	b := w.start(t)
	b.emptied(t)
	wantContact(t, w.one(t, leg), knownCustomer)
	if s := b.Status(); s.CRM.State != wire.LinkUp {
		t.Errorf("the CRM's link is %+v", s.CRM)
	}
}

func TestASecretThatIsNotThereIsNamedWithWhatToDo(t *testing.T) {
	w := newWorld(t)
	for name, test := range map[string]struct {
		secret error
		kind   cti.Kind
		says   []string
	}{
		"missing":     {fmt.Errorf("get secret crm-token: %w", secret.ErrNotFound), cti.Auth, []string{"crm.params.token", "ringctl secret set crm-token", "RINGSIDE_SECRET_CRM_TOKEN"}},
		"no keychain": {fmt.Errorf("get secret crm-token: %w", secret.ErrNoKeychain), cti.Offline, []string{"crm.params.token", "RINGSIDE_KEYCHAIN=env"}},
		"locked":      {fmt.Errorf("get secret crm-token: %w", secret.ErrLocked), cti.Offline, []string{"crm.params.token", "unlock"}},
	} {
		t.Run(name, func(t *testing.T) {
			config := w.config()
			config.Secret = func(string) (string, error) { return "", test.secret }
			_, err := app.New(config)
			if cti.KindOf(err) != test.kind {
				t.Errorf("the error is %v (%s), want %s", err, cti.KindOf(err), test.kind)
			}
			if test.kind == cti.Offline && !errors.Is(err, test.secret) {
				t.Errorf("%v hides the keychain's error", err)
			}
			for _, says := range test.says {
				if err == nil || !strings.Contains(err.Error(), says) {
					t.Errorf("the error %v does not say %s", err, says)
				}
			}
		})
	}
}

func TestAClosedAgentLeavesNoConnectionToTheCRM(t *testing.T) {
	closed := make(chan struct{}, 10)
	crm := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"id":"u_01","name":"Lin Yue","email":"l@ringside.example"}`) // the agent will tell
	}))
	crm.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateClosed {
			closed <- struct{}{}
		}
	}
	crm.Start()
	defer crm.Close()
	w := newWorld(t)
	w.url = crm.URL
	w.start(t).stop()
	select {
	case <-closed:
	case <-time.After(patience):
		t.Error("the connection to the CRM is still open")
	}
}

func TestTheLogTellsWhatHappenedAndNothingElse(t *testing.T) {
	w := newWorld(t)
	a := w.start(t)
	w.fault(t, sandbox.Fault{Refuse: true})
	leg := a.ring(t, "log", knownNumber)
	a.talk(t, leg)
	a.wrapUp(t, leg)
	a.card(t, "a failed attempt", leg, func(c wire.Card) bool { return c.Write.State == wire.WriteRetrying })
	w.fault(t, sandbox.Fault{Status: 500, Count: 1})
	a.card(t, "another failed attempt", leg, func(c wire.Card) bool { return c.Write.Attempts > 1 })
	a.delivered(t, leg)
	a.stop()
	for _, said := range []string{"agent started", "signed in to the CRM", "look-up failed", "number=***", "write-back failed", "agent stopped", leg} {
		if !strings.Contains(w.log.String(), said) {
			t.Errorf("the log does not say %q:\n%s", said, w.log)
		}
	}
	// That the log says nothing it must not say is checked for every world, also this one.
}
