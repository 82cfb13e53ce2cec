package sandbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	maxLine = 200   // characters of a name, number, key, …
	maxText = 20000 // characters of a note or body
)

// setter writes one field of a record from JSON; its error says what is wrong with the value.
type setter[T any] func(row *T, raw json.RawMessage) error

// fields are the writable fields of a record. What is not among them is refused.
type fields[T any] map[string]setter[T]

// body is a write as it came: absent and null are different things in it.
type body map[string]json.RawMessage

func parseBody(r *http.Request) (body, error) {
	raw, err := readBody(r)
	if err != nil {
		return nil, err
	}
	var b body
	if err := json.Unmarshal(raw, &b); err != nil || b == nil {
		return nil, &problem{Status: http.StatusBadRequest, Code: "bad_json", Message: "the body must be one JSON object"}
	}
	return b, nil
}

// apply writes the fields present in b into row, in order of their names so that the same body fails the same way.
func (f fields[T]) apply(row *T, b body) error {
	for _, name := range slices.Sorted(maps.Keys(b)) {
		set, known := f[name]
		if !known {
			return &problem{Status: http.StatusUnprocessableEntity, Code: "unknown_field", Message: "unknown or read-only field", Field: name}
		}
		if err := set(row, b[name]); err != nil {
			return invalid(name, err.Error())
		}
	}
	return nil
}

func (b body) need(names ...string) error {
	for _, name := range names {
		if _, present := b[name]; !present {
			return invalid(name, "is required")
		}
	}
	return nil
}

func isNull(raw json.RawMessage) bool { return bytes.Equal(bytes.TrimSpace(raw), []byte("null")) }

func readText(raw json.RawMessage, longest int) (string, error) {
	var v string
	if isNull(raw) || json.Unmarshal(raw, &v) != nil {
		return "", fmt.Errorf("must be a string")
	}
	if utf8.RuneCountInString(v) > longest {
		return "", fmt.Errorf("must not be longer than %d characters", longest)
	}
	return v, nil
}

func text[T any](at func(*T) *string, longest int) setter[T] {
	return func(row *T, raw json.RawMessage) (err error) {
		*at(row), err = readText(raw, longest)
		return err
	}
}

// filled is a text that must not be blank.
func filled[T any](at func(*T) *string) setter[T] {
	return func(row *T, raw json.RawMessage) error {
		v, err := readText(raw, maxLine)
		if err == nil && strings.TrimSpace(v) == "" {
			err = fmt.Errorf("must not be empty")
		}
		*at(row) = v
		return err
	}
}

// optional is a text that null clears.
func optional[T any](at func(*T) **string, longest int) setter[T] {
	return func(row *T, raw json.RawMessage) error {
		if isNull(raw) {
			*at(row) = nil
			return nil
		}
		v, err := readText(raw, longest)
		*at(row) = &v
		return err
	}
}

// reference is the id of another record; null or an empty text is none.
func reference[T any](at func(*T) **string) setter[T] {
	set := optional(at, maxLine)
	return func(row *T, raw json.RawMessage) error {
		err := set(row, raw)
		if deref(*at(row)) == "" {
			*at(row) = nil
		}
		return err
	}
}

func choice[T any](at func(*T) *string, values ...string) setter[T] {
	return func(row *T, raw json.RawMessage) error {
		v, err := readText(raw, maxLine)
		if err != nil || !slices.Contains(values, v) {
			return fmt.Errorf("must be one of %s", strings.Join(values, ", "))
		}
		*at(row) = v
		return nil
	}
}

func moment[T any](at func(*T) *Stamp) setter[T] {
	return func(row *T, raw json.RawMessage) error {
		if isNull(raw) || json.Unmarshal(raw, at(row)) != nil {
			return fmt.Errorf("must be an RFC 3339 time")
		}
		return nil
	}
}

func optMoment[T any](at func(*T) **Stamp) setter[T] {
	return func(row *T, raw json.RawMessage) error {
		if isNull(raw) {
			*at(row) = nil
			return nil
		}
		var v Stamp
		if json.Unmarshal(raw, &v) != nil {
			return fmt.Errorf("must be an RFC 3339 time or null")
		}
		*at(row) = &v
		return nil
	}
}

// millis is a duration: whole milliseconds, never negative.
func millis[T any](at func(*T) *int64) setter[T] {
	return func(row *T, raw json.RawMessage) error {
		var v int64
		if isNull(raw) || json.Unmarshal(raw, &v) != nil {
			return fmt.Errorf("must be a whole number of milliseconds")
		}
		if v < 0 {
			return fmt.Errorf("must not be negative")
		}
		*at(row) = v
		return nil
	}
}

func flag[T any](at func(*T) *bool) setter[T] {
	return func(row *T, raw json.RawMessage) error {
		if isNull(raw) || json.Unmarshal(raw, at(row)) != nil {
			return fmt.Errorf("must be true or false")
		}
		return nil
	}
}

// with adds a text field unless the body has it.
func (b body) with(name, value string) body {
	if _, present := b[name]; present {
		return b
	}
	out := maps.Clone(b)
	quoted, err := json.Marshal(value)
	if err != nil { // a string always marshals; null makes the field's setter refuse
		quoted = []byte("null")
	}
	out[name] = quoted
	return out
}
