//go:build linux

package simfs

import (
	"bytes"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// content of the images of many seeds: every picture "name=content name=content …" that came up.
func pictures(t *testing.T, l Log, cut Cut, seeds int) []string {
	t.Helper()
	seen := map[string]bool{}
	for seed := range seeds {
		cut.Seed = uint64(seed)
		seen[picture(t, l, cut)] = true
	}
	return slices.Sorted(maps.Keys(seen))
}

func picture(t *testing.T, l Log, cut Cut) string {
	t.Helper()
	if cut.At == 0 {
		cut.At = len(l)
	}
	dir := filepath.Join(t.TempDir(), "image")
	if err := l.Image(dir, cut); err != nil {
		t.Fatal(err)
	}
	var parts []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		if e.IsDir() {
			parts = append(parts, name+"/")
			return nil
		}
		data, err := os.ReadFile(path)
		parts = append(parts, name+"="+strings.ReplaceAll(string(data), "\x00", "0"))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(parts, " ")
}

func same(t *testing.T, got []string, want ...string) {
	t.Helper()
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("the disk may hold %q, want %q", got, want)
	}
}

// A file "a" (node 2) in the root that is there with its name and content "old".
func settled() Log {
	return Log{{Kind: Create, Node: 2, Dir: 1, Name: "a"}, {Kind: Write, Node: 2, Data: []byte("old")}, {Kind: Sync, Node: 2, Began: 2}, {Kind: SyncDir, Node: 1, Began: 3}}
}

func TestImage_whatWasFlushedIsThere(t *testing.T) {
	for _, loss := range []Loss{Ordered, Subset, Torn} {
		same(t, pictures(t, settled(), Cut{Loss: loss}, 20), "a=old")
	}
}

func TestImage_whatWasNotFlushedMayBeThereInAnyChoice(t *testing.T) {
	l := append(settled(), Op{Kind: Write, Node: 2, Data: []byte("N")}, Op{Kind: Write, Node: 2, Off: 2, Data: []byte("W!")})
	same(t, pictures(t, l, Cut{Loss: Subset}, 100), "a=old", "a=Nld", "a=olW!", "a=NlW!")
	same(t, pictures(t, l, Cut{Loss: Ordered}, 20), "a=NlW!")
}

func TestImage_aNameNeedsAFlushOfItsFolder(t *testing.T) {
	l := Log{{Kind: Create, Node: 2, Dir: 1, Name: "a"}, {Kind: Write, Node: 2, Data: []byte("x")}, {Kind: Sync, Node: 2, Began: 2}}
	same(t, pictures(t, l, Cut{Loss: Subset}, 50), "", "a=x")
	same(t, pictures(t, l, Cut{Loss: Subset, NamesWithFiles: true}, 50), "a=x")
}

func TestImage_aRenameIsOneStepAndNeedsAFlushOfItsFolder(t *testing.T) {
	l := append(settled(),
		Op{Kind: Create, Node: 3, Dir: 1, Name: "b"}, Op{Kind: Write, Node: 3, Data: []byte("new")}, Op{Kind: Sync, Node: 3, Began: 6}, Op{Kind: SyncDir, Node: 1, Began: 7},
		Op{Kind: Rename, Node: 3, Dir: 1, Name: "b", ToDir: 1, ToName: "a"})
	same(t, pictures(t, l, Cut{Loss: Subset}, 50), "a=old b=new", "a=new")
	l = append(l, Op{Kind: SyncDir, Node: 1, Began: len(l)})
	same(t, pictures(t, l, Cut{Loss: Subset}, 50), "a=new")
}

func TestImage_aRenameBetweenFoldersNeedsBoth(t *testing.T) {
	l := append(settled(), Op{Kind: Mkdir, Node: 3, Dir: 1, Name: "q"}, Op{Kind: SyncDir, Node: 1, Began: 5}, Op{Kind: Rename, Node: 2, Dir: 1, Name: "a", ToDir: 3, ToName: "a"},
		Op{Kind: SyncDir, Node: 3, Began: 7})
	same(t, pictures(t, l, Cut{Loss: Subset}, 50), "a=old q/", "q/ q/a=old")
	l = append(l, Op{Kind: SyncDir, Node: 1, Began: len(l)})
	same(t, pictures(t, l, Cut{Loss: Subset}, 50), "q/ q/a=old")
}

