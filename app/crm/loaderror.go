package crm

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"ringside.dev/ringside/app/cti"
)

// Words is one sentence in both languages Ringside speaks, side by side where it is made.
type Words struct{ En, Zh string }

func words(en, zh string, args ...any) Words {
	return Words{En: fmt.Sprintf(en, args...), Zh: fmt.Sprintf(zh, args...)}
}

// Problem is one mistake in a connector file or in its parameters: where it is, what is wrong and what to write instead.
type Problem struct {
	File         string
	Line, Column int // from 1; 0 for a mistake outside the file, such as a missing parameter
	What, Do     Words
}

// In gives the problem in a language: 简体中文 for zh and zh-CN, English else.
func (p Problem) In(language string) string {
	what, do, stop := p.What.En, p.Do.En, ". "
	if strings.HasPrefix(language, "zh") {
		what, do, stop = p.What.Zh, p.Do.Zh, "。"
	}
	where := p.File
	if p.Line > 0 {
		where = fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
	}
	return where + ": " + what + stop + do
}

// LoadError tells everything that keeps a connector from loading. To cti.KindOf it is invalid.
type LoadError struct{ Problems []Problem }

func (e *LoadError) Error() string { return e.In("en") }

// In gives all problems in a language, one on each line.
func (e *LoadError) In(language string) string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.In(language)
	}
	return strings.Join(lines, "\n")
}

// As makes errors.As find a cti.Error in it.
func (e *LoadError) As(target any) bool {
	to, ok := target.(**cti.Error)
	if ok {
		*to = &cti.Error{Kind: cti.Invalid, Msg: e.Error()}
	}
	return ok
}

// position is a place in a file, counted from 1.
type position struct{ line, column int }

// problems collects what is wrong with one file.
type problems struct {
	file string
	list []Problem
}

func (p *problems) add(at position, what, do Words) {
	p.list = append(p.list, Problem{File: p.file, Line: at.line, Column: at.column, What: what, Do: do})
}

// err gives the problems in the order of the file, or nil.
func (p *problems) err() error {
	if len(p.list) == 0 {
		return nil
	}
	slices.SortStableFunc(p.list, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return &LoadError{Problems: slices.CompactFunc(p.list, func(a, b Problem) bool { return a == b })}
}
