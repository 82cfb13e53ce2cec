package crm_test

import (
	"net/http"
	"slices"
	"testing"

	"ringside.dev/ringside/app/crm/sandbox"
	"ringside.dev/ringside/app/cti"
)

// Some CRMs let agents create what they may not change: the record stays as it is, and a person hears why.
func TestWhatMayBeCreatedAndNotEditedIsDenied(t *testing.T) {
	server := startSandbox(t)
	if err := server.SetTraits(sandbox.Traits{Editing: "none"}); err != nil {
		t.Fatal(err)
	}
	e := openSandbox(t, server.URL(), sandboxToken)
	w := mappedCall("")
	receipt, err := e.Write(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	w.RecordID, w.Record.WrapUp.Note = receipt.ID, "later"
	_, err = e.Write(t.Context(), w)
	wantKind(t, err, cti.Denied)
	var call struct{ Note *string }
	sayTo(t, server, http.MethodGet, "/api/calls/"+receipt.ID, "", &call)
	if call.Note != nil && *call.Note != "" || len(recordsOf(t, server, w.Key)) != 1 {
		t.Errorf("the record is %+v", call)
	}
}

func TestRightsAreToldForEachRoleAndOperation(t *testing.T) {
	server := startSandbox(t)
	if err := server.SetTraits(sandbox.Traits{StrictRoles: true, Denied: "create_ticket,add_tags"}); err != nil {
		t.Fatal(err)
	}
	if _, err := server.AddUser(sandbox.User{Name: "Lea Lead", Email: "lea@ringside.example", Role: "lead", Token: "lea-token"}); err != nil {
		t.Fatal(err)
	}
	for token, want := range map[string]struct{ refused, more []string }{
		sandboxToken: {[]string{"add_tags", "create_ticket"}, nil},
		"lea-token":  {nil, []string{"delete", "fields"}},
	} {
		var refused, more []string
		for _, r := range openSandbox(t, server.URL(), token).Rights(t.Context()) {
			switch {
			case r.Err != nil:
				t.Errorf("%s: %v", r.ID, r.Err)
			case r.Excess && r.Allowed:
				more = append(more, r.ID)
			case !r.Excess && !r.Allowed:
				refused = append(refused, r.Op)
			}
		}
		slices.Sort(refused)
		if !slices.Equal(refused, want.refused) || !slices.Equal(more, want.more) {
			t.Errorf("%s: refused %v, more than needed %v; want %v and %v", token, refused, more, want.refused, want.more)
		}
	}
}
