package crm

import (
	"fmt"
	"net/url"
	"strings"

	"go.yaml.in/yaml/v4"
)

// template is a scalar of a connector file, its ${ } parts compiled. `$${` writes a literal ${.
type template struct {
	parts []part
	whole bool // one ${ } and nothing else: the value keeps its type
	where string
}

type part struct {
	text string   // literal
	code *program // or an expression
}

// scalar compiles a scalar node. A node that is missing gives nil.
func (p *problems) scalar(n *yaml.Node, names scope) *template {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.IsZero() {
		return nil
	}
	if n.Kind != yaml.ScalarNode {
		p.add(at(n), words("a single value is needed here, not a list or a map", "此处需要单个值，而不是列表或映射"),
			words(`Write text, or an expression such as "${input.key}".`, `请写文本，或表达式，如 "${input.key}"。`))
		return nil
	}
	return p.template(n, names)
}

func (p *problems) template(n *yaml.Node, names scope) *template {
	t := &template{where: fmt.Sprintf("%s:%d:%d", p.file, n.Line, n.Column)}
	text, rest := "", n.Value
	for {
		i := strings.Index(rest, "${")
		if i < 0 {
			break
		}
		if i > 0 && rest[i-1] == '$' { // $${ is a literal ${
			text += rest[:i-1] + "${"
			rest = rest[i+2:]
			continue
		}
		where := placeIn(n, n.Value[:len(n.Value)-len(rest)+i+2])
		end := closing(rest[i+2:])
		if end < 0 {
			p.add(where, words("an expression starts with ${ and does not end", "表达式以 ${ 开始却没有结束"),
				words("Close it with }, or write $${ for a literal ${.", "请用 } 结束；若要字面的 ${，请写 $${。"))
			return nil
		}
		code := p.compile(rest[i+2:i+2+end], where, names)
		if code == nil {
			return nil
		}
		if text += rest[:i]; text != "" {
			t.parts = append(t.parts, part{text: text})
		}
		t.parts = append(t.parts, part{code: code})
		text, rest = "", rest[i+2+end+1:]
	}
	if text += rest; text != "" {
		t.parts = append(t.parts, part{text: text})
	}
	t.whole = len(t.parts) == 1 && t.parts[0].code != nil
	return t
}

// placeIn gives the place in the file right after a beginning of a scalar's value. In folded and escaped text it is close, not exact.
func placeIn(n *yaml.Node, before string) position {
	where := at(n)
	block := n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0
	if block {
		where = position{where.line + 1, where.column}
	}
	if lines := strings.Count(before, "\n"); lines > 0 {
		before = before[strings.LastIndexByte(before, '\n')+1:]
		where = position{where.line + lines, 1}
	} else if n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0 {
		where.column++
	}
	where.column += len([]rune(before))
	return where
}

// closing finds the } that ends an expression, past braces and quotes inside it; -1 when there is none.
func closing(s string) int {
	depth, quote := 0, byte(0)
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quote != 0 && c == '\\' && quote != '`':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"' || c == '`':
			quote = c
		case c == '{':
			depth++
		case c == '}' && depth == 0:
			return i
		case c == '}':
			depth--
		}
	}
	return -1
}

// value gives the template's value: typed when it is one whole expression, else text.
func (t *template) value(v vars) (any, error) {
	if t == nil {
		return nil, nil
	}
	if t.whole {
		out, err := t.parts[0].code.eval(v)
		return out, t.failed(err)
	}
	return t.join(v, func(_ string, _ *program, value any) (string, error) { return textOf(value), nil })
}

// text gives the template's value as text; no value is "".
func (t *template) text(v vars) (string, error) {
	out, err := t.value(v)
	return textOf(out), err
}

// address gives the template's value as a URL. Parameters go in as they are, and so does what stands at the very beginning (the
// fence checks where it leads); everything else is escaped, for the path or for the query, whichever it stands in.
func (t *template) address(v vars) (string, error) {
	return t.join(v, func(before string, code *program, value any) (string, error) {
		text := textOf(value)
		switch {
		case code.raw || before == "":
			return text, nil
		case text == "" || text == "." || text == "..":
			return "", fmt.Errorf("%q cannot be part of an address", text)
		case strings.ContainsAny(before, "?"):
			return url.QueryEscape(text), nil
		}
		return url.PathEscape(text), nil
	})
}

func (t *template) join(v vars, write func(before string, code *program, value any) (string, error)) (string, error) {
	out := ""
	for _, p := range t.parts {
		if p.code == nil {
			out += p.text
			continue
		}
		value, err := p.code.eval(v)
		if err != nil {
			return "", t.failed(err)
		}
		text, err := write(out, p.code, value)
		if err != nil {
			return "", t.failed(err)
		}
		out += text
	}
	return out, nil
}

func (t *template) failed(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", t.where, firstLine(err))
}

// firstLine leaves out the excerpt that expr draws below its message.
func firstLine(err error) error {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return fmt.Errorf("%s", line)
}
