package store_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/outbox"
	"ringside.dev/ringside/store"
	"ringside.dev/ringside/store/storetest"
)

func TestLogKeepsCallAndWriteBackWhateverTheRecordSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringN(0, 8, -1)
		call := cti.Call{Leg: text.Draw(t, "leg"), Case: text.Draw(t, "case"), Direction: cti.In, State: cti.StateClosed, StartedAt: anyTime.Draw(t, "start"),
			EstablishedAt: anyTime.Draw(t, "answer"), ClearedAt: anyTime.Draw(t, "end"), Remote: cti.Remote{Name: text.Draw(t, "name"), Number: cti.Number{E164: text.Draw(t, "number")}}}
		wrap := cti.WrapUp{Note: text.Draw(t, "note"), SavedAt: anyTime.Draw(t, "saved")}
		w := cti.WriteBack{Op: cti.LogCall, Key: cti.WriteKey("t", call.Leg, cti.LogCall, 0), Leg: call.Leg, RecordID: text.Draw(t, "id"), Record: cti.NewRecord("t", call, wrap)}
		switch rapid.IntRange(0, 4).Draw(t, "differs") {
		case 1:
			w.Record.WrapUp.Note = text.Draw(t, "other note")
		case 2:
			w.Record.StartedAt = anyTime.Draw(t, "other start")
		case 3:
			w.Record.Key = text.Draw(t, "other key")
		case 4:
			w.Record.Queue, w.Record.TalkMS, w.Record.Cause = text.Draw(t, "queue"), rapid.Int64().Draw(t, "talk"), text.Draw(t, "cause")
		}
		want := store.LoggedCall{Call: call, WrapUp: wrap}
		got, gotWrite, _, err := store.RecodeLog(want, w)
		if diff := cmp.Diff(want, got) + cmp.Diff(w, gotWrite); err != nil || diff != "" {
			t.Fatalf("%v\n%s", err, diff)
		}
	})
}

// What is told twice costs a page for each level of the tree, and half of the disk.
func TestLogDoesNotSayTwiceWhatTheCallSays(t *testing.T) {
	call, wrap, it := storetest.BigCall(1)
	_, _, same, err := store.RecodeLog(store.LoggedCall{Call: call, WrapUp: wrap}, it.WriteBack)
	must(t, err)
	it.WriteBack.Record.Extension = "another"
	_, _, other, err := store.RecodeLog(store.LoggedCall{Call: call, WrapUp: wrap}, it.WriteBack)
	if err != nil || same > other*2/3 {
		t.Errorf("%d bytes, and %d with a record of its own: %v", same, other, err)
	}
}

func TestARecordStaysWhenItsCallIsAcceptedAgain(t *testing.T) {
	s := storetest.Open(t)
	call, wrap, it := storetest.BigCall(1)
	stored, err := s.Accept(call, wrap, []outbox.Item{it})
	must(t, err)
	must(t, s.Settle())
	call.Remote.Name = "Another"
	_, err = s.Accept(call, cti.WrapUp{Note: "typed later"}, nil)
	must(t, err)
	must(t, s.Settle())
	got, err := s.Item(stored[0].Seq)
	if diff := cmp.Diff(it.WriteBack, got.WriteBack); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	if logged, err := s.Call(call.Leg); err != nil || logged.WrapUp.Note != "typed later" {
		t.Errorf("the call says %+v, %v", logged, err)
	}
}

func TestAnItemIsFoundByTheKeyThatItHasNow(t *testing.T) {
	s := storetest.Open(t)
	it := accept(t, s, "a", item("a"))[0]
	accept(t, s, "b", item("b"))
	must(t, s.Settle())
	it.WriteBack.Leg, it.WriteBack.Key = "b", "key b"
	must(t, s.Save(outbox.Edited, it))
	must(t, s.Settle())
	if old, err := s.Latest("a", "key a"); err != nil || old.Seq != 0 {
		t.Errorf("by the old key: item %d, %v", old.Seq, err)
	}
	if newest, err := s.Latest("b", "key b"); err != nil || newest.Seq == it.Seq {
		t.Errorf("by the new key: item %d, %v; a newer one has it", newest.Seq, err)
	}
	must(t, s.Check())
}

// What is written to the journal anew keeps its place among the calls.
func TestCallsKeepTheirOrderWhenTheJournalLostSome(t *testing.T) {
	dir := t.TempDir()
	for _, leg := range []string{"a", "b", "c"} {
		s := storetest.OpenDir(t, dir)
		accept(t, s, leg)
		must(t, s.Close()) // the next one is in another segment
	}
	segments, err := filepath.Glob(filepath.Join(dir, "journal", "*"))
	must(t, err)
	slices.Sort(segments)
	lost := 0
	for i, name := range segments {
		if info, err := os.Stat(name); err == nil && info.Size() > 64 { // more than a header
			if lost++; lost != 2 {
				must(t, os.Remove(segments[i]))
			}
		}
	}
	for range 2 { // first with the index, then from the journal alone
		s := storetest.OpenDir(t, dir)
		calls, err := s.Calls(2)
		must(t, err)
		var got []string
		for _, c := range calls {
			got = append(got, c.Call.Leg)
		}
		if slices.Sort(got); !slices.Equal(got, []string{"b", "c"}) || lost != 3 {
			t.Errorf("the last two calls are %v; %d segments", got, lost)
		}
		must(t, errors.Join(s.Check(), s.Close(), os.Remove(filepath.Join(dir, "outbox.db"))))
	}
}

// A telephone system's clock may be wrong: such a call must not keep those that come behind it for ever.
func TestACallFromTheFutureIsForgottenToo(t *testing.T) {
	s := storetest.Open(t)
	for _, at := range []time.Time{time.Now().AddDate(70, 0, 0), time.Now(), {}} {
		_, err := s.Accept(cti.Call{Leg: fmt.Sprint("leg ", at.Year()), StartedAt: at}, cti.WrapUp{}, nil)
		must(t, err)
	}
	must(t, s.Prune(time.Now().Add(402*day)))
	if calls, err := s.Calls(10); err != nil || len(calls) != 0 {
		t.Errorf("kept %+v, %v", calls, err)
	}
	must(t, s.Check())
}

func TestWhatIsAcceptedWhileTheStoreClosesIsKeptOrRefused(t *testing.T) {
	for round := range 10 {
		dir := t.TempDir()
		s := storetest.OpenDir(t, dir)
		kept := make([]int, 20)
		begun := make(chan struct{}, len(kept))
		var wg sync.WaitGroup
		for i := range kept {
			wg.Go(func() {
				for ; ; kept[i]++ {
					call, it := storetest.Call(fmt.Sprint(i, " ", kept[i]))
					if _, err := s.Accept(call, cti.WrapUp{}, []outbox.Item{it}); err != nil {
						return
					}
					if kept[i] == round {
						begun <- struct{}{}
					}
				}
			})
		}
		for range kept {
			<-begun
		}
		must(t, s.Close())
		wg.Wait()
		s = storetest.OpenDir(t, dir)
		total := 0
		for i, n := range kept {
			total += n
			for k := range n {
				if _, err := s.Call(fmt.Sprint(i, " ", k)); err != nil {
					t.Errorf("acknowledged and not there: %v", err)
				}
			}
		}
		if n := len(standings(t, s)); n != total {
			t.Errorf("%d items wait, %d were acknowledged", n, total)
		}
	}
}
