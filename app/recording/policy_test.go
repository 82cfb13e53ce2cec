package recording_test

import (
	"strings"
	"testing"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/recording"
)

// signed are addresses that give whoever has them the recording, in the forms vendors use.
var signed = []string{
	"https://user:pa55@pbx.example.com/r/1.wav",
	"https://user@pbx.example.com/r/1.wav",
	"https://pbx.example.com/r/1.wav?token=c0ffee",
	"https://pbx.example.com/r/1.wav?Access_Token=c0ffee",
	"https://pbx.example.com/r/1.wav?x=1&sig=c0ffee",
	"https://pbx.example.com/r/1.wav?key=1",
	"https://pbx.example.com/r/1.wav?auth=1",
	"https://pbx.example.com/r/1.wav?expires=1900000000",
	"https://b.s3.amazonaws.com/1.wav?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=A&X-Amz-Date=20261126T100000Z&X-Amz-Expires=900&X-Amz-Signature=c0ffee",
	"https://b.s3.amazonaws.com/1.wav?AWSAccessKeyId=A&Expires=1900000000&Signature=c0ffee",
	"https://a.blob.core.windows.net/c/1.wav?sv=2024-01-01&se=2026-11-26T10%3A15%3A00Z&sp=r&sig=c0ffee",
	"https://b.oss-cn-hangzhou.aliyuncs.com/1.wav?OSSAccessKeyId=A&Expires=1900000000&Signature=c0ffee",
	"https://b.cos.ap-beijing.myqcloud.com/1.wav?q-sign-algorithm=sha1&q-ak=A&q-signature=c0ffee",
	"https://storage.googleapis.com/b/1.wav?X-Goog-Signature=c0ffee",
	"https://pbx.example.com/r;jsessionid=c0ffee/1.wav",
	"https://pbx.example.com/r/1.wav#access_token=c0ffee",
	"https://pbx.example.com/open?to=https%3A%2F%2Fb.example%2F1.wav%3Ftoken%3Dc0ffee",
	"https://pbx.example.com/r/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c0ffee/1.wav",
	"https://pbx.example.com/r/1.wav?r=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c0ffee",
	"https://pbx.example.com/r/1.wav?r=0123456789abcdef0123456789abcdef01234567",
	"https://pbx.example.com/r/1.wav?0123456789abcdef0123456789abcdef01234567",
	"https://pbx.example.com/r/1.wav?a=1;token=c0ffee",
	"https://pbx.example.com/%zz?token=c0ffee",
	"https://pbx.example.com/r/token=c0ffee/1.wav",
	"https://pbx.example.com/r/1.wav?r=v4.local.0123456789abcdef0123456789abcdef01234567",
	"https://pbx.example.com/r/1.wav?SESSION_ID=1&a=b",
}

var plain = []string{
	"https://pbx.example.com/recordings/1.wav",
	"https://pbx.example.com/recordings?id=3f2504e0-4f89-11d3-9a0c-0305e82c3301&format=wav",
	"https://pbx.example.com/recordings/2026/11/26/in-201-1764150000.42.wav#t=10",
	"http://127.0.0.1:8080/r/1.wav",
}

func TestOnlyPlainAddressesPass(t *testing.T) {
	const page = "https://pbx.example.com/recordings/rec%2F1"
	p := recording.Policy{Open: "https://pbx.example.com/recordings/{id}"}
	for _, address := range signed {
		got := p.Admit(cti.Recording{ID: "rec/1", URL: address, ExpiresAt: time.Unix(1, 0)})
		if got.URL != page || got.ID != "rec/1" || !got.ExpiresAt.IsZero() {
			t.Errorf("%s became %+v, want the page that opens it", address, got)
		}
	}
	for _, address := range []string{"http://pbx.example.com/1.wav", "ftp://pbx.example.com/1.wav", "file:///r/1.wav", "javascript:alert(1)", "/r/1.wav", ""} {
		if got := p.Admit(cti.Recording{ID: "rec/1", URL: address}); got.URL != page {
			t.Errorf("%q passed as %q", address, got.URL)
		}
	}
	at := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, address := range plain {
		if got := p.Admit(cti.Recording{ID: "rec/1", URL: address, ExpiresAt: at}); got.URL != address || !got.ExpiresAt.Equal(at) {
			t.Errorf("%s became %+v", address, got)
		}
	}
}

