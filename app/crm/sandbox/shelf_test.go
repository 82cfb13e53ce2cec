package sandbox

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
)

// kinds are the records that are written by key, each with a body that makes one, a change and what is to be read back of it.
var kinds = []struct{ path, make, change, name, want string }{
	{"/api/notes", `{"contact_id":"c_000001","text":"called back","at":"2026-11-02T08:00:00Z"}`, `{"text":"called twice"}`, "text", "called twice"},
	{"/api/tickets", `{"contact_id":"c_000001","subject":"no light","body":"since today","status":"pending","priority":"high","queue":"technical","owner":"u_02","type":"incident"}`,
		`{"priority":"urgent"}`, "priority", "urgent"},
	{"/api/tasks", `{"contact_id":"c_000001","subject":"ring back","body":"after four","due_at":"2026-11-03T16:00:00+08:00","owner":"helen.marsh@ringside.example"}`,
		`{"body":"after five"}`, "body", "after five"},
}

func TestARecordWithAKeyIsMadeOnceAndThenChanged(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind.path, func(t *testing.T) {
			c := dial(t, begin(t, Options{}))
			path := kind.path + "/by-key/k%2F1"
			first := read[map[string]any](t, c.do(http.StatusCreated, "PUT", path, kind.make))
			again := read[map[string]any](t, c.do(http.StatusOK, "PUT", path, kind.make))
			if again["id"] != first["id"] || again["version"] != 1.0 || again["updated_at"] != first["updated_at"] {
				t.Errorf("the repeat gives %v, the first was %v", again, first)
			}
			changed := read[map[string]any](t, c.do(http.StatusOK, "PUT", path, kind.change))
			if changed["id"] != first["id"] || changed[kind.name] != kind.want || changed["version"] != 2.0 || changed["contact_id"] != "c_000001" {
				t.Errorf("changed it is %v", changed)
			}
			other := read[map[string]any](t, c.do(http.StatusCreated, "PUT", kind.path+"/by-key/k2", kind.make))
			if other["id"] == first["id"] || other["external_key"] != "k2" {
				t.Errorf("another key gives %v", other)
			}
			if got := read[list[map[string]any]](t, c.do(http.StatusOK, "GET", kind.path+"?external_key=k%2F1", "")).Items; len(got) != 1 || got[0]["id"] != first["id"] {
				t.Errorf("by key: %v", got)
			}
			if got := read[map[string]any](t, c.do(http.StatusOK, "GET", fmt.Sprint(kind.path, "/", first["id"]), "")); got[kind.name] != kind.want {
				t.Errorf("read back it is %v", got)
			}
			wantRefusal(t, c.do(http.StatusUnprocessableEntity, "PUT", kind.path+"/by-key/k3", `{"external_key":"z",`+kind.make[1:]), "invalid", "external_key")
			wantRefusal(t, c.do(http.StatusUnprocessableEntity, "PUT", path, `{"external_key":"z"}`), "invalid", "external_key")
			wantRefusal(t, c.do(http.StatusUnprocessableEntity, "PUT", path, `{"contact_id":"c_x"}`), "invalid", "contact_id")
			wantRefusal(t, c.do(http.StatusUnprocessableEntity, "PUT", path, `{"version":7}`), "unknown_field", "version")
			if p := wantRefusal(t, c.do(http.StatusConflict, "POST", kind.path, `{"external_key":"k2",`+kind.make[1:]), "duplicate", "external_key"); p.ID != other["id"] {
				t.Errorf("the refusal names %s", p.ID)
			}
		})
	}
}

func TestFiftyWritesOfOneKeyAtOnceMakeOneTicket(t *testing.T) {
	c := dial(t, begin(t, Options{}))
	statuses := make(chan int, 50)
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			r, err := c.try("PUT", "/api/tickets/by-key/storm", kinds[1].make)
			if err != nil {
				t.Error(err)
			}
			statuses <- r.status
		})
	}
	all.Wait()
	close(statuses)
	count := map[int]int{}
	for status := range statuses {
		count[status]++
	}
	if count[http.StatusCreated] != 1 || count[http.StatusOK] != 49 {
		t.Errorf("the answers are %v", count)
	}
}

