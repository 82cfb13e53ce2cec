package sandbox

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
)

// change is a contact in the feed of changes: as it is now, or deleted.
type change struct {
	*contactView

	ID      string `json:"id"`
	Deleted bool   `json:"deleted,omitempty"`
}

// changes is a page of the feed. The next one begins at Cursor; More tells whether there is one yet.
type changes struct {
	Items  []change `json:"items"`
	Cursor string   `json:"cursor"`
	More   bool     `json:"more"`
}

// listChanges gives the contacts that were changed or deleted since a cursor, each once, the oldest change first. Without a cursor that is all
// there are.
func (s *Server) listChanges(r *http.Request) (answer, error) {
	n, err := limit(r, defaultLimit)
	if err != nil {
		return answer{}, err
	}
	since := int64(0)
	if text := r.URL.Query().Get("cursor"); text != "" {
		if since, err = strconv.ParseInt(text, 10, 64); err != nil || since < 0 {
			return answer{}, invalid("cursor", "is none of ours")
		}
	}
	return ok(s.changesSince(since, n)), nil
}

func (s *Server) changesSince(since int64, n int) changes {
	base := s.URL()
	page := changes{Items: []change{}, Cursor: strconv.FormatInt(since, 10)}
	s.store.read(func(b *book) {
		rows := b.contacts.where(func(c contact) bool { return c.Changed > since && (since > 0 || !c.Deleted) })
		slices.SortFunc(rows, func(x, y contact) int { return cmp.Compare(x.Changed, y.Changed) })
		page.More = len(rows) > n
		for _, c := range first(rows, n) {
			page.Cursor = strconv.FormatInt(c.Changed, 10)
			if c.Deleted {
				page.Items = append(page.Items, change{ID: c.ID, Deleted: true})
				continue
			}
			v := b.view(c, base)
			page.Items = append(page.Items, change{ID: c.ID, contactView: &v})
		}
	})
	return page
}

// deleteContact takes a contact out of sight. Its calls stay.
func (s *Server) deleteContact(r *http.Request) (answer, error) {
	return s.changeContact(r, func(_ *book, c *contact) error {
		c.Deleted, c.Fields = true, nil // a value that must be unique is free again
		return nil
	})
}

// contact gives a contact that was not deleted.
func (b *book) contact(id string) (contact, bool) {
	c, found := b.contacts.get(id)
	return c, found && !c.Deleted
}

// putContact writes a contact as the newest change.
func (b *book) putContact(c contact) {
	was := b.changed
	b.changed++
	c.Changed = b.changed
	put(b, &b.contacts, c)
	b.undo = append(b.undo, func() { b.changed = was })
}

// numberContacts gives contacts that were never changed their place in the feed.
func (b *book) numberContacts() {
	for _, c := range b.contacts.rows {
		b.changed = max(b.changed, c.Changed)
	}
	for i, c := range b.contacts.rows {
		if c.Changed == 0 {
			b.changed++
			b.contacts.rows[i].Changed = b.changed
		}
	}
}
