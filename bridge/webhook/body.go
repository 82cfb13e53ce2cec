package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// content tells how a body is written.
type content string

// The kinds of content. A request without a body has its event in the query.
const (
	jsonBody  content = "json"
	formBody  content = "form"
	queryBody content = "query"
)

// What one request may hold. A call centre's event is some hundred bytes; a list of them after an outage is still far below.
const (
	maxBody   = 256 << 10 // bytes
	maxEvents = 200       // in one request
	maxKeys   = 500       // form fields
)

var errBody = errors.New("the body is not what the vendor's file says")

// parse reads a body into a tree of map[string]any, []any and scalars.
func (c content) parse(raw []byte, query url.Values) (any, error) {
	switch c {
	case formBody:
		values, err := url.ParseQuery(string(raw))
		if err != nil {
			return nil, errBody // not err: it quotes the body
		}
		return flat(values)
	case queryBody:
		return flat(query)
	case jsonBody:
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var tree any
	if d.Decode(&tree) != nil {
		return nil, errBody
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errBody
	}
	return tree, nil
}

// erase gives a body without what stands at a path; nothing of one that cannot be read.
func (c content) erase(raw []byte, query url.Values, path []string) []byte {
	tree, err := c.parse(raw, query)
	if err != nil {
		return nil
	}
	last := len(path) - 1
	if holder, is := at(tree, path[:last]).(map[string]any); is {
		delete(holder, path[last])
	}
	if fields, is := tree.(map[string]any); is && c != jsonBody {
		values := url.Values{}
		for name, text := range fields {
			values.Set(name, scalar(text))
		}
		return []byte(values.Encode())
	}
	text, err := json.Marshal(tree)
	if err != nil {
		return nil // it was JSON: there is no such error
	}
	return text
}

func flat(values url.Values) (any, error) {
	if len(values) > maxKeys {
		return nil, errBody
	}
	tree := make(map[string]any, len(values))
	for name := range values {
		tree[name] = values.Get(name)
	}
	return tree, nil
}

// scalar writes a single value as text: "" for null, and for what is no single value.
func scalar(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		if v {
			return "true"
		}
		return "false"
	}
	return ""
}

// sortedFields is the form in which many recipes sign a body: its own fields, but the signature, as name=value in the order of names. Empty
// ones are left out.
func sortedFields(body any, without string) string {
	tree, ok := body.(map[string]any)
	if !ok {
		return ""
	}
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(tree)) {
		if text := scalar(tree[name]); name != without && text != "" {
			pairs = append(pairs, name+"="+text)
		}
	}
	return strings.Join(pairs, "&")
}

// eventsIn gives the events of a body: the members of the list at a path, or what stands there alone.
func eventsIn(body any, path []string) ([]any, error) {
	tree := at(body, path)
	if list, is := tree.([]any); is {
		if len(list) > maxEvents {
			return nil, errBody
		}
		return list, nil
	}
	if tree == nil {
		return nil, nil
	}
	return []any{tree}, nil
}