func TestEveryFieldOfATicketIsChangedAndReadBack(t *testing.T) {
	c := dial(t, begin(t, Options{}))
	id := read[ticket](t, c.do(http.StatusCreated, "PUT", "/api/tickets/by-key/k", `{"contact_id":"c_000001","subject":"a"}`)).ID
	c.do(http.StatusOK, "PATCH", "/api/tickets/"+id, `{"subject":"b","body":"c","status":"solved","priority":"low","queue":"billing","owner":"u_03","type":"order"}`)
	got := read[ticket](t, c.do(http.StatusOK, "GET", "/api/tickets/"+id, ""))
	if got.Subject != "b" || got.Body != "c" || got.Status != "solved" || got.Priority != "low" || got.Queue != "billing" || got.Owner == nil || got.Owner.ID != "u_03" || got.Type != "order" {
		t.Errorf("the ticket is %+v", got)
	}
	c.do(http.StatusOK, "PATCH", "/api/tickets/"+id, `{"queue":"","owner":null,"type":null}`)
	if got := read[ticket](t, c.do(http.StatusOK, "GET", "/api/tickets/"+id, "")); got.Queue != "" || got.Owner != nil || got.Type != "" || got.Body != "c" {
		t.Errorf("cleared it is %+v", got)
	}
	for field, body := range map[string]string{
		"subject": `{"subject":" "}`, "status": `{"status":"closed"}`, "priority": `{"priority":""}`, "queue": `{"queue":"cellar"}`, "owner": `{"owner":"u_99"}`, "type": `{"type":7}`,
	} {
		wantRefusal(t, c.do(http.StatusUnprocessableEntity, "PATCH", "/api/tickets/"+id, body), "invalid", field)
	}
}

func TestANoteIsTheCustomersOrOfATicketOfTheirs(t *testing.T) {
	c := dial(t, begin(t, Options{}))
	mine := read[ticket](t, c.do(http.StatusCreated, "POST", "/api/tickets", `{"contact_id":"c_000002","subject":"a"}`)).ID
	of := read[note](t, c.do(http.StatusCreated, "PUT", "/api/notes/by-key/t", `{"ticket_id":"`+mine+`","text":"of the ticket"}`))
	if deref(of.ContactID) != "c_000002" || of.At.IsZero() {
		t.Errorf("the note is %+v, want it the ticket's customer's, and now", of)
	}
	c.do(http.StatusCreated, "PUT", "/api/notes/by-key/c", `{"contact_id":"c_000002","text":"of the customer"}`)
	if got := read[list[note]](t, c.do(http.StatusOK, "GET", "/api/contacts/c_000002/notes", "")).Items; len(got) != 2 {
		t.Errorf("the customer's notes are %+v", got)
	}
	if got := read[list[note]](t, c.do(http.StatusOK, "GET", "/api/contacts/c_000002/notes?ticket_id="+mine, "")).Items; len(got) != 1 || got[0].ID != of.ID {
		t.Errorf("the ticket's notes are %+v", got)
	}
	wantRefusal(t, c.do(http.StatusUnprocessableEntity, "PUT", "/api/notes/by-key/n", `{"text":"nobody's"}`), "invalid", "contact_id")
	wantRefusal(t, c.do(http.StatusUnprocessableEntity, "PUT", "/api/notes/by-key/n", `{"ticket_id":"t_x","text":"a"}`), "invalid", "ticket_id")
	wantRefusal(t, c.do(http.StatusUnprocessableEntity, "PUT", "/api/notes/by-key/n", `{"contact_id":"c_000001","ticket_id":"`+mine+`","text":"a"}`), "invalid", "ticket_id")
	wantRefusal(t, c.do(http.StatusUnprocessableEntity, "PUT", "/api/notes/by-key/n", `{"contact_id":"c_000001"}`), "invalid", "text")
}

func TestAContactOfAKeyThatWasDeletedIsGone(t *testing.T) {
	c := dial(t, begin(t, Options{}))
	id := read[contactView](t, c.do(http.StatusCreated, "PUT", "/api/contacts/by-key/k", `{"name":"A"}`)).ID
	c.do(http.StatusOK, "DELETE", "/api/contacts/"+id, "")
	if p := wantRefusal(t, c.do(http.StatusGone, "PUT", "/api/contacts/by-key/k", `{"name":"A"}`), "gone", "external_key"); p.ID != id {
		t.Errorf("the refusal names %s", p.ID)
	}
}
