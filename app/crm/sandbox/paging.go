package sandbox

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
)

const maxPlace = 1 << 20 // no list is as long

// list is a page of a list. Cursor and Next are absent on the last one.
type list[T any] struct {
	Items  []T    `json:"items"`
	Total  int    `json:"total"`
	Cursor string `json:"cursor,omitempty"`
	Next   string `json:"next,omitempty"` // the address of the next page, as in the Link header
}

// window is which part of a list is asked for.
type window struct {
	from, size int
	next       url.Values // of the next page, in the way this one was asked for
}

// paged answers the part of a list that the request asks for, in one of three ways: ?cursor=&limit= (the default), ?offset=&limit= and
// ?page=&per_page= (from 1). The next page's address is in the Link header (RFC 8288) and in the body.
func paged[T interface{ ident() string }](r *http.Request, rows []T, otherwise int) (answer, error) {
	w, err := windowOf(r, otherwise, func(id string) int {
		return slices.IndexFunc(rows, func(row T) bool { return row.ident() == id })
	})
	if err != nil {
		return answer{}, err
	}
	out := list[T]{Items: []T{}, Total: len(rows)}
	begin := min(w.from, len(rows))
	end := min(begin+w.size, len(rows))
	out.Items = append(out.Items, rows[begin:end]...)
	a := ok(&out)
	if end < len(rows) && end > begin {
		out.Cursor = base64.RawURLEncoding.EncodeToString([]byte(rows[end-1].ident()))
		if w.next.Has("cursor") {
			w.next.Set("cursor", out.Cursor)
		}
		out.Next = "http://" + r.Host + r.URL.EscapedPath() + "?" + w.next.Encode()
		a.header = http.Header{"Link": {"<" + out.Next + `>; rel="next"`}}
	}
	return a, nil
}

// windowOf reads the query. at gives the place of an id, -1 for none.
func windowOf(r *http.Request, otherwise int, at func(id string) int) (window, error) {
	q := r.URL.Query()
	if q.Has("page") || q.Has("per_page") {
		return numbered(q, otherwise)
	}
	size, err := limit(r, otherwise)
	if err != nil {
		return window{}, err
	}
	w := window{size: size, next: q}
	if q.Has("offset") {
		w.from, err = whole(q, "offset", 0, 0, maxPlace)
		q.Set("offset", strconv.Itoa(w.from+size))
		return w, err
	}
	if text := q.Get("cursor"); text != "" {
		id, err := base64.RawURLEncoding.DecodeString(text)
		if w.from = at(string(id)) + 1; err != nil || w.from == 0 {
			return window{}, invalid("cursor", "is none of ours, or its record has gone: begin again")
		}
	}
	q.Set("cursor", "")
	return w, nil
}

func numbered(q url.Values, otherwise int) (window, error) {
	n, err := whole(q, "page", 1, 1, maxPlace)
	if err != nil {
		return window{}, err
	}
	size, err := whole(q, "per_page", otherwise, 1, maxLimit)
	q.Set("page", strconv.Itoa(n+1))
	return window{from: (n - 1) * size, size: size, next: q}, err
}

// whole reads a number of the query between least and most.
func whole(q url.Values, name string, otherwise, least, most int) (int, error) {
	text := q.Get(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		return 0, invalid(name, fmt.Sprintf("must be %d to %d", least, most))
	}
	return n, nil
}
