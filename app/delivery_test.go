package app_test

import (
	"context"
	"testing"

	"ringside.dev/ringside/app"
	"ringside.dev/ringside/app/crm"
	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/outbox"
)

// written is a connector that notes what is written.
type written struct {
	crm.Connector
	got []cti.WriteBack
}

func (c *written) Write(_ context.Context, w cti.WriteBack) (cti.Receipt, error) {
	c.got = append(c.got, w)
	return cti.Receipt{ID: w.RecordID}, nil
}

// A recording often is known before the CRM has the call's record, or long after.
func TestARecordingWaitsForTheRecordOfItsCall(t *testing.T) {
	w := cti.WriteBack{Op: cti.AttachRecording, Key: "r", Leg: "leg", Identity: cti.IdentityKnown, Record: cti.Record{Key: "call"}, Recording: cti.Recording{URL: "https://pbx.example/1"}}
	for name, test := range map[string]struct {
		call outbox.Item
		want cti.Kind
	}{
		"it waits":              {outbox.Item{Seq: 1, State: outbox.Queued}, cti.Offline},
		"it is in doubt":        {outbox.Item{Seq: 1, State: outbox.Reconcile}, cti.Offline},
		"for a person":          {outbox.Item{Seq: 1, State: outbox.Review}, cti.Conflict},
		"given up":              {outbox.Item{Seq: 1, State: outbox.Discarded}, cti.NotFound},
		"never was":             {outbox.Item{}, cti.NotFound},
		"delivered":             {outbox.Item{Seq: 1, State: outbox.Done, Receipt: cti.Receipt{ID: "call_7"}}, ""},
		"an update of it waits": {outbox.Item{Seq: 2, State: outbox.Queued, Receipt: cti.Receipt{ID: "call_7"}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			to := &written{}
			receipt, err := app.Deliver(to, func(leg, key string) (outbox.Item, error) {
				if leg != "leg" || key != "call" {
					t.Errorf("looked for %s %s", leg, key)
				}
				return test.call, nil
			}).Send(t.Context(), w)
			if cti.KindOf(err) != test.want {
				t.Errorf("the error is %v (%s), want %s", err, cti.KindOf(err), test.want)
			}
			if sent := len(to.got) == 1; sent != (test.want == "") || sent && receipt.ID != "call_7" {
				t.Errorf("sent %v", to.got)
			}
		})
	}
}
