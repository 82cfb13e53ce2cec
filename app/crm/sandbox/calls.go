package sandbox

import (
	"net/http"
	"reflect"
	"time"
)

// Call is one call record as the API shows it. Durations are milliseconds, moments UTC.
type Call struct {
	ID          string  `json:"id"`
	ExternalKey string  `json:"external_key"` // unique among calls
	ContactID   *string `json:"contact_id"`
	Agent       Agent   `json:"agent"`     // owner of the token that created the record
	Direction   string  `json:"direction"` // in, out
	Number      string  `json:"number"`
	Extension   string  `json:"extension"`
	StartedAt   Stamp   `json:"started_at"`
	AnsweredAt  *Stamp  `json:"answered_at"`
	EndedAt     *Stamp  `json:"ended_at"` // null while the call lasts
	RingMS      int64   `json:"ring_ms"`
	QueueMS     int64   `json:"queue_ms"`
	TalkMS      int64   `json:"talk_ms"`
	HoldMS      int64   `json:"hold_ms"`
	WrapMS      int64   `json:"wrap_ms"`
	Ending      string  `json:"ending"`  // how it ended technically; "" until told
	Cause       string  `json:"cause"`   // the phone system's own word for it
	Outcome     *string `json:"outcome"` // what came of it in business terms
	Note        *string `json:"note"`
	Case        string  `json:"case"`
	Leg         string  `json:"leg"`
	CreatedAt   Stamp   `json:"created_at"`
	UpdatedAt   Stamp   `json:"updated_at"`
	Revision    int     `json:"revision"` // 1 at creation; a write that changes nothing does not count
}

func (c Call) ident() string { return c.ID }
func (c Call) key() string   { return c.ExternalKey }

// Agent is a person who works in the CRM.
type Agent struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Email string `json:"email"`
}

func callFields() fields[Call] {
	return fields[Call]{
		"external_key": filled(func(c *Call) *string { return &c.ExternalKey }),
		"contact_id":   reference(func(c *Call) **string { return &c.ContactID }),
		"direction":    choice(func(c *Call) *string { return &c.Direction }, "in", "out"),
		"number":       text(func(c *Call) *string { return &c.Number }, maxLine),
		"extension":    text(func(c *Call) *string { return &c.Extension }, maxLine),
		"started_at":   moment(func(c *Call) *Stamp { return &c.StartedAt }),
		"answered_at":  optMoment(func(c *Call) **Stamp { return &c.AnsweredAt }),
		"ended_at":     optMoment(func(c *Call) **Stamp { return &c.EndedAt }),
		"ring_ms":      millis(func(c *Call) *int64 { return &c.RingMS }),
		"queue_ms":     millis(func(c *Call) *int64 { return &c.QueueMS }),
		"talk_ms":      millis(func(c *Call) *int64 { return &c.TalkMS }),
		"hold_ms":      millis(func(c *Call) *int64 { return &c.HoldMS }),
		"wrap_ms":      millis(func(c *Call) *int64 { return &c.WrapMS }),
		"ending": choice(func(c *Call) *string { return &c.Ending }, "answered", "missed", "rejected", "abandoned",
			"busy", "no_answer", "failed", "transferred", "answered_elsewhere"),
		"cause":   text(func(c *Call) *string { return &c.Cause }, maxLine),
		"outcome": optional(func(c *Call) **string { return &c.Outcome }, maxLine),
		"note":    optional(func(c *Call) **string { return &c.Note }, maxText),
		"case":    text(func(c *Call) *string { return &c.Case }, maxLine),
		"leg":     text(func(c *Call) *string { return &c.Leg }, maxLine),
	}
}

// Calls returns a copy of all call records in order of creation, seeded ones first.
func (s *Server) Calls() []Call {
	var out []Call
	s.store.read(func(b *book) {
		for _, c := range b.calls.rows {
			out = append(out, c.clone())
		}
	})
	return out
}

func (c Call) clone() Call {
	c.ContactID, c.Outcome, c.Note = copyOf(c.ContactID), copyOf(c.Outcome), copyOf(c.Note)
	c.AnsweredAt, c.EndedAt = copyOf(c.AnsweredAt), copyOf(c.EndedAt)
	return c
}

func copyOf[T any](p *T) *T {
	if p == nil {
		return nil
	}
	v := *p
	return &v
}

func (s *Server) postCall(r *http.Request) (answer, error) {
	in, err := parseBody(r)
	if err != nil {
		return answer{}, err
	}
	if err := in.need("external_key"); err != nil {
		return answer{}, err
	}
	var out Call
	err = s.store.change(func(b *book) error {
		c, err := s.newCall(b, in)
		if err != nil {
			return err
		}
		if old, taken := b.calls.getByKey(c.ExternalKey); taken && !s.nature.get().PlainPosts {
			return duplicate(old.ID)
		}
		out = c
		return b.record(c, true)
	})
	return created(out), err
}

