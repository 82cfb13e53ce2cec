package sandbox

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestVersionIsTheServersOrTheOneItPretends(t *testing.T) {
	s := begin(t, Options{})
	c := dial(t, s)
	for trait, want := range map[string]string{"": Version, "5.0.3": "5.0.3"} {
		setTraits(t, s, Traits{Version: trait})
		if got := read[map[string]string](t, c.do(http.StatusOK, "GET", "/api/version", ""))["version"]; got != want {
			t.Errorf("the version is %q, want %q", got, want)
		}
		if got := read[whoamiView](t, c.do(http.StatusOK, "GET", "/api/whoami", "")); got.Version != want {
			t.Errorf("whoami says %q, want %q", got.Version, want)
		}
	}
}

func TestAServersClockIsOffInAllItsHeaders(t *testing.T) {
	s := begin(t, Options{})
	c := dial(t, s)
	for _, skew := range []int64{0, 7200, -7200} {
		setTraits(t, s, Traits{DateSkewS: skew, PerSecond: 0.1, RetryAfter: "date"})
		off := func(r reply, header string) time.Duration {
			at, err := http.ParseTime(r.header.Get(header))
			if err != nil {
				t.Fatal(err)
			}
			return time.Until(at) - time.Duration(skew)*time.Second
		}
		if d := off(c.do(http.StatusOK, "GET", "/api/whoami", ""), "Date"); d < -10*time.Second || d > time.Second {
			t.Errorf("skew %d: Date is off by %s more", skew, d)
		}
		if d := off(c.do(http.StatusTooManyRequests, "GET", "/api/whoami", ""), "Retry-After"); d < 0 || d > 12*time.Second {
			t.Errorf("skew %d: Retry-After is in %s", skew, d)
		}
	}
	for _, skew := range []int64{maxSkew + 1, -maxSkew - 1} {
		if s.SetTraits(Traits{DateSkewS: skew}) == nil {
			t.Errorf("a skew of %d is taken", skew)
		}
	}
}

// versionedRecords are those that answer a version: how one is made, and a change.
var versionedRecords = []struct{ path, make, change string }{
	{"/api/contacts", `{"name":"A"}`, `{"name":"B"}`}, {"/api/calls", callBody, `{"note":"B"}`}, {"/api/tickets", `{"subject":"A"}`, `{"subject":"B"}`},
	{"/api/tasks", `{"subject":"A"}`, `{"subject":"B"}`}, {"/api/notes", `{"contact_id":"c_000001","text":"A"}`, `{"text":"B"}`},
}

func TestAWriteThatKnowsAnOlderVersionIsRefusedWithTheCurrentRecord(t *testing.T) {
	type record struct {
		ID      string
		Version int
	}
	for _, one := range versionedRecords {
		t.Run(one.path, func(t *testing.T) {
			c := dial(t, begin(t, Options{}))
			key := one.path + "/by-key/k"
			made := c.do(http.StatusCreated, "PUT", key, one.make)
			id := read[record](t, made).ID
			path := one.path + "/" + id
			if tag := made.header.Get("ETag"); tag != `"1"` || c.do(http.StatusOK, "GET", path, "").header.Get("ETag") != tag {
				t.Errorf("the tag of the first version is %s", tag)
			}
			changed := c.do(http.StatusOK, "PATCH", path, one.change, "If-Match", `"1"`)
			if changed.header.Get("ETag") != `"2"` || read[record](t, changed).Version != 2 {
				t.Errorf("changed it is %s with %s", changed.body, changed.header.Get("ETag"))
			}
			back := strings.Replace(one.change, "B", "C", 1)
			for method, at := range map[string]string{"PATCH": path, "PUT": key} {
				for _, wrong := range []string{`"1"`, `1`, `W/"2"`, `"x"`, `"1", "3"`} {
					r := c.do(http.StatusPreconditionFailed, method, at, back, "If-Match", wrong)
					wantRefusal(t, r, "version_conflict", "")
					if now := read[struct{ Current record }](t, r).Current; now.ID != id || now.Version != 2 {
						t.Errorf("%s with %s: the current record is %+v", method, wrong, now)
					}
				}
				for _, right := range []string{`"2"`, `2`, `*`, `"1", "2"`} {
					c.do(http.StatusOK, method, at, one.change, "If-Match", right) // changes nothing: it stays version 2
				}
			}
			for _, any := range []string{`*`, `"1"`} {
				wantRefusal(t, c.do(http.StatusPreconditionFailed, "PUT", one.path+"/by-key/none", one.make, "If-Match", any), "version_conflict", "")
			}
			c.do(http.StatusCreated, "PUT", one.path+"/by-key/none", one.make)
		})
	}
}

func TestTagsNumbersRecordingsAndDeletingObeyVersionsToo(t *testing.T) {
	c := dial(t, begin(t, Options{}))
	call := someCall(c)
	for _, one := range []struct{ method, path, body string }{
		{"PUT", "/api/contacts/c_000001/tags/a", ""}, {"DELETE", "/api/contacts/c_000001/tags/a", ""}, {"PUT", "/api/contacts/c_000001/phones/123456", ""},
		{"DELETE", "/api/contacts/c_000001", ""}, {"PUT", call + "/recording", `{"url":"https://a.example"}`},
	} {
		wantRefusal(t, c.do(http.StatusPreconditionFailed, one.method, one.path, one.body, "If-Match", `"99"`), "version_conflict", "")
	}
	before := c.do(http.StatusOK, "GET", "/api/contacts/c_000001", "").header.Get("ETag")
	c.do(http.StatusCreated, "POST", "/api/tickets", `{"contact_id":"c_000001","subject":"A"}`)
	if after := c.do(http.StatusOK, "GET", "/api/contacts/c_000001", "").header.Get("ETag"); after != before {
		t.Errorf("that a contact is active makes it version %s of %s", after, before)
	}
	c.do(http.StatusOK, "PUT", "/api/contacts/c_000001/tags/a", "", "If-Match", before)
}
