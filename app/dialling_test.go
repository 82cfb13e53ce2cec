package app

import (
	"context"
	"testing"

	"ringside.dev/ringside/app/cti"
)

func TestWhoMustNotBeCalledIsNotWithTheReason(t *testing.T) {
	n := cti.Number{Raw: "138", E164: "+86138", Key: "138"}
	customer := func(grade cti.Grade, status string, tags ...string) []cti.Match {
		return []cti.Match{{Grade: grade, Customer: cti.Customer{Status: status, Tags: tags}}}
	}
	offline := cti.Errorf(cti.Offline, "no CRM", nil)
	for name, test := range map[string]struct {
		known, found []cti.Match
		err          error
		reason       string
	}{
		"a tag":                     {known: customer(cti.Sure, "active", "VIP", "do-not-call"), reason: "do-not-call"},
		"a status":                  {known: customer(cti.Likely, "locked"), reason: "locked"},
		"one of several":            {known: append(customer(cti.Sure, "active"), customer(cti.Sure, "locked")...), reason: "locked"},
		"only the CRM knows":        {found: customer(cti.Sure, "locked"), reason: "locked"},
		"perhaps somebody else":     {known: customer(cti.Perhaps, "locked")},
		"nobody":                    {},
		"the CRM cannot be reached": {err: offline},
		"a customer like others":    {known: customer(cti.Sure, "active", "VIP")},
	} {
		d := dialling{stop: cti.DiallingProfile{StopTags: []string{"do-not-call"}, StopStatuses: []string{"locked"}},
			known: func(cti.Number) []cti.Match { return test.known },
			find:  func(context.Context, cti.Number) ([]cti.Match, error) { return test.found, test.err }}
		err := d.allow(t.Context(), n)
		want := "this customer must not be called: " + test.reason
		if test.reason == "" && err != nil || test.reason != "" && (cti.KindOf(err) != cti.Denied || cti.MessageOf(err) != want) {
			t.Errorf("%s: %v, want %q", name, err, test.reason)
		}
	}
	asked := false
	free := dialling{find: func(context.Context, cti.Number) ([]cti.Match, error) { asked = true; return nil, nil }, known: func(cti.Number) []cti.Match { return nil }}
	if err := free.allow(t.Context(), n); err != nil || asked {
		t.Errorf("a site that stops nobody: %v, asked %v", err, asked)
	}
}
