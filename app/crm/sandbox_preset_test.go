package crm_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"ringside.dev/ringside/app/crm"
	"ringside.dev/ringside/app/crm/crmtest"
	"ringside.dev/ringside/app/crm/sandbox"
	"ringside.dev/ringside/app/cti"
)

const sandboxToken = "sandbox-token-of-the-test"

func TestSandboxPresetPassesTheSuite(t *testing.T) {
	suite(t, "sandbox", sandbox.Traits{}, false)
}

// Fault 31: a lost answer leaves one record, by the CRM's memory of the key or by looking for it. And what is saved later changes it.
func TestEveryStrategyPassesTheSuite(t *testing.T) {
	const update = "    update:\n      steps:\n" +
		`        - {id: change, request: {method: PATCH, url: "${param.base_url}/api/calls/${input.record.id}", json: *record}}` + "\n"
	plain := sandbox.Traits{PlainPosts: true, SearchLagMS: 100}
	for name, test := range map[string]struct {
		file       string
		oldNew     []string
		traits     sandbox.Traits
		firstStays bool
	}{
		"header":             {"sandbox-header", []string{"settle: 1s", "settle: 200ms"}, plain, true},
		"probe_on_uncertain": {"sandbox-uncertain", []string{"settle: 1s", "settle: 200ms"}, plain, true},
		"at_least_once":      {"sandbox-post", nil, plain, true},
		"probe":              {"sandbox-probe", []string{"settle: 1s", "settle: 200ms"}, plain, false},
		"probe, whose own steps change what is there": {"sandbox-probe", []string{"settle: 1s", "settle: 200ms", update, ""}, plain, false},
		"duplicate_is_success": {"sandbox-post", []string{"at_least_once", "duplicate_is_success",
			`output: {id: "${res.json.id}"}`, `output: {id: "${res.json.id ?? res.json.error.id}"}`}, sandbox.Traits{}, true},
		"client_id": {"sandbox-post", []string{"at_least_once", "client_id", update, "",
			"method: POST\n          url: \"${param.base_url}/api/calls\"", "method: PUT\n          url: \"${param.base_url}/api/calls/by-key/${input.key}\"",
			"json: &record", "json:"}, sandbox.Traits{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			suite(t, crmtest.File(t, test.file, test.oldNew...), test.traits, test.firstStays)
		})
	}
}

func suite(t *testing.T, connector string, traits sandbox.Traits, firstStays bool) {
	t.Helper()
	server := startSandbox(t)
	set := func(f sandbox.Fault) {
		if err := server.SetFault(f); err != nil {
			t.Errorf("set fault: %v", err)
		}
	}
	if err := server.SetTraits(traits); err != nil {
		t.Fatal(err)
	}
	known := addContact(t, server, "Ada Lovelace", "020 7946 0123")
	near := addContact(t, server, "Same Tail", "0117 946 0123")
	crmtest.Run(t, crmtest.Rig{
		Connector: openFile(t, connector, server.URL(), sandboxToken), BadSignIn: openFile(t, connector, server.URL(), "not-the-token"), Region: "GB",
		KnownID: known, OtherID: near,
		Spellings:  []string{"+442079460123", "02079460123", "00442079460123", "+44 (0)20 7946-0123", "sip:+442079460123@pbx.example", "０２０ ７９４６ ０１２３"},
		NearNumber: "+441179460123", UnknownNumber: "+442073335678",
		CountRecords:  func(key string) int { return len(recordsOf(t, server, key)) },
		Record:        func(key string) map[string]any { return recordsOf(t, server, key)[0] },
		FirstStays:    firstStays,
		DropNextWrite: func() { set(sandbox.Fault{DropAnswer: true, Writes: true, Count: 1}) },
		Refuse:        func() { set(sandbox.Fault{Refuse: true}) },
		Restore:       func() { set(sandbox.Fault{}) },
		Throttle: func(after time.Duration) {
			set(sandbox.Fault{Status: http.StatusTooManyRequests, RetryAfter: int(after.Seconds()), Writes: true, Count: 1})
		},
		Work: workIn(t, server, set),
	})
}

