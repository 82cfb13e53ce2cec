package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/outbox"
	"ringside.dev/ringside/store"
)

var anyTime = rapid.Custom(func(t *rapid.T) time.Time {
	if rapid.Bool().Draw(t, "zero") {
		return time.Time{}
	}
	return time.Unix(rapid.Int64Range(-1e9, 1e11).Draw(t, "seconds"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanoseconds")).UTC()
})

var anyItem = rapid.Custom(func(t *rapid.T) outbox.Item {
	text := rapid.StringN(0, 20, -1)
	it := outbox.Item{
		Seq: rapid.Uint64Min(1).Draw(t, "seq"), After: rapid.Uint64().Draw(t, "after"), Lane: text.Draw(t, "lane"),
		State:     rapid.SampledFrom([]outbox.State{"", outbox.Queued, outbox.Retry, outbox.Reconcile, outbox.Review, outbox.Done, outbox.Discarded, "new"}).Draw(t, "state"),
		CreatedAt: anyTime.Draw(t, "created"), Due: anyTime.Draw(t, "due"), Begun: anyTime.Draw(t, "begun"), DoneAt: anyTime.Draw(t, "done"),
		Attempts: rapid.IntRange(0, 1<<40).Draw(t, "attempts"), Receipt: cti.Receipt{ID: text.Draw(t, "receipt")}, Reason: text.Draw(t, "reason"),
		WriteBack: cti.WriteBack{Key: "k", Identity: rapid.SampledFrom([]cti.Identity{cti.IdentityKnown, cti.IdentityUnclear}).Draw(t, "identity")},
	}
	kinds := []cti.Kind{"", cti.Offline, cti.Uncertain, cti.Invalid, cti.Denied, cti.Conflict, "other"}
	for range rapid.IntRange(0, 3).Draw(t, "tries") {
		it.Tries = append(it.Tries, outbox.Try{At: anyTime.Draw(t, "at"), Took: time.Duration(rapid.Int64().Draw(t, "took")),
			Kind: rapid.SampledFrom(kinds).Draw(t, "kind"), Message: text.Draw(t, "message")})
	}
	return it
})

func TestStateKeepsEveryFieldOfAnItem(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		it := anyItem.Draw(t, "item")
		got, standing, err := store.Recode(it)
		if diff := cmp.Diff(it, got); err != nil || diff != "" {
			t.Fatalf("%v\n%s", err, diff)
		}
		if diff := cmp.Diff(it.Standing(), standing); diff != "" {
			t.Fatal(diff)
		}
	})
}

// A damaged value is an error, never a crash and never a long wait.
func FuzzState(f *testing.F) {
	for _, it := range []outbox.Item{{}, {Seq: 1, Lane: "l", Tries: []outbox.Try{{Kind: cti.Offline}}}} {
		b, err := store.EncodeState(it)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(_ *testing.T, b []byte) { _, _ = store.DecodeState(b) })
}

func TestStateThatIsCutShortIsDamaged(t *testing.T) {
	b, err := store.EncodeState(outbox.Item{Seq: 1, Lane: "lane", State: outbox.Retry, Due: start, CreatedAt: start})
	if err != nil {
		t.Fatal(err)
	}
	for n := range b {
		if _, err := store.DecodeStanding(b[:n]); err == nil {
			t.Errorf("the first %d of %d bytes were taken for a state", n, len(b))
		}
	}
}

func BenchmarkStateDecode(b *testing.B) {
	value, err := store.EncodeState(outbox.Item{Seq: 1, Lane: "442079460958", State: outbox.Retry, Due: start, CreatedAt: start, Attempts: 3,
		Tries: []outbox.Try{{At: start, Kind: cti.Offline, Message: "no route to host"}}})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := store.DecodeStanding(value); err != nil {
			b.Fatal(err)
		}
	}
}
