package crm

import (
	_ "embed"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/types"
	"go.yaml.in/yaml/v4"
)

// referenceFile holds the words of the reference and of the JSON Schema.
//
//go:embed reference.yaml
var referenceFile []byte

// referenceText are the words by name: section, section.key, section.key.value, operation, input, result.name, variable, function.
type referenceText struct {
	Sections, Keys, Values, Operations, Input, Results, Variables, Functions map[string]Words

	// MappedNames are those that only mapping files have.
	MappedNames map[string]Words `yaml:"mapped_names"`
}

func referenceWords() *referenceText {
	var w referenceText
	if err := yaml.Load(referenceFile, &w, yaml.WithKnownFields()); err != nil {
		panic(err) // the file is part of the program, and a test reads it
	}
	return &w
}

// In gives a sentence in a language: 简体中文 for zh and zh-CN, English else.
func (w Words) In(language string) string {
	if strings.HasPrefix(language, "zh") {
		return w.Zh
	}
	return w.En
}

// Reference gives the reference of connector files as Markdown, in 简体中文 for zh and zh-CN, else in English. It is made of the types a file is read
// into and of the tables the engine loads it by.
func Reference(language string) string {
	r := &referencePage{text: referenceWords(), language: language}
	r.line("# %s", r.say("Connector reference", "连接器参考"))
	r.line("%s", r.say(
		"[简体中文](connector-reference.zh-CN.md) · [index](README.md) · [write a connector](connectors.md)",
		"[English](connector-reference.md) · [目录](README.zh-CN.md) · [编写连接器](connectors.zh-CN.md)"))
	r.line("%s", r.say(
		"Every key of a connector file, schema `ringside.dev/v1`, every operation and all that expressions may name. This page is made of the code; `ringctl crm schema` prints the same as a JSON Schema for editors.",
		"连接器文件（格式 `ringside.dev/v1`）的全部键、全部操作，以及表达式可用的全部名称。本页由代码生成；`ringctl crm schema` 以 JSON Schema 形式输出同样的内容，供编辑器使用。"))
	r.line("## %s", r.say("Keys", "键"))
	for _, s := range sections {
		r.section(s)
	}
	r.operations()
	r.inputs()
	r.results()
	r.expressions()
	return r.b.String()
}

type referencePage struct {
	b        strings.Builder
	text     *referenceText
	language string
}

func (r *referencePage) say(en, zh string) string { return Words{En: en, Zh: zh}.In(r.language) }

// line writes a paragraph.
func (r *referencePage) line(format string, args ...any) {
	fmt.Fprintf(&r.b, format+"\n", args...)
	if !strings.HasPrefix(format, "|") {
		r.b.WriteString("\n")
	}
}

func (r *referencePage) table(heads ...string) {
	r.line("| %s |", strings.Join(heads, " | "))
	r.line("|%s", strings.Repeat("---|", len(heads)))
}

func (r *referencePage) row(cells ...string) { r.line("| %s |", strings.Join(cells, " | ")) }

func (r *referencePage) end() { r.b.WriteString("\n") }

func (r *referencePage) section(s section) {
	name := "`" + s.place + "`"
	if s.place == "" {
		name = r.say("The file", "文件")
	}
	r.line("### %s", name)
	r.line("%s", r.text.Sections[s.name].In(r.language))
	r.table(r.say("key", "键"), r.say("type", "类型"), r.say("default", "默认"), r.say("meaning", "含义"))
	for field := range s.of.Fields() {
		key := field.Tag.Get("yaml")
		fact := keyFacts[s.name+"."+key]
		usual := ""
		switch {
		case fact.required:
			usual = r.say("**needed**", "**必填**")
		case fact.usual != "":
			usual = "`" + fact.usual + "`"
		}
		r.row("`"+key+"`", r.typeOf(fact, field.Type), usual, r.text.Keys[s.name+"."+key].In(r.language)+r.between(fact)+r.choices(s.name+"."+key, fact))
	}
	r.end()
	for field := range s.of.Fields() {
		key := field.Tag.Get("yaml")
		r.values(s.name+"."+key, key, keyFacts[s.name+"."+key])
	}
}

