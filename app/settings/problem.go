package settings

import (
	"cmp"
	"fmt"
	"strings"

	"ringside.dev/ringside/app/cti"
)

// Problem is one thing that is wrong with a profile: where, what, and what to write instead. It never quotes a parameter's value,
// which may be a secret. Line and Column count from 1; zero means the file as a whole.
type Problem struct {
	File         string
	Line, Column int
	Kind         cti.Kind
	En, Zh       string
}

// Problems are all that is wrong, in the order of the file; never empty where Load returns them.
type Problems []Problem

// Error gives one line for each problem, in English.
func (ps Problems) Error() string { return ps.In("en") }

// In gives one line for each problem in a language: zh and its variants, else English.
func (ps Problems) In(lang string) string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		text := p.En
		if chinese(lang) {
			text = p.Zh
		}
		lines[i] = p.place() + ": " + text
	}
	return strings.Join(lines, "\n")
}

// Unwrap makes Problems a cti.Error for errors.As and cti.KindOf.
func (ps Problems) Unwrap() error {
	if len(ps) == 0 {
		return nil
	}
	return cti.Errorf(ps[0].Kind, ps.Error(), nil)
}

func (p Problem) place() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

func byPlace(a, b Problem) int {
	return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
}

func chinese(lang string) bool { return strings.HasPrefix(strings.ToLower(lang), "zh") }

// wording is one sentence in both languages.
type wording struct{ en, zh string }

// say writes a sentence in both languages. Both formats take the same arguments, by index where one leaves some out.
func say(en, zh string, args ...any) *wording {
	return &wording{fmt.Sprintf(en, args...), fmt.Sprintf(zh, args...)}
}
