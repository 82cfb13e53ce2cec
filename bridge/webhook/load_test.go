package webhook

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ringside.dev/ringside/app/cti"
)

func TestPresetsLoadAndSayWhetherTheyWereVerified(t *testing.T) {
	if got := Presets(); !slices.Equal(got, []string{"cec", "clink", "udesk"}) {
		t.Errorf("presets %v", got)
	}
	for _, id := range Presets() {
		v := load(t, id)
		text, err := presets.ReadFile("presets/" + id + ".yaml")
		if err != nil || v.ID != id || v.Path() != "/"+id {
			t.Errorf("%s: id %q, path %q, %v", id, v.ID, v.Path(), err)
		}
		if said := strings.Contains(string(text), "verified: false.\n") || strings.Contains(string(text), "hence verified: false"); v.Verified == said {
			t.Errorf("%s: verified %v, but its header says otherwise", id, v.Verified)
		}
		if strings.Contains(string(text), testSecret) || !strings.Contains(string(text), "https://") && id != "clink" {
			t.Errorf("%s names no source", id)
		}
	}
}

// good is a file without a fault; each case breaks it in one place.
func good(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("testdata/vendors/hmac.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestEveryFaultOfAFileIsToldWithItsPlaceAndRemedy(t *testing.T) {
	for name, test := range map[string]struct{ from, to, at, says, zh string }{
		"unknown key":         {"fields:", "fieldz:", "15:1", "fieldz: unknown in vendor; known are apiVersion", "没有此名称"},
		"missing key":         {"  number: {in: from, out: to}\n", "", "16:3", "number: missing in fields; add it", "缺少此项"},
		"twice":               {"  name: name\n", "  name: name\n  name: name\n", "19:3", "name: written twice, first in line 18; keep one", "重复出现"},
		"version":             {"ringside.dev/v1", "ringside.dev/v2", "1:13", `"ringside.dev/v2" is not for this program; write ringside.dev/v1`, "不适用于本程序"},
		"id":                  {"id: example", "id: Ex ample", "3:5", "an id is 1 to 40 of a-z", "id 应为"},
		"truth":               {"verified: true", "verified: yes", "5:11", `"yes" is not known; write one of true, false`, "未知的值"},
		"path":                {"path: /events", "path: events?x", "6:17", "a path begins with /", "路径以 / 开头"},
		"event path":          {"events: data.events", "events: header:X", "6:49", "write it without a scope", "不带前缀"},
		"recipe":              {"hmac-sha256", "sha3", "8:11", `"sha3" is not known; write one of hmac-sha256, hmac-sha1, sha256, sha1, md5, token, none`, "未知的值"},
		"no secret":           {"  secret: example_key\n", "", "8:3", "secret: missing; write the name", "缺失"},
		"part of the message": {"raw]", "rawer]", "11:51", `"rawer" is no part of a request; write raw, sorted`, "不是请求的组成部分"},
		"unsigned body":       {", raw]", "]", "8:3", "the body is not signed", "正文未参与签名"},
		"secret in an hmac":   {", raw]", ", raw, secret]", "8:3", "and of no hmac", "hmac 以密钥为键"},
		"no secret in an md5": {"hmac-sha256", "md5", "8:3", "the secret is a part of sha256, sha1 and md5", "须含 secret"},
		"unsigned time":       {"[header:X-Signature;t, ", "[", "8:3", "the timestamp is not signed, so it protects nothing", "timestamp 未参与签名"},
		"unsigned nonce":      {"header:X-Nonce, raw", "raw", "8:3", "the nonce is not signed, so it protects nothing", "nonce 未参与签名"},
		"nonce without time":  {"  timestamp: {at: header:X-Signature;t, format: unix, skew: 2m}\n", "", "8:3", "without a timestamp it would have to be remembered for ever", "永久记住"},
		"skew":                {"skew: 2m", "skew: 2d", "13:61", `"2d" is not a time of at most an hour; write for instance 5m`, "一小时以内"},
		"proof in an event":   {"nonce: header:X-Nonce", "nonce: x", "14:10", "a proof stands outside the events", "签名不在事件内"},
		"time format":         {"format: unix_ms", "format: seconds", "23:11", `"seconds" is not a form of time; write unix`, "不是时间格式"},
		"no time format":      {"  format: unix_ms\n", "", "16:3", "format: missing beside time", "缺少 format"},
		"place":               {"name: name", "name: a..b", "18:9", `"a..b" is no place in a request`, "不是请求中的位置"},
		"scope":               {"name: name", "name: cookie:x", "18:9", `"cookie:x" is no place in a request`, "不是请求中的位置"},
		"reference":           {"vendor_example", "Vendor-X", "19:10", `"Vendor-X" is not a reference's name; write vendor_NAME`, "不能用作引用名"},
		"direction":           {"i: in, o", "i: inbound, o", "21:34", `"inbound" is not known; write one of in, out, click_to_dial`, "未知的值"},
		"cause":               {"code: busy,", "code: engaged,", "24:40", `"engaged" is not known`, "未知的值"},
		"event":               {"is: call.held", "is: call.hold", "32:30", `"call.hold" is not known; write one of call.originated`, "未知的值"},
		"side":                {", side: local", "", "29:5", "side: missing; write local", "side：缺失"},
		"state elsewhere":     {"is: call.originated", "is: call.originated, state: ready", "30:5", "state: belongs to is: agent.state, and only there", "state：只用于"},
		"shape":               {"{type: dial}", "dial", "30:12", "the value has the wrong shape; write a section", "值的结构不对"},
		"list":                {"message: [header:X-Signature;t, header:X-Nonce, raw]", "message: raw", "11:12", "write a list", "请写列表"},
		"no YAML":             {"fields:", "fields: [", "", "the YAML cannot be read", "YAML 无法读取"},
	} {
		t.Run(name, func(t *testing.T) {
			text := good(t)
			if !strings.Contains(text, test.from) {
				t.Fatalf("%q is not in the file", test.from)
			}
			_, err := read("v.yaml", []byte(strings.Replace(text, test.from, test.to, 1)))
			var all *LoadError
			if !errors.As(err, &all) || cti.KindOf(err) != cti.Invalid {
				t.Fatalf("%v, want a LoadError of kind invalid", err)
			}
			if !strings.Contains(all.Error(), test.says) || !strings.Contains(all.In("zh-CN"), test.zh) {
				t.Errorf("it says:\n%s\n%s\nwant %q and %q", all, all.In("zh-CN"), test.says, test.zh)
			}
			if test.at != "" && !strings.Contains(all.Error(), "v.yaml:"+test.at+": ") {
				t.Errorf("it says:\n%s\nwant it at %s", all, test.at)
			}
		})
	}
}

func TestAllFaultsAreToldAtOnceInTheOrderOfTheFile(t *testing.T) {
	text := strings.NewReplacer("verified: true", "verified: yes", "is: call.held", "is: x", "format: unix_ms", "format: x").Replace(good(t))
	_, err := read("v.yaml", []byte(text))
	lines := regexp.MustCompile(`(?m)^v\.yaml:(\d+):`).FindAllStringSubmatch(err.Error(), -1)
	if len(lines) != 3 || lines[0][1] != "5" || lines[2][1] != "32" {
		t.Errorf("it says:\n%v", err)
	}
}

func TestFilesThatAreNone(t *testing.T) {
	large := filepath.Join(t.TempDir(), "large.yaml")
	if err := os.WriteFile(large, make([]byte, maxFile+1), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, says := range map[string]string{"nobody": "choose one of cec, clink, udesk", "./no-such.yaml": "check its path", large: "is it the right one"} {
		if v, err := Load(name); v != nil || cti.KindOf(err) != cti.Invalid || !strings.Contains(cti.MessageOf(err), says) {
			t.Errorf("%s: %v, want %q", name, err, says)
		}
	}
	for _, text := range []string{"", "# nothing", "- a", "x", "a: &a [*a]"} {
		if v, err := read("v.yaml", []byte(text)); v != nil || cti.KindOf(err) != cti.Invalid {
			t.Errorf("%q: %v, want kind invalid", text, err)
		}
	}
}

func TestWhatIsNotSafeIsNotOpened(t *testing.T) {
	signed := load(t, "testdata/vendors/hmac.yaml")
	byToken := load(t, "udesk")
	open := *signed
	open.sign = signature{recipe: unsigned}
	for name, test := range map[string]struct {
		o    Options
		says string
	}{
		"no vendor":             {Options{Listen: "127.0.0.1:1"}, "needs its vendor"},
		"no address":            {Options{Vendor: signed, Secret: fixed(testSecret)}, "host:port"},
		"no TLS":                {Options{Vendor: signed, Listen: "0.0.0.0:8443", Secret: fixed(testSecret)}, "needs TLS"},
		"no TLS, every address": {Options{Vendor: signed, Listen: ":8443", Secret: fixed(testSecret)}, "needs TLS"},
		"no proof":              {Options{Vendor: &open, Listen: "0.0.0.0:8443", TLS: serverTLS(t)}, "anybody could make up calls"},
		"nobody has secrets":    {Options{Vendor: signed, Listen: "127.0.0.1:1"}, "secret example_key is missing"},
		"empty secret":          {Options{Vendor: signed, Listen: "127.0.0.1:1", Secret: fixed("")}, "secret example_key is empty"},
		"short token":           {Options{Vendor: byToken, Listen: "127.0.0.1:1", Secret: fixed("short")}, "could be guessed"},
		"unreadable secret":     {Options{Vendor: signed, Listen: "127.0.0.1:1", Secret: func(string) (string, error) { return "", os.ErrPermission }}, "cannot be read"},
	} {
		x, err := New(test.o)
		if x != nil || cti.KindOf(err) != cti.Invalid || !strings.Contains(cti.MessageOf(err), test.says) {
			t.Errorf("%s: %v, want kind invalid and %q", name, err, test.says)
		}
		if err != nil && (strings.Contains(err.Error(), testSecret) || strings.Contains(err.Error(), "short\"")) {
			t.Errorf("%s: the error holds the secret", name)
		}
	}
	for _, address := range []string{"127.0.0.1:0", "localhost:8080", "[::1]:0"} {
		if _, err := New(Options{Vendor: &open, Listen: address}); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
}
