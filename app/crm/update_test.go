package crm_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"ringside.dev/ringside/app/crm/crmtest"
	"ringside.dev/ringside/app/crm/sandbox"
	"ringside.dev/ringside/app/cti"
)

// What a test puts into the plain connector: a strategy, and how it changes what is there.
const (
	headerAt = "{strategy: header, window: 24h}"
	outputAt = `    output: {id: "${res.json?.id}"}` + "\n"
	patches  = `    update: {steps: [{id: u, request: {method: PATCH, url: "${param.base_url}/calls/${input.record.id}", json: {note: "${input.call.note}"}}}]}` + "\n"
	looksFor = `, probe: [{id: p, request: {url: "${param.base_url}/calls"}}], found: "${res.json.id}"}`
)

// someChange is what the outbox sends when a note was saved after the delivery.
func someChange() cti.WriteBack {
	w := someWrite()
	w.RecordID = "r7"
	return w
}

// Where a second write would be swallowed or doubled, and the file does not say how a record is changed, nothing is sent.
func TestChangeThatTheConnectorCannotMakeIsRefusedBeforeAnythingIsSent(t *testing.T) {
	for _, declared := range []string{headerAt, "{strategy: duplicate_is_success}", "{strategy: probe_on_uncertain" + looksFor, "{strategy: at_least_once}"} {
		v := says(200)
		e := v.engine(t, nil, headerAt, declared)
		again := e.Repeat(someChange())
		_, err := e.Write(t.Context(), someChange())
		if wantKind(t, err, cti.Invalid); !strings.Contains(cti.MessageOf(err), "cannot change a record it has written") {
			t.Errorf("%s: a person reads %q", declared, cti.MessageOf(err))
		}
		if n := len(v.asked()); n != 0 || again != (cti.Repeat{Safe: true}) {
			t.Errorf("%s: %d requests were made, and to be refused again is %+v", declared, n, again)
		}
	}
}

// These write by our key, which is as good as the record's id.
func TestStrategiesThatFindTheRecordThemselvesChangeItWithTheirOwnSteps(t *testing.T) {
	for _, strategy := range []string{"upsert", "client_id", "naturally_idempotent"} {
		v := says(200)
		receipt, err := v.engine(t, nil, headerAt, "{strategy: "+strategy+"}").Write(t.Context(), someChange())
		if wantKind(t, err, ""); receipt.ID != "r1" || len(v.asked()) != 1 {
			t.Errorf("%s: receipt %+v after %d requests", strategy, receipt, len(v.asked()))
		}
	}
}

func TestChangeOfAnUndecidedCustomerIsRefusedToo(t *testing.T) {
	v := says(200)
	w := someChange()
	w.Identity = cti.IdentityUnclear
	_, err := v.engine(t, nil, headerAt, "{strategy: upsert}").Write(t.Context(), w)
	if wantKind(t, err, cti.Invalid); len(v.asked()) != 0 {
		t.Errorf("%d requests were made", len(v.asked()))
	}
}

// A record whose id is known is not looked for: the index may not show it yet, and a second one would be made.
func TestProbeDoesNotLookForARecordItKnows(t *testing.T) {
	var paths []string
	v := &vendor{say: func(r *http.Request) (int, []string) { paths = append(paths, r.Method+" "+r.URL.Path); return 200, nil }}
	e := v.engine(t, nil, headerAt, "{strategy: probe"+looksFor, "{id: w, request:", `{id: w, when: "${found == nil}", request:`,
		"}}}]\n    output", `}}}, {id: u, when: "${found != nil}", request: {method: PATCH, url: "${param.base_url}/calls/${found}"}}]`+"\n    output")
	_, err := e.Write(t.Context(), someChange())
	if wantKind(t, err, ""); len(paths) != 1 || paths[0] != "PATCH /calls/r7" {
		t.Errorf("asked %v", paths)
	}
}

func TestProbeWithoutAStepThatChangesIsRefusedAndNotTakenForDone(t *testing.T) {
	v := says(200)
	e := v.engine(t, nil, headerAt, "{strategy: probe"+looksFor, "{id: w, request:", `{id: w, when: "${found == nil}", request:`,
		outputAt, `    output: {id: "${found ?? res.json.id}"}`+"\n")
	_, err := e.Write(t.Context(), someChange())
	if wantKind(t, err, cti.Invalid); len(v.asked()) != 0 || !strings.Contains(cti.MessageOf(err), "cannot change") {
		t.Errorf("%d requests were made, a person reads %q", len(v.asked()), cti.MessageOf(err))
	}
}

func TestUpdateStepsAreToldTheRecordAndKeepItsID(t *testing.T) {
	var asked string
	v := &vendor{say: func(r *http.Request) (int, []string) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		asked += r.Method + " " + r.URL.Path + " " + string(b)
		return 200, nil
	}}
	receipt, err := v.engine(t, nil, outputAt, patches+outputAt).Write(t.Context(), someChange())
	if wantKind(t, err, ""); receipt.ID != "r7" || asked != `PATCH /calls/r7 {"note":"hello"}` {
		t.Errorf("receipt %+v after %s", receipt, asked)
	}
	own := strings.Replace(patches, "}]}", `}], output: {id: "${res.json.id}"}}`, 1)
	if receipt, err = v.engine(t, nil, outputAt, own+outputAt).Write(t.Context(), someChange()); err != nil || receipt.ID != "r1" {
		t.Errorf("with an output of its own: %+v, %v", receipt, err)
	}
}

func TestFirstWriteSeesNoRecord(t *testing.T) {
	var body string
	v := &vendor{say: func(r *http.Request) (int, []string) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		body = string(b)
		return 200, nil
	}}
	e := v.engine(t, nil, headerAt, "{strategy: upsert}", `note: "${input.call.note}"`, `is: "${input.record == nil ? 'new' : input.record.id}"`)
	for want, w := range map[string]cti.WriteBack{`"is":"new"`: someWrite(), `"is":"r7"`: someChange()} {
		if _, err := e.Write(t.Context(), w); err != nil || !strings.Contains(body, want) {
			t.Errorf("%s is missing in %s, %v", want, body, err)
		}
	}
}

// "There is one already" is what a repeated first write wants to hear. To a change it says that nothing was changed.
func TestDuplicateIsNoSuccessForAChange(t *testing.T) {
	e := says(409).engine(t, nil, headerAt, "{strategy: duplicate_is_success}", outputAt, patches+outputAt,
		limitsAt, `errors: [{when: "${res.status == 409}", class: duplicate}]`)
	_, err := e.Write(t.Context(), someWrite())
	wantKind(t, err, "")
	_, err = e.Write(t.Context(), someChange())
	wantKind(t, err, cti.Conflict)
}

func TestRecordThatWasDeletedMeanwhileIsNotFoundAndNotMadeAnew(t *testing.T) {
	for _, name := range []string{"header", "probe", "uncertain", "post"} {
		server := startSandbox(t)
		if err := server.SetTraits(sandbox.Traits{PlainPosts: true}); err != nil {
			t.Fatal(err)
		}
		w := someChange()
		w.CustomerID, w.RecordID = "", "call_999999"
		_, err := openFile(t, crmtest.File(t, "sandbox-"+name), server.URL(), sandboxToken).Write(t.Context(), w)
		wantKind(t, err, cti.NotFound)
		if l := server.Ledger(); l.Writes != 0 {
			t.Errorf("%s: the ledger is %+v", name, l)
		}
	}
}
