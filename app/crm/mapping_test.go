package crm_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ringside.dev/ringside/app/crm"
	"ringside.dev/ringside/app/crm/sandbox"
	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/number"
)

const siteMapping = `apiVersion: ringside.dev/v1
kind: Mapping
fields:
  call:
    - {field: outcome_code, from: call.outcome, type: enum, values: {Sold: S, Called back: C}}
    - {field: talk, from: call.talk_ms, type: duration, unit: s}
    - {field: begun, from: call.started_at, type: time, format: datetime, zone: Asia/Shanghai}
    - {field: ivr, from: call.data.menu, max: 5}
    - {field: origin, value: ringside}
    - {field: inbound, value: "${call.direction == 'in'}", type: bool}
    - {field: lost, from: call.ending, max: 20, when: "${call.ending != 'answered'}"}
    - {field: by, from: agent.email, type: user, values: {lin.yue@ringside.example: u_01}}
  customer:
    - {field: vip, from: customer.data.VIP, direction: read, type: enum, values: {是: "yes"}}
    - {field: source, value: phone, max: 20}
  ticket:
    - {field: line, from: call.extension, max: 10}
`

func mappingFile(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "mapping.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func openMapped(t *testing.T, base, mapping string) *crm.Engine {
	t.Helper()
	e, err := crm.Open(crm.Config{Connector: "sandbox", Params: map[string]string{"base_url": base, "token": sandboxToken}, Region: "GB",
		Agent: cti.Agent{Name: "Lin Yue", Email: "lin.yue@ringside.example"}, Mapping: mappingFile(t, mapping)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

const adminToken = "token-of-the-administrator"

// sayTo asks the sandbox as its administrator and reads what it answers.
func sayTo(t *testing.T, s *sandbox.Server, method, path, body string, into any) {
	t.Helper()
	if _, err := s.AddUser(sandbox.User{Name: "Mo Bai", Email: "mo.bai@ringside.example", Role: "admin", Token: adminToken}); err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL()+path, bytes.NewReader([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+adminToken)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	var raw json.RawMessage
	err = json.NewDecoder(res.Body).Decode(&raw)
	if closed := res.Body.Close(); err == nil {
		err = closed
	}
	if err != nil || res.StatusCode >= 300 {
		t.Fatalf("%s %s: %s %s %v", method, path, res.Status, raw, err)
	}
	if into == nil {
		return
	}
	if err := json.Unmarshal(raw, into); err != nil {
		t.Fatal(err)
	}
}

func addField(t *testing.T, s *sandbox.Server, object, field string) {
	t.Helper()
	sayTo(t, s, http.MethodPost, "/api/fields/"+object, field, nil)
}

// addSiteFields makes the fields that siteMapping names.
func addSiteFields(t *testing.T, s *sandbox.Server) {
	t.Helper()
	for _, f := range []string{
		`{"name":"outcome_code","type":"enum","max_length":10,"values":["S","C"]}`, `{"name":"talk","type":"int","max_length":10}`,
		`{"name":"begun","type":"string","max_length":19}`, `{"name":"ivr","type":"string","max_length":5}`, `{"name":"origin","type":"string","max_length":20}`,
		`{"name":"inbound","type":"bool","max_length":5}`, `{"name":"lost","type":"string","max_length":20}`, `{"name":"by","type":"user","max_length":20}`,
	} {
		addField(t, s, "call", f)
	}
	addField(t, s, "contact", `{"name":"vip","type":"enum","max_length":5,"values":["yes","no"]}`)
	addField(t, s, "contact", `{"name":"source","type":"string","max_length":20}`)
	addField(t, s, "ticket", `{"name":"line","type":"string","max_length":10}`)
}

func mappedCall(customer string) cti.WriteBack {
	start := time.Date(2026, 3, 2, 20, 30, 0, 0, time.UTC)
	record := cti.Record{
		Key: "key-of-the-call", Direction: cti.In, Number: number.Parse("+442079460123", "GB"), Extension: "204", StartedAt: start, AnsweredAt: start.Add(time.Second),
		EndedAt: start.Add(91400 * time.Millisecond), TalkMS: 90400, Ending: cti.EndAnswered, Cause: "normal", Leg: "leg", Case: "case",
		WrapUp: cti.WrapUp{Outcome: "Sold", SavedAt: start.Add(2 * time.Minute)}, Data: map[string]string{"menu": "billing department"},
	}
	return cti.WriteBack{Op: cti.LogCall, Key: record.Key, Leg: "leg", Identity: cti.IdentityKnown, CustomerID: customer, Record: record}
}

func TestASitesMappingFillsItsFields(t *testing.T) {
	server := startSandbox(t)
	addSiteFields(t, server)
	known := addContact(t, server, "Ada Lovelace", "020 7946 0123")
	e := openMapped(t, server.URL(), siteMapping)
	if found, err := e.CheckMapping(t.Context()); err != nil || len(found) > 0 {
		t.Errorf("the check finds %v, %v", found, err)
	}
	w := mappedCall(known)
	receipt, err := e.Write(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	var call struct{ Fields map[string]any }
	sayTo(t, server, http.MethodGet, "/api/calls/"+receipt.ID, "", &call)
	want := map[string]any{"outcome_code": "S", "talk": 90.0, "begun": "2026-03-03 04:30:00", "ivr": "bill…", "origin": "ringside", "inbound": true, "by": "u_01"}
	if diff := cmp.Diff(want, call.Fields); diff != "" {
		t.Errorf("the fields of the call (-want +got):\n%s", diff)
	}

	sayTo(t, server, http.MethodPatch, "/api/contacts/"+known, `{"fields":{"vip":"yes"}}`, nil)
	found, err := e.Lookup(t.Context(), number.Parse("+442079460123", "GB"))
	if err != nil || len(found) != 1 {
		t.Fatalf("found %v, %v", found, err)
	}
	if diff := cmp.Diff(map[string]string{"VIP": "是"}, found[0].Data); diff != "" {
		t.Errorf("what is read (-want +got):\n%s", diff)
	}

	ticket, err := e.Write(t.Context(), cti.WriteBack{Op: cti.CreateTicket, Key: "t1", Identity: cti.IdentityKnown, CustomerID: known, Record: w.Record, Ticket: cti.TicketDraft{Subject: "Lamp"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Write(t.Context(), cti.WriteBack{Op: cti.UpdateTicket, Key: "t2", Identity: cti.IdentityKnown, Ticket: cti.TicketDraft{ID: ticket.ID, Priority: "high"}}); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Priority string
		Fields   map[string]any
	}
	sayTo(t, server, http.MethodGet, "/api/tickets/"+ticket.ID, "", &got)
	if got.Priority != "high" || got.Fields["line"] != "204" {
		t.Errorf("the ticket is %+v: an update must leave what is about the call alone", got)
	}
}

func TestAMappingIsCheckedAgainstTheCRM(t *testing.T) {
	server := startSandbox(t)
	addSiteFields(t, server)
	e := openMapped(t, server.URL(), `apiVersion: ringside.dev/v1
kind: Mapping
fields:
  call:
    - {field: outcome_cod, from: call.outcome}
    - {field: talk, from: call.note}
    - {field: ivr, from: call.data.menu, max: 50}
    - {field: origin, from: call.queue}
    - {field: outcome_code, from: call.outcome, type: enum, values: {Sold: sold}}
    - {field: revision, value: "1", type: int}
    - {field: talk_ms, from: call.hold_ms}
`)
	found, err := e.CheckMapping(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, p := range found {
		lines = append(lines, p.In("en"))
	}
	want := []string{
		`mapping.yaml:5:7: the CRM has no field "outcome_cod". Write "outcome_code" instead, or create the field there.`,
		`mapping.yaml:6:7: the CRM's field "talk" is of type int, the mapping writes string. Write type: int.`,
		`mapping.yaml:7:7: the CRM's field "ivr" takes 5 characters. Write max: 5; what is longer ends with … then.`,
		`mapping.yaml:8:7: the CRM's field "origin" takes 20 characters. Write max: 20; what is longer ends with … then.`,
		`mapping.yaml:9:7: the CRM's field "outcome_code" does not know the value "sold". Known here are: S, C.`,
		`mapping.yaml:10:7: the CRM's field "revision" cannot be written. Write direction: read, or remove it.`,
		`mapping.yaml:11:7: the CRM's field "talk_ms" is of type int, the mapping writes string. Write type: duration.`,
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if n := len(recordsOf(t, server, "key-of-the-call")); n != 0 {
		t.Errorf("the check wrote %d calls", n)
	}
}

func TestWhatAMappingCannotConvertIsForAPerson(t *testing.T) {
	for name, test := range map[string]struct{ field, want string }{
		"no word in the table": {`{field: a, from: call.outcome, type: enum, values: {Lost: L}}`, "field a: values has no word for it"},
		"required":             {`{field: a, from: call.queue, required: true}`, "field a: the mapping requires a value"},
		"no number":            {`{field: a, from: call.outcome, type: int}`, "field a: the value is not a number"},
		"no such kind":         {`{field: a, value: "${int(call.outcome)}"}`, "field a: its expression does not work"},
		"no such kind in when": {`{field: a, value: b, when: "${int(call.outcome) > 1}"}`, "field a: its expression does not work"},
		"no time":              {`{field: a, from: call.outcome, type: time}`, "field a: not a time"},
	} {
		t.Run(name, func(t *testing.T) {
			server := startSandbox(t)
			e := openMapped(t, server.URL(), "apiVersion: ringside.dev/v1\nkind: Mapping\nfields:\n  call:\n    - "+test.field+"\n")
			_, err := e.Write(t.Context(), mappedCall(""))
			if cti.KindOf(err) != cti.Invalid || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "ringctl mapping rebuild") {
				t.Errorf("the error is %v (%s), want %q", err, cti.KindOf(err), test.want)
			}
			if err != nil && strings.Contains(err.Error(), "Sold") {
				t.Errorf("the error holds what the agent chose: %v", err)
			}
			if n := len(recordsOf(t, server, "key-of-the-call")); n != 0 {
				t.Errorf("%d calls were written", n)
			}
		})
	}
}

func TestAMappingFileSaysWhatIsWrongWithIt(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"object":     {"  person: []\n", `mapping.yaml:4:3: unknown object "person". Known here are: call, customer, task, ticket.`},
		"name":       {"  call:\n    - {field: a, from: call.outcom}\n", `unknown field outcom`},
		"type":       {"  call:\n    - {field: a, from: call.outcome, type: strng}\n", `mapping.yaml:5:44: unknown type "strng". Write "string" instead`},
		"twice":      {"  call:\n    - {field: a, value: x}\n    - {field: a, value: y}\n", `mapping.yaml:6:15: field "a" is mapped twice`},
		"nothing":    {"  call:\n    - {field: a}\n", `mapping.yaml:5:7: a field needs from or value`},
		"read":       {"  call:\n    - {field: a, from: call.outcome, direction: read}\n", `fields of a call are only written`},
		"enum":       {"  call:\n    - {field: a, from: call.outcome, type: enum}\n", `type enum needs values`},
		"key":        {"  call:\n    - {field: a, form: call.outcome}\n", `unknown key "form"`},
		"default":    {"  call:\n    - {field: a, from: call.data.a, type: int, default: many}\n", `mapping.yaml:5:57: default is not of type int`},
		"zone":       {"  call:\n    - {field: a, from: call.started_at, type: time, zone: Peking}\n", `unknown time zone "Peking"`},
		"twice back": {"  customer:\n    - {field: a, from: customer.status, direction: both, type: enum, values: {warm: A, hot: A}}\n", `"hot" and "warm" are one word in the CRM`},
		"case alone": {"  call:\n    - {field: a, from: call.outcome, type: enum, values: {Sold: A, sold: B}}\n", `"Sold" and "sold" differ in case alone`},
		"not a map":  {"", ``},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := crm.Open(crm.Config{Connector: "sandbox", Params: map[string]string{"base_url": "http://127.0.0.1:1", "token": testToken}, Region: "GB",
				Mapping: mappingFile(t, "apiVersion: ringside.dev/v1\nkind: Mapping\nfields:\n"+test.text)})
			if test.want == "" {
				test.want = "wrong shape"
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("the error is %v, want %q", err, test.want)
			}
		})
	}
}

func TestAPreviewShowsTheRequestAndSendsNothing(t *testing.T) {
	server := startSandbox(t)
	addSiteFields(t, server)
	known := addContact(t, server, "Ada Lovelace", "020 7946 0123")
	e := openMapped(t, server.URL(), siteMapping)
	before := server.Stats().Requests
	shown, err := e.Preview(t.Context(), mappedCall(known))
	if err != nil || len(shown) != 1 {
		t.Fatalf("shown %+v, %v", shown, err)
	}
	one := shown[0]
	if one.Method != http.MethodPut || one.URL != server.URL()+"/api/calls/by-key/key-of-the-call" || one.Headers["Authorization"] != "***" {
		t.Errorf("shown %+v", one)
	}
	var body struct {
		ContactID string `json:"contact_id"`
		Fields    map[string]any
	}
	if err := json.Unmarshal([]byte(one.Body), &body); err != nil || body.ContactID != known || body.Fields["ivr"] != "bill…" {
		t.Errorf("the body is %s, %v", one.Body, err)
	}
	if strings.Contains(one.Body+one.URL, sandboxToken) {
		t.Error("the secret is shown")
	}
	if after := server.Stats().Requests; after != before {
		t.Errorf("%d requests were made", after-before)
	}
}

// A change names only what changes: a field that has no value then keeps the one it has, whatever the mapping says of missing values.
func TestAChangeLeavesFieldsWithoutAValueAlone(t *testing.T) {
	server := startSandbox(t)
	for _, name := range []string{"desk", "level", "caller", "must"} {
		addField(t, server, "ticket", `{"name":"`+name+`","type":"string","max_length":40}`)
	}
	known := addContact(t, server, "Ada Lovelace", "020 7946 0123")
	e := openMapped(t, server.URL(), `apiVersion: ringside.dev/v1
kind: Mapping
fields:
  ticket:
    - {field: desk, from: ticket.queue, default: none, max: 40}
    - {field: level, from: ticket.type, empty: clear, max: 40}
    - {field: caller, from: phone.e164, empty: clear, max: 40}
    - {field: must, from: ticket.subject, required: true, max: 40}
`)
	w := mappedCall(known)
	w.Op, w.Key, w.Ticket = cti.CreateTicket, "t1", cti.TicketDraft{Subject: "Lamp", Type: "incident", Queue: "service"}
	ticket, err := e.Write(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Write(t.Context(), cti.WriteBack{Op: cti.UpdateTicket, Key: "t2", Identity: cti.IdentityKnown, Ticket: cti.TicketDraft{ID: ticket.ID, Priority: "high"}}); err != nil {
		t.Fatal(err)
	}
	var got struct{ Fields map[string]any }
	sayTo(t, server, http.MethodGet, "/api/tickets/"+ticket.ID, "", &got)
	want := map[string]any{"desk": "service", "level": "incident", "caller": "+442079460123", "must": "Lamp"}
	if diff := cmp.Diff(want, got.Fields); diff != "" {
		t.Errorf("after a change of the priority (-want +got):\n%s", diff)
	}
}

func TestADefaultIsOfTheFieldsType(t *testing.T) {
	server := startSandbox(t)
	for _, field := range []string{`{"name":"score","type":"int"}`, `{"name":"share","type":"float"}`, `{"name":"paid","type":"bool"}`, `{"name":"minutes","type":"int"}`, `{"name":"words","type":"list"}`} {
		addField(t, server, "call", field)
	}
	e := openMapped(t, server.URL(), `apiVersion: ringside.dev/v1
kind: Mapping
fields:
  call:
    - {field: score, from: call.data.score, type: int, default: 3}
    - {field: share, from: call.data.share, type: number, default: 0.5}
    - {field: paid, from: call.data.paid, type: bool, default: no}
    - {field: minutes, from: call.data.wait, type: duration, unit: min, default: 2}
    - {field: words, from: call.data.words, type: list, default: "none, at all"}
`)
	receipt, err := e.Write(t.Context(), mappedCall(""))
	if err != nil {
		t.Fatal(err)
	}
	var call struct{ Fields map[string]any }
	sayTo(t, server, http.MethodGet, "/api/calls/"+receipt.ID, "", &call)
	want := map[string]any{"score": 3.0, "share": 0.5, "paid": false, "minutes": 2.0, "words": []any{"none", "at all"}}
	if diff := cmp.Diff(want, call.Fields); diff != "" {
		t.Errorf("the fields of the call (-want +got):\n%s", diff)
	}
}

func TestTimesAreReadAsTheyAreWritten(t *testing.T) {
	server := startSandbox(t)
	addField(t, server, "contact", `{"name":"born","type":"string"}`)
	addField(t, server, "contact", `{"name":"since","type":"string"}`)
	addField(t, server, "contact", `{"name":"paid_at","type":"int"}`)
	addField(t, server, "contact", `{"name":"seen","type":"string"}`)
	known := addContact(t, server, "Ada Lovelace", "020 7946 0123")
	e := openMapped(t, server.URL(), `apiVersion: ringside.dev/v1
kind: Mapping
fields:
  customer:
    - {field: born, from: customer.data.Born, direction: read, type: time, format: date, zone: Asia/Shanghai}
    - {field: since, from: customer.data.Since, direction: read, type: time, format: datetime, zone: Asia/Shanghai}
    - {field: paid_at, from: customer.data.Paid, direction: read, type: time, format: unix, zone: Asia/Shanghai}
    - {field: seen, from: customer.data.Seen, direction: read, type: time, zone: Asia/Shanghai}
`)
	sayTo(t, server, http.MethodPatch, "/api/contacts/"+known, `{"fields":{"born":"1990-05-17","since":"2024-01-31 23:30:00","paid_at":1772440200,"seen":"2026-03-02T08:30:00Z"}}`, nil)
	found, err := e.Lookup(t.Context(), number.Parse("+442079460123", "GB"))
	if err != nil || len(found) != 1 {
		t.Fatalf("found %v, %v", found, err)
	}
	want := map[string]string{"Born": "1990-05-17", "Since": "2024-01-31 23:30", "Paid": "2026-03-02 16:30", "Seen": "2026-03-02 16:30"}
	if diff := cmp.Diff(want, found[0].Data); diff != "" {
		t.Errorf("what is read (-want +got):\n%s", diff)
	}
}
