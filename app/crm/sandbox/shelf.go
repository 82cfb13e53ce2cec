package sandbox

import (
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"time"
)

// common is what tickets, tasks and notes have alike.
type common struct {
	ID          string         `json:"id"`
	ExternalKey *string        `json:"external_key"` // unique among its kind
	ContactID   *string        `json:"contact_id"`
	CreatedBy   Agent          `json:"created_by"`
	CreatedAt   Stamp          `json:"created_at"`
	UpdatedAt   Stamp          `json:"updated_at"`
	Version     int            `json:"version"` // 1 at creation; a write that changes nothing does not count
	Fields      map[string]any `json:"fields,omitempty"`
}

func (c common) ident() string { return c.ID }
func (c common) key() string   { return deref(c.ExternalKey) }

func deref(p *string) string {
	if p == nil {
		return ""
	}
	return *p
}

// shelf is a kind of record that belongs to a contact and is written by key: how its table is found and its rows begin. Its handlers are
// the whole life of tickets, tasks and notes.
type shelf[T record] struct {
	noun, prefix string
	table        func(*book) *table[T]
	fields       func(*book) fields[T]
	common       func(*T) *common
	begin        func(row *T, who person)       // what a new one has before its body is read; nil: nothing
	check        func(b *book, row *T) error    // what one field alone cannot tell; nil: nothing
	match        func(row T, q url.Values) bool // filters of the list beside those all have; nil: none
}

// post makes a record; one whose external_key is taken is refused.
func (k shelf[T]) post(s *Server) apiFunc {
	return func(r *http.Request) (answer, error) {
		in, err := parseBody(r)
		if err != nil {
			return answer{}, err
		}
		var row T
		err = s.store.change(func(b *book) (err error) {
			row, err = k.make(b, me(r), in)
			return err
		})
		return k.answer(http.StatusCreated, row), err
	}
}

// putByKey makes the record with a key, or changes it: doing that twice is the same as once.
func (k shelf[T]) putByKey(s *Server) apiFunc {
	return func(r *http.Request) (answer, error) {
		in, err := parseBody(r)
		if err != nil {
			return answer{}, err
		}
		key, status := r.PathValue("key"), http.StatusOK
		var row T
		err = s.store.change(func(b *book) (err error) {
			old, exists := k.table(b).getByKey(key)
			if exists {
				row, err = k.edit(s, b, r, old, in)
			} else if err = fits(r, 0, nil); err == nil {
				status = http.StatusCreated
				row, err = k.make(b, me(r), in.with("external_key", key))
			}
			if err == nil && row.key() != key {
				err = invalid("external_key", "differs from the key in the path")
			}
			return err
		})
		return k.answer(status, row), err
	}
}

func (k shelf[T]) patch(s *Server) apiFunc {
	return func(r *http.Request) (answer, error) {
		in, err := parseBody(r)
		if err != nil {
			return answer{}, err
		}
		return k.change(s, r, in)
	}
}

// change edits the record in the path.
func (k shelf[T]) change(s *Server, r *http.Request, in body) (answer, error) {
	var row T
	err := s.store.change(func(b *book) (err error) {
		old, found := k.table(b).get(r.PathValue("id"))
		if !found {
			return notFound(k.noun)
		}
		row, err = k.edit(s, b, r, old, in)
		return err
	})
	return k.answer(http.StatusOK, row), err
}

func (k shelf[T]) make(b *book, who person, in body) (row T, err error) {
	at := now()
	*k.common(&row) = common{ID: k.table(b).nextID(k.prefix), CreatedBy: who.Agent, CreatedAt: at, UpdatedAt: at, Version: 1}
	if k.begin != nil {
		k.begin(&row, who)
	}
	f := k.fields(b)
	if err := f.apply(&row, in); err != nil {
		return row, err
	}
	if err := f.need(in); err != nil {
		return row, err
	}
	return k.put(b, row)
}

