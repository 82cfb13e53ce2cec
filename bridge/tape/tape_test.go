package tape_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ringside.dev/ringside/bridge/tape"
)

func TestAListenerGetsWhatIsNotedWhileItListens(t *testing.T) {
	var d tape.Deck
	d.Note(false, []byte("before"))
	frames, stop := d.Listen()
	d.Note(false, []byte("244:{}"))
	d.Note(true, []byte{0xff, 0})
	stop()
	d.Note(false, []byte("after"))
	var got []string
	for len(frames) > 0 {
		f := <-frames
		data, err := f.Data()
		if err != nil || f.At.IsZero() {
			t.Fatal(err, f)
		}
		got = append(got, string(data))
	}
	if diff := cmp.Diff([]string{"244:{}", "\xff\x00"}, got); diff != "" {
		t.Error(diff)
	}
	(*tape.Deck)(nil).Note(false, nil) // a source without a deck
}

func TestASlowListenerHoldsNobodyUp(t *testing.T) {
	var d tape.Deck
	_, stop := d.Listen() // and reads nothing
	defer stop()
	for range 10_000 {
		d.Note(false, []byte("x"))
	}
	frames, stopAgain := d.Listen()
	defer stopAgain()
	d.Note(false, []byte("y"))
	if got := (<-frames).Text; got != "y" {
		t.Errorf("the one who listens read %q", got)
	}
}

func TestARecordingIsReadAsItWasWritten(t *testing.T) {
	var file bytes.Buffer
	want := []tape.Frame{tape.NewFrame(time.Unix(1e9, 0), false, []byte("a\nb")), tape.NewFrame(time.Unix(1e9, 1), true, []byte{0xfe})}
	for _, f := range want {
		if err := json.NewEncoder(&file).Encode(f); err != nil {
			t.Fatal(err)
		}
	}
	var got []tape.Frame
	if err := tape.Read(&file, func(f tape.Frame) error { got = append(got, f); return nil }); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, bad := range []string{"Event: Hangup", "{}", strings.Repeat("x", 2<<20)} {
		if err := tape.Read(strings.NewReader(bad), func(tape.Frame) error { return nil }); err == nil {
			t.Errorf("%.20q was read", bad)
		}
	}
}

func TestMaskingKeepsNumbersApartAndTellsNone(t *testing.T) {
	m, err := tape.NewMasker()
	if err != nil {
		t.Fatal(err)
	}
	mask := func(text string) string {
		t.Helper()
		f, err := m.Frame(tape.NewFrame(time.Unix(1e9, 0), false, []byte(text)))
		if err != nil {
			t.Fatal(err)
		}
		return f.Text
	}
	a, b, c := mask("sip:13800138000@pbx"), mask("CallerIDNum: +8613800138000"), mask("13900139000")
	if strings.Contains(a+b+c, "0138000") || strings.Contains(c, "0139000") || a[4:7] != "138" {
		t.Errorf("%q, %q, %q", a, b, c)
	}
	if a[7:15] != b[len(b)-8:] || a[7:15] == c[3:] {
		t.Errorf("%q and %q are one number, %q is another", a, b, c)
	}
	for _, escaped := range []string{"From: %2B8613800138000", "To: sip%3A13800138000%40pbx", "Name: a%2013800138000"} { // as FreeSWITCH sends it
		if got := mask(escaped); strings.Contains(got, "0138000") || !strings.Contains(got, a[7:15]) || len(got) != len(escaped) || strings.Count(got, "%") != strings.Count(escaped, "%") {
			t.Errorf("%q became %q", escaped, got)
		}
	}
	for _, escaped := range []string{`{"name":"Chen \u003c13800138000\u003e"}`, `{"text":"calls:\n13800138000"}`, `\t+8613800138000`} { // as JSON writes it
		if got := mask(escaped); strings.Contains(got, "0138000") || !strings.Contains(got, a[7:15]) || len(got) != len(escaped) {
			t.Errorf("%q became %q", escaped, got)
		}
	}
	for _, spaced := range []string{"138-0013-8000", "+86 138 0013 8000", `"138 0013 8000" <sip:1002@pbx>`} { // as people write it, in a name
		got := strings.NewReplacer("-", "", " ", "").Replace(mask(spaced))
		if strings.Contains(got, "00138000") || !strings.Contains(got, a[4:15]) {
			t.Errorf("%q became %q", spaced, got)
		}
	}
	for _, kept := range []string{"2026-11-26 11:20:33", "2026-11-26T11:20:33.118Z", "m=audio 10000 RTP/AVP 0 8 101", "127.0.0.1:5061", "b1c2d3e4-4567-8901-2345-00112233aabb", "Uniqueid: 1795411938.13", "id=7e3c4e63b227879f", "extension 1001", `"id":"a1234567890"`} {
		if got := mask(kept); got != kept {
			t.Errorf("%q became %q", kept, got)
		}
	}
	if _, err := m.Frame(tape.NewFrame(time.Unix(1e9, 0), false, []byte{0xff})); err == nil {
		t.Error("what cannot be masked was passed on")
	}
}
