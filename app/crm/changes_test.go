package crm_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"ringside.dev/ringside/app/cti"
)

func TestTheWholeBookIsReadPageByPageAndThenWhatChanged(t *testing.T) {
	server := startSandbox(t)
	changes := openSandbox(t, server.URL(), sandboxToken).Features().Changes
	customers := map[string]cti.Customer{}
	cursor, pages := "", 0
	for more := true; more; pages++ {
		page, err := changes(t.Context(), cursor)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range page.Customers {
			customers[c.ID] = c
		}
		cursor, more = page.Cursor, page.More
	}
	if c := customers["c_000001"]; len(customers) != 500 || pages != 3 || c.Name != "陈丽华" || len(c.Numbers) == 0 || c.Owner == "" {
		t.Fatalf("%d customers in %d pages, the first %+v", len(customers), pages, c)
	}
	request(t, server, http.MethodDelete, "/api/contacts/c_000005", "")
	request(t, server, http.MethodPatch, "/api/contacts/c_000007", `{"name":"New name"}`)
	page, err := changes(t.Context(), cursor)
	if err != nil || !slices.Equal(page.Deleted, []string{"c_000005"}) || len(page.Customers) != 1 || page.Customers[0].Name != "New name" || page.More {
		t.Errorf("what changed is %+v, %v", page, err)
	}
}

func TestCustomersAreSearchedByWords(t *testing.T) {
	search := openSandbox(t, startSandbox(t).URL(), sandboxToken).Features().Search
	found, err := search(t.Context(), "陈丽华", 10)
	if err != nil || len(found) != 1 || found[0].ID != "c_000001" {
		t.Errorf("found %+v, %v", found, err)
	}
	if found, err := search(t.Context(), "e", 3); err != nil || len(found) != 3 {
		t.Errorf("found %d, %v; want no more than asked for", len(found), err)
	}
}

func request(t *testing.T, server interface{ URL() string }, method, path, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, server.URL()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+sandboxToken)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %s, %v", method, path, res.Status, err)
	}
}
