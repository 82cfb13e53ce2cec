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
		"call back 13800138000 14:30":             "call back 138****8000 14:30",
		"138 0013 8000 2026-03-01":                "138 **** 8000 2026-03-01",
		"13800138000-1":                           "138****8000-1",
		"13800138000@139.com":                     "138****8000@139.com",
		"13800138000 13800138000":                 "138****8000 138****8000",
	} {
		if got := number.MaskMiddle.Text(text, n); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}

// A field of a CRM holds more than one number, and words: each number is hidden by itself, and what cannot be read shows nothing.
func TestFieldsForNumbersShowNoneOfThem(t *testing.T) {
	p := &number.Plan{Region: "CN", AreaCode: "21"}
	for _, mode := range []number.Mode{number.MaskMiddle, number.MaskLast4, number.MaskLast8, number.MaskAll} {
		for _, written := range []string{"13800138000", "13800138000/13900139000", "13800138000 (personal)", "13800138000 mobile", "sip:13800138000@pbx.example.com",
			"sip:13800138000@10.0.0.5", "ask for 13800138000 or the boss", "手机：13800138000", "013800138000 转 12"} {
			shown := mode.Field(p, written)
			if strings.Contains(number.Digits(shown), "13800138000") || strings.Contains(shown, "pbx") || strings.Contains(shown, "10.0.0.5") {
				t.Errorf("%s of %q shows %q", mode, written, shown)
			}
		}
	}
	if got := number.MaskMiddle.Field(p, "138 0013 8000、021-65550134"); got != "+86138****8000 / +8621****0134" {
		t.Errorf("two numbers show as %q", got)
	}
}
