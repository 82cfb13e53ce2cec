package crm_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"ringside.dev/ringside/app/cti"
)

const threeSteps = `  create_ticket:
    idempotency: {strategy: at_least_once}
    steps:
      - {id: new, request: {method: POST, url: "${param.base_url}/tickets", json: {subject: "${input.ticket.subject}"}}, save: {id: "${res.json.id}"}}
      - {id: read, request: {url: "${param.base_url}/tickets/${step.new.id}"}}
      - {id: link, request: {method: PUT, url: "${param.base_url}/tickets/${step.new.id}/contact/${input.contact.id}"}, save: {at: "${res.json.id}"}}
      - {id: tell, request: {method: POST, url: "${param.base_url}/tickets/${step.new.id}/mail/${step.link.at}"}}
    output: {id: "${string(step.new.id)}"}
`

// A write of several steps that breaks off goes on behind the last step that the CRM took, in another process, too; under another file it begins anew.
func TestAWriteOfSeveralStepsGoesOnWhereItBrokeOff(t *testing.T) {
	failing := "/contact/"
	o := openOffice(t, func(w http.ResponseWriter, r *http.Request) bool {
		if failing != "" && strings.Contains(r.URL.Path, failing) {
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		}
		return sayJSON(w, map[string]any{"id": 12345678901234567})
	})
	w := cti.WriteBack{Op: cti.CreateTicket, Key: "k", Identity: cti.IdentityKnown, CustomerID: "7", Ticket: cti.TicketDraft{Subject: "lamp"}}
	attempt := func(operations string) error {
		ctx := cti.WithSteps(t.Context(), func(steps string) { w.Steps = steps })
		receipt, err := o.open(t, officeToken, operations).Write(ctx, w)
		if err == nil && receipt.ID != "12345678901234567" {
			t.Errorf("the ticket is %q", receipt.ID)
		}
		return err
	}
	wantKind(t, attempt(threeSteps), cti.Uncertain)
	wantKind(t, attempt(threeSteps), cti.Uncertain)
	failing = "/mail/"
	wantKind(t, attempt(threeSteps), cti.Uncertain)
	failing = ""
	if err := attempt(threeSteps); err != nil {
		t.Fatal(err)
	}
	const ticket = "/tickets/12345678901234567"
	want := []string{
		"POST /tickets", "GET " + ticket, "PUT " + ticket + "/contact/7", // breaks off
		"GET " + ticket, "PUT " + ticket + "/contact/7", // breaks off
		"GET " + ticket, "PUT " + ticket + "/contact/7", "POST " + ticket + "/mail/12345678901234567", // breaks off
		"GET " + ticket, "POST " + ticket + "/mail/12345678901234567",
	}
	if got := o.requests(); !slices.Equal(got, want) {
		t.Errorf("the CRM was asked\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}

	failing = "/contact/"
	wantKind(t, attempt(strings.Replace(threeSteps, "id: read", "id: look", 1)), cti.Uncertain)
	if got := o.requests(); got[len(want)] != "POST /tickets" {
		t.Errorf("under another file it goes on with %s", got[len(want)])
	}
}

// Whether what a look-up finds may be a part alone is told to the queue: it must not take it for the whole.
func TestWhatIsWrittenInSeveralStepsMayBeFoundInPart(t *testing.T) {
	for name, test := range map[string]struct {
		steps       string
		part, first bool
	}{
		"one step":                         {`[{id: a, when: "${found == nil}", request: {method: POST, url: "${param.base_url}/t"}}, {id: b, request: {url: "${param.base_url}/t"}}]`, false, true},
		"one that makes, one that changes": {`[{id: a, when: "${found == nil}", request: {method: POST, url: "${param.base_url}/t"}}, {id: b, when: "${found != nil}", request: {method: PUT, url: "${param.base_url}/t"}}]`, false, true},
		"two":                              {`[{id: a, when: "${found == nil}", request: {method: POST, url: "${param.base_url}/t"}}, {id: b, request: {method: PUT, url: "${param.base_url}/t"}}]`, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			o := openOffice(t, func(w http.ResponseWriter, _ *http.Request) bool { return sayJSON(w, map[string]any{}) })
			e := o.open(t, officeToken, `  create_ticket:
    idempotency: {strategy: probe, probe: [{id: p, request: {url: "${param.base_url}/t", query: {key: "${input.key}"}}}], found: "${res.json?.id}"}
    steps: `+test.steps+`
    output: {id: "1"}
`)
			if r := e.Repeat(cti.WriteBack{Op: cti.CreateTicket, Key: "k"}); r.Partial != test.part || r.LooksFirst != test.first || !r.Find {
				t.Errorf("told %+v", r)
			}
		})
	}
}

// An expression that fails quotes its values: the error is logged and kept, and must not hold what the agent wrote, nor what the CRM says of a customer.
func TestAnExpressionThatFailsQuotesNobody(t *testing.T) {
	o := openOffice(t, func(w http.ResponseWriter, _ *http.Request) bool {
		return sayJSON(w, map[string]any{"id": 1, "name": "Mr Wang", "list": []any{map[string]any{"ill": "since Monday"}}})
	})
	e := o.open(t, officeToken, `  create_ticket:
    idempotency: {strategy: at_least_once}
    steps:
      - {id: look, request: {url: "${param.base_url}/t"}, save: {name: "${res.json.name}", ill: "${res.json.list[0].ill}"}}
      - {id: new, request: {method: POST, url: "${param.base_url}/t", json: {a: "${int(input.ticket.subject)}", b: "${int(step.look.name)}"}}}
    output: {id: "1"}
  create_task:
    idempotency: {strategy: at_least_once}
    steps: [{id: new, request: {method: POST, url: "${param.base_url}/t"}}]
    output: {id: "${int(res.json.list[0].ill)}"}
`)
	for _, w := range []cti.WriteBack{
		{Op: cti.CreateTicket, Key: "k", Identity: cti.IdentityKnown, Ticket: cti.TicketDraft{Subject: "he is very ill"}},
		{Op: cti.CreateTicket, Key: "k", Identity: cti.IdentityKnown, Ticket: cti.TicketDraft{Subject: "1"}},
		{Op: cti.CreateTask, Key: "k", Identity: cti.IdentityKnown},
	} {
		_, err := e.Write(t.Context(), w)
		if err == nil || !strings.Contains(err.Error(), "int(") {
			t.Errorf("the error is %v: it must say which expression", err)
			continue
		}
		for _, told := range []string{"very ill", "Wang", "Monday"} {
			if strings.Contains(err.Error(), told) {
				t.Errorf("the error quotes %q: %v", told, err)
			}
		}
	}
}
