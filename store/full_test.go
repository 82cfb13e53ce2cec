package store_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/outbox"
	"ringside.dev/ringside/store"
	"ringside.dev/ringside/store/storetest"
)

// An index that may not grow: the journal goes on, what waits is delivered, and then there is room again.
//
// Fault 17: the largest size.
func TestIndexThatMayNotGrowRefusesCallsInTheEndAndTakesThemAgainAfterADrain(t *testing.T) {
	dir := t.TempDir()
	told := newAlarms()
	o := options(dir).Small(1<<20, 1<<20).Paced(50 * time.Millisecond)
	o.Alarm = told.take
	s, err := store.Open(o)
	must(t, err)
	accepted := fillUntilRefused(t, s)
	told.wait(t, store.AlarmIndex)
	if it, err := s.Latest(accepted[len(accepted)-1].WriteBack.Leg, accepted[len(accepted)-1].WriteBack.Key); err != nil || it.Seq == 0 {
		t.Errorf("the last one that was taken: %+v, %v", it, err)
	}
	if got := standings(t, s); len(got) != len(accepted) {
		t.Errorf("%d wait, %d were accepted", len(got), len(accepted))
	}
	for _, it := range accepted[:len(accepted)-10] {
		it, err := s.Item(it.Seq)
		must(t, err)
		it.State = outbox.Done
		must(t, s.Save(outbox.Finished, it))
	}
	for {
		if over := told.wait(t, store.AlarmIndex); over.Over {
			break
		}
	}
	accept(t, s, "again", item("again"))
	must(t, s.Settle())
	if got := standings(t, s); len(got) != 11 {
		t.Errorf("%d wait, want 11", len(got))
	}
	must(t, s.Close())
	s, err = store.Open(o)
	must(t, err)
	if got := standings(t, s); len(got) != 11 {
		t.Errorf("after a restart %d wait, want 11", len(got))
	}
	must(t, s.Check())
	must(t, s.Close())
}

// fillUntilRefused accepts large items until the store refuses in clear words.
func fillUntilRefused(t *testing.T, s *store.Store) (accepted []outbox.Item) {
	t.Helper()
	for i := 0; ; i++ {
		call, it := storetest.Call(fmt.Sprint("leg ", i))
		it.WriteBack.Record.WrapUp.Note = strings.Repeat("long note ", 100)
		stored, err := s.Accept(call, cti.WrapUp{}, []outbox.Item{it})
		if err != nil {
			if cti.KindOf(err) != cti.Offline || cti.MessageOf(err) == "" {
				t.Fatalf("refused with %v, want words for a person", err)
			}
			return accepted
		}
		accepted = append(accepted, stored...)
		if i > 100_000 {
			t.Fatal("nothing was refused")
		}
	}
}

// finishWithRoom marks an item as done that the full disk refused, as the outbox does: it saves again until there is room.
func finishWithRoom(t *testing.T, s *store.Store, it outbox.Item) {
	t.Helper()
	limit := time.Now().Add(time.Minute)
	for {
		err := s.Save(outbox.Finished, it)
		if err == nil {
			return
		}
		if time.Now().After(limit) {
			t.Fatalf("item %d cannot be marked as done: %v", it.Seq, err)
		}
		if err := s.Settle(); err != nil {
			t.Log("the index is not there:", err)
		}
	}
}

// smallDisk mounts a file system of some size.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		t.Skip("a small disk of its own needs Linux and root")
	}
	dir := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", "size="+size, "ringside", dir).CombinedOutput(); err != nil {
		t.Skipf("no small disk: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", "-l", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	return dir
}

// A disk that is full: nothing is acknowledged falsely, the ballast lets what waits be delivered, and calls are taken again when there is room.
//
// Faults 14, 15 and 16: a disk that is really full.
func TestFullDiskKeepsItsPromises(t *testing.T) {
	disk := smallDisk(t, "44m") // with others gone there is room also for an index that was put aside: one that met the full disk in a commit is made anew
	dir := filepath.Join(disk, "store")
	told := newAlarms()
	o := options(dir).Small(0, 8<<20).Paced(50 * time.Millisecond)
	o.Alarm = told.take
	s, err := store.Open(o)
	must(t, err)
	must(t, s.Refill())
	must(t, os.WriteFile(filepath.Join(disk, "others"), make([]byte, 22<<20), 0o600))
	accepted := fillUntilRefused(t, s)
	if got := standings(t, s); len(got) != len(accepted) {
		t.Errorf("%d wait, %d were acknowledged", len(got), len(accepted))
	}
	var late []outbox.Item
	for _, it := range accepted {
		it, err := s.Item(it.Seq)
		must(t, err)
		it.State = outbox.Done
		if err := s.Save(outbox.Finished, it); err != nil {
			late = append(late, it)
		}
	}
	t.Logf("%d of %d marked as done on the full disk", len(accepted)-len(late), len(accepted))
	if len(late) > len(accepted)/2 {
		t.Errorf("%d of %d could not be marked as done: the ballast is of no use", len(late), len(accepted))
	}
	must(t, os.Remove(filepath.Join(disk, "others")))
	for _, it := range late {
		finishWithRoom(t, s, it)
	}
	takenAgain(t, s)
	must(t, s.Close())
	s, err = store.Open(o)
	must(t, err)
	if got := standings(t, s); len(got) != 1 || got[0].Lane != "again" {
		t.Errorf("after a restart %d wait, want the one that came at last", len(got))
	}
	must(t, s.Close())
	roomy := t.TempDir()
	must(t, os.CopyFS(roomy, os.DirFS(dir)))
	storetest.Check(t, roomy)
}

// takenAgain waits until the store takes calls.
func takenAgain(t *testing.T, s *store.Store) {
	t.Helper()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	limit := time.After(time.Minute)
	for {
		call, it := storetest.Call("again")
		if _, err := s.Accept(call, cti.WrapUp{}, []outbox.Item{it}); err == nil {
			return
		} else if cti.KindOf(err) != cti.Offline {
			t.Fatal(err)
		}
		select {
		case <-again.C:
		case <-limit:
			t.Fatal("no calls are taken though there is room")
		}
	}
}

func TestStoreOnADiskThatIsFullStillOpens(t *testing.T) {
	disk := smallDisk(t, "8m")
	dir := filepath.Join(disk, "store")
	o := options(dir).Small(0, 1<<20)
	s, err := store.Open(o)
	must(t, err)
	want := mix(t, s)
	must(t, s.Close())
	filler, err := os.Create(filepath.Join(disk, "others"))
	must(t, err)
	for err == nil {
		_, err = filler.Write(make([]byte, 4096))
	}
	must(t, filler.Close())
	s, err = store.Open(o)
	must(t, err)
	equal(t, want, all(t, s))
	must(t, s.Close())
}
