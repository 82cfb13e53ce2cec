package sandbox

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

type row struct{ ID string }

// follow reads a list to its end by what each page says of the next one.
func follow(c *client, first string, next func(r reply, page list[row]) string) (ids []string, pages int) {
	c.t.Helper()
	for address := first; address != ""; pages++ {
		if pages > 600 {
			c.t.Fatal("the list has no end")
		}
		r := c.do(http.StatusOK, "GET", strings.TrimPrefix(address, c.base), "")
		page := read[list[row]](c.t, r)
		for _, one := range page.Items {
			ids = append(ids, one.ID)
		}
		address = next(r, page)
	}
	return ids, pages
}

// linked is the address in the Link header.
func linked(r reply, _ list[row]) string {
	link := r.header.Get("Link")
	if !strings.HasSuffix(link, `; rel="next"`) {
		return ""
	}
	return strings.Trim(strings.TrimSuffix(link, `; rel="next"`), "<>")
}

func TestAListIsReadWholeInEachWay(t *testing.T) {
	c := dial(t, begin(t, Options{}))
	for _, path := range []string{"/api/contacts?q=example&", "/api/calls?", "/api/tickets?status=open&", "/api/companies?", "/api/options/tag?"} {
		all := read[list[row]](t, c.do(http.StatusOK, "GET", path+"limit=500", ""))
		var want []string
		for _, one := range all.Items {
			want = append(want, one.ID)
		}
		if all.Total > maxLimit { // the rest is in none of the ways missing
			want, _ = follow(c, path+"limit=500", linked)
		}
		if len(want) != all.Total || len(want) < 8 {
			t.Fatalf("%s: %d of %d", path, len(want), all.Total)
		}
		size := len(want)/3 + 1 // three pages, the last one shorter
		offset, number := 0, 1
		for name, way := range map[string]struct {
			first string
			next  func(reply, list[row]) string
		}{
			"cursor": {fmt.Sprint(path, "limit=", size), func(_ reply, page list[row]) string {
				if page.Cursor == "" {
					return ""
				}
				return fmt.Sprint(path, "limit=", size, "&cursor=", page.Cursor)
			}},
			"offset": {fmt.Sprint(path, "offset=0&limit=", size), func(_ reply, page list[row]) string {
				if offset += size; offset >= page.Total {
					return ""
				}
				return fmt.Sprint(path, "limit=", size, "&offset=", offset)
			}},
			"page": {fmt.Sprint(path, "per_page=", size), func(_ reply, page list[row]) string {
				if number++; len(page.Items) < size {
					return ""
				}
				return fmt.Sprint(path, "per_page=", size, "&page=", number)
			}},
			"link":             {fmt.Sprint(path, "limit=", size), linked},
			"link with page":   {fmt.Sprint(path, "page=1&per_page=", size), linked},
			"link with offset": {fmt.Sprint(path, "offset=0&limit=", size), linked},
			"link in the body": {fmt.Sprint(path, "limit=", size), func(_ reply, page list[row]) string { return page.Next }},
		} {
			if got, pages := follow(c, way.first, way.next); !slices.Equal(got, want) || pages != 3 {
				t.Errorf("%s by %s: %d in %d pages, want the same %d in 3", path, name, len(got), pages, len(want))
			}
		}
	}
}

func TestACursorHoldsWhileTheListGrows(t *testing.T) {
	c := dial(t, begin(t, Options{}))
	first := read[list[row]](t, c.do(http.StatusOK, "GET", "/api/calls?limit=3", ""))
	second := read[list[row]](t, c.do(http.StatusOK, "GET", "/api/calls?limit=3&cursor="+first.Cursor, ""))
	c.do(http.StatusCreated, "PUT", "/api/calls/by-key/newest", callBody)
	again := read[list[row]](t, c.do(http.StatusOK, "GET", "/api/calls?limit=3&cursor="+first.Cursor, ""))
	if !slices.Equal(again.Items, second.Items) {
		t.Errorf("the second page was %v and is %v", second.Items, again.Items)
	}
}

func TestWrongPlacesInAListAreRefused(t *testing.T) {
	c := dial(t, begin(t, Options{}))
	for query, field := range map[string]string{
		"cursor=!": "cursor", "cursor=Y18wMA": "cursor", "offset=-1": "offset", "offset=x": "offset", "page=0": "page", "page=1&per_page=501": "per_page",
		"per_page=0": "per_page", "limit=0": "limit", "offset=0&limit=501": "limit", "page=99999999999": "page",
	} {
		wantRefusal(t, c.do(http.StatusUnprocessableEntity, "GET", "/api/contacts?"+query, ""), "invalid", field)
	}
	for _, beyond := range []string{"offset=1000000", "page=1000000"} {
		r := c.do(http.StatusOK, "GET", "/api/contacts?"+beyond, "")
		if page := read[list[row]](t, r); len(page.Items) != 0 || page.Cursor != "" || r.header.Get("Link") != "" {
			t.Errorf("%s gives %s", beyond, r.body)
		}
	}
}

func TestOptionsAreWhatAFieldTakes(t *testing.T) {
	c := dial(t, begin(t, Options{}))
	for kind, want := range map[string]string{
		"owner": "u_02", "queue": "technical", "status": "pending", "priority": "urgent", "outcome": "follow_up", "type": "incident", "tag": "VIP",
	} {
		got := read[list[option]](t, c.do(http.StatusOK, "GET", "/api/options/"+kind+"?limit=500", "")).Items
		at := slices.IndexFunc(got, func(o option) bool { return o.ID == want })
		if at < 0 || got[at].Name == "" {
			t.Errorf("%s: %v, want %s in it", kind, got, want)
			continue
		}
		if slices.Contains([]string{"owner", "queue", "status", "priority", "type"}, kind) {
			c.do(http.StatusCreated, "POST", "/api/tickets", fmt.Sprintf(`{"contact_id":"c_000001","subject":"a",%q:%q}`, kind, want))
		}
	}
	c.do(http.StatusOK, "PUT", "/api/contacts/c_000001/tags/"+url.PathEscape("brand new"), "")
	if got := read[list[option]](t, c.do(http.StatusOK, "GET", "/api/options/tag?limit=500", "")).Items; !slices.Contains(got, option{"brand new", "brand new"}) {
		t.Errorf("the tags are %v", got)
	}
	wantRefusal(t, c.do(http.StatusNotFound, "GET", "/api/options/colour", ""), "not_found", "")
}
