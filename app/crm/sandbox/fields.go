package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
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

// Kinds of fields. kindObject is not told of in /api/fields: what is in it is.
const (
	kindString = "string"
	kindInt    = "int"
	kindFloat  = "float"
	kindBool   = "bool"
	kindEnum   = "enum"
	kindTime   = "time"
	kindList   = "list"
	kindUser   = "user"
	kindObject = "object"
)

// field is a writable field of a record: how it is written, and what /api/fields says of it.
type field[T any] struct {
	set      setter[T]
	kind     string
	length   int // of a text, in characters; 0: not told
	values   []string
	required bool
	unique   bool
}

func (f field[T]) needed() field[T] { f.required = true; return f }
func (f field[T]) only() field[T]   { f.unique = true; return f }

// fields are the writable fields of a record. What is not among them is refused.
type fields[T any] map[string]field[T]

// apply writes the fields present in b into row, in order of their names so that the same body fails the same way.
func (f fields[T]) apply(row *T, b body) error {
	for _, name := range slices.Sorted(maps.Keys(b.values)) {
		to, known := f[name]
		if !known {
			return unknownField(name)
		}
		raw := b.values[name]
		if b.form {
			raw = fromForm(raw, to.kind)
		}
		err := to.set(row, raw)
		if p, told := errors.AsType[*problem](err); told {
			return p
		}
		if err != nil {
			return invalid(name, err.Error())
		}
	}
	return nil
}

// need refuses a body without what a new record must have.
func (f fields[T]) need(b body) error {
	for _, name := range slices.Sorted(maps.Keys(f)) {
		if f[name].required {
			if err := b.need(name); err != nil {
				return err
			}
		}
	}
	return nil
}

func unknownField(name string) *problem {
	return &problem{Status: http.StatusUnprocessableEntity, Code: "unknown_field", Message: "unknown or read-only field", Field: name}
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

func text[T any](at func(*T) *string, longest int) field[T] {
	return field[T]{kind: kindString, length: longest, set: func(row *T, raw json.RawMessage) (err error) {
		*at(row), err = readText(raw, longest)
		return err
	}}
}

// filled is a text that must not be blank.
func filled[T any](at func(*T) *string) field[T] {
	return field[T]{kind: kindString, length: maxLine, set: func(row *T, raw json.RawMessage) error {
		v, err := readText(raw, maxLine)
		if err == nil && strings.TrimSpace(v) == "" {
			err = fmt.Errorf("must not be empty")
		}
		*at(row) = v
		return err
	}}
}

// optional is a text that null clears.
func optional[T any](at func(*T) **string, longest int) field[T] {
	return field[T]{kind: kindString, length: longest, set: func(row *T, raw json.RawMessage) error {
		if isNull(raw) {
			*at(row) = nil
			return nil
		}
		v, err := readText(raw, longest)
		*at(row) = &v
		return err
	}}
}

// reference is the id of another record; null or an empty text is none.
func reference[T any](at func(*T) **string) field[T] {
	set := optional(at, maxLine).set
	return field[T]{kind: kindString, length: maxLine, set: func(row *T, raw json.RawMessage) error {
		err := set(row, raw)
		if deref(*at(row)) == "" {
			*at(row) = nil
		}
		return err
	}}
}

func choice[T any](at func(*T) *string, values ...string) field[T] {
	return field[T]{kind: kindEnum, values: values, set: func(row *T, raw json.RawMessage) error {
		v, err := readText(raw, maxLine)
		if err != nil || !slices.Contains(values, v) {
			return fmt.Errorf("must be one of %s", strings.Join(values, ", "))
		}
		*at(row) = v
		return nil
	}}
}

// maybe is a choice that null or an empty text clears.
func maybe[T any](at func(*T) *string, values ...string) field[T] {
	f := choice(at, values...)
	set := f.set
	f.set = func(row *T, raw json.RawMessage) error {
		if isNull(raw) || string(raw) == `""` {
			*at(row) = ""
			return nil
		}
		return set(row, raw)
	}
	return f
}

// userField is the id or e-mail of a user; null or an empty text is nobody.
func userField[T any](b *book, at func(*T) **owner) field[T] {
	return field[T]{kind: kindUser, set: func(row *T, raw json.RawMessage) error {
		if isNull(raw) || string(raw) == `""` {
			*at(row) = nil
			return nil
		}
		name, err := readText(raw, maxLine)
		who, found := b.user(name)
		if err != nil || !found {
			return fmt.Errorf("no such user")
		}
		one := who.owner()
		*at(row) = &one
		return nil
	}}
}

func moment[T any](at func(*T) *Stamp) field[T] {
	return field[T]{kind: kindTime, set: func(row *T, raw json.RawMessage) error {
		if isNull(raw) || json.Unmarshal(raw, at(row)) != nil {
			return fmt.Errorf("must be an RFC 3339 time")
		}
		return nil
	}}
}

func optMoment[T any](at func(*T) **Stamp) field[T] {
	return field[T]{kind: kindTime, set: func(row *T, raw json.RawMessage) error {
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
	}}
}

// millis is a duration: whole milliseconds, never negative.
func millis[T any](at func(*T) *int64) field[T] {
	return field[T]{kind: kindInt, set: func(row *T, raw json.RawMessage) error {
		var v int64
		if isNull(raw) || json.Unmarshal(raw, &v) != nil {
			return fmt.Errorf("must be a whole number of milliseconds")
		}
		if v < 0 {
			return fmt.Errorf("must not be negative")
		}
		*at(row) = v
		return nil
	}}
}

func flag[T any](at func(*T) *bool) field[T] {
	return field[T]{kind: kindBool, set: func(row *T, raw json.RawMessage) error {
		if isNull(raw) || json.Unmarshal(raw, at(row)) != nil {
			return fmt.Errorf("must be true or false")
		}
		return nil
	}}
}