// between gives the limits of a number.
func (r *referencePage) between(fact keyFact) string {
	if fact.most == 0 {
		return ""
	}
	return " " + r.say("From ", "范围 ") + strconv.FormatInt(fact.least, 10) + r.say(" to ", " 至 ") + strconv.FormatInt(fact.most, 10) + r.say(".", "。")
}

// choices lists the values that need no words.
func (r *referencePage) choices(name string, fact keyFact) string {
	all := slices.Concat(fact.values, fact.names)
	if len(all) == 0 || r.explained(name, all) || slices.Equal(all, opNames()) || slices.Equal(all, idAlone) {
		return ""
	}
	if slices.Equal(all, classNames) {
		return " " + r.say("One of the classes of errors.", "取值同 errors 的类别。")
	}
	return " `" + strings.Join(all, "`, `") + "`" + r.say(".", "。")
}

func (r *referencePage) explained(name string, values []string) bool {
	return slices.ContainsFunc(values, func(v string) bool { return r.text.Values[name+"."+v].En != "" })
}

// values is the table of a key whose values have words.
func (r *referencePage) values(name, key string, fact keyFact) {
	all := slices.Concat(fact.values, fact.names)
	if len(all) < 2 || !r.explained(name, all) {
		return
	}
	r.table("`"+key+"`", r.say("meaning", "含义"))
	for _, v := range all {
		r.row("`"+v+"`", r.text.Values[name+"."+v].In(r.language))
	}
	r.end()
}

// typeOf says in words what may stand under a key.
func (r *referencePage) typeOf(fact keyFact, t reflect.Type) string {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == nodeType:
		return r.formOf(fact.form)
	case t.Kind() == reflect.Slice:
		return r.say("list of ", "列表：") + r.typeOf(fact, t.Elem())
	case t.Kind() == reflect.Map:
		return r.say("map of ", "映射：") + r.typeOf(fact, t.Elem())
	case t.Kind() == reflect.Struct:
		place := sectionOf(t).place
		return "[" + place + "](#" + anchor(place) + ")"
	case t.Kind() == reflect.Bool:
		return r.say("true or false", "true 或 false")
	case t.Kind() == reflect.Int, t.Kind() == reflect.Int64:
		return r.say("whole number", "整数")
	}
	switch fact.form {
	case formTimeout:
		return r.say("time: `8s`, `1m30s`", "时长：`8s`、`1m30s`")
	case formSpan:
		return r.say("time: `30s`, `24h`, `30d`", "时长：`30s`、`24h`、`30d`")
	}
	return r.say("text", "文本")
}

func (r *referencePage) formOf(form string) string {
	switch form {
	case formTree:
		return r.say("anything with `${…}`", "任意结构，可含 `${…}`")
	case formFile:
		return r.say("text with `${…}`, or a file", "可含 `${…}` 的文本，或文件")
	case formExpression:
		return r.say("expression", "表达式")
	}
	return r.say("text with `${…}`", "可含 `${…}` 的文本")
}

// anchor is how forges name the heading of a place.
func anchor(place string) string {
	return strings.ToLower(strings.NewReplacer(".", "", "[", "", "]", "").Replace(place))
}

func (r *referencePage) operations() {
	r.line("## %s", r.say("Operations", "操作"))
	r.line("%s", r.say(
		"Needed are "+quoted(neededOps)+"; what else the file has, Ringside offers. What is bold must be there. Every write also sees "+r.common()+". Lists are read through `items` and `map`, single results through `output`.",
		quoted(neededOps)+" 必需；文件中有的其他操作，Ringside 才会提供。粗体为必须给出。每个写入操作还可用 "+r.common()+"。列表用 `items` 和 `map` 读取，单个结果用 `output`。"))
	r.table(r.say("operation", "操作"), r.say("meaning", "含义"), "`input`", r.say("gives", "给出"))
	for _, list := range [][]string{reads(), writeNames()} {
		for _, name := range list {
			shape := shapes[name]
			gives := r.names(shape.fields, shape.needs)
			if shape.page != nil {
				gives += "; `output`: " + r.names(shape.page, shape.page)
			} else if shape.list {
				gives = r.say("a list of ", "列表：") + gives
			}
			r.row("`"+name+"`", r.text.Operations[name].In(r.language), r.seen(shape), gives)
		}
	}
	r.end()
}

