package app_test

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/wire"
)

// An agent's change was delivered, and a colleague took it back: a corrected mapping must not bring it again.
func TestADeliveredChangeIsNotRebuilt(t *testing.T) {
	w := newWorld(t)
	w.site = filepath.Join(t.TempDir(), "mapping.yaml")
	if err := os.WriteFile(w.site, []byte("apiVersion: ringside.dev/v1\nkind: Mapping\nfields: {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	a := w.start(t)
	leg, _ := a.knownOnCard(t, w)
	if err := a.client.Tags(t.Context(), leg, wire.TagsRequest{Add: []string{"complained"}}); err != nil {
		t.Fatal(err)
	}
	a.card(t, "the tag", leg, func(c wire.Card) bool { return slices.Contains(who(c).Tags, "complained") && len(c.Changes) == 0 })
	a.emptied(t)
	w.crmDo(t, http.MethodDelete, "/api/contacts/"+knownCustomer+"/tags/complained", nil, nil)
	delivered, err := a.client.Outbox(t.Context(), wire.OutboxQuery{State: wire.WriteDelivered, Limit: 10})
	if err != nil || len(delivered) != 1 || delivered[0].Op != cti.AddTags {
		t.Fatalf("delivered is %+v, %v", delivered, err)
	}
	if err := a.client.Rebuild(t.Context(), delivered[0].Seq); cti.KindOf(err) != cti.Conflict {
		t.Errorf("the error is %v", err)
	}
	a.emptied(t)
	if is := w.customer(t, knownCustomer); slices.Contains(is.Tags, "complained") {
		t.Errorf("the tag is back: %+v", is)
	}
}
