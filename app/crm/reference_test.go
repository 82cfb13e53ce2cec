package crm

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/expr-lang/expr/types"
)

// Words without a key are as wrong as a key without words: somebody renamed one of them.
func TestEverythingInTheReferenceHasWordsInBothLanguages(t *testing.T) {
	w := referenceWords()
	for what, one := range map[string]struct {
		have map[string]Words
		want []string
	}{
		"sections":   {w.Sections, sectionNames()},
		"keys":       {w.Keys, keyNames(t)},
		"operations": {w.Operations, opNames()},
		"input":      {w.Input, slices.Collect(maps.Keys(inputNames()))},
		"results":    {w.Results, resultNames()},
		"variables":  {w.Variables, []string{"param", "input", "auth", "step", "res", "item", "found", "each", "page"}},
		"functions":  {w.Functions, functionNames()},
	} {
		for _, name := range one.want {
			if _, there := one.have[name]; !there {
				t.Errorf("reference.yaml: %s lacks %s", what, name)
			}
		}
		for name, words := range one.have {
			if !slices.Contains(one.want, name) {
				t.Errorf("reference.yaml: %s has %s, which is not there", what, name)
			}
			if words.En == "" || words.Zh == "" {
				t.Errorf("reference.yaml: %s %s lacks a language", what, name)
			}
			if strings.Contains(words.En+words.Zh, "|") {
				t.Errorf("reference.yaml: %s %s would break a table", what, name)
			}
		}
	}
}

func TestEveryValueWithWordsExistsAndItsNeighboursHaveThemToo(t *testing.T) {
	w := referenceWords()
	known := map[string]bool{}
	for name, fact := range keyFacts {
		values := slices.Concat(fact.values, fact.names)
		explained := 0
		for _, v := range values {
			known[name+"."+v] = true
			if w.Values[name+"."+v].En != "" && w.Values[name+"."+v].Zh != "" {
				explained++
			}
		}
		if explained != 0 && explained != len(values) {
			t.Errorf("reference.yaml: %d of the %d values of %s have words", explained, len(values), name)
		}
	}
	for name := range w.Values {
		if !known[name] {
			t.Errorf("reference.yaml: values has %s, which is not there", name)
		}
	}
}

func TestEveryFactIsAboutAKey(t *testing.T) {
	keys := keyNames(t)
	for name := range keyFacts {
		if !slices.Contains(keys, name) {
			t.Errorf("keyFacts has %s, which is no key", name)
		}
	}
	for name := range schemaRules {
		if !slices.Contains(sectionNames(), name) {
			t.Errorf("schemaRules has %s, which is no section", name)
		}
	}
}

func TestEveryStructOfTheSchemaIsASection(t *testing.T) {
	seen := map[reflect.Type]bool{}
	var walk func(reflect.Type)
	walk = func(at reflect.Type) {
		switch at.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map:
			walk(at.Elem())
			return
		case reflect.Struct:
		default:
			return
		}
		if seen[at] || at == nodeType {
			return
		}
		seen[at] = true
		if !slices.ContainsFunc(sections, func(s section) bool { return s.of == at }) {
			t.Errorf("sections lacks %s", at.Name())
		}
		for field := range at.Fields() {
			walk(field.Type)
		}
	}
	walk(reflect.TypeFor[document]())
	if len(seen) != len(sections) {
		t.Errorf("there are %d structs and %d sections", len(seen), len(sections))
	}
}

func sectionNames() []string {
	var out []string
	for _, s := range sections {
		out = append(out, s.name)
	}
	return out
}

func keyNames(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, s := range sections {
		for field := range s.of.Fields() {
			key := field.Tag.Get("yaml")
			if key == "" {
				t.Errorf("%s.%s has no key", s.name, field.Name)
			}
			out = append(out, s.name+"."+key)
		}
	}
	return out
}

func resultNames() []string {
	var out []string
	for kind, ops := range resultKinds() {
		for _, name := range resultFields(kind, ops) {
			out = append(out, kind+"."+name)
		}
	}
	return out
}

func functionNames() []string {
	own, _ := engineFunctions()
	return slices.Collect(maps.Keys(own))
}

// What the reference calls a list of text, or text or null, must be one.
func TestTypesOfTheInputHaveWords(t *testing.T) {
	r := &referencePage{text: referenceWords(), language: "en"}
	for _, one := range []struct {
		t    types.Type
		want string
	}{{types.String, "text"}, {types.Int, "whole number"}, {types.Bool, "true or false"}, {types.Any, "text or null"}, {types.Array(types.String), "list of text"}, {types.TypeOf(map[string]any{}), "map"}} {
		if got := r.exprType(one.t); got != one.want {
			t.Errorf("%s is called %s, want %s", one.t, got, one.want)
		}
	}
}