func TestThePolicyOfASite(t *testing.T) {
	const bare = "https://pbx.example.com/r/1.wav"
	for _, test := range []struct {
		name, links, open, id, address, want string
	}{
		{"id replaces a plain one too", cti.LinksID, "https://pbx.example.com/r/{id}", "1", bare, "https://pbx.example.com/r/1"},
		{"id without a page is no link", cti.LinksID, "", "1", bare, ""},
		{"all passes what IT allowed", cti.LinksAll, "", "1", bare + "?token=c0ffee", bare + "?token=c0ffee"},
		{"all passes no plain http", cti.LinksAll, "", "1", "http://pbx.example.com/1?token=c0ffee", ""},
		{"plain without a page is what is left of it", "", "", "1", bare + "?token=c0ffee#sig=1", bare},
		{"a user is not left", "", "", "1", "https://user:c0ffee@pbx.example.com/r/1.wav", bare},
		{"nothing is left of one whose path is the key", "", "", "1", "https://pbx.example.com/r;jsessionid=c0ffee/1.wav", ""},
		{"nothing is left of plain http", "", "", "1", "http://pbx.example.com/r/1.wav?token=c0ffee", ""},
		{"the policy id leaves nothing", cti.LinksID, "", "1", bare + "?token=c0ffee", ""},
		{"without an id there is no page", "", "https://pbx.example.com/r/{id}", "", bare + "?token=c0ffee", bare},
		{"an id in a query", "", "https://pbx.example.com/r?id={id}", "a&b=c", "", ""},
		{"an id is escaped", "", "https://pbx.example.com/r?id={id}", "a b", "", "https://pbx.example.com/r?id=a+b"},
		{"an id cannot leave its place", "", "https://pbx.example.com/r/{id}", "../../x", "", "https://pbx.example.com/r/..%2F..%2Fx"},
		{"an address is no id", "", "https://pbx.example.com/r/{id}", "https://pbx.example.com/1?token=c0ffee", "", ""},
	} {
		if got := (recording.Policy{Links: test.links, Open: test.open}).Admit(cti.Recording{ID: test.id, URL: test.address}); got.URL != test.want {
			t.Errorf("%s: %q, want %q", test.name, got.URL, test.want)
		}
	}
}

func TestNoOtherFieldCarriesWhatTheAddressMayNot(t *testing.T) {
	for field, r := range map[string]cti.Recording{
		"id":   {ID: "https://pbx.example.com/1?token=c0ffee"},
		"id 2": {ID: "1?token=c0ffee"},
		"name": {Name: "https://pbx.example.com/1.wav?token=c0ffee"},
		"type": {Type: "audio/wav; token=c0ffee"},
	} {
		got := recording.Policy{}.Admit(r)
		if all := got.ID + got.URL + got.Name + got.Type; strings.Contains(all, "c0ffee") {
			t.Errorf("%s let it through: %+v", field, got)
		}
	}
	for _, name := range []struct{ is, want string }{
		{`..\..\windows\evil.wav`, "evil.wav"}, {"/etc/passwd", "passwd"}, {"CON.wav", ""}, {"a\u202evaw.exe", "avaw.exe"}, {"nul", ""}, {"..", ""}, {"a:b*.wav ", "a_b_.wav"},
		{strings.Repeat("录", 100) + ".wav", strings.Repeat("录", 40)},
	} {
		if got := (recording.Policy{}).Admit(cti.Recording{Name: name.is}); got.Name != name.want {
			t.Errorf("the name %q became %q, want %q", name.is, got.Name, name.want)
		}
	}
}

func TestCallDataWithASignedAddressIsDropped(t *testing.T) {
	for value, keeps := range map[string]bool{
		"4711": true, "https://shop.example/orders/4711": true, "see https://shop.example/orders/4711 twice": true,
		signed[2]: false, "pbx.example.com/1.wav?token=c0ffee": false, "sip:lin.yue@ringside.example": true, "lin.yue@ringside.example": true, "why?": true, "recording " + signed[8]: false, "<" + signed[0] + ">": false,
	} {
		if got, kept := (recording.Policy{}).Data(value); kept != keeps || kept && got != value || !kept && got != "" {
			t.Errorf("%q gave %q, %v", value, got, kept)
		}
		if got, kept := (recording.Policy{Links: cti.LinksAll}).Data(value); !kept || got != value {
			t.Errorf("IT allowed all, and %q gave %q, %v", value, got, kept)
		}
	}
}

func TestASignedAddressTellsWhenItEnds(t *testing.T) {
	at := time.Date(2026, 11, 26, 10, 15, 0, 0, time.UTC)
	for address, want := range map[string]time.Time{
		signed[8]:                                  at,
		signed[10]:                                 at,
		"https://a.example/1?Expires=1795688100":   time.Unix(1795688100, 0),
		"https://a.example/1?expires=900":          {},
		"https://a.example/1?X-Amz-Expires=900":    {},
		"https://a.example/1":                      {},
		"https://a.example/%zz?Expires=1795688100": {},
	} {
		if got := recording.ExpiryOf(address); !got.Equal(want) {
			t.Errorf("%s ends %v, want %v", address, got, want)
		}
	}
}
