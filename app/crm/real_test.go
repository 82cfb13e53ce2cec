package crm_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ringside.dev/ringside/app/crm"
	"ringside.dev/ringside/app/cti"
)

// What the tests of both real CRMs ask.

// allowed lists what somebody may do.
func allowed(t *testing.T, e *crm.Engine) string {
	t.Helper()
	var may []string
	for _, r := range e.Rights(t.Context()) {
		if r.Err != nil {
			t.Errorf("%s: %v", r.ID, r.Err)
		}
		if r.Allowed && !slices.Contains(may, r.ID) {
			may = append(may, r.ID)
		}
	}
	slices.Sort(may)
	return strings.Join(may, " ")
}

// written writes and gives the id.
func written(t *testing.T, e *crm.Engine, w cti.WriteBack) string {
	t.Helper()
	receipt, err := e.Write(t.Context(), w)
	if err != nil || receipt.ID == "" {
		t.Fatalf("%s: %+v, %v", w.Op, receipt, err)
	}
	return receipt.ID
}

// wantCustomer compares what the CRM says of a customer, but for the version.
func wantCustomer(t *testing.T, e *crm.Engine, want cti.Customer) {
	t.Helper()
	got, err := e.Features().Get(t.Context(), want.ID)
	got.Version = ""
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("the customer: %v (-want +got):\n%s", err, diff)
	}
}

// wantRefusal checks the kind of an error, and that its words say what is wrong.
func wantRefusal(t *testing.T, err error, kind cti.Kind, words string) {
	t.Helper()
	wantKind(t, err, kind)
	if err == nil || !strings.Contains(err.Error(), words) {
		t.Errorf("the error is %v, want %q in it", err, words)
	}
}
