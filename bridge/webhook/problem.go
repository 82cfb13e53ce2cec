package webhook

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"ringside.dev/ringside/app/cti"
)

// Problem is one mistake in a vendor's file: where it is, what is wrong, and what to write instead. Line and Column count from 1.
type Problem struct {
	File         string
	Line, Column int
	En, Zh       string
}

// LoadError is everything that keeps a vendor's file from loading, in the order of the file. To cti.KindOf it is invalid.
type LoadError struct{ Problems []Problem }

func (e *LoadError) Error() string { return e.In("en") }

// In gives one line for each problem: 简体中文 for zh and its variants, else English.
func (e *LoadError) In(language string) string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		text := p.En
		if strings.HasPrefix(strings.ToLower(language), "zh") {
			text = p.Zh
		}
		lines[i] = fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, text)
	}
	return strings.Join(lines, "\n")
}

// Unwrap makes the error a cti.Error for errors.As and cti.KindOf.
func (e *LoadError) Unwrap() error { return cti.Errorf(cti.Invalid, e.Error(), nil) }

func (e *LoadError) sorted() *LoadError {
	slices.SortStableFunc(e.Problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return e
}

// words is one sentence in both languages: what is wrong, and what to write.
type words struct{ en, zh string }

func say(en, zh string, args ...any) *words {
	return &words{fmt.Sprintf(en, args...), fmt.Sprintf(zh, args...)}
}
