package handlers

import (
	"errors"
	"slices"
	"testing"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"

	"ringside.dev/ringside/app/cti"
)

var override = windows.NewLazySystemDLL("advapi32.dll").NewProc("RegOverridePredefKey")

// ownRegistry puts an empty key in the place of HKEY_CURRENT_USER, for this process and this test alone.
func ownRegistry(t *testing.T) {
	t.Helper()
	const name = `Software\RingsideTest`
	k, existed, err := registry.CreateKey(registry.CURRENT_USER, name, registry.ALL_ACCESS)
	if err != nil || existed {
		t.Fatalf("%v; %s existed: %v", err, name, existed)
	}
	point := func(at uintptr) {
		if code, _, _ := override.Call(uintptr(registry.CURRENT_USER), at); code != 0 {
			t.Fatal(windows.Errno(code))
		}
	}
	point(uintptr(k))
	t.Cleanup(func() {
		empty(t, k)
		point(0)
		if err := errors.Join(k.Close(), registry.DeleteKey(registry.CURRENT_USER, name)); err != nil {
			t.Error(err)
		}
	})
}

// empty removes all keys below one.
func empty(t *testing.T, k registry.Key) {
	t.Helper()
	names, err := k.ReadSubKeyNames(-1)
	if err != nil {
		t.Error(err)
	}
	for _, name := range names {
		below, err := registry.OpenKey(k, name, registry.ALL_ACCESS)
		if err != nil {
			t.Error(err)
			continue
		}
		empty(t, below)
		if err := errors.Join(below.Close(), registry.DeleteKey(k, name)); err != nil {
			t.Error(err)
		}
	}
}

func has(t *testing.T, key, name, want string) {
	t.Helper()
	if got, err := value(key, name); err != nil || got != want {
		t.Errorf("%s, %q: %q, %v; want %q", key, name, got, err, want)
	}
}

func set(t *testing.T, key string, values map[string]string) {
	t.Helper()
	if err := write(key, values); err != nil {
		t.Fatal(err)
	}
}

const ourCommand = `"C:\Program Files\Ringside\ringside.exe" "-dial" -- "%1"`

func installed(t *testing.T, schemes ...string) {
	t.Helper()
	if err := Install([]string{`C:\Program Files\Ringside\ringside.exe`, "-dial"}, schemes); err != nil {
		t.Fatal(err)
	}
}

func TestLinksComeToUsAndGoAgain(t *testing.T) {
	ownRegistry(t)
	installed(t, Schemes()...)
	for _, scheme := range Schemes() {
		has(t, `Software\Classes\`+scheme, "URL Protocol", "")
		has(t, `Software\Classes\`+scheme, "", "URL:"+scheme)
		has(t, `Software\Classes\`+scheme+`\shell\open\command`, "", ourCommand)
		has(t, `Software\Ringside\Capabilities\URLAssociations`, scheme, "Ringside.Dial")
	}
	has(t, `Software\Classes\Ringside.Dial\shell\open\command`, "", ourCommand)
	has(t, `Software\RegisteredApplications`, "Ringside", `Software\Ringside\Capabilities`)
	if all, err := Status(); err != nil || slices.ContainsFunc(all, func(h Handler) bool { return !h.Ours }) || len(all) != 3 {
		t.Errorf("%+v, %v", all, err)
	}
	if err := Remove([]string{"sip"}); err != nil {
		t.Fatal(err)
	}
	has(t, `Software\RegisteredApplications`, "Ringside", `Software\Ringside\Capabilities`)
	if Ours("sip") || !Ours("tel") {
		t.Error("sip stayed, or tel went")
	}
	if err := Remove(Schemes()); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{`Software\Classes\tel`, `Software\Classes\sip`, `Software\Classes\callto`, `Software\Classes\Ringside.Dial`, `Software\Ringside\Capabilities`} {
		if k, err := registry.OpenKey(registry.CURRENT_USER, key, registry.QUERY_VALUE); !missing(err) {
			t.Errorf("%s is left: %v", key, errors.Join(err, k.Close()))
		}
	}
	has(t, `Software\RegisteredApplications`, "Ringside", "")
}

func TestWhoOpenedThemBeforeGetsThemBack(t *testing.T) {
	ownRegistry(t)
	const before = `"C:\MicroSIP\microsip.exe" "%1"`
	set(t, `Software\Classes\tel\shell\open\command`, map[string]string{"": before})
	set(t, `Software\Classes\sip\DefaultIcon`, map[string]string{"": "x"})
	for range 2 {
		installed(t, "tel", "sip")
	}
	has(t, `Software\Classes\tel\shell\open\command`, "", ourCommand)
	if err := Remove([]string{"tel", "sip"}); err != nil {
		t.Fatal(err)
	}
	has(t, `Software\Classes\tel\shell\open\command`, "", before)
	has(t, `Software\Classes\tel`, wasBefore, "")
	has(t, `Software\Classes\sip\DefaultIcon`, "", "x")
}

func TestAnothersChoiceSinceStays(t *testing.T) {
	ownRegistry(t)
	installed(t, "tel")
	const later = `"C:\Zoiper\zoiper.exe" %1`
	set(t, `Software\Classes\tel\shell\open\command`, map[string]string{"": later})
	if err := Remove([]string{"tel"}); err != nil {
		t.Fatal(err)
	}
	has(t, `Software\Classes\tel\shell\open\command`, "", later)
}

func TestAPersonsChoiceInSettingsIsWhoOpensThem(t *testing.T) {
	ownRegistry(t)
	installed(t, "tel")
	choice := `Software\Microsoft\Windows\Shell\Associations\UrlAssociations\tel\UserChoice`
	for id, ours := range map[string]bool{"MicroSIP": false, "Ringside.Dial": true} {
		set(t, choice, map[string]string{"ProgId": id})
		if program, mine, err := owner("tel"); err != nil || program != id || mine != ours {
			t.Errorf("%s: %q, %v, %v", id, program, mine, err)
		}
	}
}

func TestAPathThatNoCommandLineHoldsIsRefused(t *testing.T) {
	ownRegistry(t)
	for _, path := range []string{`C:\a"b`, `C:\%1`, "C:\\a\r\nb"} {
		if err := Install([]string{path}, []string{"tel"}); cti.KindOf(err) != cti.Invalid || Ours("tel") {
			t.Errorf("%q: %v", path, err)
		}
	}
	if err := Install([]string{`C:\a`}, []string{"http"}); cti.KindOf(err) != cti.Invalid {
		t.Errorf("http: %v", err)
	}
}