func reads() []string {
	return slices.DeleteFunc(opNames(), func(n string) bool { return shapes[n].write })
}

func writeNames() []string {
	return slices.DeleteFunc(opNames(), func(n string) bool { return !shapes[n].write })
}

func quoted(names []string) string { return "`" + strings.Join(names, "`, `") + "`" }

// common are what all writes see.
func (r *referencePage) common() string {
	return quoted(sortedKeys(write(types.Map{}).input))
}

func (r *referencePage) names(fields, needs []string) string {
	out := make([]string, len(fields))
	for i, name := range fields {
		if out[i] = name; slices.Contains(needs, name) {
			out[i] = "**" + name + "**"
		}
	}
	return strings.Join(out, ", ")
}

// seen is the input of an operation without what all writes see.
func (r *referencePage) seen(shape opShape) string {
	input := maps.Clone(shape.input)
	if shape.write {
		maps.DeleteFunc(input, func(name string, _ types.Type) bool { _, all := write(types.Map{}).input[name]; return all })
	}
	var out []string
	for _, name := range sortedKeys(input) {
		if inner, ok := input[name].(types.Map); ok && len(inner) == 1 {
			name += "." + sortedKeys(inner)[0]
		}
		out = append(out, name)
	}
	return strings.Join(out, ", ")
}

// inputNames are all names under input, whatever the operation; input.record.id is there in an update.
func inputNames() map[string]types.Type {
	out := map[string]types.Type{"record.id": types.String}
	for _, shape := range shapes {
		for name, t := range shape.input {
			inner, ok := t.(types.Map)
			if !ok {
				out[name] = t
			}
			for below, t := range inner {
				out[name+"."+below] = t
			}
		}
	}
	return out
}

func (r *referencePage) inputs() {
	r.line("### %s", r.say("What `input` holds", "`input` 的内容"))
	r.line("%s", r.say("Times are text, RFC 3339 in UTC; durations are whole milliseconds. A text that is not known is empty.",
		"时间为 RFC 3339 文本（UTC）；时长为整数毫秒。未知的文本为空。"))
	r.table("`input.…`", r.say("type", "类型"), r.say("meaning", "含义"))
	all := inputNames()
	names := sortedKeys(all)
	slices.SortStableFunc(names, func(a, b string) int { return strings.Count(a, ".") - strings.Count(b, ".") })
	for _, name := range names {
		r.row("`"+name+"`", r.exprType(all[name]), r.text.Input[name].In(r.language))
	}
	r.end()
}

func (r *referencePage) exprType(t types.Type) string {
	switch t {
	case types.String:
		return r.say("text", "文本")
	case types.Int:
		return r.say("whole number", "整数")
	case types.Bool:
		return r.say("true or false", "true 或 false")
	case types.Array(types.String):
		return r.say("list of text", "文本列表")
	case types.Any:
		return r.say("text or null", "文本或 null")
	}
	return r.say("map", "映射")
}

// resultKinds are the results that have words of their own, with the operations that give them.
func resultKinds() map[string][]string {
	out := map[string][]string{}
	for _, op := range opNames() {
		out[resultOf(op)] = append(out[resultOf(op)], op)
		if shapes[op].page != nil {
			out["page"] = append(out["page"], op)
		}
	}
	return out
}

