package cti_test

import (
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"ringside.dev/ringside/app/cti"
)

func TestRule11CleanText(t *testing.T) {
	for _, test := range []struct{ name, in, want string }{
		{"plain", "Zhang San", "Zhang San"},
		{"control characters", "a\x00b\r\nc\td\x7fe\u0085f", "abcdef"},
		{"direction overrides", "\u202egpj.exe\u202c \u2066x\u2069\u200e\u200f\u061c", "gpj.exe x"},
		{"line separators", "a\u2028b\u2029c", "abc"},
		{"invalid UTF-8", "a\xff\xfeb", "a\uFFFDb"},
		{"outer blanks", "  a b  ", "a b"},
		{"only rubbish", "\x01\u202e ", ""},
		{"cut", strings.Repeat("a", 20), strings.Repeat("a", 16)},
		{"cut between characters", strings.Repeat("陈", 6), strings.Repeat("陈", 5)}, // 18 bytes, 15 fit
		{"cut before four bytes", strings.Repeat("a", 13) + "😀", strings.Repeat("a", 13)},
		{"fits exactly", strings.Repeat("a", 13) + "陈", strings.Repeat("a", 13) + "陈"},
		{"blank at the cut", strings.Repeat("a", 15) + " b", strings.Repeat("a", 15)},
	} {
		if got := cti.Clean(test.in, 16); got != test.want || !utf8.ValidString(got) {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

// Every string of an event that a caller, a PBX or a program at the local API may have written is cleaned; the test walks all
// fields so that a new one is not forgotten.
func TestRule11EventClean_everyStringField(t *testing.T) {
	dirty := "\u202e" + strings.Repeat("x\x00", cti.MaxURI)
	e := cti.Event{Cause: &cti.Cause{}, Queue: &cti.Queue{WaitMS: -1}, Transfer: &cti.Transfer{}, Agent: &cti.AgentStatus{}}
	e.Call.Refs = map[string]string{dirty: dirty}
	soil(reflect.ValueOf(&e).Elem(), dirty)
	e.Legs = []cti.Event{{Remote: cti.Remote{Name: dirty}, Legs: []cti.Event{{}}}}
	clean := e.Clean()
	inspect(t, "Event", reflect.ValueOf(clean))
	if clean.Legs[0].Legs != nil {
		t.Error("a snapshot within a snapshot was kept")
	}
	if clean.Queue.WaitMS != 0 {
		t.Errorf("wait %d", clean.Queue.WaitMS)
	}
	if e.Cause.Raw != dirty || e.Queue.Name != dirty || e.Transfer.To != dirty || e.Agent.Reason != dirty || e.Legs[0].Remote.Name != dirty || e.Call.Refs[dirty] != dirty {
		t.Error("Clean changed the event it was asked of")
	}
}

func soil(v reflect.Value, text string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Struct:
		if v.Type().PkgPath() != "time" {
			for i := range v.NumField() {
				soil(v.Field(i), text)
			}
		}
	case reflect.Pointer:
		if !v.IsNil() {
			soil(v.Elem(), text)
		}
	default:
	}
}

func inspect(t *testing.T, path string, v reflect.Value) {
	t.Helper()
	switch v.Kind() {
	case reflect.String:
		if s := v.String(); len(s) > cti.MaxURI || strings.ContainsAny(s, "\x00\u202e") {
			t.Errorf("%s is not clean: %d bytes", path, len(s))
		}
	case reflect.Struct:
		if v.Type().PkgPath() == "time" {
			return
		}
		for i := range v.NumField() {
			inspect(t, path+"."+v.Type().Field(i).Name, v.Field(i))
		}
	case reflect.Pointer:
		if !v.IsNil() {
			inspect(t, path, v.Elem())
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			inspect(t, path+" key", k)
			inspect(t, path+" value", v.MapIndex(k))
		}
	case reflect.Slice:
		for i := range v.Len() {
			inspect(t, path, v.Index(i))
		}
	default:
	}
}

func TestRule9ThreeFormsOfANumber(t *testing.T) {
	for _, test := range []struct {
		name   string
		number cti.Number
		best   string
		logged string
	}{
		{"E.164 is best", cti.Number{Raw: "13800138000", E164: "+8613800138000"}, "+8613800138000", "***"},
		{"raw where there is none", cti.Number{Raw: "60012"}, "60012", "***"},
		{"short", cti.Number{Raw: "600"}, "600", "***"},
		{"withheld", cti.Number{Raw: "anonymous", Withheld: true}, "anonymous", "withheld"},
		{"none", cti.Number{}, "", "withheld"},
	} {
		if got := test.number.Best(); got != test.best {
			t.Errorf("%s: best %q, want %q", test.name, got, test.best)
		}
		var log strings.Builder
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "number", test.number)
		if !strings.Contains(log.String(), "number="+test.logged+"\n") {
			t.Errorf("%s: logged %s, want %s", test.name, log.String(), test.logged)
		}
	}
}

func TestRule9WithheldUntilANumberIsKnown(t *testing.T) {
	hidden := ring(0)
	hidden.Remote.Number = cti.Number{Withheld: true}
	if call := play(t, hidden); !call.Remote.Withheld {
		t.Error("a withheld number is not marked")
	}
	known := event(cti.Info, 100)
	known.Remote.Raw = "13800138000"
	if call := play(t, hidden, known); call.Remote.Withheld || call.Remote.Raw != "13800138000" {
		t.Errorf("got %+v, want the number", call.Remote)
	}
	if call := play(t, ring(0), hidden); call.Remote.Withheld {
		t.Error("a known number became withheld")
	}
}
