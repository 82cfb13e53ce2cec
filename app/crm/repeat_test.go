package crm_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"ringside.dev/ringside/app/cti"
)

func TestKeyInProgressIsLimitedForItsRecordAlone(t *testing.T) {
	busy := true
	v := &vendor{say: func(r *http.Request) (int, []string) {
		if busy && r.Method == http.MethodPost {
			return 409, nil
		}
		return 200, nil
	}}
	e := v.engine(t, nil, limitsAt, `errors: [{when: "${res.status == 409}", class: throttled}]`)
	_, err := e.Write(t.Context(), someWrite())
	if wantKind(t, err, cti.Limited); cti.RetryAfter(err) != time.Second {
		t.Errorf("retry after %s, want 1s", cti.RetryAfter(err))
	}
	_, err = e.Whoami(t.Context())
	wantKind(t, err, "")
	busy = false
	_, err = e.Write(t.Context(), someWrite())
	wantKind(t, err, "")
}

func TestProbeThatAnswersNotFoundMeansThereIsNone(t *testing.T) {
	there := false
	v := &vendor{say: func(r *http.Request) (int, []string) {
		if r.Method == http.MethodGet && !there {
			return 404, nil
		}
		return 200, nil
	}}
	e := v.engine(t, nil, "    idempotency: {strategy: header, window: 24h}\n", `    idempotency: {strategy: probe, probe: [{id: p, request: {url: "${param.base_url}/calls/${input.key}"}}], found: "${res.json.id}"}
`, "{id: w, request:", `{id: w, when: "${found == nil}", request:`)
	_, err := e.Find(t.Context(), someWrite())
	wantKind(t, err, cti.NotFound)
	_, err = e.Write(t.Context(), someWrite())
	wantKind(t, err, "")
	there = true
	receipt, err := e.Write(t.Context(), someWrite())
	if wantKind(t, err, ""); receipt.ID != "r1" {
		t.Errorf("the receipt is %+v", receipt)
	}
	writes := 0
	for _, a := range v.asked() {
		if a.write {
			writes++
		}
	}
	if writes != 1 {
		t.Errorf("%d writes were made, want 1", writes)
	}
}

func TestRepeatTellsWhatTheConnectorDeclares(t *testing.T) {
	const header = "{strategy: header, window: 24h}"
	const look = `, settle: 5s, probe: [{id: p, request: {url: "${param.base_url}/calls"}}], found: "${res.json.id}"}`
	for declared, want := range map[string]cti.Repeat{
		header:                                  {Safe: true, Window: 24 * time.Hour},
		"{strategy: header, window: 30d" + look: {Safe: true, Window: 30 * 24 * time.Hour, Find: true, Settle: 5 * time.Second},
		"{strategy: upsert}":                    {Safe: true},
		"{strategy: client_id}":                 {Safe: true},
		"{strategy: duplicate_is_success}":      {Safe: true},
		"{strategy: naturally_idempotent}":      {Safe: true},
		"{strategy: probe_on_uncertain" + look:  {Find: true, Settle: 5 * time.Second},
		"{strategy: at_least_once}":             {},
	} {
		e := says(200).engine(t, nil, header, declared)
		if got := e.Repeat(someWrite()); got != want {
			t.Errorf("%s: %+v, want %+v", declared, got, want)
		}
		if _, err := e.Find(t.Context(), someWrite()); (err == nil) != want.Find {
			t.Errorf("%s: find: %v", declared, err)
		}
	}
	if got := says(200).engine(t, nil).Repeat(cti.WriteBack{Op: "paint"}); got != (cti.Repeat{}) {
		t.Errorf("an unknown operation is %+v", got)
	}
}

func TestKeyIsWrittenAsTheCRMWantsIt(t *testing.T) {
	var got string
	v := &vendor{say: func(r *http.Request) (int, []string) { got = r.Header.Get("Idempotency-Key"); return 200, nil }}
	e := v.engine(t, nil, "window: 24h}", `window: 24h, key: "${replace(input.key, '-', '')}"}`)
	_, err := e.Write(t.Context(), someWrite())
	if wantKind(t, err, ""); got != strings.ReplaceAll(someWrite().Key, "-", "") {
		t.Errorf("the key is %q", got)
	}
}

func TestGateThatClosesBetweenTwoStepsLeavesTheWriteUncertain(t *testing.T) {
	v := says(200, "X-Remaining", "0", "X-Reset", "60")
	e := v.engine(t, nil, limitsAt, "errors: []\nlimits: {headers: {remaining: X-Remaining, reset: X-Reset}}",
		`note: "${input.call.note}"}}}]`, `note: "${input.call.note}"}}}, {id: link, request: {method: PUT, url: "${param.base_url}/link"}}]`)
	_, err := e.Write(t.Context(), someWrite())
	if wantKind(t, err, cti.Uncertain); cti.RetryAfter(err) < time.Minute {
		t.Errorf("retry after %s, want a minute", cti.RetryAfter(err))
	}
}