// workIn is how the suite looks at an agent's work in the sandbox.
func workIn(t *testing.T, server *sandbox.Server, set func(sandbox.Fault)) crmtest.Work {
	paths := map[cti.Op]string{cti.AddNote: "/api/notes", cti.CreateTask: "/api/tasks", cti.CreateTicket: "/api/tickets", cti.CreateCustomer: "/api/contacts"}
	return crmtest.Work{
		Count: func(op cti.Op, key string) int {
			var page struct{ Items []any }
			sayTo(t, server, http.MethodGet, paths[op]+"?external_key="+key, "", &page)
			return len(page.Items)
		},
		Statuses: []string{"open", "pending"}, Tag: "crmtest",
		TicketStatus: func(id string) string {
			var ticket struct{ Status string }
			sayTo(t, server, http.MethodGet, "/api/tickets/"+id, "", &ticket)
			return ticket.Status
		},
		SetTicketStatus: func(id, status string) {
			sayTo(t, server, http.MethodPatch, "/api/tickets/"+id, `{"status":"`+status+`"}`, nil)
		},
		File: func(id string) string {
			for _, c := range server.Calls() {
				if c.ID == id && c.Recording != nil {
					return c.Recording.SHA256
				}
			}
			return ""
		},
		Recording: func(id string) string {
			var call struct{ Recording sandbox.Recording }
			sayTo(t, server, http.MethodGet, "/api/calls/"+id, "", &call)
			return call.Recording.URL
		},
		Deny: func(deny bool) {
			if set(sandbox.Fault{}); deny {
				set(sandbox.Fault{Status: http.StatusForbidden, Writes: true})
			}
		},
	}
}

func TestSandboxPresetListsOpenTicketsAndLinks(t *testing.T) {
	server := startSandbox(t)
	e := openSandbox(t, server.URL(), sandboxToken)
	known := addContact(t, server, "Ada Lovelace", "020 7946 0123")
	post(t, server, "/api/tickets", `{"external_key":"t1","contact_id":"`+known+`","subject":"Lamp broken"}`)
	tickets, err := e.Features().Tickets(t.Context(), known, 5)
	if err != nil || len(tickets) != 1 || tickets[0].Subject != "Lamp broken" || tickets[0].UpdatedAt.IsZero() {
		t.Errorf("tickets are %+v, %v", tickets, err)
	}
	link, err := e.Features().DeepLink("contact", known)
	if want := server.URL() + "/contacts/" + known; err != nil || link != want {
		t.Errorf("the link is %q, %v; want %q", link, err, want)
	}
}

func startSandbox(t *testing.T) *sandbox.Server {
	t.Helper()
	server, err := sandbox.Start(t.Context(), sandbox.Options{Token: sandboxToken, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Errorf("close sandbox: %v", err)
		}
	})
	return server
}

func openSandbox(t *testing.T, base, token string) *crm.Engine {
	t.Helper()
	return openFile(t, "sandbox", base, token)
}

func openFile(t *testing.T, connector, base, token string) *crm.Engine {
	t.Helper()
	e, err := crm.Open(crm.Config{Connector: connector, Params: map[string]string{"base_url": base, "token": token}, Region: "GB"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

func addContact(t *testing.T, s *sandbox.Server, name, number string) string {
	t.Helper()
	body, err := json.Marshal(map[string]any{"name": name, "phones": []map[string]string{{"label": "mobile", "number": number}}})
	if err != nil {
		t.Fatal(err)
	}
	return post(t, s, "/api/contacts", string(body))
}

func post(t *testing.T, s *sandbox.Server, path, body string) (id string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+sandboxToken)
	r.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	var made struct {
		ID    string `json:"id"`
		Error any    `json:"error"`
	}
	if err := json.NewDecoder(res.Body).Decode(&made); err != nil || made.ID == "" {
		t.Fatalf("POST %s: status %d, %v, %v", path, res.StatusCode, made.Error, err)
	}
	if err := res.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return made.ID
}

func recordsOf(t *testing.T, s *sandbox.Server, key string) []map[string]any {
	var out []map[string]any
	for _, c := range s.Calls() {
		if c.ExternalKey != key {
			continue
		}
		b, err := json.Marshal(c)
		row := map[string]any{}
		if err == nil {
			err = json.Unmarshal(b, &row)
		}
		if err != nil {
			t.Errorf("read record: %v", err)
		}
		out = append(out, row)
	}
	return out
}
