package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"ringside.dev/ringside/app/cti"
)

// The guide's file and the guide's request are tried as they stand there, in both languages.
func TestTheGuidesVendorWorks(t *testing.T) {
	for _, page := range []string{"../../docs/pbx-webhook.md", "../../docs/pbx-webhook.zh-CN.md"} {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		file := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindSubmatch(text)
		body := regexp.MustCompile(`BODY='(.*)'`).FindSubmatch(text)
		if file == nil || body == nil {
			t.Fatalf("%s has no file or no request", page)
		}
		v, err := read("my-vendor.yaml", file[1])
		if err != nil {
			t.Fatal(err)
		}
		var got recorder
		h := open(t, v).handler(t.Context(), got.emit)
		stamp := fmt.Sprint(time.Now().Unix())
		mac := hmac.New(sha256.New, []byte(testSecret))
		mac.Write([]byte(stamp + "." + string(body[1])))
		r := httptest.NewRequest(http.MethodPost, "/my-vendor", strings.NewReader(string(body[1])))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-Timestamp", stamp)
		r.Header.Set("X-Signature", hex.EncodeToString(mac.Sum(nil)))
		if w := do(h, r); w.Code != http.StatusOK || w.Body.String() != `{"ok":true}` {
			t.Errorf("%s: %d %q", page, w.Code, w.Body)
		}
		if len(got.events) != 1 || got.events[0].Type != cti.Delivered || got.events[0].Local.Extension != "2000" || got.events[0].Remote.Raw != "13800138000" ||
			got.events[0].Call.Refs["vendor_my_vendor"] != "l-1" {
			t.Errorf("%s: events %+v", page, got.events)
		}
		for _, id := range Presets() {
			if !strings.Contains(string(text), "| `"+id+"` |") {
				t.Errorf("%s does not name the preset %s", page, id)
			}
		}
	}
}

// Every key that a file may have is in the guide.
func TestTheGuideNamesEveryKey(t *testing.T) {
	text, err := os.ReadFile("../../docs/pbx-webhook.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("read.go")
	if err != nil {
		t.Fatal(err)
	}
	more, err := os.ReadFile("load.go")
	if err != nil {
		t.Fatal(err)
	}
	var missing []string
	for _, m := range regexp.MustCompile(`\{name: "([A-Za-z_]+)"`).FindAllStringSubmatch(string(source)+string(more), -1) {
		if !regexp.MustCompile(`\b` + m[1] + `\b`).Match(text) {
			missing = append(missing, m[1])
		}
	}
	if slices.Sort(missing); len(missing) > 0 {
		t.Errorf("the guide does not name %v", missing)
	}
}
