package secret

import (
	"fmt"
	"io"
	"log/slog"
)

// mask is what every way of printing a Value shows.
const mask = "[secret]"

// Value carries a secret through the program without ending up in a log: only Reveal shows it. It hides behind a func, because
// fmt prints the fields of a struct that holds a Value in a private field without asking the Value. The zero value is empty.
type Value struct{ reveal func() string }

// NewValue wraps a secret.
func NewValue(secret string) Value { return Value{func() string { return secret }} }

// Reveal gives the secret itself.
func (v Value) Reveal() string {
	if v.reveal == nil {
		return ""
	}
	return v.reveal()
}

// String masks the secret.
func (v Value) String() string { return mask }

// Format masks the secret for every verb of fmt.
func (v Value) Format(s fmt.State, _ rune) {
	_, _ = io.WriteString(s, mask) // fmt.State has nowhere to report an error to
}

// LogValue masks the secret in slog.
func (v Value) LogValue() slog.Value { return slog.StringValue(mask) }

// MarshalText masks the secret in JSON, as a value and as a map's key, and in other text formats.
func (v Value) MarshalText() ([]byte, error) { return []byte(mask), nil }
