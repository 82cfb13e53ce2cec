package sandbox

import "net/url"

// note is what somebody wrote down about a contact, or about one of its tickets.
type note struct {
	common

	TicketID *string `json:"ticket_id"`
	Text     string  `json:"text"`
	At       Stamp   `json:"at"` // what it is about; when it was written, if not told
}

var notes = shelf[note]{
	noun: "note", prefix: "n",
	table:  func(b *book) *table[note] { return &b.notes },
	fields: noteFields,
	common: func(n *note) *common { return &n.common },
	begin:  func(n *note, _ person) { n.At = n.CreatedAt },
	check:  (*book).checkNote,
	match:  func(n note, q url.Values) bool { return !q.Has("ticket_id") || isOf(n.TicketID, q.Get("ticket_id")) },
}

func noteFields(*book) fields[note] {
	return fields[note]{
		"external_key": optional(func(n *note) **string { return &n.ExternalKey }, maxLine).only(),
		"contact_id":   reference(func(n *note) **string { return &n.ContactID }),
		"ticket_id":    reference(func(n *note) **string { return &n.TicketID }),
		"text":         text(func(n *note) *string { return &n.Text }, maxText).needed(),
		"at":           moment(func(n *note) *Stamp { return &n.At }),
	}
}

// checkNote: a note is somebody's. With a ticket alone it is the ticket's contact's.
func (b *book) checkNote(n *note) error {
	if n.TicketID == nil {
		if n.ContactID == nil {
			return invalid("contact_id", "a note needs a contact_id or a ticket_id")
		}
		return nil
	}
	t, found := b.tickets.get(*n.TicketID)
	switch {
	case !found:
		return invalid("ticket_id", "no such ticket")
	case n.ContactID == nil:
		n.ContactID = t.ContactID
	case !isOf(t.ContactID, *n.ContactID):
		return invalid("ticket_id", "is not a ticket of that contact")
	}
	return nil
}
