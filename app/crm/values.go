package crm

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"ringside.dev/ringside/app/cti"
)

// textOf writes a value of an expression as text; null is empty.
func textOf(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case int:
		return strconv.Itoa(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return fmt.Sprint(v)
}

// given writes a value from a CRM as text: some send false for an empty field.
func given(v any) string {
	if v == false {
		return ""
	}
	return textOf(v)
}

// texts gives the texts of a list; a single value is a list of one, empty ones are left out.
func texts(v any) []string {
	var out []string
	add := func(v any) {
		if s := strings.TrimSpace(given(v)); s != "" {
			out = append(out, s)
		}
	}
	switch v := v.(type) {
	case []any:
		for _, one := range v {
			add(one)
		}
	case []string:
		for _, one := range v {
			add(one)
		}
	default:
		add(v)
	}
	return out
}

// clean gives a value from a CRM fit to show.
func clean(v any) string { return cti.Clean(given(v), cti.MaxText) }

// cleanNote keeps line breaks apart as blanks: cti.Clean would join the words.
func cleanNote(v any) string {
	return cti.Clean(strings.Join(strings.Fields(given(v)), " "), cti.MaxNote)
}

func cleanAll(v any) []string {
	var out []string
	for _, s := range texts(v) {
		if s = cti.Clean(s, cti.MaxText); s != "" {
			out = append(out, s)
		}
	}
	return out
}

// timeForms are the spellings of a time seen in CRMs; without a zone it is UTC.
var timeForms = []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", time.DateOnly}

// timeOf reads a time; empty is the zero time.
func timeOf(v any) (time.Time, error) {
	s := given(v)
	if s == "" {
		return time.Time{}, nil
	}
	for _, form := range timeForms {
		if t, err := time.Parse(form, s); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, errors.New("not a time such as 2026-01-31T09:00:00Z")
}

func wholeOf(v any) (int64, error) {
	switch v := v.(type) {
	case nil:
		return 0, nil
	case int:
		return int64(v), nil
	case float64:
		return int64(v), nil
	case string:
		return strconv.ParseInt(v, 10, 64)
	}
	return 0, fmt.Errorf("not a whole number: %T", v)
}

// decodeJSON reads one JSON value. Whole numbers stay whole: an id of 17 digits must not become 1.2e+16.
func decodeJSON(body string) (any, error) {
	d := json.NewDecoder(strings.NewReader(body))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one JSON value")
	}
	return plainNumbers(v), nil
}

func plainNumbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := strconv.Atoi(v.String()); err == nil {
			return n
		}
		f, err := v.Float64()
		if err != nil { // 1e999: as text it is at least what the CRM said
			return v.String()
		}
		return f
	case map[string]any:
		for key, one := range v {
			v[key] = plainNumbers(one)
		}
	case []any:
		for i, one := range v {
			v[i] = plainNumbers(one)
		}
	}
	return v
}
