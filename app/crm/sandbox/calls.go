package sandbox

import (
	"encoding/json"
	"maps"
	"net/http"
	"reflect"
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
	// Recording is absent where there is none. Fields are the custom ones.
	Recording *Recording     `json:"recording,omitempty"`
	Fields    map[string]any `json:"fields,omitempty"`
	CreatedAt Stamp          `json:"created_at"`
	UpdatedAt Stamp          `json:"updated_at"`
	Revision  int            `json:"revision"` // 1 at creation; a write that changes nothing does not count
}

func (c Call) ident() string { return c.ID }
func (c Call) key() string   { return c.ExternalKey }

// MarshalJSON adds the revision as version, as other records call it.
func (c Call) MarshalJSON() ([]byte, error) {
	type plain Call
	return json.Marshal(struct {
		plain

		Version int `json:"version"`
	}{plain(c), c.Revision})
}

// Agent is a person who works in the CRM.
type Agent struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Email string `json:"email"`
}

func callFields(b *book) fields[Call] {
	return fields[Call]{
		"external_key": filled(func(c *Call) *string { return &c.ExternalKey }).needed().only(),
		"contact_id":   reference(func(c *Call) **string { return &c.ContactID }),
		"direction":    choice(func(c *Call) *string { return &c.Direction }, "in", "out").needed(),
		"number":       text(func(c *Call) *string { return &c.Number }, maxLine),
		"extension":    text(func(c *Call) *string { return &c.Extension }, maxLine),
		"started_at":   moment(func(c *Call) *Stamp { return &c.StartedAt }).needed(),
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
		"fields":  customFields(b, "call", &b.calls, func(c *Call) *map[string]any { return &c.Fields }),
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
	c.Recording, c.Fields = copyOf(c.Recording), maps.Clone(c.Fields)
	return c
}

func copyOf[T any](p *T) *T {
	if p == nil {
		return nil
	}
	v := *p
	return &v
}

func callAnswer(status int, c Call) answer { return versioned(status, c, c.Revision) }

func (s *Server) postCall(r *http.Request) (answer, error) {
	in, err := parseBody(r)
	if err != nil {
		return answer{}, err
	}
	var out Call
	err = s.store.change(func(b *book) error {
		if out, err = newCall(b, me(r), in); err != nil {
			return err
		}
		if old, taken := b.calls.getByKey(out.ExternalKey); taken && !s.nature.get().PlainPosts {
			return duplicate(old.ID)
		}
		return b.record(out, true)
	})
	return callAnswer(http.StatusCreated, out), err
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
		if exists {
			out, err = s.editCall(b, r, old, func(b *book, c *Call) error {
				if err := callFields(b).apply(c, in); err != nil || c.ExternalKey == key {
					return err
				}
				return invalid("external_key", "differs from the key in the path")
			})
			return err
		}
		if err := fits(r, 0, nil); err != nil {
			return err
		}
		status = http.StatusCreated
		if out, err = newCall(b, me(r), in.with("external_key", key)); err != nil {
			return err
		}
		if out.ExternalKey != key {
			return invalid("external_key", "differs from the key in the path")
		}
		return b.record(out, true)
	})
	return callAnswer(status, out), err
}

func (s *Server) patchCall(r *http.Request) (answer, error) {
	in, err := parseBody(r)
	if err != nil {
		return answer{}, err
	}
	return s.changeCall(r, func(b *book, c *Call) error {
		key := c.ExternalKey
		if err := callFields(b).apply(c, in); err != nil || c.ExternalKey == key {
			return err
		}
		return invalid("external_key", "cannot be changed")
	})
}

// changeCall edits the call in the path and answers it.
func (s *Server) changeCall(r *http.Request, edit func(*book, *Call) error) (answer, error) {
	var out Call
	err := s.store.change(func(b *book) error {
		old, found := b.calls.get(r.PathValue("id"))
		if !found {
			return notFound("call")
		}
		var err error
		out, err = s.editCall(b, r, old, edit)
		return err
	})
	return callAnswer(http.StatusOK, out), err
}

func (s *Server) editCall(b *book, r *http.Request, old Call, edit func(*book, *Call) error) (Call, error) {
	if err := s.mayEdit(r, "call", old.ID, old.Agent.ID); err != nil {
		return old, err
	}
	if err := fits(r, old.Revision, old); err != nil {
		return old, err
	}
	c := old
	if err := edit(b, &c); err != nil {
		return old, err
	}
	return b.amend(old, c)
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

func newCall(b *book, who person, in body) (Call, error) {
	f := callFields(b)
	if err := f.need(in); err != nil {
		return Call{}, err
	}
	at := now()
	c := Call{ID: b.calls.nextID("call"), Agent: who.Agent, CreatedAt: at, UpdatedAt: at, Revision: 1}
	err := f.apply(&c, in)
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
	return callAnswer(http.StatusOK, out), nil
}

func (s *Server) listCalls(r *http.Request) (answer, error) {
	q, indexed := r.URL.Query(), s.indexed()
	var out []Call
	s.store.read(func(b *book) {
		out = b.calls.where(func(c Call) bool {
			return (!q.Has("external_key") || c.ExternalKey == q.Get("external_key") && !c.CreatedAt.After(indexed)) &&
				(!q.Has("contact_id") || isOf(c.ContactID, q.Get("contact_id"))) && hasFields(q, c.Fields)
		})
	})
	newest(out, func(c Call) Stamp { return c.StartedAt })
	return paged(r, out, defaultLimit)
}

func (s *Server) callsOfContact(r *http.Request) (answer, error) {
	rows, err := rowsOf(s, r, func(b *book) *table[Call] { return &b.calls }, func(c Call) *string { return c.ContactID })
	if err != nil {
		return answer{}, err
	}
	newest(rows, func(c Call) Stamp { return c.StartedAt })
	return paged(r, rows, 5)
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
