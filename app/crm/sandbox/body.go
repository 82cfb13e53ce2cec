package sandbox

import (
	"bytes"
	"encoding/json"
	"maps"
	"mime"
	"net/http"
	"net/url"
)

// body is a write as it came: absent and null are different things in it.
type body struct {
	values map[string]json.RawMessage
	form   bool // values are texts: application/x-www-form-urlencoded
}

func parseBody(r *http.Request) (body, error) {
	raw, err := readBody(r)
	if err != nil {
		return body{}, err
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err == nil && kind == "application/x-www-form-urlencoded" {
		return parseForm(raw)
	}
	var b body
	if err := json.Unmarshal(raw, &b.values); err != nil || b.values == nil {
		return body{}, &problem{Status: http.StatusBadRequest, Code: "bad_json", Message: "the body must be one JSON object"}
	}
	return b, nil
}

// parseForm takes the first value of each name.
func parseForm(raw []byte) (body, error) {
	form, err := url.ParseQuery(string(raw))
	if err == nil && json.Valid(raw) && bytes.HasPrefix(bytes.TrimSpace(raw), []byte("{")) { // what curl -d sends
		return body{}, &problem{Status: http.StatusBadRequest, Code: "bad_form", Message: "the body is JSON and no form: send it as Content-Type: application/json"}
	}
	if err != nil {
		return body{}, &problem{Status: http.StatusBadRequest, Code: "bad_form", Message: "the body must be a form: name=value&name=value"}
	}
	b := body{values: map[string]json.RawMessage{}, form: true}
	for name, values := range form {
		b.values[name] = quoted(values[0])
	}
	return b, nil
}

// fromForm reads a form's text as a field of that kind wants it: numbers, lists and objects are JSON, an empty time is none.
func fromForm(raw json.RawMessage, kind string) json.RawMessage {
	var v string
	if kind == kindString || kind == kindEnum || kind == kindUser || json.Unmarshal(raw, &v) != nil {
		return raw
	}
	switch {
	case v == "":
		return json.RawMessage("null")
	case json.Valid([]byte(v)):
		return json.RawMessage(v)
	}
	return raw
}

func quoted(text string) json.RawMessage {
	b, err := json.Marshal(text)
	if err != nil { // a string always marshals; null makes the field's setter refuse
		return json.RawMessage("null")
	}
	return b
}

func (b body) need(names ...string) error {
	for _, name := range names {
		if _, present := b.values[name]; !present {
			return invalid(name, "is required")
		}
	}
	return nil
}

// with adds a text field unless the body has it.
func (b body) with(name, value string) body {
	if _, present := b.values[name]; present {
		return b
	}
	values := map[string]json.RawMessage{}
	maps.Copy(values, b.values)
	b.values = values
	b.values[name] = quoted(value)
	return b
}

// onlyHas tells whether the body has this field and no other.
func (b body) onlyHas(name string) bool {
	_, present := b.values[name]
	return present && len(b.values) == 1
}
