package crm

import (
	"strconv"

	"go.yaml.in/yaml/v4"
)

// find gives the place of a value by its path of keys and indices; where the path ends early, the place it got to.
func find(root *yaml.Node, path ...string) position {
	n := root
	if n.Kind == yaml.DocumentNode && len(n.Content) > 0 {
		n = n.Content[0]
	}
	where := at(n)
	for _, step := range path {
		if n.Kind == yaml.AliasNode {
			n = n.Alias
		}
		key, next := child(n, step)
		if next == nil {
			break
		}
		n, where = next, at(next)
		if next.Kind != yaml.ScalarNode && key != nil {
			where = at(key) // a map or list is better pointed at by its name
		}
	}
	return where
}

func child(n *yaml.Node, step string) (key, value *yaml.Node) {
	if n.Kind == yaml.SequenceNode {
		if i, err := strconv.Atoi(step); err == nil && i < len(n.Content) {
			return nil, n.Content[i]
		}
		return nil, nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == step {
			return n.Content[i], n.Content[i+1]
		}
	}
	return nil, nil
}
