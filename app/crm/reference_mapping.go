package crm

import "slices"

// MappingNames gives the names that mapping files may use as a table of Markdown, in 简体中文 for zh and zh-CN, else in English.
func MappingNames(language string) string {
	r := &referencePage{text: referenceWords(), language: language}
	objects, names := sortedKeys(mappedOps), map[string]bool{}
	heads := []string{r.say("name", "名称"), r.say("meaning", "含义")}
	for _, object := range objects {
		heads = append(heads, "`"+object+"`")
		for _, name := range CanonicalNames(object) {
			names[name] = true
		}
	}
	r.table(heads...)
	for _, name := range sortedKeys(names) {
		cells := []string{"`" + name + "`", r.canonical(name)}
		for _, object := range objects {
			cells = append(cells, arrow(object, name))
		}
		r.row(cells...)
	}
	return r.b.String()
}

// arrow shows which ways a value may go: → into the CRM, ← out of it.
func arrow(object, name string) string {
	read := slices.Contains(readNames[object], name)
	switch written := canWrite(object, name); {
	case read && written:
		return "↔"
	case read:
		return "←"
	case written:
		return "→"
	}
	return ""
}

// canWrite tells whether a name stands for something that is written.
func canWrite(object, name string) bool {
	return (&problems{}).compile(name, position{1, 1}, mappedScope(object)) != nil
}

// canonical gives the words for a name, those of the connector reference where it has them.
func (r *referencePage) canonical(name string) string {
	if words, ok := r.text.Input[name]; ok {
		return words.In(r.language)
	}
	return r.text.MappedNames[name].In(r.language)
}
