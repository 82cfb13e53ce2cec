package sourcetest

import (
	"regexp"
	"strings"
	"testing"
	"unicode"

	"ringside.dev/ringside/app/cti"
)

// The stories of a world that means ill, or falls to pieces.

// hostile holds control and direction-changing characters, what would close a JSON text, and 10 kB.
var hostile = "Evil\x01\x1b[31m\u202e \"},{\"event\":true,\"type\":\"CALL_CLOSED\"}, " + strings.Repeat("x", 10_000)

func hostileName(t *testing.T, rig Rig) {
	w := start(t, rig)
	caller := rig.Ring(t, hostile)
	c := w.awaitCall(0, cti.Alerting)
	if !strings.HasPrefix(c.Remote.Name, "Evil") || len(c.Remote.Name) > cti.MaxText {
		t.Errorf("name %q of %d bytes", c.Remote.Name, len(c.Remote.Name))
	}
	w.wantClean(c)
	w.wantAbandoned(caller)
}

func (w *watch) wantAbandoned(caller Caller) {
	w.t.Helper()
	caller.Hangup(w.t)
	c := w.awaitCall(0, cti.StateClosed)
	w.wantCause(c, cti.ByRemote, cti.CauseAbandoned)
	if w.legs() != 1 {
		w.t.Errorf("one call became %d", w.legs())
	}
}

// wantClean checks the strings of a call that a caller writes.
func (w *watch) wantClean(c cti.Call) {
	w.t.Helper()
	texts := map[string]string{"number": c.Remote.Raw, "name": c.Remote.Name, "uri": c.Remote.URI, "asserted": c.Remote.Asserted,
		"extension": c.Local.Extension, "dialled": c.Dialled}
	for k, v := range c.Data {
		texts["data "+k] = v
	}
	for what, text := range texts {
		if len(text) > cti.MaxURI || strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }) {
			w.t.Errorf("%s %.100q of %d bytes is not clean", what, text, len(text))
		}
	}
}

// dataName is what a piece of call data may be called.
var dataName = regexp.MustCompile(`^[a-z0-9_]{1,64}$`)

func callData(t *testing.T, rig Rig) {
	if rig.RingWith == nil {
		t.Skip("callers of this source bring no call data")
	}
	w := start(t, rig)
	caller := rig.RingWith(t, Ringer{Number: "13800138000", Name: "Zhang San", Data: map[string]string{"X-Order-Id": "A-17 客户", "X-Level": "gold"}})
	c := w.awaitCall(0, cti.Alerting)
	for name, want := range caller.Data {
		w.await("call data "+name, func() bool { return w.calls[c.Leg].Data[name] == want })
	}
	if len(caller.Data) == 0 {
		t.Skip("this source passes no call data on")
	}
	w.wantAbandoned(caller)
}

// ofHostileBytes rings with something a caller chose to do harm.
func ofHostileBytes(r Ringer) func(t *testing.T, rig Rig) {
	return func(t *testing.T, rig Rig) {
		if rig.RingWith == nil {
			t.Skip("this source's callers cannot choose their number")
		}
		w := start(t, rig)
		caller := rig.RingWith(t, r)
		c := w.awaitCall(0, cti.Alerting)
		w.wantClean(c)
		for key := range c.Data {
			if !dataName.MatchString(key) || key == "injected" {
				t.Errorf("call data %.100q: no name for it", key)
			}
		}
		w.wantAbandoned(caller)
	}
}

var (
	hostileNumber = ofHostileBytes(Ringer{Name: "Zhang San",
		Number: "+86 138\x00\x1b]0;x\u202e'\"><img src=x>;DROP TABLE;$(reboot)%0a&|" + strings.Repeat("9", 2000)})
	hostileCaller = ofHostileBytes(Ringer{Number: "13800138000", Name: hostile})
	hostileData   = ofHostileBytes(Ringer{Number: "13800138000", Name: "Zhang San", Data: map[string]string{"X-Order-Id": hostile, "X-\u202eEvil Name": "x",
		"X-" + strings.Repeat("Long", 100): "x", "X-Crlf": "a\r\nX-Injected: 1"}})
)

// rubbish is what no phone sends: another protocol, bytes that are no text, a length nothing has, and a text that never ends.
var rubbish = []string{
	"HTTP/1.1 400 Bad Request\r\nContent-Length: 5\r\n\r\nhello\r\n",
	"\x00\xff\xfe\x80garbage\x00,99999999999999999999:{}\r\n\r\n",
	strings.Repeat("[{\"a\":", 2000),
}

func garbage(t *testing.T, rig Rig) {
	if rig.Garbage == nil {
		t.Skip("nothing can be sent to this source but what its phone sends")
	}
	w, caller, _ := connected(t, rig)
	for _, text := range rubbish {
		rig.Garbage(t, []byte(text))
	}
	caller.Hangup(t)
	c := w.awaitCall(0, cti.StateClosed) // told, or found out by a snapshot
	w.wantStates(c, cti.Alerting, cti.Connected, cti.StateClosed)
	w.worksAgain(1)
}

// worksAgain tells a whole call, as the nth.
func (w *watch) worksAgain(n int) {
	w.t.Helper()
	w.rig.Ring(w.t, "Li Si")
	w.answer(w.awaitCall(n, cti.Alerting))
	w.hangup(w.awaitCall(n, cti.Connected))
	c := w.awaitCall(n, cti.StateClosed)
	w.wantCause(c, cti.ByLocal, cti.CauseNormal)
	if w.legs() != n+1 {
		w.t.Errorf("%d calls, want %d", w.legs(), n+1)
	}
}

func killed(t *testing.T, rig Rig) {
	if rig.Kill == nil || rig.Revive == nil {
		t.Skip("the phone of this source cannot be killed")
	}
	w, _, c := connected(t, rig)
	rig.Kill(t)
	w.awaitEvent(cti.SourceDown, 1)
	wantKind(t, cti.Offline, commands(rig.Source.Phone(), c, "123"))
	rig.Revive(t)
	w.awaitEvent(cti.SourceUp, 2)
	c = w.awaitCall(0, cti.StateClosed)
	w.wantCause(c, cti.ByUnknown, cti.CauseUnknown)
	w.worksAgain(1)
}

func disorder(t *testing.T, rig Rig) {
	if rig.Disorder == nil {
		t.Skip("the world of this source cannot tell things twice or out of order")
	}
	rig.Disorder(t)
	w := start(t, rig)
	w.repeats = true
	caller := rig.Ring(t, "Zhang San")
	w.answer(w.awaitCall(0, cti.Alerting))
	w.awaitCall(0, cti.Connected)
	caller.Hangup(t)
	c := w.awaitCall(0, cti.StateClosed)
	w.wantCause(c, cti.ByRemote, cti.CauseNormal)
	w.wantStates(c, cti.Alerting, cti.Connected, cti.StateClosed)
	missed := rig.Ring(t, "Li Si")
	w.awaitCall(1, cti.Alerting)
	missed.Hangup(t)
	c = w.awaitCall(1, cti.StateClosed)
	w.wantCause(c, cti.ByRemote, cti.CauseAbandoned)
	w.wantStates(c, cti.Alerting, cti.StateClosed)
	if w.legs() != 2 {
		t.Errorf("two calls became %d", w.legs())
	}
}
