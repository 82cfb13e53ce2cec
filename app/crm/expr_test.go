package crm

import (
	"strings"
	"testing"
	"time"

	"github.com/expr-lang/expr/types"
	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"
)

// names is a scope such as an operation has.
var names = scope{
	"param": types.Map{"base_url": types.String, "ids": types.Array(types.String)},
	"input": shapes["log_call"].input, "item": types.Any, "res": resScope, "step": types.Map{}, "auth": types.Map{},
}

func values() vars {
	return vars{
		"param": vars{"base_url": "https://crm.example.com/v1", "ids": []any{"a", "b"}},
		"input": vars{"key": "k1", "contact": vars{"id": nil}, "phone": vars{"national": "2079460123"},
			"call": vars{"note": strings.Repeat("n", 16<<10), "ring_ms": 1200}},
		"item": map[string]any{"name": "Ada & Co", "phones": []any{map[string]any{"number": "1"}, map[string]any{"number": "2"}}, "n": 7},
		"res":  vars{"status": 200, "headers": map[string]string{"etag": "x"}, "json": map[string]any{}, "text": ""},
	}
}

func TestHostileExpressionsDoNotCompile(t *testing.T) {
	for name, source := range map[string]string{
		"range":                    `1..1000000000`,
		"range in an index":        `item.phones[len(1..9999999)]`,
		"reduce":                   `reduce(item.phones, #acc + 1, 0)`,
		"repeat":                   `repeat(input.call.note, 1000000)`,
		"the time of the attempt":  `now()`,
		"variables that double":    `let a = input.call.note + input.call.note; let b = a + a; b + b`,
		"computed pattern":         `input.call.note matches input.key`,
		"computed pattern, hidden": `input.call.note matches ("a" + input.key)`,
		"negated computed pattern": `input.call.note not matches input.key`,
		"three predicates deep":    `any(item.a, any(#.b, any(#.c, # == 1)))`,
		"too many nodes":           strings.Repeat("1+", 400) + "1",
		"too long":                 `"` + strings.Repeat("x", 3<<10) + `"`,
		"the whole environment":    `$env["param"]`,
		"unknown variable":         `secret`,
		"unknown parameter":        `param.tokn`,
		"unknown input":            `input.call.notes`,
		"unknown function":         `exec("rm -rf /")`,
		"method of a value":        `input.key.String()`,
		"text where a number is":   `input.call.ring_ms + "ms"`,
		"wrong argument":           `tail(input.call.ring_ms, 8)`,
		"unfinished":               `input.key +`,
		"empty":                    ``,
	} {
		t.Run(name, func(t *testing.T) {
			p := &problems{file: "x.yaml"}
			if p.compile(source, position{3, 5}, names) != nil && len(p.list) == 0 {
				t.Errorf("%.60s compiles", source)
			}
			for _, one := range p.list {
				if one.Line < 3 || one.What.En == "" || one.What.Zh == "" || one.Do.En == "" || one.Do.Zh == "" {
					t.Errorf("the problem is not complete: %+v", one)
				}
			}
		})
	}
}

func TestExpressionsThatGrowAreStoppedAtRunTime(t *testing.T) {
	for name, source := range map[string]string{
		"replace of every letter":   `replace(input.call.note, "n", input.call.note)`,
		"replace of nothing":        `replace(input.call.note, "", input.call.note)`,
		"join with a long glue":     `join(split(input.call.note, ""), input.call.note)`,
		"base64 of base64 of …":     strings.Repeat("toBase64(", 40) + "input.call.note" + strings.Repeat(")", 40),
		"json of json of …":         strings.Repeat("toJSON(", 60) + "input.call" + strings.Repeat(")", 60),
		"every pair of two letters": `len(map(split(input.call.note, ""), map(split(input.call.note, ""), #)))`,
	} {
		t.Run(name, func(t *testing.T) {
			p := &problems{file: "x.yaml"}
			code := p.compile(source, position{1, 1}, names)
			if code == nil {
				t.Fatalf("does not compile: %v", p.err())
			}
			begin := time.Now()
			if out, err := code.eval(values()); err == nil {
				t.Errorf("gives %.20v…, want an error", out)
			}
			if took := time.Since(begin); took > 5*time.Second {
				t.Errorf("took %s", took)
			}
		})
	}
}

