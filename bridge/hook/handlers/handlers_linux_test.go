package handlers_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/hook/handlers"
)

// home is a user without any settings.
func home(t *testing.T) (mimeapps, entry string) {
	t.Helper()
	dir := t.TempDir()
	for name, value := range map[string]string{"HOME": dir, "XDG_CONFIG_HOME": "", "XDG_DATA_HOME": "", "XDG_CONFIG_DIRS": dir, "XDG_DATA_DIRS": dir,
		"XDG_CURRENT_DESKTOP": "", "DISPLAY": "", "DE": ""} {
		t.Setenv(name, value)
	}
	return filepath.Join(dir, ".config", "mimeapps.list"), filepath.Join(dir, ".local", "share", "applications", "ringside-dial.desktop")
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "none"
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func install(t *testing.T, schemes ...string) {
	t.Helper()
	if err := handlers.Install([]string{"/opt/ringside", "-dial"}, schemes); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, schemes ...string) {
	t.Helper()
	if err := handlers.Remove(schemes); err != nil {
		t.Fatal(err)
	}
}

const anEntry = `[Desktop Entry]
Type=Application
Name=Ringside
Name[zh_CN]=Ringside
Comment=Call the number of a link
Comment[zh_CN]=拨打链接中的号码
Exec="/opt/ringside" "-dial" -- %u
MimeType=x-scheme-handler/tel;x-scheme-handler/sip;x-scheme-handler/callto;
Terminal=false
NoDisplay=true
`

func TestAUserWithoutSettingsGetsThemAndLosesThemAgain(t *testing.T) {
	mimeapps, entry := home(t)
	install(t, handlers.Schemes()...)
	if got := read(t, entry); got != anEntry {
		t.Errorf("the entry:\n%s", got)
	}
	want := "[Default Applications]\nx-scheme-handler/tel=ringside-dial.desktop\nx-scheme-handler/sip=ringside-dial.desktop\nx-scheme-handler/callto=ringside-dial.desktop\n"
	if got := read(t, mimeapps); got != want {
		t.Errorf("mimeapps.list:\n%s", got)
	}
	for path, mode := range map[string]fs.FileMode{entry: 0o600, mimeapps: 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
	remove(t, "tel", "sip")
	if read(t, entry) != anEntry || !handlers.Ours("callto") || handlers.Ours("tel") {
		t.Error("callto went, or tel stayed")
	}
	remove(t, handlers.Schemes()...)
	if got := read(t, mimeapps); got != "[Default Applications]\n" || read(t, entry) != "none" {
		t.Errorf("left:\n%s%s", got, read(t, entry))
	}
}

const others = `# mine
[Added Associations]
text/plain=editor.desktop;

[Default Applications]
text/html=browser.desktop
x-scheme-handler/tel=phone.desktop;other.desktop;
x-scheme-handler/telegram=chat.desktop

[Removed Associations]
x-scheme-handler/tel=bad.desktop
`

func TestWhatOthersWroteStaysAndComesBack(t *testing.T) {
	mimeapps, _ := home(t)
	write(t, mimeapps, others)
	for range 2 { // a second time, what was before is still known
		install(t, "tel", "sip")
	}
	want := strings.Replace(others, "x-scheme-handler/tel=phone.desktop;other.desktop;", "x-scheme-handler/tel=ringside-dial.desktop", 1)
	want = strings.Replace(want, "telegram=chat.desktop\n", "telegram=chat.desktop\nx-scheme-handler/sip=ringside-dial.desktop\n", 1) +
		"[Ringside Before]\nx-scheme-handler/tel=phone.desktop;other.desktop;\n"
	if got := read(t, mimeapps); got != want {
		t.Errorf("installed:\n%s\nwant:\n%s", got, want)
	}
	remove(t, handlers.Schemes()...)
	if got := read(t, mimeapps); got != others {
		t.Errorf("removed:\n%s\nwant:\n%s", got, others)
	}
}

func TestAnothersChoiceSinceIsNotTakenBack(t *testing.T) {
	mimeapps, entry := home(t)
	write(t, mimeapps, "[Default Applications]\nx-scheme-handler/tel=phone.desktop\n")
	install(t, "tel")
	write(t, mimeapps, strings.Replace(read(t, mimeapps), "ringside-dial.desktop", "new.desktop", 1))
	remove(t, "tel")
	if got := read(t, mimeapps); got != "[Default Applications]\nx-scheme-handler/tel=new.desktop\n" || read(t, entry) != "none" {
		t.Errorf("left:\n%s", got)
	}
}

func TestStatusSaysWhoOpensWhat(t *testing.T) {
	mimeapps, _ := home(t)
	if all, err := handlers.Status(); err != nil || !slices.Equal(all, []handlers.Handler{{Scheme: "tel"}, {Scheme: "sip"}, {Scheme: "callto"}}) {
		t.Errorf("nobody: %+v, %v", all, err)
	}
	write(t, mimeapps, "[Default Applications]\nx-scheme-handler/sip=phone.desktop;other.desktop\n")
	install(t, "tel")
	want := []handlers.Handler{{Scheme: "tel", Ours: true, Program: "ringside-dial.desktop"}, {Scheme: "sip", Program: "phone.desktop"}, {Scheme: "callto"}}
	if all, err := handlers.Status(); err != nil || !slices.Equal(all, want) {
		t.Errorf("%+v, %v", all, err)
	}
	if err := errors.Join(os.Remove(mimeapps), os.Mkdir(mimeapps, 0o700)); err != nil {
		t.Fatal(err)
	}
	if _, err := handlers.Status(); err == nil || handlers.Ours("tel") {
		t.Errorf("what cannot be read: %v, ours %v", err, handlers.Ours("tel"))
	}
	if err := handlers.Install([]string{"/opt/ringside"}, []string{"tel"}); err == nil {
		t.Error("installed into what cannot be read")
	}
}

func TestOnlyLinksThatCallAreTakenAndOnlyPathsThatAreOne(t *testing.T) {
	mimeapps, entry := home(t)
	for _, scheme := range []string{"", "http", "TEL", "tel;http", "tel\n[x]"} {
		if err := handlers.Install([]string{"/opt/ringside"}, []string{"tel", scheme}); cti.KindOf(err) != cti.Invalid {
			t.Errorf("install %q: %v", scheme, err)
		}
		if err := handlers.Remove([]string{scheme}); cti.KindOf(err) != cti.Invalid {
			t.Errorf("remove %q: %v", scheme, err)
		}
	}
	for _, path := range []string{"/opt/a\nExec=evil", "/opt/a\rb", "/opt/\x00", "/opt/100%"} {
		if err := handlers.Install([]string{path}, []string{"tel"}); cti.KindOf(err) != cti.Invalid {
			t.Errorf("install %q: %v", path, err)
		}
	}
	if read(t, mimeapps) != "none" || read(t, entry) != "none" {
		t.Errorf("written:\n%s%s", read(t, mimeapps), read(t, entry))
	}
}

// The system's own programs read what was written: xdg-mime names the entry, and GLib runs it with the link as one argument.
func TestTheSystemOpensALinkWithOurCommand(t *testing.T) {
	gio, err := exec.LookPath("gio")
	if err != nil {
		t.Skip("gio is not installed (Debian and Ubuntu: libglib2.0-bin)")
	}
	_, entry := home(t)
	dir := t.TempDir()
	program := dir + "/a $b `c` \\d \"e\" 'g' é/ringside"
	write(t, program, "#!/bin/sh\nfor a; do printf '%s\\n' \"$a\"; done >\"$SAID.tmp\" && mv \"$SAID.tmp\" \"$SAID\"\n")
	if err := os.Chmod(program, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := handlers.Install([]string{program, "-dial"}, handlers.Schemes()); err != nil {
		t.Fatal(err)
	}
	said := filepath.Join(dir, "said")
	t.Setenv("SAID", said)
	const link = "tel:+86-138;ext=1?x=$(id)&y='\"%20"
	launch := exec.CommandContext(t.Context(), gio, "launch", entry, link)
	if out, err := launch.CombinedOutput(); err != nil {
		t.Fatalf("gio launch: %v\n%s", err, out)
	}
	await(t, said)
	if got := read(t, said); got != "-dial\n--\n"+link+"\n" {
		t.Errorf("the program got %q", got)
	}
	mime := exec.CommandContext(t.Context(), gio, "mime", "x-scheme-handler/sip")
	if out, err := mime.CombinedOutput(); err != nil || !strings.Contains(string(out), "ringside-dial.desktop") {
		t.Errorf("gio mime: %v\n%s", err, out)
	}
}

// await waits until another process's file is there: nothing tells.
func await(t *testing.T, path string) {
	t.Helper()
	again, late := time.NewTicker(5*time.Millisecond), time.After(10*time.Second)
	defer again.Stop()
	for {
		if _, err := os.Stat(path); err == nil {
			return
		}
		select {
		case <-again.C:
		case <-late:
			t.Fatal("the program was not run within 10 s")
		}
	}
}
