package sandbox

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
)

func TestPostOfAKeyThatExistsIsRefusedWithTheIDOfTheFirst(t *testing.T) {
	s := begin(t, Options{})
	c := dial(t, s)
	body := strings.Replace(callBody, "{", `{"external_key":"k1",`, 1)
	first := read[Call](t, c.do(http.StatusCreated, "POST", "/api/calls", body))
	p := wantRefusal(t, c.do(http.StatusConflict, "POST", "/api/calls", body), "duplicate", "external_key")
	if p.ID != first.ID || len(withKey(s, "k1")) != 1 {
		t.Fatalf("refusal names %q, first was %q, records %d", p.ID, first.ID, len(withKey(s, "k1")))
	}
}

func TestUpsertTwiceIsOneRecordWithMergedFields(t *testing.T) {
	s := begin(t, Options{})
	c := dial(t, s)
	first := read[Call](t, c.do(http.StatusCreated, "PUT", "/api/calls/by-key/k%2F2", callBody))
	second := read[Call](t, c.do(http.StatusOK, "PUT", "/api/calls/by-key/k%2F2",
		`{"note":"rang back","ending":"answered","ended_at":"2026-11-02T00:01:00Z","talk_ms":55000}`))
	if len(withKey(s, "k/2")) != 1 || second.ID != first.ID {
		t.Fatalf("records %d, ids %s and %s", len(withKey(s, "k/2")), first.ID, second.ID)
	}
	if second.Number != "13800138000" || second.RingMS != 4000 || *second.Note != "rang back" || second.TalkMS != 55000 {
		t.Fatalf("fields are not merged: %+v", second)
	}
	if second.Agent.ID == "" || first.Revision != 1 || second.Revision != 2 {
		t.Fatalf("agent %+v, revisions %d and %d", second.Agent, first.Revision, second.Revision)
	}
	again := read[Call](t, c.do(http.StatusOK, "PUT", "/api/calls/by-key/k%2F2", `{"note":"rang back"}`))
	if again.Revision != 2 || again.UpdatedAt != second.UpdatedAt {
		t.Fatal("a write that changes nothing must leave the record alone")
	}
	cleared := read[Call](t, c.do(http.StatusOK, "PUT", "/api/calls/by-key/k%2F2", `{"note":null}`))
	if cleared.Note != nil {
		t.Fatal("null must clear the note")
	}
}

func TestTimesAreUTCWithMilliseconds(t *testing.T) {
	s := begin(t, Options{})
	r := dial(t, s).do(http.StatusCreated, "PUT", "/api/calls/by-key/k3", callBody)
	if !strings.Contains(string(r.body), `"started_at":"2026-11-02T00:00:00.500Z"`) {
		t.Fatalf("started_at is spelled otherwise: %s", r.body)
	}
}

func TestFiftyUpsertsOfOneKeyAtOnceMakeOneRecord(t *testing.T) {
	s := begin(t, Options{})
	c := dial(t, s)
	statuses := make(chan int, 50)
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			r, err := c.try("PUT", "/api/calls/by-key/storm", strings.Replace(callBody, "4000", fmt.Sprint(4000+i), 1))
			if err != nil {
				t.Error(err)
			}
			statuses <- r.status
		})
	}
	wg.Wait()
	close(statuses)
	count := map[int]int{}
	for st := range statuses {
		count[st]++
	}
	if count[http.StatusCreated] != 1 || count[http.StatusOK] != 49 || len(withKey(s, "storm")) != 1 {
		t.Fatalf("answers %v, records %d", count, len(withKey(s, "storm")))
	}
}

func TestWrongCallsAreRefusedAndChangeNothing(t *testing.T) {
	s := begin(t, Options{})
	c := dial(t, s)
	before := s.Stats()
	for name, w := range map[string]struct{ body, code, field string }{
		"negative duration":  {`{"direction":"in","started_at":"2026-11-02T00:00:00Z","talk_ms":-1}`, "invalid", "talk_ms"},
		"ends before start":  {`{"direction":"in","started_at":"2026-11-02T00:00:00Z","ended_at":"2026-11-01T00:00:00Z"}`, "invalid", "ended_at"},
		"unknown field":      {`{"direction":"in","started_at":"2026-11-02T00:00:00Z","colour":"red"}`, "unknown_field", "colour"},
		"read-only field":    {`{"direction":"in","started_at":"2026-11-02T00:00:00Z","revision":7}`, "unknown_field", "revision"},
		"unknown contact":    {`{"direction":"in","started_at":"2026-11-02T00:00:00Z","contact_id":"c_x"}`, "invalid", "contact_id"},
		"wrong ending":       {`{"direction":"in","started_at":"2026-11-02T00:00:00Z","ending":"sale"}`, "invalid", "ending"},
		"no direction":       {`{"started_at":"2026-11-02T00:00:00Z"}`, "invalid", "direction"},
		"other key in body":  {`{"direction":"in","started_at":"2026-11-02T00:00:00Z","external_key":"z"}`, "invalid", "external_key"},
		"a time without one": {`{"direction":"in","started_at":"yesterday"}`, "invalid", "started_at"},
	} {
		t.Run(name, func(t *testing.T) {
			wantRefusal(t, c.do(http.StatusUnprocessableEntity, "PUT", "/api/calls/by-key/bad", w.body), w.code, w.field)
		})
	}
	if after := s.Stats(); after.Writes != before.Writes || after.Calls != before.Calls {
		t.Fatalf("a refused write left something: %+v", after)
	}
}

