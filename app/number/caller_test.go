package number_test

import (
	"testing"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/number"
)

func TestWhatTheNetworkAssertsBeatsWhatTheCallerSays(t *testing.T) {
	p := &number.Plan{Region: "CN"}
	for _, c := range []struct{ name, from, asserted, want string }{
		{"nothing asserted", "13800138000", "", "+8613800138000"},
		{"a colleague after a transfer", "8012", "<sip:+8613900139000@pbx>", "+8613900139000"},
		{"another number in From", "+44 20 7946 0958", `"Lin" <sip:013900139000@sbc;user=phone>`, "+8613900139000"},
		{"a name first, then a number", "8012", "<sip:lin.yue@example.com>, <tel:+86-139-0013-9000>", "+8613900139000"},
		{"Remote-Party-ID", "8012", `"Lin" <sip:13900139000@pbx>;party=calling;screen=yes;privacy=off`, "+8613900139000"},
		{"nothing of use asserted", "13800138000", "<sip:anonymous@anonymous.invalid>", "+8613800138000"},
		{"a name alone", "13800138000", "<sip:lin.yue@example.com>", "+8613800138000"},
	} {
		if n := p.Caller(c.from, c.asserted); n.E164 != c.want {
			t.Errorf("%s: %+v, want %s", c.name, n, c.want)
		}
	}
}

// A caller who asks the network for privacy is not told by a header that was meant for the network.
func TestAskedPrivacyIsKept(t *testing.T) {
	n := (&number.Plan{Region: "CN"}).Caller("anonymous", `<sip:13900139000@pbx>;party=calling;privacy=full`)
	if n.Class != cti.ClassWithheld || !n.Withheld || n.E164 != "" || n.Key != "" || n.Raw != "anonymous" {
		t.Errorf("read as %+v, want withheld", n)
	}
}

func TestWhomACallReachesIsReadWithoutTheOutsideLine(t *testing.T) {
	for _, c := range []struct{ name, region, prefix, dialled, want string }{
		{"a prefix", "CN", "9", "913800138000", "+8613800138000"},
		{"a prefix and the trunk prefix", "GB", "9", "902079460958", "+442079460958"},
		{"a prefix and a country", "CN", "9", "900442079460958", "+442079460958"},
		{"none", "CN", "9", "13800138000", "+8613800138000"},
		{"with its country", "CN", "9", "+913800138000", "+913800138000"},
		{"in an address", "CN", "9", "sip:913800138000@pbx", "+8613800138000"},
		{"a site without", "CN", "", "13800138000", "+8613800138000"},
		{"as phones show callers", "GB", "9", "702079460958", "+442079460958"},
		{"a colleague", "CN", "9", "9001", ""},
	} {
		p := &number.Plan{Region: c.region, DialPrefix: c.prefix, OutsidePrefix: "7"}
		if n := p.Callee(c.dialled, ""); n.E164 != c.want || n.Raw != c.dialled {
			t.Errorf("%s: %+v, want %s", c.name, n, c.want)
		}
	}
}
