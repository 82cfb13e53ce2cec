package crm

import (
	"maps"
	"os"
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
		"mapped":     {w.MappedNames, mappedOnly()},
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
	for name, fact := range allFacts() {
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
	for name := range allFacts() {
		if !slices.Contains(keys, name) {
			t.Errorf("keyFacts or mappingFacts has %s, which is no key", name)
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
		if !slices.ContainsFunc(allSections(), func(s section) bool { return s.of == at }) {
			t.Errorf("sections lacks %s", at.Name())
		}
		for field := range at.Fields() {
			walk(field.Type)
		}
	}
	walk(reflect.TypeFor[document]())
	walk(reflect.TypeFor[mappingDocument]())
	if len(seen) != len(allSections()) {
		t.Errorf("there are %d structs and %d sections", len(seen), len(allSections()))
	}
}

// allSections and allFacts are those of both kinds of files.
func allSections() []section { return slices.Concat(sections, mappingSections) }

func allFacts() map[string]keyFact {
	out := maps.Clone(keyFacts)
	maps.Copy(out, mappingFacts)
	return out
}

func sectionNames() []string {
	var out []string
	for _, s := range allSections() {
		out = append(out, s.name)
	}
	return out
}

func keyNames(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, s := range allSections() {
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

// mappedOnly are the names of mapping files that no operation has as input.
func mappedOnly() []string {
	names := map[string]bool{}
	for object := range mappedOps {
		for _, name := range CanonicalNames(object) {
			if _, input := inputNames()[name]; !input {
				names[name] = true
			}
		}
	}
	return sortedKeys(names)
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

// What the guide tells of expressions is what they do.
func TestExpressionsOfTheGuidesTraps(t *testing.T) {
	values := vars{
		"res":   vars{"status": 200, "headers": map[string]string{"location": "https://crm.example/people/17"}, "text": "", "json": []any{vars{"id": 1}}},
		"input": vars{"call": vars{"started_at": "2026-01-31T09:00:00.000Z", "note": "<b>"}, "contact": vars{"id": nil}},
		"item":  vars{"mobile": "1", "phone": false, "id": 17, "email": false},
	}
	names := scope{"res": resScope, "input": types.Map{"call": callScope, "contact": contactScope}, "item": types.Any}
	for source, want := range map[string]any{
		`type(res.json) == 'map' && res.json?.error != nil`: false,
		`replace(input.call.started_at[:19], 'T', ' ')`:     "2026-01-31 09:00:00",
		`last(split(res.headers.location, '/'))`:            "17",
		`[item.mobile, item.phone]`:                         []any{"1", false},
		`input.contact.id ?? ''`:                            "",
		`string(item.id)`:                                   "17",
		`item.email != false`:                               false,
		`htmlesc(input.call.note)`:                          "&lt;b&gt;",
	} {
		for _, page := range []string{"../../docs/connectors.md", "../../docs/connectors.zh-CN.md"} {
			if text, err := os.ReadFile(page); err != nil || !strings.Contains(string(text), source) {
				t.Errorf("%s does not hold %s (%v)", page, source, err)
			}
		}
		p := &problems{}
		code := p.compile(source, position{1, 1}, names)
		if code == nil {
			t.Errorf("%s: %v", source, p.err())
			continue
		}
		if got, err := code.eval(values); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s gives %v, %v; want %v", source, got, err, want)
		}
	}
	p := &problems{}
	if _, err := p.compile("res.json?.error", position{1, 1}, names).eval(values); err == nil {
		t.Error("?. on a list is no error any more: the guide calls it one")
	}
}
