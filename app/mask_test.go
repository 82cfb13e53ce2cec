package app_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"ringside.dev/ringside/app/crm/sandbox"
	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/number"
	"ringside.dev/ringside/bridge/wire"
)

// Whatever a reader can get from the agent, the digits that are hidden are in none of it: cards, lists, exports, answers, logs.
func TestHiddenDigitsReachNoReader(t *testing.T) {
	for _, mode := range number.Modes() {
		t.Run(string(mode), func(t *testing.T) {
			w := newWorld(t)
			w.mask = string(mode)
			w.readsAnotherNumber(t)
			a := w.start(t)
			e := delivered("masked", "0086-138-0013-8000")
			e.Remote.Name, e.Remote.URI, e.Remote.Asserted = "Chen 138 0013 8000", "sip:013800138000@pbx", "<sip:+8613800138000@sbc>"
			leg := a.feed(t, e)
			a.card(t, "the customer", leg, func(c wire.Card) bool { return c.Picked == knownCustomer && len(c.History) > 0 })
			w.fault(t, sandbox.Fault{Status: 422, Match: "/api/calls"}) // the record stays with a person
			if err := a.client.WrapUp(t.Context(), leg, wire.WrapUpRequest{Outcome: "Sold", Note: "call back on 138-0013-8000"}); err != nil {
				t.Fatal(err)
			}
			a.talk(t, leg)
			a.until(t, "an item for a person", func() bool { return a.now.Outbox.Review == 1 })
			seen := a.everythingReadable(t, leg)
			seen["log"] = w.log.String()
			for surface, text := range seen {
				if hidden := !showsNumber(text); hidden != (mode != number.ShowAll) && surface != "log" {
					t.Errorf("%s: the number is hidden: %v\n%.600s", surface, hidden, text)
				}
				if surface == "log" && showsNumber(text) {
					t.Errorf("the log holds the number")
				}
			}
			if r := w.crm.Stats(); r.Contacts == 0 {
				t.Error("no CRM")
			}
		})
	}
}

// readsAnotherNumber has the site's mapping read a field in which the customer's number stands again.
func (w *world) readsAnotherNumber(t *testing.T) {
	t.Helper()
	admin := *w
	if _, err := w.crm.AddUser(sandbox.User{Name: "Mo Bai", Email: "mo.bai@ringside.example", Role: "admin", Token: "admin"}); err != nil {
		t.Fatal(err)
	}
	admin.token = "admin"
	admin.crmDo(t, http.MethodPost, "/api/fields/contact", map[string]any{"name": "second", "type": "string", "max_length": 80}, nil)
	w.crmDo(t, http.MethodPatch, "/api/contacts/"+knownCustomer, map[string]any{"fields": map[string]any{"second": "138 0013 8000 (evening)"}}, nil)
	w.site = filepath.Join(t.TempDir(), "mapping.yaml")
	text := "apiVersion: ringside.dev/v1\nkind: Mapping\nfields:\n  customer:\n    - {field: second, from: customer.data.Second, direction: read}\n"
	if err := os.WriteFile(w.site, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// everythingReadable is all that the local API and the window give about a call.
func (a *agent) everythingReadable(t *testing.T, leg string) map[string]string {
	t.Helper()
	out := map[string]string{}
	put := func(name string, v any, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out[name] = string(text)
	}
	put("snapshot", a.Board().Snapshot(), nil)
	calls, err := a.client.Calls(t.Context(), 10)
	put("calls", calls, err)
	call, err := a.client.Call(t.Context(), leg)
	put("call", call, err)
	items := a.outbox(t)
	put("outbox", items, nil)
	item, err := a.client.Item(t.Context(), items[0].Seq)
	put("item", item, err)
	preview, err := a.client.PreviewCall(t.Context(), leg)
	put("preview", preview, err)
	who, err := a.client.Identify(t.Context(), knownNumber)
	put("identify", who, err)
	var events []cti.Event
	err = a.client.Events(t.Context(), wire.EventQuery{}, func(e cti.Event) error { events = append(events, e); return nil })
	put("events", events, err)
	for _, f := range wire.Formats {
		var text bytes.Buffer
		put("export "+string(f), nil, a.ExportOutbox(&text, f))
		out["export "+string(f)] = text.String()
	}
	return out
}

var notDigits = regexp.MustCompile(`[ ()./-]+`)

// showsNumber looks for the number in any spelling; of what must be hidden, four digits in the middle are enough to find it.
func showsNumber(text string) bool {
	return strings.Contains(notDigits.ReplaceAllString(text, ""), knownNumber)
}

// The agent calls back whom they may not read.
func TestAHiddenNumberIsCalledBack(t *testing.T) {
	w := newWorld(t)
	w.mask = string(number.MaskAll)
	a := w.start(t)
	leg := a.ring(t, "hidden", knownNumber)
	a.talk(t, leg)
	a.delivered(t, leg)
	if err := a.client.CallBack(t.Context(), leg); err != nil {
		t.Fatal(err)
	}
	a.until(t, "the outgoing call", func() bool {
		for _, c := range a.seen {
			if c.Direction == cti.Out && c.Picked == knownCustomer {
				return !strings.ContainsAny(c.Number.Raw, "0123456789")
			}
		}
		return false
	})
}
