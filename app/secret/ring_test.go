package secret_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"ringside.dev/ringside/app/secret"
)

func newRing(t testing.TB) secret.Ring {
	t.Helper()
	r, err := secret.NewRing()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func parse(t testing.TB, text string) secret.Ring {
	t.Helper()
	r, err := secret.ParseRing(text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func opens(t testing.TB, r secret.Ring, sealed []byte, about, want string) {
	t.Helper()
	if got, err := r.Open(sealed, []byte(about)); err != nil || string(got) != want {
		t.Errorf("opened as %q, %v; want %q", got, err, want)
	}
}

func TestRingOpensOnlyWhatItSealedAboutTheSame(t *testing.T) {
	r := newRing(t)
	sealed := r.Seal([]byte("plain"), []byte("item 1"))
	opens(t, r, sealed, "item 1", "plain")
	for _, about := range []string{"item 2", "item 1 ", "item", ""} {
		if _, err := r.Open(sealed, []byte(about)); !errors.Is(err, secret.ErrDamaged) {
			t.Errorf("about %q: %v", about, err)
		}
	}
	if again := r.Seal([]byte("plain"), []byte("item 1")); bytes.Equal(again, sealed) {
		t.Error("the same value is sealed alike twice")
	}
	if bytes.Contains(sealed, []byte("plain")) {
		t.Error("not sealed at all")
	}
	opens(t, r, r.Seal(nil, nil), "", "")
}

func TestRingFindsDamageAtEveryByteAndLength(t *testing.T) {
	r := newRing(t)
	sealed := r.Seal([]byte("plain"), []byte("about"))
	for i := range sealed {
		for bit := range 8 {
			bad := bytes.Clone(sealed)
			bad[i] ^= 1 << bit
			want := secret.ErrDamaged
			if i < 4 { // the key's id
				want = secret.ErrUnknownKey
			}
			if got, err := r.Open(bad, []byte("about")); !errors.Is(err, want) {
				t.Errorf("byte %d: %q, %v; want %v", i, got, err, want)
			}
		}
		if got, err := r.Open(sealed[:i], []byte("about")); !errors.Is(err, secret.ErrDamaged) {
			t.Errorf("cut at %d: %q, %v", i, got, err)
		}
	}
	if got, err := r.Open(append(sealed, 0), []byte("about")); !errors.Is(err, secret.ErrDamaged) {
		t.Errorf("one byte more: %q, %v", got, err)
	}
}

func TestRingSealsWithTheNewestAndOpensWithAll(t *testing.T) {
	old := newRing(t)
	both, err := old.WithNewKey()
	if err != nil {
		t.Fatal(err)
	}
	opens(t, both, old.Seal([]byte("before"), nil), "", "before")
	sealed := both.Seal([]byte("after"), nil)
	opens(t, both, sealed, "", "after")
	if _, err := old.Open(sealed, nil); !errors.Is(err, secret.ErrUnknownKey) {
		t.Errorf("the old key alone: %v", err)
	}
	if _, err := (secret.Ring{}).Open(sealed, nil); !errors.Is(err, secret.ErrUnknownKey) || !(secret.Ring{}).Empty() || both.Empty() {
		t.Errorf("no key: %v", err)
	}
	merged := old.With(both).With(old)
	opens(t, merged, sealed, "", "after")
	opens(t, old, merged.Seal([]byte("x"), nil), "", "x") // its own newest stays the newest
	if n := len(strings.Fields(merged.Text())); n != 2 {
		t.Errorf("%d keys after merging, want 2", n)
	}
}

func TestRingComesBackFromItsText(t *testing.T) {
	r, err := newRing(t).WithNewKey()
	if err != nil {
		t.Fatal(err)
	}
	again := parse(t, " "+strings.ReplaceAll(r.Text(), " ", "\n")+"\n")
	opens(t, again, r.Seal([]byte("x"), nil), "", "x")
	if again.Text() != r.Text() || r.Mac([]byte("x")) != again.Mac([]byte("x")) {
		t.Error("not the same ring")
	}
	half := r.Text()[:40]
	for _, text := range []string{half, r.Text() + " " + half, "!" + r.Text()[1:], base64.StdEncoding.EncodeToString(make([]byte, 31))} {
		if _, err := secret.ParseRing(text); !errors.Is(err, secret.ErrInvalid) || strings.Contains(err.Error(), half[:10]) {
			t.Errorf("got %v", err)
		}
	}
}

// Names made with a key must be found by every later version, so they may never change.
func TestMacStaysWhatItIs(t *testing.T) {
	r := parse(t, "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
	if got := hex.EncodeToString(mac(r, "lane")); got != "807546c27a55104a9b32944e38376ccd" {
		t.Errorf("got %s", got)
	}
	other := newRing(t)
	if bytes.Equal(mac(r, "lane"), mac(r, "lanf")) || bytes.Equal(mac(r, "lane"), mac(other, "lane")) {
		t.Error("different data, or different keys, give the same name")
	}
}

func mac(r secret.Ring, data string) []byte {
	m := r.Mac([]byte(data))
	return m[:]
}

// A value sealed by the first version opens for ever.
func TestRingOpensWhatTheFirstVersionSealed(t *testing.T) {
	r := parse(t, "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
	sealed, err := hex.DecodeString("246bd17e6176dfa9176e4e896f4d16aa7f0705c775b48f1aaa9fbf86fafbca8958571edd0f")
	if err != nil {
		t.Fatal(err)
	}
	opens(t, r, sealed, "item 1", "plain")
}

func TestRingNeverShowsItsKeys(t *testing.T) {
	raw := []byte("0123456789abcdefghijklmnopqrstuv")
	text := base64.StdEncoding.EncodeToString(raw)
	r := parse(t, text)
	type hidden struct{ r secret.Ring }
	type shown struct{ R secret.Ring }
	values := []any{r, &r, hidden{r}, &hidden{r}, shown{r}, []secret.Ring{r}, map[string]secret.Ring{"r": r}, []hidden{{r}}}
	var out bytes.Buffer
	for _, v := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		fmt.Fprintln(&out, fmt.Errorf("wrapped: %v", v))
		encoded, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(encoded)
		slog.New(slog.NewTextHandler(&out, nil)).Info("x", "ring", v, slog.Group("g", "ring", v))
		slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "ring", v)
	}
	numbers := fmt.Sprintf("%d", raw) // [48 49 ...]
	var hexadecimal strings.Builder   // 0x30, 0x31, ...
	for _, b := range raw[:4] {
		fmt.Fprintf(&hexadecimal, "0x%x, ", b)
	}
	for _, bad := range []string{text[:12], "01234567", numbers[1:20], hex.EncodeToString(raw[:6]), strings.ToUpper(hex.EncodeToString(raw[8:14])), hexadecimal.String()} {
		if strings.Contains(out.String(), bad) {
			t.Errorf("the key shows as %q", bad)
		}
	}
	if !strings.Contains(out.String(), "ring of 1 keys") {
		t.Errorf("it does not say what it is:\n%s", out.String())
	}
}

func FuzzParseRing(f *testing.F) {
	f.Add("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := secret.ParseRing(text)
		if err != nil || r.Empty() {
			return
		}
		if again := parse(t, r.Text()); again.Text() != r.Text() {
			t.Error("changes with each reading")
		}
		opens(t, r, r.Seal([]byte("x"), nil), "", "x")
	})
}
