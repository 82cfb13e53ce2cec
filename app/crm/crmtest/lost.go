package crmtest

import (
	"fmt"
	"testing"

	"ringside.dev/ringside/app/cti"
)

func lostAnswer(t *testing.T, rig Rig) {
	w := rig.writeBack(t.Name(), rig.KnownID)
	rig.lose(t, w)
	rig.one(t, w.Key, nil) // it was applied: that is what makes the answer worth asking for
	switch again := rig.Connector.Repeat(w); {
	case again.Safe:
		write(t, rig, w)
	case again.Find:
		wait(t, again.Settle)
		found(t, rig, w)
	default:
		t.Skip("this connector promises nothing about a lost answer")
	}
	rig.one(t, w.Key, nil)
}

// finds: what a lost answer left behind is found by its key, with the id it has there, and what was never written is not.
func finds(t *testing.T, rig Rig) {
	w := rig.writeBack(t.Name(), rig.KnownID)
	again := rig.Connector.Repeat(w)
	_, err := rig.Connector.Find(ask(t), w)
	if !again.Find {
		if cti.KindOf(err) != cti.Invalid {
			t.Errorf("a connector without a probe looks for a record: %v (%s), want invalid", err, cti.KindOf(err))
		}
		return
	}
	if cti.KindOf(err) != cti.NotFound {
		t.Fatalf("looking for what was never written: %v (%s), want notfound", err, cti.KindOf(err))
	}
	rig.lose(t, w)
	wait(t, again.Settle)
	if id, want := found(t, rig, w), fmt.Sprint(rig.Record(w.Key)["id"]); id != want {
		t.Errorf("the record found is %q, want %q", id, want)
	}
	rig.one(t, w.Key, nil)
}

// lose writes so that the CRM does it and its answer is lost.
func (rig Rig) lose(t *testing.T, w cti.WriteBack) {
	t.Helper()
	rig.DropNextWrite()
	if _, err := rig.Connector.Write(ask(t), w); cti.KindOf(err) != cti.Uncertain {
		t.Fatalf("the error is %v (%s), want uncertain", err, cti.KindOf(err))
	}
}

func found(t *testing.T, rig Rig, w cti.WriteBack) string {
	t.Helper()
	receipt, err := rig.Connector.Find(ask(t), w)
	if err != nil {
		t.Fatalf("find: %v", err)
	}
	return receipt.ID
}
