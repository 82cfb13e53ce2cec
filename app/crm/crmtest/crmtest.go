// Package crmtest is the conformance suite of app/crm's Connector: a connector is done when it passes. It owns what every CRM must
// do the same way, and must not know any CRM: a Rig says how to look into one and how to make it fail.
package crmtest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ringside.dev/ringside/app/crm"
	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/number"
)

// patience bounds each question; the sandbox answers in milliseconds.
const patience = 20 * time.Second

// Rig is a CRM under test. All fields are required, but BadSignIn, NearNumber, FirstStays, Throttle, Refuse with Restore, and Work, whose tests are
// skipped when they are empty. Its functions report their own failures to the test that made the rig.
type Rig struct {
	Connector crm.Connector
	BadSignIn crm.Connector // the same one with a wrong secret
	Region    string        // how Spellings without a country are read

	KnownID       string   // a customer
	OtherID       string   // another one
	Spellings     []string // at least five ways to write this customer's number
	NearNumber    string   // the number of another customer that has the same last eight digits
	UnknownNumber string   // nobody's

	CountRecords func(key string) int            // call records with this key in the CRM
	Record       func(key string) map[string]any // one of them: its id, and its note, outcome and customer under "note", "outcome" and "contact_id"

	// FirstStays tells that a second write with the same key is no update there unless it names the record: the CRM keeps what came
	// first (strategies header and duplicate_is_success) or makes a second record (probe_on_uncertain, at_least_once).
	FirstStays bool

	DropNextWrite   func()                    // the next write is worked on, its answer is lost
	Refuse, Restore func()                    // connections are refused, and accepted again
	Throttle        func(after time.Duration) // the next request is answered 429, to be tried again after that time

	Work Work // what agents do besides
}

// Run runs the suite.
func Run(t *testing.T, rig Rig) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, Rig)
	}{
		{"whoami names the agent", whoami},
		{"the customer is found by every spelling", spellings},
		{"a number with the same tail is no hit", nearMiss},
		{"an unknown number is an empty list and no error", unknown},
		{"a withheld number is not looked up", withheld},
		{"a call logged twice with one key is one record, updated", loggedTwice},
		{"a note saved after the delivery changes the one record", lateNote},
		{"a corrected customer moves it", moved},
		{"a change whose answer was lost is repeated and leaves one record", lostChange},
		{"an update without note and outcome keeps them", keepsNote},
		{"a wrap-up saved empty empties it there", clearsNote},
		{"a call of nobody is logged too", nobody},
		{"a lost answer is uncertain, and the repeat or the search leaves one record", lostAnswer},
		{"what a lost answer left behind is found by its key", finds},
		{"a pending or unclear customer is refused before anything is sent", undecided},
		{"a refused connection is offline, for reads and writes", refused},
		{"too many requests is limited, with the time to wait", throttled},
		{"a wrong secret is auth", badSignIn},
		{"history is newest first and no longer than asked", history},
		{"a customer is made once, found and changed", made},
		{"a note is written once", noted},
		{"a ticket is opened once, found, and moved from both sides", ticketed},
		{"a task is made once", tasked},
		{"tags are added and removed", tagged},
		{"a recording comes late, and another replaces it", recorded},
		{"a file is handed over once, also after a lost answer", handedOver},
		{"what the user may not do is denied", denied},
		{"a sign-in that ends in the middle is renewed", endedSignIn},
		{"the CRM's fields are described", described},
		{"concurrent use is safe", concurrent},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, rig) })
	}
}

func whoami(t *testing.T, rig Rig) {
	agent, err := rig.Connector.Whoami(ask(t))
	if err != nil || agent.Name == "" {
		t.Fatalf("Whoami() = %+v, %v; want a name", agent, err)
	}
}

func spellings(t *testing.T, rig Rig) {
	if len(rig.Spellings) < 5 {
		t.Fatalf("the rig has %d spellings, five are needed", len(rig.Spellings))
	}
	for _, raw := range rig.Spellings {
		if !has(lookup(t, rig, raw), rig.KnownID) {
			t.Errorf("%q does not find customer %s", raw, rig.KnownID)
		}
	}
}

