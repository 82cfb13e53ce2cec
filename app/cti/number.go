package cti

import "log/slog"

// Number is a telephone number in the three forms that are kept apart: Raw as received (never overwritten), E164 where it
// could be parsed, and Key, the national significant number that is compared. Withheld means there is none to look up.
type Number struct {
	Raw      string `json:"number"`
	E164     string `json:"e164,omitempty"`
	Key      string `json:"key,omitempty"`
	Withheld bool   `json:"withheld,omitempty"`
}

// Best is the form to show and to compare with when only one can be used: E.164, else raw.
func (n Number) Best() string {
	if n.E164 != "" {
		return n.E164
	}
	return n.Raw
}

// LogValue keeps numbers out of the logs: the last two digits help to tell calls apart, the rest is masked.
func (n Number) LogValue() slog.Value {
	s := n.Best()
	if n.Withheld || s == "" {
		return slog.StringValue("withheld")
	}
	if len(s) <= 4 {
		return slog.StringValue("***")
	}
	return slog.StringValue("***" + s[len(s)-2:])
}
