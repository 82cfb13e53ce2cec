package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"ringside.dev/ringside/bridge/wire"
)

func headless(out io.Writer) *env {
	return &env{Streams: Streams{In: strings.NewReader(""), Out: out, Err: io.Discard, Getenv: os.Getenv}, language: "en", json: true}
}

// A record written twice is what the whole product must never do: the demo sees it also where nobody would look, at another customer's.
func TestTheDemoFailsWhenTheCallWasWrittenTwice(t *testing.T) {
	e := headless(io.Discard)
	s, err := e.raise(t.Context(), demoOptions{headless: true, phone: "sim"})
	defer s.strike()
	if err != nil {
		t.Fatal(err)
	}
	forged := make(chan error, 1)
	go func() {
		if err := s.until(t.Context(), "the ring", func() bool { return len(s.cards) > 0 }); err != nil {
			forged <- err
			return
		}
		forged <- s.forge(`{"external_key":"other","contact_id":"c_000002","direction":"in","started_at":"2026-03-02T09:30:00.000Z"}`)
	}()
	result, err := s.play(t.Context(), demoOptions{headless: true, phone: "sim"})
	if err := errors.Join(err, <-forged); err != nil {
		t.Fatal(err)
	}
	if result.OK || result.Delivered != 2 || result.Duplicates != 1 || len(result.Problems) != 1 {
		t.Errorf("the result is %+v", result)
	}
}

// forge writes a record past the agent.
func (s *stage) forge(record string) error {
	req, err := http.NewRequest(http.MethodPost, s.crm.URL()+"/api/calls", strings.NewReader(record)) //nolint:noctx // ends with the CRM
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+s.token)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusCreated {
		return errors.New(res.Status)
	}
	return res.Body.Close()
}

func TestAFailedDemoPrintsItsResultAndExitsWithItsOwnCode(t *testing.T) {
	for ok, want := range map[bool]int{true: ExitOK, false: ExitFailed} {
		var out bytes.Buffer
		err := headless(&out).report(DemoResult{OK: ok, Problems: []string{"note is x, not y"}, Record: map[string]any{"note": "x"}})
		if got := ExitCode(err); got != want {
			t.Errorf("ok %v exits %d, want %d", ok, got, want)
		}
		if err != nil && !strings.Contains(err.Error(), "note is x, not y") {
			t.Errorf("the error is %v", err)
		}
		var printed DemoResult
		decoder := json.NewDecoder(&out)
		if err := decoder.Decode(&printed); err != nil || printed.OK != ok || decoder.More() {
			t.Errorf("printed %+v, %v", printed, err)
		}
	}
}

// Cards may follow each other faster than anybody looks; a state that lasted a moment must be found all the same.
func TestAwaitFindsAStateThatIsOverAlready(t *testing.T) {
	s := &stage{told: make(chan struct{})}
	for _, state := range []wire.WriteState{wire.WriteQueued, wire.WriteRetrying, wire.WriteSending, wire.WriteDelivered} {
		s.change(func() { s.cards = append(s.cards, wire.Card{Write: wire.Write{State: state}}) })
	}
	for _, state := range []wire.WriteState{wire.WriteRetrying, wire.WriteRetrying, wire.WriteDelivered} {
		card, err := s.await(t.Context(), "it", func(c wire.Card) bool { return c.Write.State == state })
		if err != nil || card.Write.State != state {
			t.Errorf("awaiting %s gives %+v, %v", state, card.Write, err)
		}
	}
	s.change(func() { s.lost = errors.New("the agent is gone") })
	if _, err := s.await(t.Context(), "it", func(c wire.Card) bool { return c.Write.State == wire.WriteQueued }); err == nil || !strings.Contains(err.Error(), "gone") {
		t.Errorf("going back in time gives %v", err)
	}
}
