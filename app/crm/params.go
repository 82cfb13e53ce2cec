package crm

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/expr-lang/expr/types"
	"go.yaml.in/yaml/v4"
)

// paramTypes are the types of a parameter and what an expression sees of each.
var paramTypes = map[string]types.Type{
	"": types.String, "string": types.String, "url": types.String, "secret": types.String, "enum": types.String,
	"int": types.Int, "bool": types.Bool, "list": types.Array(types.String),
}

var paramTypeNames = []string{"string", "url", "secret", "enum", "int", "bool", "list"}

// paramScope is what an expression may name under param.
func (p *problems) paramScope(list []Param, root *yaml.Node) scope {
	names := scope{}
	for i, one := range list {
		where := find(root, "params", strconv.Itoa(i))
		t, known := paramTypes[one.Type]
		if !known {
			p.add(find(root, "params", strconv.Itoa(i), "type"), words("unknown parameter type %q", "未知的参数类型 %q", one.Type), oneOf(one.Type, paramTypeNames))
			t = types.String
		}
		if one.Name == "" {
			p.add(where, words("a parameter has no name", "参数没有名称"), words("Give it a name.", "请写上 name。"))
		}
		if _, err := regexp.Compile(one.Pattern); err != nil {
			p.add(find(root, "params", strconv.Itoa(i), "pattern"), words("the pattern is wrong: %s", "模式有误：%s", err),
				words("Use RE2 notation.", "请使用 RE2 语法。"))
		}
		names[one.Name] = t
	}
	return names
}

// readParams checks a site's parameters against what the file declares and gives them their types.
func (p *problems) readParams(list []Param, given map[string]string) map[string]any {
	values := map[string]any{}
	for _, one := range list {
		text, ok := given[one.Name]
		if !ok || text == "" {
			text = one.Default
		}
		values[one.Name] = p.readParam(one, strings.TrimSpace(text))
	}
	for name := range given {
		if !slices.ContainsFunc(list, func(one Param) bool { return one.Name == name }) {
			var names []string
			for _, one := range list {
				names = append(names, one.Name)
			}
			p.add(position{}, words("unknown parameter %q", "未知的参数 %q", name), oneOf(name, names))
		}
	}
	return values
}

// readParam never repeats the value in a problem: it may be a secret that was put under the wrong name.
func (p *problems) readParam(one Param, text string) any {
	bad := func(what, do Words) { p.add(position{}, what, do) }
	switch {
	case text == "" && one.Required:
		bad(words("parameter %q is missing", "缺少参数 %q", one.Name),
			words("Set it in the profile under crm.params%s.", "请在配置的 crm.params 中填写%s。", example(one)))
	case text == "":
	case one.Pattern != "" && !matches(one.Pattern, text):
		bad(words("parameter %q does not have the right form", "参数 %q 的格式不正确", one.Name),
			words("It must match %s%s.", "须匹配 %s%s。", one.Pattern, example(one)))
	case one.Type == "enum" && !slices.Contains(one.Enum, text):
		bad(words("parameter %q has a value that is not offered", "参数 %q 的值不在可选范围内", one.Name),
			words("Choose one of: %s.", "请选择：%s。", strings.Join(one.Enum, ", ")))
	case one.Type == "url":
		return p.readAddress(one, text)
	case one.Type == "int":
		n, err := strconv.Atoi(text)
		if err != nil {
			bad(words("parameter %q is not a whole number", "参数 %q 不是整数", one.Name), words("Write digits only.", "请只写数字。"))
		}
		return n
	case one.Type == "bool":
		b, err := strconv.ParseBool(text)
		if err != nil {
			bad(words("parameter %q is neither true nor false", "参数 %q 既不是 true 也不是 false", one.Name), words("Write true or false.", "请写 true 或 false。"))
		}
		return b
	}
	return zeroOf(one.Type, text)
}

func (p *problems) readAddress(one Param, text string) string {
	text = strings.TrimRight(text, "/")
	if wrong := checkAddress(text); wrong != nil {
		what := words("parameter %q is not an address to use: ", "参数 %q 不是可用的地址：", one.Name)
		p.add(position{}, Words{En: what.En + wrong.En, Zh: what.Zh + wrong.Zh},
			words("Write it as https://crm.example.com%s.", "请写成 https://crm.example.com 的形式%s。", example(one)))
	}
	return text
}

// zeroOf gives a text its type where there is nothing to check, or nothing given.
func zeroOf(paramType, text string) any {
	switch paramType {
	case "int":
		return 0
	case "bool":
		return false
	case "list":
		var out []any
		for item := range strings.SplitSeq(text, ",") {
			if item = strings.TrimSpace(item); item != "" {
				out = append(out, item)
			}
		}
		return out
	}
	return text
}

func example(one Param) string {
	if one.Example == "" {
		return ""
	}
	return " (" + one.Example + ")"
}

func matches(pattern, text string) bool {
	re, err := regexp.Compile(pattern)
	return err == nil && re.MatchString(text)
}

// secretsOf gives the values that must never be seen.
func secretsOf(list []Param, values map[string]any) []string {
	var out []string
	for _, one := range list {
		if text := textOf(values[one.Name]); one.Type == "secret" && text != "" {
			out = append(out, text)
		}
	}
	return out
}
