package sandbox

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	maxCustom = 100     // fields that can be added to one kind of record
	maxWhole  = 1 << 53 // beyond it JSON numbers are not exact
)

var (
	fieldName   = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)
	customKinds = []string{kindString, kindInt, kindFloat, kindBool, kindEnum, kindTime, kindList, kindUser}
)

// customField is a field that somebody added to a kind of record. Its values stand under "fields" there.
type customField struct {
	Object    string   `json:"object"`
	Name      string   `json:"name"`
	Type      string   `json:"type"`
	MaxLength int      `json:"max_length"` // characters of a string, or of each in a list
	Unique    bool     `json:"unique"`
	Values    []string `json:"values"` // of an enum
}

func (f customField) ident() string { return f.Object + "." + f.Name }
func (f customField) key() string   { return "" }

func (f customField) check() error {
	switch {
	case !fieldName.MatchString(f.Name):
		return invalid("name", "must be 1 to 40 small letters, digits and _, a letter first")
	case !slices.Contains(customKinds, f.Type):
		return invalid("type", "must be one of "+strings.Join(customKinds, ", "))
	case f.MaxLength < 1 || f.MaxLength > maxText:
		return invalid("max_length", fmt.Sprintf("must be 1 to %d", maxText))
	case (f.Type == kindEnum) != (len(f.Values) > 0):
		return invalid("values", "an enum needs values, others have none")
	case slices.ContainsFunc(f.Values, func(v string) bool { return strings.TrimSpace(v) == "" || f.tooLong(v) }):
		return invalid("values", "each needs 1 to max_length characters")
	case f.Unique && (f.Type == kindList || f.Type == kindBool):
		return invalid("unique", "a "+f.Type+" cannot be unique")
	}
	return nil
}

// customFields writes the object "fields" of a record: what it names is set, null or an empty text clears.
func customFields[T record](b *book, object string, rows *table[T], at func(*T) *map[string]any) field[T] {
	return field[T]{kind: kindObject, set: func(row *T, raw json.RawMessage) error {
		var in map[string]json.RawMessage
		if json.Unmarshal(raw, &in) != nil || in == nil {
			return fmt.Errorf("must be an object: {name: value}")
		}
		out := maps.Clone(*at(row))
		if out == nil {
			out = map[string]any{}
		}
		for _, name := range slices.Sorted(maps.Keys(in)) {
			f, known := b.custom.get(object + "." + name)
			if !known {
				return unknownField(name)
			}
			v, err := f.read(b, in[name])
			if err != nil {
				return err
			}
			if out[name] = v; v == nil {
				delete(out, name)
			}
			if f.Unique && v != nil {
				for _, other := range rows.rows {
					if other.ident() != (*row).ident() && (*at(&other))[name] == v {
						return &problem{Status: http.StatusConflict, Code: "duplicate", Message: "a record with this value exists", Field: name, ID: other.ident()}
					}
				}
			}
		}
		if *at(row) = out; len(out) == 0 {
			*at(row) = nil
		}
		return nil
	}}
}

// read checks a value; nil is none.
func (f customField) read(b *book, raw json.RawMessage) (any, error) {
	var v any
	if err := json.Unmarshal(raw, &v); err != nil || v == nil || v == "" {
		return nil, err
	}
	refuse := func(code, message string) (any, error) {
		return nil, &problem{Status: http.StatusUnprocessableEntity, Code: code, Message: message, Field: f.Name}
	}
	v, fit := f.typed(b, v)
	text, _ := v.(string)
	switch {
	case !fit && f.Type == kindUser:
		return refuse("unknown_value", "no such user")
	case !fit:
		return refuse("wrong_type", "must be of type "+f.Type)
	case f.Type == kindEnum && !slices.Contains(f.Values, text):
		return refuse("unknown_value", "must be one of "+strings.Join(f.Values, ", "))
	case f.tooLong(v):
		return refuse("too_long", fmt.Sprintf("must not be longer than %d characters", f.MaxLength))
	}
	return v, nil
}

// typed gives the value as it is kept, and whether it is of the field's type.
func (f customField) typed(b *book, v any) (any, bool) {
	text, isText := v.(string)
	number, isNumber := v.(float64)
	switch f.Type {
	case kindInt:
		return v, isNumber && number == math.Trunc(number) && math.Abs(number) <= maxWhole
	case kindFloat:
		return v, isNumber
	case kindBool:
		_, is := v.(bool)
		return v, is
	case kindTime:
		var at Stamp
		err := at.UnmarshalJSON(quoted(text))
		return at.Format(stampLayout), isText && err == nil
	case kindUser:
		who, known := b.user(text)
		return who.ID, known
	case kindList:
		return v, isListOfText(v)
	}
	return v, isText
}

func isListOfText(v any) bool {
	items, is := v.([]any)
	return is && len(items) <= maxTags && !slices.ContainsFunc(items, func(one any) bool { return reflect.TypeOf(one) != reflect.TypeFor[string]() })
}

func (f customField) tooLong(v any) bool {
	if items, is := v.([]any); is {
		return slices.ContainsFunc(items, f.tooLong)
	}
	text, is := v.(string)
	return is && utf8.RuneCountInString(text) > f.MaxLength
}

// spell writes a value as ?fields.NAME= asks for it.
func spell(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return fmt.Sprint(v)
}
