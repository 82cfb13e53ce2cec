package number_test

import (
	"strings"
	"testing"

	"ringside.dev/ringside/app/cti"
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

// Whatever is written, reading it never fails, leaves it as it is, and reading the result again changes nothing; nothing of it shows when
// all is hidden.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"13800138000", "sip:a@b", "anonymous", "+", "tel:;", "\xff", "021-65550134转8012", "1-800-FLOWERS", "+44 (0)20 7946 0958", "9 0044"} {
		f.Add(s, "CN", "21", "9")
	}
	tables(f, func(region string, _ *number.Plan, rows []row) {
		for i, r := range rows {
			if i%10 == 0 {
				f.Add(r.spelled, region, "30", "0")
			}
		}
	})
	f.Fuzz(func(t *testing.T, raw, region, area, outside string) {
		p := &number.Plan{Region: region, AreaCode: area, OutsidePrefix: outside, DialPrefix: outside}
		n := p.Parse(raw)
		if n.Raw != raw || n.Class == "" || n.Withheld != (n.Class == cti.ClassWithheld) {
			t.Fatalf("%q is read as %+v", raw, n)
		}
		hidden := number.MaskAll.Number(n)
		if n.Class == cti.ClassPerson && strings.ContainsAny(hidden.Raw+hidden.E164+hidden.Key, "0123456789") {
			t.Fatalf("all is hidden, and %+v shows", hidden)
		}
		if _, err := p.Dialled(n); err != nil && cti.KindOf(err) != cti.Invalid {
			t.Fatalf("dialling %q: %v", raw, err)
		}
		p.WrittenAll(raw)
		if n.E164 == "" {
			return
		}
		if again := p.Parse(n.E164); again.E164 != n.E164 || again.Key != n.Key {
			t.Fatalf("%q is read as %+v, and that as %+v", raw, n, again)
		}
	})
}
