package crm

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/types"
	"github.com/expr-lang/expr/vm"
)

// scope is what an expression may name, with its type: a name that is not there fails at load.
type scope = types.Map

// vars are the values behind a scope at run time.
type vars = map[string]any

// program is one compiled expression.
type program struct {
	code *vm.Program
	raw  bool // its value goes into a URL as it stands: a parameter, or escaped already
}

func (p *program) eval(v vars) (any, error) {
	out, err := expr.Run(p.code, v)
	if err != nil {
		return nil, err
	}
	return out, nil
}

// compile parses, guards and type-checks an expression. The problem's place is that of the expression in the file.
func (p *problems) compile(source string, where position, names scope) *program {
	options := engineOptions(names)
	config := conf.CreateNew()
	for _, set := range options {
		set(config)
	}
	if len(source) > maxSource {
		p.add(where, words("the expression is longer than %d bytes", "表达式超过 %d 字节", maxSource),
			words("Split it over several steps.", "请拆分到多个步骤。"))
		return nil
	}
	tree, err := parser.ParseWithConfig(source, config)
	if err != nil {
		p.badExpression(where, err, names)
		return nil
	}
	if broken := guard(tree.Node); broken != nil {
		p.add(where.inside(broken.from, source), broken.what, broken.do)
		return nil
	}
	code, err := expr.Compile(source, options...)
	if err != nil {
		p.badExpression(where, err, names)
		return nil
	}
	return &program{code: code, raw: goesRaw(tree.Node)}
}

func (p *problems) badExpression(where position, err error, names scope) {
	message := err.Error()
	var at *file.Error
	if errors.As(err, &at) {
		message = at.Message
		if at.Line > 1 {
			where = position{where.line + at.Line - 1, at.Column + 1}
		} else {
			where.column += at.Column
		}
	}
	do := words("The language is that of expr-lang.org; known here are: %s.", "语法见 expr-lang.org；此处可用：%s。",
		strings.Join(slices.Sorted(maps.Keys(names)), ", "))
	if unknown, ok := strings.CutPrefix(message, "unknown name "); ok {
		do = oneOf(unknown, slices.Sorted(maps.Keys(names)))
	} else if unknown, ok := strings.CutPrefix(message, "unknown field "); ok {
		if near := nearest(unknown, allNames(names)); near != "" {
			do = words("Write %q instead.", "请改写为 %q。", near)
		}
	}
	p.add(where, words("the expression is wrong: %s", "表达式有误：%s", message), do)
}

// allNames gives the names of a scope and of all that is in it.
func allNames(names scope) []string {
	var out []string
	for name, t := range names {
		out = append(out, name)
		if inner, ok := t.(types.Map); ok {
			out = append(out, allNames(inner)...)
		}
	}
	slices.Sort(out)
	return out
}

func engineOptions(names scope) []expr.Option {
	options := []expr.Option{expr.Env(names), expr.MaxNodes(maxNodes), expr.AsAny(), expr.DisableIfOperator()}
	for _, name := range forbidden {
		options = append(options, expr.DisableBuiltin(name))
	}
	return append(options, functions()...)
}

// inside moves a place on by a byte offset within the expression's source.
func (where position) inside(from int, source string) position {
	for i, r := range []rune(source) {
		if i >= from {
			break
		}
		where.column++
		if r == '\n' {
			where = position{where.line + 1, 1}
		}
	}
	return where
}
