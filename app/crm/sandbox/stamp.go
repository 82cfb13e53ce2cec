package sandbox

import (
	"encoding/json"
	"fmt"
	"time"
)

const stampLayout = "2006-01-02T15:04:05.000Z"

// Stamp is a moment in UTC, cut to milliseconds; in JSON always RFC 3339 with three decimals.
type Stamp struct{ time.Time }

func stamp(t time.Time) Stamp { return Stamp{t.UTC().Truncate(time.Millisecond)} }

func now() Stamp { return stamp(time.Now()) }

// MarshalJSON writes 2026-11-01T08:00:00.000Z.
func (s Stamp) MarshalJSON() ([]byte, error) { return json.Marshal(s.UTC().Format(stampLayout)) }

// UnmarshalJSON reads RFC 3339 with any offset and any number of decimals.
func (s *Stamp) UnmarshalJSON(b []byte) error {
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return err
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return fmt.Errorf("not an RFC 3339 time: %w", err)
	}
	*s = stamp(t)
	return nil
}

func later(a, b Stamp) Stamp {
	if b.After(a.Time) {
		return b
	}
	return a
}
