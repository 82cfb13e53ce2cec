package store_test

import (
	"encoding/binary"
	"strings"
	"testing"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/outbox"
	"ringside.dev/ringside/store"
	"ringside.dev/ringside/store/storetest"
)

// Each fault is planted past the store; a check that finds nothing proves nothing.
func TestCheckFindsEachFault(t *testing.T) {
	it := func(p store.Planter, seq uint64, change func(*outbox.Item)) error {
		_, it := storetest.Call("a")
		it.Seq = seq
		change(&it)
		return p.Item(seq, it, 1)
	}
	for _, test := range []struct {
		name  string
		plant func(p store.Planter) error
		want  string
	}{
		{"nothing", func(store.Planter) error { return nil }, ""},
		{"item whose content cannot be read", func(p store.Planter) error { return p.Put("log", be8(1), []byte("{")) }, "unexpected end"},
		{"item without content", func(p store.Planter) error { return p.Forget(1, false) }, "no content"},
		{"content without item", func(p store.Planter) error { return p.Put("log", be8(99), p.Get("log", be8(1))) }, "content 99 of the log has no item"},
		{"content without record", func(p store.Planter) error { return p.Put("log", be8(1), []byte(`{"write":{"key":"k"}}`)) }, "has no record"},
		{"value in another place", func(p store.Planter) error { return p.Bucket("log").Put(be8(2), p.Bucket("log").Get(be8(1))) }, "damaged"},
		{"state that cannot be read", func(p store.Planter) error { return p.Put("state", be8(1), []byte("x")) }, "version 120"},
		{"item without its call", func(p store.Planter) error { return p.Leg("a", 0, map[string]uint64{"key a": 1}) }, "item 1 has no call"},
		{"item in no state", func(p store.Planter) error { return it(p, 1, func(it *outbox.Item) { it.State = "lost" }) }, `in state "lost"`},
		{"item with another content than the journal's", func(p store.Planter) error {
			return it(p, 1, func(it *outbox.Item) { it.WriteBack.CustomerID = "somebody else" })
		}, "has another item 1"},
		{"number to be given out again", func(p store.Planter) error {
			return it(p, 77, func(it *outbox.Item) { it.WriteBack.Key = "key 77" })
		}, "never given out"},
		{"key of no item", func(p store.Planter) error { return p.Leg("x", 0, map[string]uint64{"key x": 7}) }, "a key names item 7"},
		{"key without a number", func(p store.Planter) error { return p.Leg("x", 0, map[string]uint64{"key x": 0}) }, "a key names item 0"},
		{"key of an older item", func(p store.Planter) error { return p.Leg("b", 2, map[string]uint64{"key b": 2}) }, "the newest is 3"},
		{"item without its key", func(p store.Planter) error { return p.Leg("a", 1, nil) }, "the key of item 1 is not indexed"},
		{"item under another leg", func(p store.Planter) error { return p.Leg("z", 0, map[string]uint64{"key a": 1}) }, "a key names item 1"},
		{"leg that is cut short", func(p store.Planter) error { return p.Put("legs", p.Mac("a"), []byte{1, 16, 0}) }, "too short"},
		{"final item that is not listed", func(p store.Planter) error {
			k, _ := p.Bucket("done").Cursor().First()
			return p.Bucket("done").Delete(k)
		}, "is not in the list of what is final"},
		{"list of final items that names another", func(p store.Planter) error {
			return p.Bucket("done").Put(append([]byte{0, 0, 0, 9}, be8(1)...), []byte{1})
		}, "names item 1"},
		{"wrong count", func(p store.Planter) error { return p.Head(func(unfinished *int, _ *bool) { *unfinished++ }) }, "the index counted"},
		{"call under another leg", func(p store.Planter) error { return p.Leg("z", 1, nil) }, "known as another leg's"},
		{"call that is not in the log", func(p store.Planter) error { return p.Forget(1, true) }, "a call is not in the log"},
		{"call that is in the log twice", func(p store.Planter) error { return p.Put("log", be8(98), p.Get("log", be8(1))) }, "call 98 of the log is known at 1"},
		{"call that the journal has otherwise", func(p store.Planter) error { return p.Note(1, "never said") }, "has not the same call 1"},
		{"finished call that is live", func(p store.Planter) error { return p.Put("live", p.Mac("a"), []byte("{}")) }, "a finished call is live"},
		{"live call that the journal has not", func(p store.Planter) error {
			return p.Put("live", p.Mac("q"), []byte(`{"n":1,"call":{"leg":"q"}}`))
		}, "journal has not the same live call"},
		{"live call that is gone", func(p store.Planter) error { return p.Bucket("live").Delete(p.Mac("live")) }, "index has not the same live call"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			planted(t, dir)
			must(t, store.Plant(dir, storetest.Keys(), test.plant))
			s, err := store.Open(options(dir))
			must(t, err)
			err = s.Check()
			must(t, s.Close())
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("found %v, want %q", err, test.want)
			}
		})
	}
}

// planted makes a store with a call a with item 1, two of leg b with items 2 and 3 of one key, the final item 4, and a live call.
func planted(t *testing.T, dir string) {
	t.Helper()
	s, err := store.Open(options(dir))
	must(t, err)
	for _, leg := range []string{"a", "b", "b", "c"} {
		call, it := storetest.Call(leg)
		call.StartedAt = start
		stored, err := s.Accept(call, cti.WrapUp{}, []outbox.Item{it})
		must(t, err)
		if leg == "c" {
			stored[0].State = outbox.Done
			must(t, s.Save(outbox.Finished, stored[0]))
		}
	}
	live, _ := storetest.Call("live")
	must(t, s.Track(live, cti.WrapUp{}))
	must(t, s.Close())
}

func be8(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }
