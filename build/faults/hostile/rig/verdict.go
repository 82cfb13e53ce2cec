package rig

import (
	"fmt"
	"strings"

	"ringside.dev/ringside/app/crm/sandbox"
	"ringside.dev/ringside/app/cti"
)

// Verdict is what became of a load.
type Verdict struct {
	Items, Lost, Duplicates, Reordered int
	Problems                           []string // the first ones
}

// String is the line that build/check adds up.
func (v Verdict) String() string {
	return fmt.Sprintf("fault run: %d items, %d lost, %d duplicates, %d reordered", v.Items, v.Lost, v.Duplicates, v.Reordered)
}

// Good tells whether everything arrived once and in order.
func (v Verdict) Good() bool { return v.Items > 0 && v.Lost+v.Duplicates+v.Reordered == 0 }

func (v *Verdict) problem(format string, args ...any) {
	if len(v.Problems) < 10 {
		v.Problems = append(v.Problems, fmt.Sprintf(format, args...))
	}
}

// Judge compares what the CRM has with what the agent accepted. Lost is a call without a record, or none of whose records is as it was accepted last.
// Duplicates are records more than one of a call, and records of nothing. Reordered are first records that came after one of a later
// call of the same customer.
func (l *Load) Judge(crm *sandbox.Server) Verdict {
	v := Verdict{Items: l.Accepted()}
	records := map[string][]sandbox.Call{}
	ledger := crm.Ledger()
	created := map[string]int{}
	for _, e := range ledger.Entries {
		if e.Created {
			created[e.Key]++
		}
	}
	for _, r := range crm.Calls() {
		if created[r.ExternalKey] > 0 { // not one of those that were there before
			records[r.Leg] = append(records[r.Leg], r)
		}
	}
	for _, c := range l.calls {
		key := cti.WriteKey(tenant, c.leg, cti.LogCall, 0)
		there := records[c.leg]
		delete(records, c.leg)
		if n := created[key]; n > 1 {
			v.Duplicates += n - 1
			v.problem("%s was created %d times", c.leg, n)
		}
		if len(there) == 0 {
			v.Lost++
			v.problem("%s has no record", c.leg)
			continue
		}
		var wrong string
		for _, r := range there {
			if wrong = c.differs(key, r); wrong == "" {
				break
			}
		}
		if wrong != "" {
			v.Lost++
			v.problem("%s: %s", c.leg, wrong)
		}
	}
	for leg, there := range records {
		v.Duplicates += len(there)
		v.problem("nobody knows the leg %s", leg)
	}
	if v.Reordered = ledger.Reordered; v.Reordered > 0 {
		v.problem("%d of %d records came after a later one of their customer", v.Reordered, ledger.Creations)
	}
	return v
}

// differs tells what of a record is not as the agent was told.
func (c *call) differs(key string, r sandbox.Call) string {
	ending := map[bool]string{true: "answered", false: "missed"}[c.answered]
	note, contact := text(r.Note), text(r.ContactID)
	switch {
	case r.ExternalKey != key:
		return "another key: " + r.ExternalKey
	case note != c.note && (c.maybe == "" || note != c.maybe):
		return fmt.Sprintf("the note is %.60q, want %.60q", note, c.note)
	case note != "" && text(r.Outcome) != outcome:
		return "the outcome is " + text(r.Outcome)
	case !strings.HasSuffix(r.Number, c.number):
		return "the number is " + r.Number
	case contact != c.contact:
		return fmt.Sprintf("the customer is %q, want %q", contact, c.contact)
	case r.Ending != ending && !c.cut || r.Direction != "in":
		return fmt.Sprintf("it is %s and %s", r.Direction, r.Ending)
	case !r.StartedAt.Equal(c.events[0].At):
		return fmt.Sprintf("it began %s, want %s", r.StartedAt, c.events[0].At)
	}
	return ""
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