// resultFields are the names of a result, over all operations that give it.
func resultFields(kind string, ops []string) []string {
	var out []string
	for _, op := range ops {
		fields := shapes[op].fields
		if kind == "page" {
			fields = shapes[op].page
		}
		for _, name := range fields {
			if !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	return out
}

func (r *referencePage) results() {
	r.line("### %s", r.say("What operations give", "操作给出的内容"))
	r.line("%s", r.say(
		"Times are read as `2026-01-31T09:00:00Z`, `2026-01-31T09:00:00`, `2026-01-31 09:00:00` or `2026-01-31`, without a zone as UTC. Null and false are empty.",
		"时间可写作 `2026-01-31T09:00:00Z`、`2026-01-31T09:00:00`、`2026-01-31 09:00:00` 或 `2026-01-31`，无时区按 UTC。null 和 false 视为空。"))
	r.table(r.say("of", "操作"), r.say("name", "名称"), r.say("meaning", "含义"))
	kinds := resultKinds()
	for _, kind := range sortedKeys(kinds) {
		of := quoted(kinds[kind])
		switch kind {
		case "record":
			of = r.say("every write", "所有写入操作")
		case "page":
			of += " (`output`)"
		}
		for _, name := range resultFields(kind, kinds[kind]) {
			r.row(of, "`"+name+"`", r.text.Results[kind+"."+name].In(r.language))
			of = ""
		}
	}
	r.end()
}

func (r *referencePage) expressions() {
	r.line("## %s", r.say("Expressions", "表达式"))
	r.line("%s", r.say(
		"`${…}` holds an expression of [expr](https://expr-lang.org/docs/language-definition). A text that is one whole `${…}` keeps the value's type; mixed text becomes text. `$${` is a literal `${`.",
		"`${…}` 中是 [expr](https://expr-lang.org/docs/language-definition) 表达式。整个文本为一个 `${…}` 时保留值的类型；混合文本则成为文本。`$${` 表示字面的 `${`。"))
	r.table(r.say("name", "名称"), r.say("meaning", "含义"))
	for _, name := range sortedKeys(r.text.Variables) {
		r.row("`"+name+"`", r.text.Variables[name].In(r.language))
	}
	r.end()
	own, builtins := engineFunctions()
	r.table(r.say("function of Ringside", "Ringside 的函数"), r.say("meaning", "含义"))
	for _, name := range sortedKeys(own) {
		r.row("`"+own[name]+"`", r.text.Functions[name].In(r.language))
	}
	r.end()
	r.line("%s", r.say("Functions of expr: ", "expr 的函数：")+quoted(builtins)+r.say(".", "。"))
	r.line("%s", r.say(
		fmt.Sprintf("Not allowed: %s, `let`, `$env`, ranges (`..`), patterns that are not constant. At most %d bytes, %d nodes, predicates %d deep; `replace`, `join` and their like give at most 1 MiB.",
			quoted(forbidden), maxSource, maxNodes, maxNested),
		fmt.Sprintf("不允许：%s、`let`、`$env`、区间（`..`）、非常量的模式。至多 %d 字节、%d 个节点、谓词 %d 层；`replace`、`join` 等至多产生 1 MiB。",
			quoted(forbidden), maxSource, maxNodes, maxNested)))
}

// engineFunctions gives the functions of the engine, each as it is called, and those of expr that are left.
func engineFunctions() (own map[string]string, builtins []string) {
	config := conf.CreateNew()
	for _, set := range engineOptions(scope{}) {
		set(config)
	}
	own = map[string]string{}
	for name, f := range config.Functions {
		var arguments []string
		for i := range f.Types[0].NumIn() {
			arguments = append(arguments, argument(f.Types[0].In(i)))
		}
		own[name] = name + "(" + strings.Join(arguments, ", ") + ")"
	}
	for name := range config.Builtins {
		if _, replaced := own[name]; !replaced && !config.Disabled[name] {
			builtins = append(builtins, name)
		}
	}
	slices.Sort(builtins)
	return own, builtins
}

func argument(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Slice:
		return "list"
	case reflect.Interface:
		return "any"
	}
	return t.String()
}
