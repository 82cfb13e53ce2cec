package sandbox

// task is something an agent still has to do for a contact.
type task struct {
	common

	Subject string `json:"subject"`
	Body    string `json:"body"`
	DueAt   *Stamp `json:"due_at"`
	Done    bool   `json:"done"`
	Owner   *owner `json:"owner"`
	// Title is what Subject was called: only in older state files.
	Title string `json:"title,omitempty"`
}

var tasks = shelf[task]{
	noun: "task", prefix: "task",
	table:  func(b *book) *table[task] { return &b.tasks },
	fields: taskFields,
	common: func(t *task) *common { return &t.common },
	begin: func(t *task, who person) {
		mine := who.owner()
		t.Owner = &mine
	},
}

func taskFields(b *book) fields[task] {
	return fields[task]{
		"external_key": optional(func(t *task) **string { return &t.ExternalKey }, maxLine).only(),
		"contact_id":   reference(func(t *task) **string { return &t.ContactID }),
		"subject":      filled(func(t *task) *string { return &t.Subject }).needed(),
		"body":         text(func(t *task) *string { return &t.Body }, maxText),
		"due_at":       optMoment(func(t *task) **Stamp { return &t.DueAt }),
		"done":         flag(func(t *task) *bool { return &t.Done }),
		"owner":        userField(b, func(t *task) **owner { return &t.Owner }),
		"fields":       customFields(b, "task", &b.tasks, func(t *task) *map[string]any { return &t.Fields }),
	}
}
