package crm

import (
	"fmt"

	"ringside.dev/ringside/app/cti"
)

// customer reads a row, with what the site maps besides.
func (e *Engine) customer(row map[string]any) (cti.Customer, error) {
	c, err := customer(row)
	if err == nil {
		e.site.mapping().read(&c, row["fields"])
	}
	return c, err
}

func customer(row map[string]any) (cti.Customer, error) {
	c := cti.Customer{
		ID: clean(row["id"]), Type: clean(row["type"]), Name: clean(row["name"]), Company: clean(row["company"]), Email: clean(row["email"]),
		Numbers: cleanAll(row["phones"]), Tags: cleanAll(row["tags"]), Status: clean(row["status"]), Owner: clean(row["owner"]), Version: clean(row["version"]),
	}
	tickets, err := wholeOf(row["open_tickets"])
	if err != nil {
		return c, fmt.Errorf("open_tickets: %w", err)
	}
	c.OpenTickets = int(tickets)
	if c.ID == "" {
		return c, fmt.Errorf("a customer came without an id")
	}
	if c.Type == "" {
		c.Type = "contact"
	}
	if c.LastActivityAt, err = timeOf(row["last_activity_at"]); err != nil {
		return c, fmt.Errorf("last_activity_at: %w", err)
	}
	return c, nil
}

func contact(row map[string]any) (cti.Contact, error) {
	c := cti.Contact{
		Direction: cti.Direction(clean(row["direction"])), Ending: clean(row["ending"]), Outcome: clean(row["outcome"]),
		Note: cleanNote(row["note"]), Agent: clean(row["agent"]),
	}
	var err error
	if c.At, err = timeOf(row["at"]); err != nil {
		return c, fmt.Errorf("at: %w", err)
	}
	if c.TalkMS, err = wholeOf(row["talk_ms"]); err != nil {
		return c, fmt.Errorf("talk_ms: %w", err)
	}
	return c, nil
}

func ticket(row map[string]any) (cti.Ticket, error) {
	t := cti.Ticket{ID: clean(row["id"]), Subject: clean(row["subject"]), Status: clean(row["status"]), Priority: clean(row["priority"]), Version: clean(row["version"])}
	var err error
	if t.UpdatedAt, err = timeOf(row["updated_at"]); err != nil {
		return t, fmt.Errorf("updated_at: %w", err)
	}
	return t, nil
}

func order(row map[string]any) (cti.Order, error) {
	o := cti.Order{ID: clean(row["id"]), Number: clean(row["number"]), Status: clean(row["status"]), Total: clean(row["total"]), Currency: clean(row["currency"])}
	var err error
	if o.At, err = timeOf(row["at"]); err != nil {
		return o, fmt.Errorf("at: %w", err)
	}
	return o, nil
}

func option(row map[string]any) (cti.Option, error) {
	return cti.Option{ID: clean(row["id"]), Name: clean(row["name"])}, nil
}

// Field is a field of a CRM's object, as the CRM itself describes it.
type Field struct {
	Name     string   `json:"name"`
	Type     string   `json:"type,omitempty"`   // string, int, float, bool, enum, time, list, user; another is the CRM's own word
	Length   int      `json:"length,omitempty"` // characters; 0: not told
	Required bool     `json:"required,omitempty"`
	ReadOnly bool     `json:"read_only,omitempty"`
	Unique   bool     `json:"unique,omitempty"`
	Values   []string `json:"values,omitempty"` // of enum
}

func fieldOf(row map[string]any) (Field, error) {
	f := Field{
		Name: clean(row["name"]), Type: clean(row["type"]), Required: row["required"] == true, Unique: row["unique"] == true,
		ReadOnly: row["writable"] == false, Values: cleanAll(row["values"]),
	}
	length, err := wholeOf(row["length"])
	if err != nil {
		return f, fmt.Errorf("length: %w", err)
	}
	f.Length = int(length)
	return f, nil
}
