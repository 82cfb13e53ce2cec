package cti_test

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ringside.dev/ringside/app/cti"
)

// The golden file is the envelope of the protocol reference: a source written in another language must be able to rely on it.
func TestEventIsTheEnvelopeOfTheReference(t *testing.T) {
	golden, err := os.ReadFile("testdata/event.json")
	if err != nil {
		t.Fatal(err)
	}
	want := cti.Event{
		V: 1, Seq: 1842, Type: cti.Delivered, Side: cti.SideLocal, Dialled: "600", Queue: &cti.Queue{Name: "support", WaitMS: 2000},
		At:       time.Date(2026, 11, 23, 5, 32, 18, 118e6, time.UTC),
		SourceAt: time.Date(2026, 11, 23, 5, 32, 18, 70e6, time.UTC),
		Source:   cti.Source{Adapter: "asterisk-ami", Instance: "pbx-1", Confidence: cti.Signalled},
		Call: cti.CallRef{Case: "5f0e8c1e-0000-5000-8000-000000000001", Leg: "5f0e8c1e-0000-5000-8000-000000000002", Direction: cti.In,
			State: cti.Alerting, Refs: map[string]string{cti.RefSIPCallID: "0ac0e3@127.0.0.1:5060", "ami_uniqueid": "1795411938.13", "ami_linkedid": "1795411938.12"}},
		Remote: cti.Remote{Number: cti.Number{Raw: "13800138000", E164: "+8613800138000", Key: "13800138000"}, Name: "Zhang San", URI: "sip:13800138000@pbx"},
		Local:  cti.Local{Extension: "1001", Account: "sip:1001@pbx"},
	}
	written, err := json.MarshalIndent(want, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(append(written, '\n'), golden) {
		t.Errorf("testdata/event.json is not what Go writes:\n%s", cmp.Diff(string(golden), string(written)+"\n"))
	}
	var read cti.Event
	if err := json.Unmarshal(golden, &read); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, read); diff != "" {
		t.Errorf("read back:\n%s", diff)
	}
}

func TestCallSurvivesJSON(t *testing.T) {
	moved := event(cti.Transferred, 700)
	moved.Transfer = &cti.Transfer{Kind: cti.Blind, Role: cti.Target, To: "1001"}
	for _, call := range []cti.Call{play(t, queued(0)), play(t, ring(0), answer(10), hold(20, cti.ByLocal)),
		play(t, ring(0), answer(10), hold(20, cti.ByRemote), retrieve(30, cti.ByRemote), moved, hangup(900)).EndWrap(at(950))} {
		text, err := json.Marshal(call)
		if err != nil {
			t.Fatal(err)
		}
		var read cti.Call
		if err := json.Unmarshal(text, &read); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(call, read, emptyIsNil); diff != "" {
			t.Errorf("%s call read back:\n%s", call.State, diff)
		}
	}
}

// Whether a write-back says anything new is asked by comparing it with the stored one.
func TestWriteBackReadBackIsEqual(t *testing.T) {
	call := play(t, ring(0), answer(10), hangup(900)).EndWrap(time.Now())
	w := cti.WriteBack{Op: cti.LogCall, Key: "k", Leg: call.Leg, Identity: cti.IdentityKnown,
		Record: cti.NewRecord("site", call, cti.WrapUp{Outcome: "Order placed", Note: "下周二", SavedAt: at(950)})}
	text, err := json.Marshal(w)
	if err != nil {
		t.Fatal(err)
	}
	var read cti.WriteBack
	if err := json.Unmarshal(text, &read); err != nil || !read.Equal(w) {
		t.Errorf("read back (%v):\n%s", err, cmp.Diff(w, read))
	}
}

func TestRecordTellsTheCall(t *testing.T) {
	call := play(t, queued(0), ring(3000), answer(5000), hold(8000, cti.ByLocal), retrieve(12_000, cti.ByLocal), hangup(20_000)).EndWrap(at(27_000))
	wrap := cti.WrapUp{Outcome: "Complaint", Note: "call back", SavedAt: at(27_000)}
	want := cti.Record{Key: cti.WriteKey("site", "leg", cti.LogCall, 0), Leg: "leg", Direction: cti.In, Number: cti.Number{Raw: "13800138000"},
		Extension: "1001", Queue: "support", StartedAt: at(0), AnsweredAt: at(5000), EndedAt: at(20_000), RingMS: 2000, QueueMS: 3000,
		TalkMS: 11_000, HoldMS: 4000, WrapMS: 7000, Ending: cti.EndAnswered, Cause: "normal", WrapUp: wrap}
	if diff := cmp.Diff(want, cti.NewRecord("site", call, wrap)); diff != "" {
		t.Error(diff)
	}
}

func TestWriteKeysAreStableAndApart(t *testing.T) {
	key := cti.WriteKey("site", "leg", cti.LogCall, 0)
	if want := "5ee96caa-655e-5906-a83a-7817bf833e4c"; key != want {
		t.Errorf("the key of a fixed call is %s, was %s: records in CRMs would be written twice", key, want)
	}
	for _, other := range []string{cti.WriteKey("other", "leg", cti.LogCall, 0), cti.WriteKey("site", "gel", cti.LogCall, 0), cti.WriteKey("site", "leg", "tag", 0), cti.WriteKey("site", "leg", cti.LogCall, 1)} {
		if other == key {
			t.Error("two write-backs share a key")
		}
	}
}
