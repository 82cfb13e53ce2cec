package sandbox

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
)

// feed reads the changes since a cursor to their end.
func feed(c *client, cursor string, limit int) (ids []string, deleted []string, last string) {
	c.t.Helper()
	for {
		page := read[struct {
			Items []struct {
				ID      string
				Deleted bool
			}
			Cursor string
			More   bool
		}](c.t, c.do(http.StatusOK, "GET", fmt.Sprintf("/api/contacts/changes?limit=%d&cursor=%s", limit, cursor), ""))
		for _, item := range page.Items {
			if item.Deleted {
				deleted = append(deleted, item.ID)
			} else {
				ids = append(ids, item.ID)
			}
		}
		if cursor = page.Cursor; !page.More {
			return ids, deleted, cursor
		}
	}
}

func TestTheFeedGivesEveryContactOnceAndThenWhatChanged(t *testing.T) {
	c := dial(t, begin(t, Options{}))
	all, deleted, cursor := feed(c, "", 150)
	if slices.Sort(all); len(all) != seededContacts || len(slices.Compact(all)) != seededContacts || len(deleted) != 0 {
		t.Fatalf("%d contacts and %d deleted, want each of %d once", len(all), len(deleted), seededContacts)
	}
	if ids, gone, same := feed(c, cursor, 10); len(ids)+len(gone) != 0 || same != cursor {
		t.Errorf("nothing changed and the feed gives %v, %v, cursor %s", ids, gone, same)
	}
	c.do(http.StatusOK, "PATCH", "/api/contacts/c_000007", `{"name":"New name"}`)
	c.do(http.StatusOK, "PATCH", "/api/contacts/c_000003", `{"name":"First"}`)
	c.do(http.StatusOK, "PATCH", "/api/contacts/c_000003", `{"name":"Second"}`)
	c.do(http.StatusOK, "DELETE", "/api/contacts/c_000005", "")
	ids, gone, next := feed(c, cursor, 1)
	if !slices.Equal(ids, []string{"c_000007", "c_000003"}) || !slices.Equal(gone, []string{"c_000005"}) || next == cursor {
		t.Errorf("the feed gives %v, deleted %v", ids, gone)
	}
	wantRefusal(t, c.do(http.StatusUnprocessableEntity, "GET", "/api/contacts/changes?cursor=yesterday", ""), "invalid", "cursor")
}

func TestADeletedContactIsOutOfSight(t *testing.T) {
	file := t.TempDir() + "/crm.json"
	s := begin(t, Options{File: file})
	c := dial(t, s)
	c.do(http.StatusOK, "DELETE", "/api/contacts/c_000001", "")
	c.do(http.StatusNotFound, "DELETE", "/api/contacts/c_000001", "")
	c.do(http.StatusNotFound, "GET", "/api/contacts/c_000001", "")
	c.do(http.StatusNotFound, "PATCH", "/api/contacts/c_000001", `{"name":"Back"}`)
	if got := search(c, "13800138000"); len(got) != 0 {
		t.Errorf("its number finds %v", got)
	}
	if ids, _, _ := feed(c, "", 500); slices.Contains(ids, "c_000001") || len(ids) != seededContacts-1 {
		t.Errorf("the whole feed gives %d contacts", len(ids))
	}
}

// What is done to a customer's records makes the customer appear in the feed, once, and nobody else.
func TestTheFeedTellsOfWhatIsDoneToACustomersRecords(t *testing.T) {
	c := dial(t, begin(t, Options{}))
	call := someCall(c)
	ticket := "/api/tickets/" + read[row](t, c.do(http.StatusCreated, "POST", "/api/tickets", `{"contact_id":"c_000001","subject":"A"}`)).ID
	_, _, cursor := feed(c, "", 500)
	for _, one := range []struct {
		status             int
		method, path, body string
		want               []string
	}{
		{200, "PATCH", ticket, `{"status":"pending"}`, []string{"c_000001"}},
		{200, "PATCH", ticket, `{"status":"pending"}`, nil},
		{201, "PUT", "/api/tickets/by-key/k", `{"contact_id":"c_000002","subject":"A"}`, []string{"c_000002"}},
		{200, "PUT", "/api/tickets/by-key/k", `{"contact_id":"c_000002","subject":"A"}`, nil},
		{200, "PATCH", ticket, `{"contact_id":"c_000003"}`, []string{"c_000001", "c_000003"}},
		{200, "PATCH", ticket, `{"contact_id":null}`, []string{"c_000003"}},
		{200, "PUT", "/api/contacts/c_000004/tags/new", "", []string{"c_000004"}},
		{200, "PUT", "/api/contacts/c_000004/tags/new", "", nil},
		{200, "DELETE", "/api/contacts/c_000004/tags/new", "", []string{"c_000004"}},
		{200, "PATCH", "/api/contacts/c_000005", `{"status":"inactive"}`, []string{"c_000005"}},
		{201, "PUT", "/api/notes/by-key/k", `{"contact_id":"c_000006","text":"A"}`, []string{"c_000006"}},
		{201, "PUT", "/api/tasks/by-key/k", `{"contact_id":"c_000007","subject":"A"}`, []string{"c_000007"}},
		{200, "PUT", call + "/recording", `{"url":"https://a.example"}`, []string{"c_000001"}},
		{422, "PATCH", "/api/contacts/c_000008", `{"status":"asleep"}`, nil},
		{422, "PATCH", ticket, `{"contact_id":"c_000008","status":"asleep"}`, nil},
	} {
		c.do(one.status, one.method, one.path, one.body)
		ids, _, next := feed(c, cursor, 500)
		if slices.Sort(ids); !slices.Equal(ids, one.want) {
			t.Errorf("%s %s %s: the feed gives %v, want %v", one.method, one.path, one.body, ids, one.want)
		}
		cursor = next
	}
}
