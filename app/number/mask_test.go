package number_test

import (
	"strings"
	"testing"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/number"
)

func TestMasksHideWhatTheyPromise(t *testing.T) {
	for _, c := range []struct {
		text                               string
		none, middle, last4, last8, hidden string
	}{
		{"13800138000", "13800138000", "138****8000", "1380013****", "138********", "********"},
		{"+8613800138000", "+8613800138000", "+86138****8000", "+861380013****", "+86138********", "********"},
		{"021-6555 0134", "021-6555 0134", "021-**** 0134", "021-6555 ****", "021-**** ****", "********"},
		{"5550134", "5550134", "***0134", "555****", "*******", "********"},
		{"1001", "1001", "****", "****", "****", "********"},
		{"alice", "alice", "*lice", "a****", "*****", "********"},
		{"", "", "", "", "", ""},
	} {
		for mode, want := range map[number.Mode]string{number.ShowAll: c.none, number.MaskMiddle: c.middle, number.MaskLast4: c.last4,
			number.MaskLast8: c.last8, number.MaskAll: c.hidden} {
			if got := mode.Mask(c.text); got != want {
				t.Errorf("%s of %q is %q, want %q", mode, c.text, got, want)
			}
		}
	}
}

// A mode that this version does not know, or none at all, must not show a number.
func TestAnUnknownModeHidesEverything(t *testing.T) {
	for _, mode := range []number.Mode{"", "first3"} {
		if got := mode.Mask("13800138000"); strings.ContainsAny(got, "0123456789") {
			t.Errorf("mode %q shows %q", mode, got)
		}
		if n := mode.Number(number.Parse("13800138000", "CN")); strings.ContainsAny(n.Raw+n.E164+n.Key, "0123456789") {
			t.Errorf("mode %q shows %+v", mode, n)
		}
	}
}

func TestNoFormOfAMaskedNumberTellsIt(t *testing.T) {
	n := number.Parse("sip:13800138000@pbx", "CN")
	if got := number.MaskMiddle.Number(n); got.Raw != "+86138****8000" || got.E164 != "" || got.Key != "" || got.Class != cti.ClassPerson {
		t.Errorf("masked: %+v", got)
	}
	for _, raw := range []string{"1001", "95588", "anonymous"} { // nobody's private number
		n := number.Parse(raw, "CN")
		if got := number.MaskAll.Number(n); got != n {
			t.Errorf("%s became %+v", raw, got)
		}
	}
}

func TestANumberWithinATextIsMaskedAndOthersAreNot(t *testing.T) {
	n := number.Parse("13800138000", "CN")
	for text, want := range map[string]string{
		"13800138000": "138****8000",
		"call back on +86 138-0013-8000 at 15:00": "call back on +86 138-****-8000 at 15:00",
		"１３８００１３８０００ 来电":                          "１３８****８０００ 来电",
		"order 20261126001, not 13900139000":      "order 20261126001, not 13900139000",
		"陈静":                                      "陈静",
	} {
		if got := number.MaskMiddle.Text(text, n); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}
