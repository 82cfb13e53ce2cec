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
