package number_test

import (
	"testing"

	"ringside.dev/ringside/app/number"
)

func TestParseKeepsRawAndFindsE164(t *testing.T) {
	for _, c := range []struct{ raw, region, e164, key string }{
		{"13800138000", "CN", "+8613800138000", "13800138000"},
		{"013800138000", "CN", "+8613800138000", "13800138000"},
		{"+86 138-0013-8000", "GB", "+8613800138000", "13800138000"},
		{"008613800138000", "CN", "+8613800138000", "13800138000"},
		{"１３８００１３８０００", "CN", "+8613800138000", "13800138000"},
		{"sip:+447946012345@pbx;user=phone", "CN", "+447946012345", "7946012345"},
		{"021-6555 0134", "CN", "+862165550134", "2165550134"},
		{"020 7946 0123", "GB", "+442079460123", "2079460123"},
		{"tel:+44-20-7946-0123", "CN", "+442079460123", "2079460123"},
		{"+44 7700 900123", "CN", "+447700900123", "7700900123"}, // a reserved range: not in the tables, but it names its country
		{"00 44 7700 900123", "CN", "+447700900123", "7700900123"},
		{"07700 900123", "GB", "+447700900123", "7700900123"}, // nor does it need to: the trunk prefix says that it is a national one
		{"1001", "CN", "", "1001"},
		{"caller", "CN", "", ""},
	} {
		n := number.Parse(c.raw, c.region)
		if n.Raw != c.raw || n.E164 != c.e164 || n.Key != c.key || n.Withheld {
			t.Errorf("Parse(%q, %s) = %+v, want E164 %q, key %q", c.raw, c.region, n, c.e164, c.key)
		}
	}
}

func TestParseKnowsWithheldNumbers(t *testing.T) {
	for _, raw := range []string{"", "  ", "anonymous", "Anonymous", "sip:anonymous@anonymous.invalid", "未知"} {
		if n := number.Parse(raw, "CN"); !n.Withheld || n.E164 != "" || n.Key != "" {
			t.Errorf("Parse(%q) = %+v, want withheld", raw, n)
		}
	}
}

func TestSameTailComparesDigitsOnly(t *testing.T) {
	if !number.SameTail("+44 20 7946 0123", "02079460123", 8) {
		t.Error("the same tail in two spellings was not seen")
	}
	if number.SameTail("123", "123", 8) || number.SameTail("+442079460123", "+442079460124", 8) {
		t.Error("different or short numbers count as the same")
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"13800138000", "sip:a@b", "anonymous", "+", "tel:;", "\xff"} {
		f.Add(s, "CN")
	}
	f.Fuzz(func(t *testing.T, raw, region string) {
		n := number.Parse(raw, region)
		if n.Raw != raw {
			t.Fatalf("raw was changed to %q", n.Raw)
		}
		if n.E164 == "" {
			return
		}
		if again := number.Parse(n.E164, region); again.E164 != n.E164 || again.Key != n.Key {
			t.Fatalf("parsing the result gives %+v, not %+v", again, n)
		}
	})
}
