package mailbox_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ringside.dev/ringside/bridge/hook/mailbox"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 123456789, time.UTC)

// full is an event with everything.
func full(at time.Time) mailbox.Event {
	return mailbox.Event{At: at, Source: "o", Event: "ring", Number: "138", Name: "陈", URI: "sip:138@pbx", SIPCallID: "a@b", CallID: "7", To: "600",
		Line: "1", Direction: "in", Cause: "normal", By: "remote", Reason: "487 x", Data: map[string]string{"order_id": "A-1"}}
}

// empty is a mailbox in a folder that is not there yet.
func empty(t *testing.T) mailbox.Mailbox {
	t.Helper()
	return mailbox.At(filepath.Join(t.TempDir(), "a", "b"))
}

func put(t *testing.T, box mailbox.Mailbox, e mailbox.Event) string {
	t.Helper()
	name, err := box.Put(e)
	if err != nil {
		t.Fatal(err)
	}
	return name
}

func list(t *testing.T, box mailbox.Mailbox) []string {
	t.Helper()
	names, err := box.List()
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestAnEventComesOutAsItWasPutInAndOnce(t *testing.T) {
	box := empty(t)
	if names := list(t, box); names != nil {
		t.Errorf("a folder that is not there holds %q", names)
	}
	name := put(t, box, full(noon))
	if _, err := box.Keep(name); err != nil {
		t.Fatal(err)
	}
	if names := list(t, box); !slices.Equal(names, []string{name}) {
		t.Errorf("it holds %q, want %q", names, name)
	}
	got, err := box.Read(name)
	want := full(noon)
	want.V, want.ID = mailbox.Version, strings.TrimSuffix(name, ".json")
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
	for range 2 {
		if err := box.Remove(name); err != nil {
			t.Error(err)
		}
	}
	if _, err := box.Read(name); !errors.Is(err, fs.ErrNotExist) || len(list(t, box)) > 0 {
		t.Errorf("it is still there: %v", err)
	}
	if dropped, err := box.Keep(name); dropped != 0 || err != nil {
		t.Errorf("keep what was taken: %d, %v", dropped, err)
	}
}

func TestEventsComeOutInTheOrderOfTheirTimes(t *testing.T) {
	box := empty(t)
	var want []string
	for _, at := range []time.Duration{5, 1, 3, 2, 4} {
		put(t, box, mailbox.Event{At: noon.Add(at), Event: "ring", Number: fmt.Sprint(int(at))})
	}
	put(t, box, mailbox.Event{At: time.Unix(0, 6).UTC(), Event: "ring", Number: "0"}) // a clock that was never set
	for _, name := range list(t, box) {
		e, err := box.Read(name)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, e.Number)
	}
	if !slices.Equal(want, []string{"0", "1", "2", "3", "4", "5"}) {
		t.Errorf("out came %q", want)
	}
}

