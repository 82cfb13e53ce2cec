package crm

import (
	"fmt"

	"ringside.dev/ringside/app/cti"
)

func customer(row map[string]any) (cti.Customer, error) {
	c := cti.Customer{
		ID: clean(row["id"]), Type: clean(row["type"]), Name: clean(row["name"]), Company: clean(row["company"]), Email: clean(row["email"]),
		Numbers: cleanAll(row["phones"]), Tags: cleanAll(row["tags"]), Status: clean(row["status"]), Owner: clean(row["owner"]),
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
	t := cti.Ticket{ID: clean(row["id"]), Subject: clean(row["subject"]), Status: clean(row["status"]), Priority: clean(row["priority"])}
	var err error
	if t.UpdatedAt, err = timeOf(row["updated_at"]); err != nil {
		return t, fmt.Errorf("updated_at: %w", err)
	}
	return t, nil
}
