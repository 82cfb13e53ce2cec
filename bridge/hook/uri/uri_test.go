package uri

import (
	"strings"
	"testing"

	"ringside.dev/ringside/app/cti"
)

func TestALinkGivesWhomToCallAndNothingElse(t *testing.T) {
	for link, want := range map[string]string{
		"tel:+86-138-0013-8000":                       "+8613800138000",
		"TEL:+44(20)7946.0958":                        "+442079460958",
		"tel:7042;phone-context=example.com":          "7042",
		"tel:+1-201-555-0123;ext=12;isub=9":           "+12015550123x12",
		"tel:+1-201-555-0123;EXT=12":                  "+12015550123x12",
		"tel:+1-201-555-0123;ext=12%26x":              "+12015550123",
		"tel:%2B8613800138000":                        "+8613800138000",
		"tel://13800138000":                           "13800138000",
		"tel:*43%23":                                  "*43#",
		"tel:13800138000?subject=x":                   "13800138000",
		"callto:+8613800138000":                       "+8613800138000",
		"callto://13800138000/":                       "13800138000",
		"callto:201@pbx.example":                      "sip:201@pbx.example",
		"sip:201@pbx.example:5060;transport=tcp":      "sip:201@pbx.example:5060",
		"sip:201:secret@pbx.example":                  "sip:201@pbx.example",
		"sips:li.si@pbx.example?Replaces=1%3Bto-tag":  "sips:li.si@pbx.example",
		"sip:201;x=1@pbx.example":                     "201",
		"sip:201":                                     "201",
		"010 6552 9988":                               "01065529988",
		"sip:13800138000@pbx?Route=%3Csip:evil%3E&x=": "sip:13800138000@pbx",
	} {
		if got, err := Target(link); err != nil || got != want {
			t.Errorf("%q gives %q, %v; want %q", link, got, err, want)
		}
	}
}

func TestALinkThatIsNoneIsRefusedWithoutBeingRepeated(t *testing.T) {
	for _, link := range []string{"", "tel:", "tel:+", "tel:abc", "tel:-;rm", "http://example.com/1380013", "file:///etc/passwd", "javascript:alert(1)",
		"tel:138\r\nX: y", "tel:138\x00", "tel:$(reboot)", "tel:`id`138", "tel:138%0d%0aRoute:x", "sip:@host", "sip:a b@host", "sip:201@ho st", "sip:-d@host",
		"sip:201@host/../x", "sip:%3Csip%3Aevil%40x%3E@host", "callto:x@", "tel:%zz1380013", "tel:" + strings.Repeat("1", 600), "1380013 --socket /x", "sip:201@-x"} {
		got, err := Target(link)
		if cti.KindOf(err) != cti.Invalid || got != "" {
			t.Errorf("%q gives %q, %v; want kind invalid", link, got, err)
		}
		if err != nil && strings.Contains(err.Error(), "1380013") {
			t.Errorf("%q is repeated in %q", link, err)
		}
	}
}

func FuzzALinkNeverGivesMoreThanANumberOrAnAddress(f *testing.F) {
	for _, seed := range []string{"tel:+86-138;ext=1", "sip:a%40b@c;d?e", "callto://x@y", "tel:%2500"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, link string) {
		got, err := Target(link)
		if err != nil {
			return
		}
		rest := strings.TrimPrefix(strings.TrimPrefix(got, "sips:"), "sip:")
		if got == "" || got[0] == '-' || got[0] == '/' || strings.ContainsAny(rest, " ;?&<>\"'`$|\\%\r\n\x00/=,") || strings.Count(got, "@") > 1 {
			t.Errorf("%q gives %q", link, got)
		}
	})
}
