package crm_test

import (
	"fmt"
	"testing"
	"time"

	"ringside.dev/ringside/app/cti"
)

func TestStatusDecidesTheKindWhenNoRuleDoes(t *testing.T) {
	for _, c := range []struct {
		status      int
		read, write cti.Kind
	}{
		{200, "", ""}, {201, "", ""},
		{400, cti.Invalid, cti.Invalid}, {401, cti.Auth, cti.Auth}, {403, cti.Denied, cti.Denied}, {404, cti.NotFound, cti.NotFound},
		{408, cti.Offline, cti.Uncertain}, {409, cti.Conflict, cti.Conflict}, {412, cti.Conflict, cti.Conflict},
		{422, cti.Invalid, cti.Invalid}, {429, cti.Limited, cti.Limited}, {500, cti.Offline, cti.Uncertain},
		{501, cti.Invalid, cti.Invalid}, {502, cti.Offline, cti.Uncertain}, {503, cti.Offline, cti.Uncertain}, {511, cti.Offline, cti.Uncertain},
	} {
		t.Run(fmt.Sprint(c.status), func(t *testing.T) {
			e := open(t, serve(t, answer(c.status, "application/json", `{"id":1,"name":"Ada"}`)))
			_, err := e.Whoami(t.Context())
			wantKind(t, err, c.read)
			_, err = e.Write(t.Context(), someWrite())
			wantKind(t, err, c.write)
		})
	}
}

func TestRuleOnA200DecidesTheKind(t *testing.T) {
	for class, want := range map[string]cti.Kind{
		"auth": cti.Auth, "forbidden": cti.Denied, "throttled": cti.Limited, "transient": cti.Uncertain, "conflict": cti.Conflict,
		"duplicate": cti.Conflict, "not_found": cti.NotFound, "invalid": cti.Invalid, "unsupported": cti.Invalid, "fatal": cti.Invalid,
	} {
		t.Run(class, func(t *testing.T) {
			e := open(t, serve(t, answer(200, "application/json", `{"error":{"wait":12}}`)), "errors: []",
				`errors: [{when: "${res.json?.error == 'other'}", class: auth}, {when: "${res.json?.error != nil}", class: `+class+`, retry_after: "${res.json.error.wait}"}]`)
			_, err := e.Write(t.Context(), someWrite())
			wantKind(t, err, want)
			if wait := cti.RetryAfter(err); wait.Truncate(2*time.Second) != 12*time.Second {
				t.Errorf("retry after %s, want 12s and a little", wait)
			}
		})
	}
}

func TestRuleThatCannotBeWorkedOutIsNoSuccess(t *testing.T) {
	e := open(t, serve(t, answer(200, "application/json", `[]`)), "errors: []", `errors: [{when: "${res.json.error.code == 1}", class: auth}]`)
	_, err := e.Write(t.Context(), someWrite())
	wantKind(t, err, cti.Invalid)
}

func TestDuplicateIsSuccessWhereTheStrategySaysSo(t *testing.T) {
	base := serve(t, answer(409, "application/json", `{"id":"old"}`))
	rule := `errors: [{when: "${res.status == 409}", class: duplicate}]`
	_, err := open(t, base, "errors: []", rule).Write(t.Context(), someWrite())
	wantKind(t, err, cti.Conflict)
	receipt, err := open(t, base, "errors: []", rule, "strategy: header, window: 24h", "strategy: duplicate_is_success").Write(t.Context(), someWrite())
	if err != nil || receipt.ID != "old" {
		t.Errorf("Write() = %+v, %v; want the old record", receipt, err)
	}
}
