package webhook

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"ringside.dev/ringside/app/cti"
)

var update = flag.Bool("update", false, "write what is seen into the recorded sessions")

const testSecret = "test-key-0123456789abcdef"

func load(t *testing.T, name string) *Vendor {
	t.Helper()
	v, err := Load(name)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// fixed gives one secret, whatever it is called.
func fixed(secret string) func(string) (string, error) {
	return func(string) (string, error) { return secret, nil }
}

func open(t *testing.T, v *Vendor) *Exchange {
	t.Helper()
	x, err := New(Options{Vendor: v, Listen: "127.0.0.1:0", Secret: fixed(testSecret)})
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// wait lets a time pass, in a bubble.
func wait(d time.Duration) {
	if d > 0 {
		<-time.After(d)
	}
}

// Every session in testdata is requests as the vendor documents them, each with the time at which it comes, and what must become of them:
// the answers, the events, and the calls these add up to in a ledger.
func TestDocumentedPushesBecomeCalls(t *testing.T) {
	files, err := filepath.Glob("testdata/*/*.txtar")
	if err != nil || len(files) < 9 {
		t.Fatalf("%d sessions, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(file, ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			last := len(archive.Files) - 1
			if last < 0 || archive.Files[last].Name != "want" {
				t.Fatal("the last part must be want")
			}
			v := load(t, filepath.Base(filepath.Dir(file)))
			var got string
			synctest.Test(t, func(t *testing.T) { got = replay(t, open(t, v), archive.Files[:last]) })
			if *update {
				archive.Files[last].Data = []byte(got)
				if err := os.WriteFile(file, txtar.Format(archive), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(archive.Files[last].Data), got); diff != "" {
				t.Errorf("want - got +:\n%s", diff)
			}
		})
	}
}

func replay(t *testing.T, x *Exchange, parts []txtar.File) string {
	t.Helper()
	var out strings.Builder
	ledger, calls, order := cti.NewLedger("test"), map[string]cti.Call{}, []string{}
	handler := x.handler(t.Context(), func(extension string, e cti.Event) {
		fmt.Fprintf(&out, "%s ", extension)
		writeJSON(t, &out, e)
		for _, c := range ledger.Apply(e.Clean()) {
			if _, known := calls[c.After.Leg]; !known {
				order = append(order, c.After.Leg)
			}
			calls[c.After.Leg] = c.After
		}
	})
	for _, part := range parts {
		at, err := time.Parse(time.RFC3339Nano, part.Name)
		if err != nil {
			t.Fatal(err)
		}
		wait(time.Until(at))
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, request(t, part.Data))
		fmt.Fprintf(&out, "= %d %s\n", w.Code, w.Body)
	}
	for _, leg := range order {
		c := calls[leg]
		fmt.Fprintf(&out, "call of %s: %s %q, %s, talked %v, rang %v, cause %s by %s, journey %q\n", c.Local.Extension, c.Direction, c.Remote.Raw, c.Ending(),
			c.Durations(time.Now()).Talk, c.Durations(time.Now()).Ring, code(c.Cause), party(c.Cause), c.Refs[cti.RefJourney])
	}
	return out.String()
}

func code(c *cti.Cause) cti.CauseCode {
	if c == nil {
		return ""
	}
	return c.Code
}

func party(c *cti.Cause) cti.Party {
	if c == nil {
		return ""
	}
	return c.By
}

func writeJSON(t *testing.T, out *strings.Builder, v any) {
	t.Helper()
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
}

// request reads `METHOD TARGET`, headers, an empty line, and the body.
func request(t *testing.T, text []byte) *http.Request {
	t.Helper()
	text = bytes.ReplaceAll(text, []byte("TOKEN"), []byte(testSecret))
	head, body, _ := bytes.Cut(text, []byte("\n\n"))
	body = bytes.TrimRight(body, "\n")
	lines := strings.Split(string(head), "\n")
	raw := lines[0] + " HTTP/1.1\r\nHost: relay\r\n" + strings.Join(lines[1:], "\r\n")
	raw = strings.TrimRight(raw, "\r\n") + fmt.Sprintf("\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw)))
	if err != nil {
		t.Fatal(err)
	}
	return r.WithContext(context.Background())
}