func TestCallsOfAContactComeNewestFirst(t *testing.T) {
	c := dial(t, begin(t, Options{}))
	c.do(http.StatusCreated, "PUT", "/api/calls/by-key/new", callBody)
	got := read[list[Call]](t, c.do(http.StatusOK, "GET", "/api/contacts/c_000001/calls?limit=2", "")).Items
	if len(got) != 2 || got[0].ExternalKey != "new" || got[1].StartedAt.After(got[0].StartedAt.Time) {
		t.Fatalf("calls %+v", got)
	}
	one := read[list[Call]](t, c.do(http.StatusOK, "GET", "/api/calls?external_key=new", "")).Items
	if len(one) != 1 || one[0].ID != got[0].ID {
		t.Fatalf("by key: %+v", one)
	}
}

func TestPatchChangesTheCallWithTheIDAndMakesNone(t *testing.T) {
	s := begin(t, Options{})
	c := dial(t, s)
	first := read[Call](t, c.do(http.StatusCreated, "PUT", "/api/calls/by-key/p1", callBody))
	before := s.Stats().Calls
	path := "/api/calls/" + first.ID
	second := read[Call](t, c.do(http.StatusOK, "PATCH", path, `{"note":"rang back","contact_id":"c_000002","external_key":"p1"}`))
	if second.ID != first.ID || *second.Note != "rang back" || *second.ContactID != "c_000002" || second.RingMS != 4000 || second.Revision != 2 {
		t.Errorf("the call is %+v", second)
	}
	if again := read[Call](t, c.do(http.StatusOK, "PATCH", path, `{"note":"rang back"}`)); again.Revision != 2 {
		t.Error("a write that changes nothing must leave the record alone")
	}
	for _, nobody := range []string{`{"contact_id":""}`, `{"contact_id":null}`} {
		c.do(http.StatusOK, "PATCH", path, `{"contact_id":"c_000002"}`)
		if got := read[Call](t, c.do(http.StatusOK, "PATCH", path, nobody)); got.ContactID != nil {
			t.Errorf("%s leaves it with %s", nobody, *got.ContactID)
		}
	}
	l := s.Ledger()
	if l.Creations != 1 || l.Writes != 7 || l.Keys != 1 || l.Entries[1].Created || l.Entries[1].ID != first.ID || s.Stats().Calls != before {
		t.Errorf("the ledger is %+v", l)
	}
}

func TestWrongPatchesOfACallAreRefusedAndChangeNothing(t *testing.T) {
	s := begin(t, Options{})
	c := dial(t, s)
	path := "/api/calls/" + read[Call](t, c.do(http.StatusCreated, "PUT", "/api/calls/by-key/p2", callBody)).ID
	wantRefusal(t, c.do(http.StatusNotFound, "PATCH", "/api/calls/call_999999", `{"note":"x"}`), "not_found", "")
	wantRefusal(t, c.do(http.StatusUnprocessableEntity, "PATCH", path, `{"external_key":"other"}`), "invalid", "external_key")
	wantRefusal(t, c.do(http.StatusUnprocessableEntity, "PATCH", path, `{"colour":"red"}`), "unknown_field", "colour")
	wantRefusal(t, c.do(http.StatusUnprocessableEntity, "PATCH", path, `{"contact_id":"c_x","note":"x"}`), "invalid", "contact_id")
	if l := s.Ledger(); l.Writes != 1 || withKey(s, "p2")[0].Note != nil {
		t.Errorf("the ledger is %+v", l)
	}
}

func TestPatchObeysFaults(t *testing.T) {
	s := begin(t, Options{})
	c := dial(t, s)
	path := "/api/calls/" + read[Call](t, c.do(http.StatusCreated, "PUT", "/api/calls/by-key/p3", callBody)).ID
	for note, f := range map[string]Fault{"dropped": {DropAnswer: true, Writes: true, Count: 1}, "": {Status: 503, Writes: true, Count: 1}} {
		if err := s.SetFault(f); err != nil {
			t.Fatal(err)
		}
		c.do(http.StatusOK, "GET", path, "") // a read is left alone
		r, err := c.try("PATCH", path, `{"note":"dropped"}`)
		if (err == nil) == f.DropAnswer || err == nil && r.status != f.Status {
			t.Errorf("%+v: status %d, %v", f, r.status, err)
		}
		if got := deref(withKey(s, "p3")[0].Note); got != note {
			t.Errorf("%+v: the note is %q", f, got)
		}
		c.do(http.StatusOK, "PATCH", path, `{"note":""}`)
	}
}