func TestManyAtTheSameInstantAreAllThere(t *testing.T) {
	box := empty(t)
	var all sync.WaitGroup
	for range 200 {
		all.Go(func() {
			if _, err := box.Put(full(noon)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := len(list(t, box)); n != 200 {
		t.Errorf("%d of 200", n)
	}
}

func TestWhatIsTooLongIsCutBetweenCharacters(t *testing.T) {
	box := empty(t)
	e := mailbox.Event{At: noon, Event: "ring", Number: strings.Repeat("x", 255) + "陈", URI: strings.Repeat("y", 2000), Name: "a\xffb", Data: map[string]string{}}
	for i := range 100 {
		e.Data[fmt.Sprintf("%03d", i)] = strings.Repeat("z", 1023) + "陈"
	}
	got, err := box.Read(put(t, box, e))
	if err != nil {
		t.Fatal(err)
	}
	if got.Number != strings.Repeat("x", 255) || len(got.URI) != 1024 || got.Name != "a\uFFFDb" || len(got.Data) != 32 {
		t.Errorf("number of %d, URI of %d, name %q, %d data", len(got.Number), len(got.URI), got.Name, len(got.Data))
	}
	for name, value := range got.Data {
		if value != strings.Repeat("z", 1023) {
			t.Errorf("%s has %d bytes", name, len(value))
		}
	}
}

func TestWhatIsNoEventIsNotTakenForOne(t *testing.T) {
	box := empty(t)
	name := put(t, box, full(noon))
	for _, other := range []string{"notes.txt", "calls", "calls.tmp", "hook.log", "2026-11-23.json", "1795690356985668092.json", "179569035698566809x-a.json",
		"1795690356985668092-a.tmp", "1795690356985668092-a.json.bak", ".1795690356985668092-a.json"} {
		if err := os.WriteFile(filepath.Join(box.Dir(), other), []byte("{}"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(box.Dir(), "1795690356985668092-folder.json", "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(name, filepath.Join(box.Dir(), "1795690356985668092-link.json")); err != nil {
		t.Log("no links here:", err)
	}
	if names := list(t, box); !slices.Equal(names, []string{name}) {
		t.Errorf("it holds %q", names)
	}
}

func TestAFileThatCannotBeReadSaysSoWithoutItsWords(t *testing.T) {
	box := empty(t)
	put(t, box, full(noon))
	const name = "1795690356985668092-a.json"
	for why, text := range map[string]string{
		"nothing": "", "half": `{"v":1,"event":"ring","number":"13800138000`, "no JSON": "13800138000", "a list": `["13800138000"]`, "another type": `{"number":13800138000}`,
		"no version": `{"event":"ring","at":"2026-11-23T12:00:00Z"}`, "no event": `{"v":1,"at":"2026-11-23T12:00:00Z"}`, "no time": `{"v":1,"event":"ring"}`,
		"too large": `{"v":1,"event":"ring","at":"2026-11-23T12:00:00Z","name":"` + strings.Repeat("x", 64<<10) + `"}`, "zeros": strings.Repeat("\x00", 100),
	} {
		if err := os.WriteFile(filepath.Join(box.Dir(), name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := box.Read(name); err == nil || errors.Is(err, mailbox.ErrLater) || errors.Is(err, fs.ErrNotExist) || strings.Contains(err.Error(), "138") {
			t.Errorf("%s: %v", why, err)
		}
	}
}

func TestAnEventOfALaterVersionIsLeftToIt(t *testing.T) {
	box := empty(t)
	name := put(t, box, full(noon))
	if err := os.WriteFile(filepath.Join(box.Dir(), name), []byte(`{"v":2,"what":{"kind":"ring"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := box.Read(name); !errors.Is(err, mailbox.ErrLater) {
		t.Errorf("%v", err)
	}
}

func TestWhatAFileSaysOfItselfIsNotBelieved(t *testing.T) {
	box := empty(t)
	name := put(t, box, full(noon))
	text, err := json.Marshal(mailbox.Event{V: 1, ID: "../../other", At: noon.In(time.FixedZone("", 8*3600)), Event: "ring", Number: strings.Repeat("9", 300)})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(box.Dir(), name), text, 0o600); err != nil {
		t.Fatal(err)
	}
	e, err := box.Read(name)
	if err != nil || e.ID != strings.TrimSuffix(name, ".json") || len(e.Number) != 256 || e.At != noon {
		t.Errorf("%+v, %v", e, err)
	}
}

func TestTheOldestAreDroppedWhenThereAreTooMany(t *testing.T) {
	box := empty(t)
	for i := range mailbox.MaxEvents + 3 {
		put(t, box, mailbox.Event{At: noon.Add(time.Duration(i)), Event: "ring"})
	}
	before := list(t, box)
	dropped, err := box.Keep(before[len(before)-1])
	if err != nil || dropped != 3 {
		t.Errorf("dropped %d, %v", dropped, err)
	}
	if after := list(t, box); !slices.Equal(after, before[3:]) {
		t.Errorf("%d events, the first %s", len(after), after[0])
	}
}

func TestTidyTakesWhatProgramsLeftThatWereKilled(t *testing.T) {
	box := empty(t)
	name := put(t, box, full(noon))
	now := time.Now()
	files := map[string]time.Duration{"1795690356985668092-a.tmp": time.Hour, "1795690356985668092-b.tmp": 0, "calls.tmp": time.Hour, "mine.tmp": time.Hour}
	for file, age := range files {
		path := filepath.Join(box.Dir(), file)
		if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Chtimes(path, now, now.Add(-age))); err != nil {
			t.Fatal(err)
		}
	}
	if err := box.Tidy(now); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(box.Dir())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, entry := range entries {
		got = append(got, entry.Name())
	}
	want := []string{name, "1795690356985668092-b.tmp", "calls.tmp", "mine.tmp"} // b is being written
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("left %q, want %q", got, want)
	}
}

func TestTheFolderIsThisUsersOwnUnlessAnotherIsNamed(t *testing.T) {
	t.Setenv("RINGSIDE_HOOKS", "")
	t.Setenv("XDG_STATE_HOME", "")
	for _, name := range []string{"HOME", "LOCALAPPDATA"} {
		t.Setenv(name, filepath.FromSlash("/u"))
	}
	got, err := mailbox.Default()
	if err != nil || !strings.HasPrefix(got, filepath.FromSlash("/u/")) || !strings.HasSuffix(strings.ToLower(got), filepath.FromSlash("ringside/hooks")) {
		t.Errorf("%q, %v", got, err)
	}
	for _, name := range []string{"HOME", "LOCALAPPDATA"} {
		t.Setenv(name, "")
	}
	if got, err := mailbox.Default(); err == nil || !strings.Contains(err.Error(), "RINGSIDE_HOOKS") {
		t.Errorf("without a home: %q, %v", got, err)
	}
	t.Setenv("RINGSIDE_HOOKS", "elsewhere")
	if got, err := mailbox.Default(); got != "elsewhere" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}
