package crm

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"ringside.dev/ringside/app/cti"
)

// write gives the fields of the CRM that an operation sets besides its own, each converted.
func (m *mapping) write(op string, input vars) (map[string]any, error) {
	out := map[string]any{}
	if m == nil {
		return out, nil
	}
	for object, ops := range mappedOps {
		if !slices.Contains(ops, op) {
			continue
		}
		for i := range m.objects[object] {
			f := &m.objects[object][i]
			if f.Direction == fromCRM || f.once && op != ops[0] {
				continue
			}
			if err := f.put(out, input, object != "call" && op != ops[0]); err != nil {
				return nil, fmt.Errorf("%s:%d: field %s: %w", f.file, f.where.line, f.Field, err)
			}
		}
	}
	return out, nil
}

// errUnworkable stands for what an expression says when it fails: that quotes the values, such as an agent's note.
var errUnworkable = errors.New("its expression does not work for this record, where a value is missing or is of another kind: guard it with when, or with ??")

// put works out one field. Its error holds nothing of the customer. A change says only what changes: what it has no value for stays as it is.
func (f *mapped) put(out map[string]any, input vars, change bool) error {
	if f.when != nil {
		wanted, err := f.when.value(input)
		if err != nil {
			return errUnworkable
		}
		if wanted != true {
			return nil
		}
	}
	value, err := f.from.value(input)
	if err != nil {
		return errUnworkable
	}
	value, err = f.toCRM(value)
	if err != nil {
		return err
	}
	switch {
	case value != nil:
		out[f.Field] = value
	case change:
	case f.usual != nil:
		out[f.Field] = f.usual
	case f.Required:
		return fmt.Errorf("the mapping requires a value and there is none")
	case f.Empty == emptyClear:
		out[f.Field] = nil
	}
	return nil
}

// toCRM converts a canonical value; nil is none.
func (f *mapped) toCRM(v any) (any, error) {
	text := strings.TrimSpace(textOf(v))
	if text == "" || text == "[]" {
		return nil, nil
	}
	switch f.Type {
	case typeNumber, typeInt:
		return f.number(text)
	case typeBool:
		return truth(text)
	case typeEnum, typeUser:
		return f.choice(text)
	case typeTime:
		return f.time(v)
	case typeDuration:
		return f.duration(text)
	case typeList:
		return f.list(v), nil
	}
	if list, ok := v.([]any); ok {
		text = strings.Join(texts(list), ", ")
	}
	return f.cut(text), nil
}

// cut keeps to the field's length, and shows that something is missing.
func (f *mapped) cut(text string) string {
	if f.Max == 0 || utf8.RuneCountInString(text) <= f.Max {
		return text
	}
	return string([]rune(text)[:f.Max-1]) + "…"
}

func (f *mapped) number(text string) (any, error) {
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
		return nil, fmt.Errorf("the value is not a number")
	}
	if f.Type != typeNumber && math.Abs(n) > 1<<53 {
		return nil, fmt.Errorf("the value is too large for a whole number")
	}
	if f.Type != typeNumber {
		return int(math.Round(n)), nil
	}
	return n, nil
}

// truths are the words for yes and no in the languages of the sites.
var truths = map[string]bool{"true": true, "yes": true, "y": true, "1": true, "是": true, "false": false, "no": false, "n": false, "0": false, "否": false}

func truth(text string) (any, error) {
	yes, known := truths[strings.ToLower(text)]
	if !known {
		return nil, fmt.Errorf("the value is neither yes nor no")
	}
	return yes, nil
}

// choice looks a value up in the table. A user who is not there goes as they are; of an enum that is an error, else the CRM would take a wrong word.
func (f *mapped) choice(text string) (any, error) {
	for ours, theirs := range f.Values {
		if strings.EqualFold(ours, text) {
			return theirs, nil
		}
	}
	switch {
	case f.Type == typeUser:
		return text, nil
	case f.Default != "":
		return f.Default, nil
	}
	return nil, fmt.Errorf("values has no word for it: add it there, or write default")
}