// putCallByKey creates the call or merges into the one that has the key.
func (s *Server) putCallByKey(r *http.Request) (answer, error) {
	in, err := parseBody(r)
	if err != nil {
		return answer{}, err
	}
	key, status := r.PathValue("key"), http.StatusOK
	var out Call
	err = s.store.change(func(b *book) error {
		old, exists := b.calls.getByKey(key)
		c := old
		if !exists {
			status = http.StatusCreated
			c, err = s.newCall(b, in.with("external_key", key))
		} else {
			err = callFields().apply(&c, in)
		}
		if err != nil {
			return err
		}
		if c.ExternalKey != key {
			return invalid("external_key", "differs from the key in the path")
		}
		if exists {
			out, err = b.amend(old, c)
			return err
		}
		out = c
		return b.record(c, true)
	})
	return answer{status, out}, err
}

func (s *Server) patchCall(r *http.Request) (answer, error) {
	in, err := parseBody(r)
	if err != nil {
		return answer{}, err
	}
	var out Call
	err = s.store.change(func(b *book) error {
		old, found := b.calls.get(r.PathValue("id"))
		if !found {
			return notFound("call")
		}
		c := old
		if err := callFields().apply(&c, in); err != nil {
			return err
		}
		if c.ExternalKey != old.ExternalKey {
			return invalid("external_key", "cannot be changed")
		}
		out, err = b.amend(old, c)
		return err
	})
	return ok(out), err
}

// amend puts a changed call and enters the write in the ledger; one that changes nothing leaves the record alone.
func (b *book) amend(old, c Call) (Call, error) {
	if reflect.DeepEqual(old, c) {
		b.enter(c, false)
		return c, nil
	}
	c.Revision, c.UpdatedAt = old.Revision+1, now()
	return c, b.record(c, false)
}

// record puts a call and enters the write in the ledger.
func (b *book) record(c Call, created bool) error {
	if err := b.putCall(c); err != nil {
		return err
	}
	b.enter(c, created)
	b.undo = append(b.undo, func() { b.ledger = b.ledger[:len(b.ledger)-1] })
	return nil
}

func (s *Server) newCall(b *book, in body) (Call, error) {
	if err := in.need("direction", "started_at"); err != nil {
		return Call{}, err
	}
	at := now()
	c := Call{ID: b.calls.nextID("call"), Agent: s.agent, CreatedAt: at, UpdatedAt: at, Revision: 1}
	err := callFields().apply(&c, in)
	return c, err
}

// putCall checks what one field alone cannot tell, writes the call and marks the contact as active.
func (b *book) putCall(c Call) error {
	if c.EndedAt != nil && c.EndedAt.Before(c.StartedAt.Time) {
		return invalid("ended_at", "is before started_at")
	}
	if err := b.touch(c.ContactID, c.StartedAt); err != nil {
		return err
	}
	put(b, &b.calls, c)
	return nil
}

func (s *Server) getCall(r *http.Request) (answer, error) {
	var out Call
	var found bool
	s.store.read(func(b *book) { out, found = b.calls.get(r.PathValue("id")) })
	if !found {
		return answer{}, notFound("call")
	}
	return ok(out), nil
}

func (s *Server) listCalls(r *http.Request) (answer, error) {
	n, err := limit(r, defaultLimit)
	if err != nil {
		return answer{}, err
	}
	q := r.URL.Query()
	indexed := time.Now().Add(-time.Duration(s.nature.get().SearchLagMS) * time.Millisecond)
	var out []Call
	s.store.read(func(b *book) {
		out = b.calls.where(func(c Call) bool {
			return (!q.Has("external_key") || c.ExternalKey == q.Get("external_key") && !c.CreatedAt.After(indexed)) &&
				(!q.Has("contact_id") || isOf(c.ContactID, q.Get("contact_id")))
		})
	})
	newest(out, func(c Call) Stamp { return c.StartedAt })
	return items(first(out, n)), nil
}

func (s *Server) callsOfContact(r *http.Request) (answer, error) {
	n, err := limit(r, 5)
	if err != nil {
		return answer{}, err
	}
	rows, err := rowsOf(s, r, func(b *book) *table[Call] { return &b.calls }, func(c Call) *string { return c.ContactID })
	newest(rows, func(c Call) Stamp { return c.StartedAt })
	return items(first(rows, n)), err
}

func isOf(id *string, want string) bool { return id != nil && *id == want }

// rowsOf reads the rows of one table that belong to the contact in the path.
func rowsOf[T record](s *Server, r *http.Request, from func(*book) *table[T], owner func(T) *string) ([]T, error) {
	id := r.PathValue("id")
	var out []T
	err := error(notFound("contact"))
	s.store.read(func(b *book) {
		if _, found := b.contact(id); found {
			err = nil
			out = from(b).where(func(row T) bool { return isOf(owner(row), id) })
		}
	})
	return out, err
}
