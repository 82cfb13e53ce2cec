package sandbox

import (
	"net/http"
	"slices"
)

// ticket is a question or complaint that somebody works on.
type ticket struct {
	ID          string  `json:"id"`
	ExternalKey *string `json:"external_key"` // unique among tickets
	ContactID   *string `json:"contact_id"`
	Subject     string  `json:"subject"`
	Body        string  `json:"body"`
	Status      string  `json:"status"`   // open, pending, solved
	Priority    string  `json:"priority"` // low, normal, high, urgent
	CreatedBy   Agent   `json:"created_by"`
	CreatedAt   Stamp   `json:"created_at"`
	UpdatedAt   Stamp   `json:"updated_at"`
}

func (t ticket) ident() string { return t.ID }
func (t ticket) key() string   { return deref(t.ExternalKey) }

func deref(p *string) string {
	if p == nil {
		return ""
	}
	return *p
}

func ticketFields() fields[ticket] {
	return fields[ticket]{
		"external_key": optional(func(t *ticket) **string { return &t.ExternalKey }, maxLine),
		"contact_id":   optional(func(t *ticket) **string { return &t.ContactID }, maxLine),
		"subject":      filled(func(t *ticket) *string { return &t.Subject }),
		"body":         text(func(t *ticket) *string { return &t.Body }, maxText),
		"status":       choice(func(t *ticket) *string { return &t.Status }, "open", "pending", "solved"),
		"priority":     choice(func(t *ticket) *string { return &t.Priority }, "low", "normal", "high", "urgent"),
	}
}

func (s *Server) postTicket(r *http.Request) (answer, error) {
	in, err := parseBody(r)
	if err != nil {
		return answer{}, err
	}
	if err := in.need("subject"); err != nil {
		return answer{}, err
	}
	at := now()
	t := ticket{Status: "open", Priority: "normal", CreatedBy: s.agent, CreatedAt: at, UpdatedAt: at}
	err = s.store.change(func(b *book) error {
		t.ID = b.tickets.nextID("t")
		return b.putTicket(&t, in)
	})
	return created(t), err
}

func (s *Server) patchTicket(r *http.Request) (answer, error) {
	in, err := parseBody(r)
	if err != nil {
		return answer{}, err
	}
	var t ticket
	err = s.store.change(func(b *book) error {
		var found bool
		if t, found = b.tickets.get(r.PathValue("id")); !found {
			return notFound("ticket")
		}
		t.UpdatedAt = now()
		return b.putTicket(&t, in)
	})
	return ok(t), err
}

func (b *book) putTicket(t *ticket, in body) error {
	if err := ticketFields().apply(t, in); err != nil {
		return err
	}
	if old, taken := b.tickets.getByKey(t.key()); taken && old.ID != t.ID {
		return duplicate(old.ID)
	}
	if err := b.touch(t.ContactID, t.UpdatedAt); err != nil {
		return err
	}
	put(b, &b.tickets, *t)
	return nil
}

// touch marks a contact as active at that moment. It refuses an unknown one; nil is nobody.
func (b *book) touch(id *string, at Stamp) error {
	if id == nil {
		return nil
	}
	who, found := b.contact(*id)
	if !found {
		return invalid("contact_id", "no such contact")
	}
	who.LastActivityAt = later(who.LastActivityAt, at)
	b.putContact(who)
	return nil
}

func (s *Server) getTicket(r *http.Request) (answer, error) {
	var out ticket
	var found bool
	s.store.read(func(b *book) { out, found = b.tickets.get(r.PathValue("id")) })
	if !found {
		return answer{}, notFound("ticket")
	}
	return ok(out), nil
}

// listTickets filters by ?status=, ?contact_id= and ?external_key=, newest first.
func (s *Server) listTickets(r *http.Request) (answer, error) {
	n, err := limit(r, defaultLimit)
	if err != nil {
		return answer{}, err
	}
	q := r.URL.Query()
	var out []ticket
	s.store.read(func(b *book) {
		out = b.tickets.where(func(t ticket) bool {
			return (!q.Has("status") || t.Status == q.Get("status")) &&
				(!q.Has("contact_id") || isOf(t.ContactID, q.Get("contact_id"))) &&
				(!q.Has("external_key") || isOf(t.ExternalKey, q.Get("external_key")))
		})
	})
	newest(out, func(t ticket) Stamp { return t.CreatedAt })
	return items(first(out, n)), nil
}

func (s *Server) ticketsOfContact(r *http.Request) (answer, error) {
	n, err := limit(r, defaultLimit)
	if err != nil {
		return answer{}, err
	}
	q := r.URL.Query()
	rows, err := rowsOf(s, r, func(b *book) *table[ticket] { return &b.tickets }, func(t ticket) *string { return t.ContactID })
	if q.Has("status") {
		rows = slices.DeleteFunc(rows, func(t ticket) bool { return t.Status != q.Get("status") })
	}
	newest(rows, func(t ticket) Stamp { return t.CreatedAt })
	return items(first(rows, n)), err
}
