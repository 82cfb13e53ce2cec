package sandbox

import (
	"net/http"
	"net/url"
)

// ticket is a question or complaint that somebody works on.
type ticket struct {
	common

	Subject  string `json:"subject"`
	Body     string `json:"body"`
	Status   string `json:"status"`   // open, pending, solved
	Priority string `json:"priority"` // low, normal, high, urgent
	Queue    string `json:"queue"`    // one of the options, or ""
	Type     string `json:"type"`     // one of the options, or ""
	Owner    *owner `json:"owner"`    // who works on it, or nobody
}

var tickets = shelf[ticket]{
	noun: "ticket", prefix: "t",
	table:  func(b *book) *table[ticket] { return &b.tickets },
	fields: ticketFields,
	common: func(t *ticket) *common { return &t.common },
	begin:  func(t *ticket, _ person) { t.Status, t.Priority = "open", "normal" },
	match:  func(t ticket, q url.Values) bool { return !q.Has("status") || t.Status == q.Get("status") },
}

func ticketFields(b *book) fields[ticket] {
	return fields[ticket]{
		"external_key": optional(func(t *ticket) **string { return &t.ExternalKey }, maxLine).only(),
		"contact_id":   reference(func(t *ticket) **string { return &t.ContactID }),
		"subject":      filled(func(t *ticket) *string { return &t.Subject }).needed(),
		"body":         text(func(t *ticket) *string { return &t.Body }, maxText),
		"status":       choice(func(t *ticket) *string { return &t.Status }, idsOf("status")...),
		"priority":     choice(func(t *ticket) *string { return &t.Priority }, idsOf("priority")...),
		"queue":        maybe(func(t *ticket) *string { return &t.Queue }, idsOf("queue")...),
		"type":         maybe(func(t *ticket) *string { return &t.Type }, idsOf("type")...),
		"owner":        userField(b, func(t *ticket) **owner { return &t.Owner }),
		"fields":       customFields(b, "ticket", &b.tickets, func(t *ticket) *map[string]any { return &t.Fields }),
	}
}

// patchTicket needs the right to set a status where that is all it does.
func (s *Server) patchTicket(r *http.Request) (answer, error) {
	in, err := parseBody(r)
	if err != nil {
		return answer{}, err
	}
	right := "update_ticket"
	if in.onlyHas("status") {
		right = "set_status"
	}
	if err := s.permit(r, right); err != nil {
		return answer{}, err
	}
	return tickets.change(s, r, in)
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

// leave tells the feed of changes that something is no longer the contact's.
func (b *book) leave(id string) {
	if who, found := b.contact(id); found {
		b.putContact(who)
	}
}