func (k shelf[T]) edit(s *Server, b *book, r *http.Request, old T, in body) (T, error) {
	was := k.common(&old)
	if err := s.mayEdit(r, k.noun, was.ID, was.CreatedBy.ID); err != nil {
		return old, err
	}
	if err := fits(r, was.Version, old); err != nil {
		return old, err
	}
	row := old
	if err := k.fields(b).apply(&row, in); err != nil || reflect.DeepEqual(old, row) {
		return row, err
	}
	is := k.common(&row)
	is.UpdatedAt, is.Version = now(), was.Version+1
	if deref(was.ContactID) != deref(is.ContactID) && was.ContactID != nil {
		b.leave(*was.ContactID)
	}
	return k.put(b, row)
}

func (k shelf[T]) put(b *book, row T) (T, error) {
	if old, taken := k.table(b).getByKey(row.key()); taken && old.ident() != row.ident() {
		return row, duplicate(old.ident())
	}
	if k.check != nil {
		if err := k.check(b, &row); err != nil {
			return row, err
		}
	}
	c := k.common(&row)
	if err := b.touch(c.ContactID, c.UpdatedAt); err != nil {
		return row, err
	}
	put(b, k.table(b), row)
	return row, nil
}

func (k shelf[T]) answer(status int, row T) answer {
	return versioned(status, row, k.common(&row).Version)
}

func (k shelf[T]) get(s *Server) apiFunc {
	return func(r *http.Request) (answer, error) {
		var row T
		var found bool
		s.store.read(func(b *book) { row, found = k.table(b).get(r.PathValue("id")) })
		if !found {
			return answer{}, notFound(k.noun)
		}
		return k.answer(http.StatusOK, row), nil
	}
}

// list filters by ?contact_id=, ?external_key=, ?fields.NAME= and what the kind has, newest first. A key is found once the index has it.
func (k shelf[T]) list(s *Server) apiFunc {
	return func(r *http.Request) (answer, error) {
		q, indexed := r.URL.Query(), s.indexed()
		var rows []T
		s.store.read(func(b *book) {
			rows = k.table(b).where(func(row T) bool {
				c := k.common(&row)
				return (!q.Has("contact_id") || isOf(c.ContactID, q.Get("contact_id"))) &&
					(!q.Has("external_key") || row.key() == q.Get("external_key") && !c.CreatedAt.After(indexed)) &&
					hasFields(q, c.Fields) && (k.match == nil || k.match(row, q))
			})
		})
		return k.newestFirst(r, rows)
	}
}

func (k shelf[T]) ofContact(s *Server) apiFunc {
	return func(r *http.Request) (answer, error) {
		rows, err := rowsOf(s, r, k.table, func(row T) *string { return k.common(&row).ContactID })
		if err != nil {
			return answer{}, err
		}
		if k.match != nil {
			rows = keep(rows, func(row T) bool { return k.match(row, r.URL.Query()) })
		}
		return k.newestFirst(r, rows)
	}
}

func (k shelf[T]) newestFirst(r *http.Request, rows []T) (answer, error) {
	newest(rows, func(row T) Stamp { return k.common(&row).CreatedAt })
	return paged(r, rows, defaultLimit)
}

func keep[T any](rows []T, match func(T) bool) (out []T) {
	for _, row := range rows {
		if match(row) {
			out = append(out, row)
		}
	}
	return out
}

// indexed is the moment up to which searches by key find what was made.
func (s *Server) indexed() time.Time {
	return time.Now().Add(-time.Duration(s.nature.get().SearchLagMS) * time.Millisecond)
}

// hasFields tells whether the custom fields are those that ?fields.NAME= asks for.
func hasFields(q url.Values, have map[string]any) bool {
	for param := range q {
		if name, asked := strings.CutPrefix(param, "fields."); asked && spell(have[name]) != q.Get(param) {
			return false
		}
	}
	return true
}
