package sandbox

import "net/http"

// task is something an agent still has to do for a contact.
type task struct {
	ID          string  `json:"id"`
	ExternalKey *string `json:"external_key"` // unique among tasks
	ContactID   *string `json:"contact_id"`
	Title       string  `json:"title"`
	DueAt       *Stamp  `json:"due_at"`
	Done        bool    `json:"done"`
	Owner       owner   `json:"owner"`
	CreatedAt   Stamp   `json:"created_at"`
	UpdatedAt   Stamp   `json:"updated_at"`
}

func (t task) ident() string { return t.ID }
func (t task) key() string   { return deref(t.ExternalKey) }

func taskFields() fields[task] {
	return fields[task]{
		"external_key": optional(func(t *task) **string { return &t.ExternalKey }, maxLine),
		"contact_id":   optional(func(t *task) **string { return &t.ContactID }, maxLine),
		"title":        filled(func(t *task) *string { return &t.Title }),
		"due_at":       optMoment(func(t *task) **Stamp { return &t.DueAt }),
		"done":         flag(func(t *task) *bool { return &t.Done }),
	}
}

func (s *Server) postTask(r *http.Request) (answer, error) {
	in, err := parseBody(r)
	if err != nil {
		return answer{}, err
	}
	if err := in.need("title"); err != nil {
		return answer{}, err
	}
	at := now()
	t := task{Owner: owner{s.agent.ID, s.agent.Name}, CreatedAt: at, UpdatedAt: at}
	err = s.store.change(func(b *book) error {
		t.ID = b.tasks.nextID("task")
		if err := taskFields().apply(&t, in); err != nil {
			return err
		}
		if old, taken := b.tasks.getByKey(t.key()); taken {
			return duplicate(old.ID)
		}
		if err := b.touch(t.ContactID, at); err != nil {
			return err
		}
		put(b, &b.tasks, t)
		return nil
	})
	return created(t), err
}

// listTasks filters by ?contact_id= and ?external_key=, newest first.
func (s *Server) listTasks(r *http.Request) (answer, error) {
	n, err := limit(r, defaultLimit)
	if err != nil {
		return answer{}, err
	}
	q := r.URL.Query()
	var out []task
	s.store.read(func(b *book) {
		out = b.tasks.where(func(t task) bool {
			return (!q.Has("contact_id") || isOf(t.ContactID, q.Get("contact_id"))) &&
				(!q.Has("external_key") || isOf(t.ExternalKey, q.Get("external_key")))
		})
	})
	newest(out, func(t task) Stamp { return t.CreatedAt })
	return items(first(out, n)), nil
}

func (s *Server) tasksOfContact(r *http.Request) (answer, error) {
	n, err := limit(r, defaultLimit)
	if err != nil {
		return answer{}, err
	}
	rows, err := rowsOf(s, r, func(b *book) *table[task] { return &b.tasks }, func(t task) *string { return t.ContactID })
	newest(rows, func(t task) Stamp { return t.CreatedAt })
	return items(first(rows, n)), err
}