func TestImage_aRenameWithoutTheContentLeavesAnEmptyFile(t *testing.T) {
	l := append(settled(), Op{Kind: Create, Node: 3, Dir: 1, Name: "b"}, Op{Kind: Write, Node: 3, Data: []byte("new")},
		Op{Kind: Rename, Node: 3, Dir: 1, Name: "b", ToDir: 1, ToName: "a"}, Op{Kind: SyncDir, Node: 1, Began: 7})
	same(t, pictures(t, l, Cut{Loss: Subset}, 50), "a=", "a=new")
}

func TestImage_aWriteIsTornAtSectors(t *testing.T) {
	l := settled()
	l[1].Data = bytes.Repeat([]byte("o"), 1024)
	l = append(l, Op{Kind: Write, Node: 2, Off: 256, Data: bytes.Repeat([]byte("n"), 1024)}) // touches three sectors, the last beyond the end
	o, n, z := strings.Repeat("o", 256), strings.Repeat("n", 256), strings.Repeat("0", 256)
	want := []string{}
	for _, first := range []string{o + o, o + n} {
		for _, second := range []string{o + o, n + n} {
			want = append(want, "a="+first+second, "a="+first+second+z, "a="+first+second+n)
		}
	}
	got := pictures(t, l, Cut{Loss: Torn}, 400)
	same(t, got, want...)
}

func TestImage_afterAFailedFlushNobodyKnows(t *testing.T) {
	l := append(settled(), Op{Kind: Write, Node: 2, Data: []byte("new")}, Op{Kind: Sync, Node: 2, Began: 5, Err: syscall.EIO},
		Op{Kind: Sync, Node: 2, Began: 6}, Op{Kind: Write, Node: 2, Off: 3, Data: []byte("!")}, Op{Kind: Sync, Node: 2, Began: 8})
	for _, loss := range []Loss{Ordered, Subset, Torn} {
		same(t, pictures(t, l, Cut{Loss: loss}, 50), "a=new!", "a=old!")
	}
}

func TestImage_whatCameDuringAFlushIsNotPartOfIt(t *testing.T) {
	l := append(settled(), Op{Kind: Write, Node: 2, Data: []byte("1")}, Op{Kind: Write, Node: 2, Off: 1, Data: []byte("2")}, Op{Kind: Sync, Node: 2, Began: 5})
	same(t, pictures(t, l, Cut{Loss: Subset}, 50), "a=1ld", "a=12d")
}

func TestImage_aDiskThatIgnoresFlushesKeepsNothingForSure(t *testing.T) {
	if got := pictures(t, settled(), Cut{Loss: Subset, FlushIgnored: true}, 50); !slices.Contains(got, "") || !slices.Contains(got, "a=") {
		t.Errorf("the disk may hold %q, want also nothing, and the name alone", got)
	}
}

func TestImage_whatIsSettledIsThereWhateverTheDiskDoes(t *testing.T) {
	l := append(settled(), Op{Kind: Write, Node: 2, Data: []byte("N")}, Op{Kind: Sync, Node: 2, Began: 5})
	same(t, pictures(t, l, Cut{Loss: Subset, FlushIgnored: true, Settled: 4}, 50), "a=old", "a=Nld")
}

func TestImage_theSameSeedGivesTheSame(t *testing.T) {
	l := settled()
	for i := range 40 {
		l = append(l, Op{Kind: Write, Node: 2, Off: int64(i), Data: []byte("n")})
	}
	cut := Cut{Loss: Torn, Seed: 7}
	if a, b := picture(t, l, cut), picture(t, l, cut); a != b {
		t.Errorf("%q, then %q", a, b)
	}
}
