package settings

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"ringside.dev/ringside/app/cti"
)

// reader walks the tree of a profile, fills the profile and collects the problems.
type reader struct {
	file     string
	subject  subject
	all      []field // the whole file
	policy   Policy
	profile  cti.Profile
	problems Problems
}

// field is one key of a section.
type field struct {
	key    string
	need   func() *wording                 // asked if the key is missing: what to write, or nil; nil func: may be missing
	read   func(path string, n *yaml.Node) // takes a value that is not empty
	within []field                         // instead of read: the keys of a section
}

// wrong notes a problem. path is the dotted name of the field, or empty if the whole file is meant.
func (r *reader) wrong(at *yaml.Node, path string, w *wording) {
	p := Problem{File: r.file, Kind: cti.Invalid, En: w.en, Zh: w.zh}
	if at != nil {
		p.Line, p.Column = at.Line, at.Column
	}
	if path != "" {
		p.En, p.Zh = path+": "+w.en, path+"："+w.zh
	}
	r.problems = append(r.problems, p)
}

// section reads the keys of one section. at is where a missing key is reported: the section's own key.
func (r *reader) section(path string, at, n *yaml.Node, fields []field) {
	if n.Kind != yaml.MappingNode {
		r.wrongKind(path, n, say("a section of indented lines like name: value", "由缩进的“名称: 值”组成的小节"))
		return
	}
	written, values := map[string]*yaml.Node{}, map[string]*yaml.Node{}
	done := map[string]bool{} // has a value, or a problem of its own
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		f, known := find(fields, key.Value)
		if !known {
			f, known = r.unknownKey(path, key, fields) // a typo is read as what it was meant to be
			done[f.key] = true
		}
		switch first := written[f.key]; {
		case !known:
		case first != nil:
			r.twice(join(path, f.key), key, first)
		default:
			written[f.key] = key
			if !empty(value) {
				done[f.key] = true
				values[f.key] = value
			}
		}
	}
	for _, f := range fields { // in our order: what one key may be can depend on another
		if value := values[f.key]; value != nil {
			r.value(join(path, f.key), written[f.key], value, f)
		}
	}
	for _, f := range fields {
		if f.need == nil || done[f.key] {
			continue
		}
		if w := f.need(); w != nil {
			r.wrong(cmp.Or(written[f.key], at), join(path, f.key), say("missing; write %[1]s", "缺失；请写%[2]s", w.en, w.zh))
		}
	}
}

func (r *reader) value(path string, key, value *yaml.Node, f field) {
	if f.within != nil {
		r.section(path, key, value, f.within)
		return
	}
	f.read(path, value)
}

// text reads a single value as it is written, so that 0201, yes and +44 need no quotes. check may be nil.
func (r *reader) text(into *string, check func(string) *wording) func(string, *yaml.Node) {
	return func(path string, n *yaml.Node) {
		if n.Kind != yaml.ScalarNode {
			r.wrongKind(path, n, say("one value", "一个值"))
			return
		}
		*into = n.Value
		if check == nil {
			return
		}
		if w := check(n.Value); w != nil {
			r.wrong(n, path, w)
		}
	}
}

// list reads a list of single values, none of them empty.
func (r *reader) list(path string, n *yaml.Node, item func(path string, n *yaml.Node)) {
	if n.Kind != yaml.SequenceNode {
		r.wrongKind(path, n, say("a list: one line for each, beginning with - and a space", "列表：每项一行，以 - 加空格开头"))
		return
	}
	for i, n := range n.Content {
		path := path + "[" + strconv.Itoa(i+1) + "]"
		if empty(n) {
			r.wrong(n, path, say("empty; write a value or delete the line", "为空；请填写或删除此行"))
			continue
		}
		item(path, n)
	}
}

func (r *reader) wrongKind(path string, n *yaml.Node, want *wording) {
	is := say("a single value", "单个值")
	switch n.Kind {
	case yaml.MappingNode:
		is = say("a section", "小节")
	case yaml.SequenceNode:
		is = say("a list", "列表")
	case yaml.AliasNode:
		is = say("a reference (*)", "引用（*）")
	default: // a single value
	}
	r.wrong(n, path, say("this is %[1]s; write %[3]s", "此处是%[2]s；请写%[4]s", is.en, is.zh, want.en, want.zh))
}

func (r *reader) twice(path string, key, first *yaml.Node) {
	r.wrong(key, path, say("written twice, first in line %d; keep one", "重复出现，首次在第 %d 行；请只保留一个", first.Line))
}

// unknownKey reports a key and gives the field that was probably meant, if there is one.
func (r *reader) unknownKey(path string, key *yaml.Node, fields []field) (meant field, ok bool) {
	if key.Kind != yaml.ScalarNode || key.Value == "" {
		r.wrong(key, path, say("a name was expected here; write name: value", "此处应为名称；请写“名称: 值”"))
		return field{}, false
	}
	known := make([]string, len(fields))
	for i, f := range fields {
		known[i] = f.key
	}
	where := join(path, key.Value)
	if near := nearest(key.Value, known); near != "" {
		r.wrong(key, where, say("unknown; did you mean %s?", "未知的名称；是否想写 %s？", near))
		return find(fields, near)
	}
	if home := r.home(path, key.Value); home != "" {
		r.wrong(key, where, say("it does not belong here; write it in the section %s:", "不属于此处；请写在 %s: 小节中", home))
		return field{}, false
	}
	slices.Sort(known)
	r.wrong(key, where, say("unknown; known here: %s", "未知的名称；此处可用：%s", strings.Join(known, ", ")))
	return field{}, false
}

// home finds the one section other than path that has the key.
func (r *reader) home(path, key string) string {
	var homes []string
	for _, f := range r.all {
		if _, ok := find(f.within, key); ok && f.key != path {
			homes = append(homes, f.key)
		}
	}
	if len(homes) == 1 {
		return homes[0]
	}
	return ""
}

func find(fields []field, key string) (field, bool) {
	i := slices.IndexFunc(fields, func(f field) bool { return f.key == key })
	if i < 0 {
		return field{}, false
	}
	return fields[i], true
}

// empty tells whether nothing is written: no value, ~, null or blanks in quotes.
func empty(n *yaml.Node) bool {
	switch n.Kind {
	case yaml.ScalarNode:
		return n.ShortTag() == "!!null" || strings.TrimSpace(n.Value) == ""
	case yaml.MappingNode, yaml.SequenceNode:
		return len(n.Content) == 0
	case yaml.AliasNode:
		return false
	default: // no other kind occurs inside a document
		return true
	}
}

func join(path, key string) string { return strings.TrimPrefix(path+"."+key, ".") }
