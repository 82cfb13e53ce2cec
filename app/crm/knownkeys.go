package crm

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

var nodeType = reflect.TypeFor[yaml.Node]()

// checkKeys walks a file beside the types it is read into and reports each key nobody reads, with the nearest known one, and each
// value of the wrong shape. The YAML library refuses them too, but in words of Go, and does not say what would be right.
func checkKeys(p *problems, node *yaml.Node, t reflect.Type) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	switch {
	case t == nodeType:
	case !shaped(node, t):
		p.misshaped(node, t)
	case t.Kind() == reflect.Struct:
		known := keysOf(t)
		for i := 0; i+1 < len(node.Content); i += 2 {
			key, value := node.Content[i], node.Content[i+1]
			if field, ok := known[key.Value]; ok {
				checkKeys(p, value, field)
			} else {
				p.unknownKey(key, known)
			}
		}
	case t.Kind() == reflect.Slice:
		for _, value := range node.Content {
			checkKeys(p, value, t.Elem())
		}
	case t.Kind() == reflect.Map:
		for i := 1; i < len(node.Content); i += 2 {
			checkKeys(p, node.Content[i], t.Elem())
		}
	}
}

// shaped tells whether a node can be read into a type at all; the values of scalars are the library's business.
func shaped(node *yaml.Node, t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Struct, reflect.Map:
		return node.Kind == yaml.MappingNode
	case reflect.Slice:
		return node.Kind == yaml.SequenceNode
	}
	return node.Kind == yaml.ScalarNode
}

func (p *problems) misshaped(node *yaml.Node, t reflect.Type) {
	do := words("Write a single value.", "请写单个值。")
	switch t.Kind() {
	case reflect.Struct, reflect.Map:
		do = words("Write a map: {key: value}.", "请写映射：{键: 值}。")
	case reflect.Slice:
		do = words("Write a list: [a, b]; an empty one is [].", "请写列表：[a, b]；空列表为 []。")
	}
	p.add(at(node), words("this value has the wrong shape", "此值的结构不对"), do)
}

func keysOf(t reflect.Type) map[string]reflect.Type {
	keys := map[string]reflect.Type{}
	for field := range t.Fields() {
		keys[field.Tag.Get("yaml")] = field.Type
	}
	return keys
}

func (p *problems) unknownKey(key *yaml.Node, known map[string]reflect.Type) {
	names := slices.Sorted(maps.Keys(known))
	what := words("unknown key %q", "未知的键 %q", key.Value)
	do := oneOf(key.Value, names)
	if laterKeys[key.Value] {
		what = words("key %q is not supported yet", "键 %q 暂不支持", key.Value)
		do = words("Remove it; known here are: %s.", "请删除；此处可用：%s。", strings.Join(names, ", "))
	}
	p.add(at(key), what, do)
}

// oneOf is the remedy for a wrong name: the nearest right one, if there is a near one, and all of them.
func oneOf(wrong string, right []string) Words {
	all := strings.Join(right, ", ")
	if near := nearest(wrong, right); near != "" {
		return words("Write %q instead; known here are: %s.", "请改写为 %q；此处可用：%s。", near, all)
	}
	return words("Known here are: %s.", "此处可用：%s。", all)
}

// nearest gives the name at most two edits away.
func nearest(wrong string, right []string) string {
	best, found := 3, ""
	for _, name := range right {
		if d := edits(strings.ToLower(wrong), strings.ToLower(name)); d < best && d < len(name) {
			best, found = d, name
		}
	}
	return found
}

// edits is the Levenshtein distance.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}

func at(n *yaml.Node) position { return position{n.Line, n.Column} }