func nearMiss(t *testing.T, rig Rig) {
	if rig.NearNumber == "" {
		t.Skip("the rig has no near number")
	}
	near := lookup(t, rig, rig.NearNumber)
	if len(near) == 0 {
		t.Errorf("%q does not find its own customer", rig.NearNumber)
	}
	if has(near, rig.KnownID) {
		t.Errorf("%q finds customer %s, whose number only ends the same", rig.NearNumber, rig.KnownID)
	}
}

func unknown(t *testing.T, rig Rig) {
	if found := lookup(t, rig, rig.UnknownNumber); len(found) != 0 {
		t.Errorf("an unknown number finds %d customers", len(found))
	}
}

func withheld(t *testing.T, rig Rig) {
	if found := lookup(t, rig, "anonymous"); len(found) != 0 {
		t.Errorf("a withheld number finds %d customers", len(found))
	}
}

func nobody(t *testing.T, rig Rig) {
	w := rig.writeBack(t.Name(), "")
	write(t, rig, w)
	rig.one(t, w.Key, nil)
}

// wait lets a time pass that the connector itself named.
func wait(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
		t.Fatal("the test ended")
	}
}

func undecided(t *testing.T, rig Rig) {
	for _, identity := range []cti.Identity{cti.IdentityPending, cti.IdentityUnclear} {
		w := rig.writeBack(t.Name()+string(identity), "")
		w.Identity = identity
		if _, err := rig.Connector.Write(ask(t), w); cti.KindOf(err) != cti.Invalid {
			t.Errorf("%s: the error is %v (%s), want invalid", identity, err, cti.KindOf(err))
		}
		if n := rig.CountRecords(w.Key); n != 0 {
			t.Errorf("%s: %d records were written", identity, n)
		}
	}
}

func refused(t *testing.T, rig Rig) {
	if rig.Refuse == nil {
		t.Skip("the rig cannot refuse connections")
	}
	w := rig.writeBack(t.Name(), rig.KnownID)
	rig.Refuse()
	_, readErr := rig.Connector.Lookup(ask(t), number.Parse(rig.Spellings[0], rig.Region))
	_, writeErr := rig.Connector.Write(ask(t), w)
	rig.Restore()
	if cti.KindOf(readErr) != cti.Offline || cti.KindOf(writeErr) != cti.Offline {
		t.Errorf("the errors are %v (%s) and %v (%s), want offline", readErr, cti.KindOf(readErr), writeErr, cti.KindOf(writeErr))
	}
	if n := rig.CountRecords(w.Key); n != 0 {
		t.Errorf("%d records were written through a refused connection", n)
	}
	write(t, rig, w)
}

func throttled(t *testing.T, rig Rig) {
	if rig.Throttle == nil {
		t.Skip("the rig cannot throttle")
	}
	w := rig.writeBack(t.Name(), rig.KnownID)
	rig.Throttle(time.Second)
	_, err := rig.Connector.Write(ask(t), w)
	if after := cti.RetryAfter(err); cti.KindOf(err) != cti.Limited || after < time.Second || after > 2*time.Second {
		t.Errorf("the error is %v (%s, retry after %s), want limited and a second", err, cti.KindOf(err), after)
	}
	if n := rig.CountRecords(w.Key); n != 0 {
		t.Errorf("%d records were written by a refused request", n)
	}
	wait(t, cti.RetryAfter(err))
	write(t, rig, w)
	rig.one(t, w.Key, nil)
}

