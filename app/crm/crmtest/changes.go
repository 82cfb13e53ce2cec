package crmtest

import (
	"testing"
	"time"

	"ringside.dev/ringside/app/cti"
)

func loggedTwice(t *testing.T, rig Rig) {
	if rig.FirstStays {
		t.Skip("a second write with the same key alone is no update in this CRM")
	}
	w := rig.writeBack(t.Name(), rig.KnownID)
	first := write(t, rig, w)
	w.Record.WrapUp.Note = "said thanks"
	w.Record.WrapMS += 500
	wait(t, rig.Connector.Repeat(w).Settle)
	second := write(t, rig, w)
	if first.ID == "" || first != second {
		t.Errorf("receipts are %+v and %+v, want the same id", first, second)
	}
	rig.one(t, w.Key, map[string]any{"note": "said thanks", "outcome": "sold"})
}

func lateNote(t *testing.T, rig Rig) {
	w := rig.writeBack(t.Name(), rig.KnownID)
	w.Record.WrapUp = cti.WrapUp{}
	w.RecordID = write(t, rig, w).ID
	for _, note := range []string{"rings back on Monday", "no: on Tuesday"} {
		w.Record.WrapUp = cti.WrapUp{Outcome: "sold", Note: note, SavedAt: w.Record.EndedAt.Add(time.Hour)}
		rig.changes(t, w)
		rig.one(t, w.Key, map[string]any{"note": note, "outcome": "sold", "contact_id": rig.KnownID})
	}
}

func moved(t *testing.T, rig Rig) {
	w := rig.writeBack(t.Name(), "")
	w.RecordID = write(t, rig, w).ID
	for _, id := range []string{rig.OtherID, rig.KnownID} {
		w.CustomerID = id
		rig.changes(t, w)
		rig.one(t, w.Key, map[string]any{"contact_id": id, "outcome": "sold"})
	}
	w.CustomerID = ""
	rig.changes(t, w)
	rig.one(t, w.Key, map[string]any{"contact_id": nil, "outcome": "sold"})
}

func lostChange(t *testing.T, rig Rig) {
	w := rig.writeBack(t.Name(), rig.KnownID)
	w.RecordID = write(t, rig, w).ID
	w.Record.WrapUp.Note = "wants an offer"
	rig.lose(t, w)
	rig.changes(t, w)
	rig.one(t, w.Key, map[string]any{"note": "wants an offer", "contact_id": rig.KnownID})
}

// changes writes again with the id of the record, at once: no index has to show it first.
func (rig Rig) changes(t *testing.T, w cti.WriteBack) {
	t.Helper()
	if again := rig.Connector.Repeat(w); !again.Safe || again.Window != 0 {
		t.Errorf("a change of a known record is %+v, want it safe for ever", again)
	}
	if receipt := write(t, rig, w); receipt.ID != w.RecordID {
		t.Errorf("the changed record is %q, want %q", receipt.ID, w.RecordID)
	}
}

func keepsNote(t *testing.T, rig Rig) {
	w := rig.writeBack(t.Name(), rig.KnownID)
	w.Record.WrapUp.Note = "call back on Monday"
	w.RecordID = write(t, rig, w).ID
	w.Record.WrapUp = cti.WrapUp{}
	rig.changes(t, w)
	rig.one(t, w.Key, map[string]any{"note": "call back on Monday", "outcome": "sold"})
}

// clearsNote: what the agent saved empty is empty there too.
func clearsNote(t *testing.T, rig Rig) {
	w := rig.writeBack(t.Name(), rig.KnownID)
	w.Record.WrapUp.Note = "for somebody else"
	w.RecordID = write(t, rig, w).ID
	w.Record.WrapUp = cti.WrapUp{SavedAt: w.Record.WrapUp.SavedAt.Add(time.Minute)}
	rig.changes(t, w)
	rig.one(t, w.Key, map[string]any{"note": "", "outcome": ""})
}
