package crm

import (
	"maps"
	"slices"

	"go.yaml.in/yaml/v4"
)

// maxTree caps the nodes of one body after its aliases are followed: an alias of aliases can stand for millions.
const maxTree = 5000

// tree is a JSON body or another structure of a connector file, its scalars compiled.
type tree struct {
	scalar *template // text with ${ }
	fixed  any       // a number, a truth value or null as the file has it
	fields []field
	list   []*tree
	kind   yaml.Kind
}

// field is a key of a map with its value; splice has no name and brings the keys of its value along.
type field struct {
	name   string
	splice bool
	value  *tree
}

// body compiles a structure. A node that is missing gives nil.
func (p *problems) body(n *yaml.Node, names scope) *tree {
	if n.IsZero() {
		return nil
	}
	left := maxTree
	t := p.tree(n, names, &left)
	if left < 0 {
		p.add(at(n), words("this structure has more than %d values once its aliases are followed", "展开别名后此结构超过 %d 个值", maxTree),
			words("Use fewer aliases.", "请减少别名。"))
		return nil
	}
	return t
}

func (p *problems) tree(n *yaml.Node, names scope, left *int) *tree {
	if *left--; *left < 0 {
		return nil
	}
	switch n.Kind {
	case yaml.AliasNode:
		return p.tree(n.Alias, names, left)
	case yaml.MappingNode:
		return &tree{kind: n.Kind, fields: p.fields(n, names, left)}
	case yaml.SequenceNode:
		t := &tree{kind: n.Kind}
		for _, one := range n.Content {
			t.list = append(t.list, p.tree(one, names, left))
		}
		return t
	}
	if n.ShortTag() == "!!str" {
		return &tree{kind: yaml.ScalarNode, scalar: p.template(n, names)}
	}
	t := &tree{kind: yaml.ScalarNode}
	if err := n.Decode(&t.fixed); err != nil {
		p.add(at(n), words("this value cannot be read: %s", "此值无法读取：%s", err), words("Put it in quotes.", "请加上引号。"))
	}
	return t
}

// fields reads a map, with `<<: *anchor` merged in first so that the map's own keys win. `<<: "${…}"` comes last: what a site says wins.
func (p *problems) fields(n *yaml.Node, names scope, left *int) []field {
	var merged, own, spliced []field
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.ShortTag() == "!!merge" {
			from := p.tree(value, names, left)
			switch {
			case from == nil:
			case from.scalar != nil:
				spliced = append(spliced, field{splice: true, value: from})
			default:
				merged = append(merged, from.fields...)
			}
			continue
		}
		own = append(own, field{name: key.Value, value: p.tree(value, names, left)})
	}
	return slices.Concat(merged, own, spliced)
}

// value gives the structure with its expressions worked out. In a map null drops the key; in a list it stays, the place counts.
func (t *tree) value(v vars) (any, error) {
	switch {
	case t == nil:
		return nil, nil
	case t.kind == yaml.MappingNode:
		return t.object(v)
	case t.kind == yaml.SequenceNode:
		out := make([]any, len(t.list))
		for i, one := range t.list {
			var err error
			if out[i], err = one.value(v); err != nil {
				return nil, err
			}
		}
		return out, nil
	case t.scalar != nil:
		return t.scalar.value(v)
	}
	return t.fixed, nil
}

func (t *tree) object(v vars) (map[string]any, error) {
	out := map[string]any{}
	for _, f := range t.fields {
		value, err := f.value.value(v)
		if err != nil {
			return nil, err
		}
		if f.splice {
			if more, ok := value.(map[string]any); ok {
				maps.Copy(out, more)
			}
			continue
		}
		if value == nil {
			delete(out, f.name)
			continue
		}
		out[f.name] = value
	}
	return out, nil
}
