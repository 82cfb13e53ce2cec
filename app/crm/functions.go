package crm

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"strings"

	"github.com/expr-lang/expr"

	"ringside.dev/ringside/app/number"
)

// maxGrown caps what one function may make of its arguments, bytes: nested, replace and join grow faster than any body needs.
const maxGrown = 1 << 20

// functions are the helpers an expression may call besides expr's own. Four of expr's own are replaced by capped ones.
func functions() []expr.Option {
	return []expr.Option{
		function("tail", func(a []any) (string, error) {
			n, ok := a[1].(int)
			digits := number.Digits(textOf(a[0]))
			if !ok || n < 0 {
				return "", fmt.Errorf("tail needs a number of digits")
			}
			return digits[max(0, len(digits)-n):], nil
		}, new(func(string, int) string)),
		function("digits", func(a []any) (string, error) { return number.Digits(textOf(a[0])), nil }, new(func(string) string)),
		function("urlquery", func(a []any) (string, error) { return url.QueryEscape(textOf(a[0])), nil }, new(func(string) string)),
		function("htmlesc", func(a []any) (string, error) { return html.EscapeString(textOf(a[0])), nil }, new(func(string) string)),
		function("host", func(a []any) (string, error) { return hostOf(textOf(a[0])) }, new(func(string) string)),
		function("replace", replace, new(func(string, string, string) string)),
		function("join", join, new(func([]any, string) string), new(func([]any) string), new(func([]string, string) string)),
		function("toJSON", toJSON, new(func(any) string)),
		function("toBase64", func(a []any) (string, error) {
			return base64.StdEncoding.EncodeToString([]byte(textOf(a[0]))), nil
		}, new(func(string) string)),
	}
}

func function(name string, f func([]any) (string, error), shapes ...any) expr.Option {
	return expr.Function(name, func(a ...any) (any, error) {
		out, err := f(a)
		if err == nil && len(out) > maxGrown {
			err = tooMuch(name)
		}
		if err != nil {
			return nil, err
		}
		return out, nil
	}, shapes...)
}

func tooMuch(name string) error {
	return fmt.Errorf("%s would give more than %d bytes", name, maxGrown)
}

func replace(a []any) (string, error) {
	s, old, with := textOf(a[0]), textOf(a[1]), textOf(a[2])
	if len(s)+strings.Count(s, old)*len(with) > maxGrown {
		return "", tooMuch("replace")
	}
	return strings.ReplaceAll(s, old, with), nil
}

func join(a []any) (string, error) {
	parts, glue, size := texts(a[0]), "", 0
	if len(a) > 1 {
		glue = textOf(a[1])
	}
	for _, part := range parts {
		if size += len(part) + len(glue); size > maxGrown {
			return "", tooMuch("join")
		}
	}
	return strings.Join(parts, glue), nil
}

func toJSON(a []any) (string, error) {
	b, err := json.Marshal(a[0])
	return string(b), err
}

// hostOf gives host:port of an http(s) address as the fence compares it.
func hostOf(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", fmt.Errorf("not a web address: it must start with https://")
	}
	return strings.ToLower(u.Host), nil
}