// instead is default as the CRM takes it: in its own words and units.
func (f *mapped) instead() (any, error) {
	switch {
	case f.Default == "":
		return nil, nil
	case f.Type == typeNumber || f.Type == typeInt || f.Type == typeDuration:
		return f.number(f.Default)
	case f.Type == typeBool:
		return truth(f.Default)
	case f.Type == typeList:
		return f.list(f.Default), nil
	}
	return f.Default, nil
}

func (f *mapped) time(v any) (any, error) {
	at, err := timeOf(v)
	if err != nil {
		return nil, err
	}
	at = at.In(f.zone)
	switch f.Format {
	case "unix":
		return int(at.Unix()), nil
	case "unix_ms":
		return int(at.UnixMilli()), nil
	case "date":
		return at.Format(time.DateOnly), nil
	case "datetime":
		return at.Format(time.DateTime), nil
	}
	return at.Format(time.RFC3339), nil
}

func (f *mapped) duration(text string) (any, error) {
	ms, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return nil, fmt.Errorf("the value is not a number of milliseconds")
	}
	return int(math.Round(ms * float64(time.Millisecond) / float64(units[f.Unit]))), nil
}

func (f *mapped) list(v any) any {
	all := texts(v)
	if text, ok := v.(string); ok {
		all = texts(anyOf(strings.Split(text, ",")))
	}
	for i := range all {
		all[i] = f.cut(all[i])
	}
	if f.Separator != "" {
		return strings.Join(all, f.Separator)
	}
	return anyOf(all)
}

// read takes what the site maps out of a customer of the CRM.
func (m *mapping) read(c *cti.Customer, fields any) {
	row, ok := fields.(map[string]any)
	if m == nil || !ok {
		return
	}
	for i := range m.objects["customer"] {
		f := &m.objects["customer"][i]
		if f.Direction == toCRM {
			continue
		}
		if text := f.ours(row[f.Field]); text != "" {
			f.keep(c, text)
		}
	}
}

// ours writes a value of the CRM as the site says it.
func (f *mapped) ours(v any) string {
	text := strings.Join(texts(v), ", ")
	for _, ours := range sortedKeys(f.Values) {
		if f.Values[ours] == text && text != "" {
			return ours
		}
	}
	if f.Type == typeTime {
		if at, err := f.timeThere(v); err == nil && !at.IsZero() {
			return at.Format(map[bool]string{true: time.DateOnly, false: "2006-01-02 15:04"}[f.Format == "date"])
		}
	}
	return cti.Clean(text, cti.MaxText)
}

// timeThere reads a time of the CRM as time writes it: a time of day is of the zone, a date is the same day everywhere.
func (f *mapped) timeThere(v any) (time.Time, error) {
	switch f.Format {
	case "unix", "unix_ms":
		n, err := wholeOf(v)
		if err != nil || n == 0 {
			return time.Time{}, err
		}
		if f.Format == "unix" {
			n *= 1000
		}
		return time.UnixMilli(n).In(f.zone), nil
	case "datetime":
		if at, err := time.ParseInLocation(time.DateTime, given(v), f.zone); err == nil {
			return at, nil
		}
	}
	at, err := timeOf(v)
	if f.Format == "date" || at.IsZero() {
		return at, err
	}
	return at.In(f.zone), err
}

func (f *mapped) keep(c *cti.Customer, text string) {
	if name, isData := strings.CutPrefix(f.From, dataPrefix); isData {
		if c.Data == nil {
			c.Data = map[string]string{}
		}
		c.Data[name] = text
		return
	}
	into := map[string]*string{"customer.name": &c.Name, "customer.company": &c.Company, "customer.email": &c.Email, "customer.status": &c.Status,
		"customer.owner": &c.Owner, "customer.type": &c.Type}
	*into[f.From] = text
}