func TestExpressionsDoWhatMappingsNeed(t *testing.T) {
	for source, want := range map[string]any{
		`tail(input.phone.national, 8)`:         "79460123",
		`tail("12", 8)`:                         "12",
		`digits("+44 (0)20")`:                   "44020",
		`urlquery("a b&c")`:                     "a+b%26c",
		`htmlesc(item.name)`:                    "Ada &amp; Co",
		`host(param.base_url)`:                  "crm.example.com",
		`map(item.phones, .number)`:             []any{"1", "2"},
		`filter([item.n, nil], # != nil)`:       []any{7},
		`item.missing?.deep?.er ?? "none"`:      "none",
		`input.call.ring_ms / 1000`:             1.2,
		`item.name matches "^Ada"`:              true,
		`res.headers["etag"]`:                   "x",
		`join(param.ids, ",")`:                  "a,b",
		`join(map(item.phones, .number))`:       "12",
		`toBase64("user" + ":" + "pw")`:         "dXNlcjpwdw==",
		`replace("a-b", "-", "")`:               "ab",
		`any(item.phones, any([1, 2], # == 2))`: true,
	} {
		p := &problems{file: "x.yaml"}
		code := p.compile(source, position{1, 1}, names)
		if code == nil {
			t.Errorf("%s does not compile: %v", source, p.err())
			continue
		}
		got, err := code.eval(values())
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", source, err, diff)
		}
	}
}

func TestStructuresKeepTypesDropNullAndMerge(t *testing.T) {
	var root yaml.Node
	if err := yaml.Load([]byte(`
defs: &kw {version: 1, id: 2}
body:
  <<: *kw
  id: 3
  whole: "${item.n}"
  list: ["${item.n}", "${nil}", 1.5, true, null, text]
  mixed: "n=${item.n}/${item.missing}"
  none: "${input.contact.id}"
  nothing: null
  literal: "$${item.n} costs 5$"
  braces: "${len(filter([1,2], {# != 2}))}"
  quoted: "${'}' + \"{\"}"
  block: |
    first ${item.n}
`), &root); err != nil {
		t.Fatal(err)
	}
	p := &problems{file: "x.yaml"}
	_, body := child(root.Content[0], "body")
	compiled := p.body(body, names)
	if err := p.err(); err != nil {
		t.Fatal(err)
	}
	got, err := compiled.value(values())
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"version": 1, "id": 3, "whole": 7, "list": []any{7, nil, 1.5, true, nil, "text"}, "mixed": "n=7/",
		"literal": "${item.n} costs 5$", "braces": 1, "quoted": "}{", "block": "first 7\n",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAliasesOfAliasesDoNotGrowABody(t *testing.T) {
	text := "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
	for i := 1; i < 6; i++ {
		prev := "*a" + string(rune('0'+i-1))
		text += "a" + string(rune('0'+i)) + ": &a" + string(rune('0'+i)) + " [" + strings.Repeat(prev+", ", 8) + prev + "]\n"
	}
	var root yaml.Node
	if err := yaml.Load([]byte(text), &root); err != nil {
		t.Fatal(err)
	}
	p := &problems{file: "x.yaml"}
	_, last := child(root.Content[0], "a5")
	if p.body(last, names) != nil || p.err() == nil {
		t.Error("the body was compiled")
	}
}

func TestAddressesEscapeWhatIsNotAParameter(t *testing.T) {
	for source, want := range map[string]string{
		`${param.base_url}/p/${item.name}?q=${item.name}`:   "https://crm.example.com/v1/p/Ada%20&%20Co?q=Ada+%26+Co",
		`${param.base_url}/?q=${urlquery(item.name)}`:       "https://crm.example.com/v1/?q=Ada+%26+Co",
		`https://crm.example.com/${param.ids[0]}/${item.n}`: "https://crm.example.com/a/7",
	} {
		p := &problems{file: "x.yaml"}
		got, err := p.scalar(&yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: source}, names).address(values())
		if err != nil || got != want {
			t.Errorf("%s gives %q, %v; want %q", source, got, err, want)
		}
	}
}