func badSignIn(t *testing.T, rig Rig) {
	if rig.BadSignIn == nil {
		t.Skip("nobody signs in to this CRM")
	}
	if _, err := rig.BadSignIn.Whoami(ask(t)); cti.KindOf(err) != cti.Auth {
		t.Errorf("Whoami: the error is %v (%s), want auth", err, cti.KindOf(err))
	}
	w := rig.writeBack(t.Name(), rig.KnownID)
	if _, err := rig.BadSignIn.Write(ask(t), w); cti.KindOf(err) != cti.Auth {
		t.Errorf("Write: the error is %v (%s), want auth", err, cti.KindOf(err))
	}
}

func history(t *testing.T, rig Rig) {
	ask4 := rig.Connector.Features().History
	if ask4 == nil {
		t.Skip("this CRM has no history")
	}
	for i := range 3 {
		w := rig.writeBack(fmt.Sprint(t.Name(), i), rig.KnownID)
		later := time.Duration(i) * time.Hour
		w.Record.StartedAt = w.Record.StartedAt.Add(later)
		w.Record.AnsweredAt = w.Record.AnsweredAt.Add(later)
		w.Record.EndedAt = w.Record.EndedAt.Add(later)
		write(t, rig, w)
	}
	contacts, err := ask4(ask(t), rig.KnownID, 2)
	if err != nil {
		t.Fatal(err)
	}
	if len(contacts) != 2 {
		t.Fatalf("asked for 2 contacts, got %d", len(contacts))
	}
	if !contacts[0].At.After(contacts[1].At) {
		t.Errorf("the history begins with %s, then %s", contacts[0].At, contacts[1].At)
	}
}

func concurrent(t *testing.T, rig Rig) {
	done := make(chan error)
	const many = 8
	for i := range many {
		go func() {
			_, err := rig.Connector.Lookup(t.Context(), number.Parse(rig.Spellings[i%len(rig.Spellings)], rig.Region))
			done <- err
		}()
	}
	for range many {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func ask(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func lookup(t *testing.T, rig Rig, raw string) []cti.Customer {
	t.Helper()
	found, err := rig.Connector.Lookup(ask(t), number.Parse(raw, rig.Region))
	if err != nil {
		t.Fatalf("lookup of %q: %v", raw, err)
	}
	return found
}

func write(t *testing.T, rig Rig, w cti.WriteBack) cti.Receipt {
	t.Helper()
	receipt, err := rig.Connector.Write(ask(t), w)
	if err != nil {
		t.Fatalf("write: %v", err)
	}
	return receipt
}

func has(found []cti.Customer, id string) bool {
	for _, c := range found {
		if c.ID == id {
			return true
		}
	}
	return false
}

// one checks that the CRM has exactly one record of this key, with these values in it.
func (rig Rig) one(t *testing.T, key string, want map[string]any) {
	t.Helper()
	if n := rig.CountRecords(key); n != 1 {
		t.Fatalf("the CRM has %d records of one call", n)
	}
	record, got := rig.Record(key), map[string]any{}
	for name := range want {
		got[name] = record[name]
	}
	if diff := cmp.Diff(want, got); want != nil && diff != "" {
		t.Errorf("the record differs (-want +got):\n%s", diff)
	}
}

// writeBack makes a call record of its own for each name.
func (rig Rig) writeBack(name, customerID string) cti.WriteBack {
	start := time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC)
	call := cti.Call{
		Case: cti.ID("case", name), Leg: cti.ID("leg", name), Direction: cti.In, State: cti.StateClosed,
		Remote: cti.Remote{Number: number.Parse(rig.Spellings[0], rig.Region)}, Local: cti.Local{Extension: "204"},
		Cause:     &cti.Cause{Code: cti.CauseNormal, By: cti.ByRemote},
		StartedAt: start, DeliveredAt: start, EstablishedAt: start.Add(6 * time.Second), ClearedAt: start.Add(96 * time.Second),
	}
	record := cti.NewRecord("crmtest", call, cti.WrapUp{Outcome: "sold", SavedAt: start.Add(2 * time.Minute)})
	return cti.WriteBack{Op: cti.LogCall, Key: record.Key, Leg: call.Leg, Identity: cti.IdentityKnown, CustomerID: customerID, Record: record}
}
