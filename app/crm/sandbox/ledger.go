package sandbox

// Entry is one write of a call record that was accepted, in the order in which they took effect.
type Entry struct {
	N         int     `json:"n"` // from 1
	Key       string  `json:"key"`
	ID        string  `json:"id"` // of the record
	ContactID *string `json:"contact_id"`
	Number    string  `json:"number"`
	Created   bool    `json:"created"` // a new record; false for an update, also for one that changed nothing
	StartedAt Stamp   `json:"started_at"`
	At        Stamp   `json:"at"`
}

// Ledger tells what became of the writes of call records since Start. Seeded records are not in it.
type Ledger struct {
	Writes     int     `json:"writes"`
	Keys       int     `json:"keys"`
	Creations  int     `json:"creations"`
	Duplicates int     `json:"duplicates"` // records more than keys
	Reordered  int     `json:"reordered"`  // first records of a key that came after one of the same customer whose call began later
	Entries    []Entry `json:"entries"`
}

// enter notes a write within store.change.
func (b *book) enter(c Call, created bool) {
	b.ledger = append(b.ledger, Entry{
		N: len(b.ledger) + 1, Key: c.ExternalKey, ID: c.ID, ContactID: c.ContactID, Number: c.Number, Created: created, StartedAt: c.StartedAt, At: now(),
	})
}

// Ledger returns the writes so far, summed up and one by one.
func (s *Server) Ledger() Ledger {
	l := Ledger{Entries: []Entry{}}
	s.store.read(func(b *book) { l.Entries = append(l.Entries, b.ledger...) })
	l.Writes = len(l.Entries)
	seen, latest := map[string]bool{}, map[string]Stamp{}
	for _, e := range l.Entries {
		first := !seen[e.Key]
		seen[e.Key] = true
		if !e.Created {
			continue
		}
		l.Creations++
		if !first {
			l.Duplicates++
			continue
		}
		lane := e.Number
		if e.ContactID != nil {
			lane = *e.ContactID
		}
		if before, ok := latest[lane]; ok && e.StartedAt.Before(before.Time) {
			l.Reordered++
			continue
		}
		latest[lane] = e.StartedAt
	}
	l.Keys = len(seen)
	return l
}
