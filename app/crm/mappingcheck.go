package crm

import (
	"context"
	"slices"
	"strings"

	"ringside.dev/ringside/app/cti"
)

// CheckMapping compares the site's mapping file as it is now with what the CRM says of its fields, before anything is written. It gives what does not fit, in
// the order of the file. Invalid: there is no mapping, or the CRM does not describe its fields.
func (e *Engine) CheckMapping(ctx context.Context) ([]Problem, error) {
	m, err := e.site.read()
	if err != nil {
		return nil, err
	}
	if m == nil {
		return nil, cti.Errorf(cti.Invalid, "there is no mapping to check: name its file under crm.mapping in the profile", nil)
	}
	if e.ops["describe"] == nil {
		return nil, cti.Errorf(cti.Invalid, e.doing("describe")+": this connector cannot ask the CRM for its fields: compare the mapping with the CRM's settings by eye", nil)
	}
	p := &problems{}
	for _, object := range sortedKeys(m.objects) {
		theirs, err := e.describe(ctx, object)
		if err != nil {
			return nil, err
		}
		for i := range m.objects[object] {
			f := &m.objects[object][i]
			p.file = f.file
			p.compare(f, theirs)
		}
	}
	if err := p.err(); err == nil {
		return nil, nil
	}
	return p.list, nil
}

// compare finds what a CRM will not take, or not as it is meant.
func (p *problems) compare(f *mapped, all []Field) {
	i := slices.IndexFunc(all, func(one Field) bool { return one.Name == f.Field })
	if i < 0 {
		var names []string
		for _, one := range all {
			names = append(names, one.Name)
		}
		do := words("Create it there, or correct the name.", "请在 CRM 中创建该字段，或更正名称。")
		if near := nearest(f.Field, names); near != "" {
			do = words("Write %q instead, or create the field there.", "请改写为 %q，或在 CRM 中创建该字段。", near)
		}
		p.add(f.where, words("the CRM has no field %q", "CRM 中没有字段 %q", f.Field), do)
		return
	}
	if theirs := all[i]; f.Direction != fromCRM {
		p.writable(f, theirs)
		p.typed(f, theirs)
		p.room(f, theirs)
		p.words(f, theirs)
	}
}

func (p *problems) writable(f *mapped, theirs Field) {
	if theirs.ReadOnly {
		p.add(f.where, words("the CRM's field %q cannot be written", "CRM 的字段 %q 不可写入", f.Field), words("Write direction: read, or remove it.", "请写 direction: read，或删除该项。"))
	}
}

// fitting lists which of our types a CRM's type takes; a CRM's own word is taken for text.
var fitting = map[string][]string{
	"int":   {typeInt, typeDuration},
	"float": {typeNumber, typeInt, typeDuration},
	"bool":  {typeBool},
	"enum":  {typeEnum, typeString, typeUser},
	"time":  {typeTime},
	"list":  {typeList},
	"user":  {typeUser, typeEnum, typeString},
}

func (p *problems) typed(f *mapped, theirs Field) {
	takes := fitting[theirs.Type]
	if theirs.Type == typeString {
		takes = []string{typeString, typeEnum, typeUser, typeTime}
	}
	if f.Type == typeList && f.Separator != "" && theirs.Type == typeString || f.constant() && f.Type == typeString {
		return
	}
	if len(takes) > 0 && !slices.Contains(takes, f.Type) {
		fits := takes[0]
		if strings.HasSuffix(f.From, "_ms") && slices.Contains(takes, typeDuration) {
			fits = typeDuration
		}
		p.add(f.where, words("the CRM's field %q is of type %s, the mapping writes %s", "CRM 的字段 %q 类型为 %s，映射写入的是 %s", f.Field, theirs.Type, f.Type),
			words("Write type: %s.", "请写 type: %s。", fits))
	}
}

// constant tells whether the value is written in the file as it is sent.
func (f *mapped) constant() bool {
	return f.From == "" && len(f.from.parts) == 1 && f.from.parts[0].code == nil
}

// room: a text without a limit is cut by the CRM where it likes, or refused.
func (p *problems) room(f *mapped, theirs Field) {
	text := f.Type == typeString || f.Type == typeList
	if !text || theirs.Length == 0 || fitting[theirs.Type] != nil || f.constant() {
		return
	}
	if f.Max == 0 || f.Max > theirs.Length {
		p.add(f.where, words("the CRM's field %q takes %d characters", "CRM 的字段 %q 最多 %d 个字符", f.Field, theirs.Length),
			words("Write max: %d; what is longer ends with … then.", "请写 max: %d；超出部分以 … 结尾。", theirs.Length))
	}
}

// words: each value of the table, the default and a constant must be one of the CRM's.
func (p *problems) words(f *mapped, theirs Field) {
	if len(theirs.Values) == 0 {
		return
	}
	var sent []string
	for _, ours := range sortedKeys(f.Values) {
		sent = append(sent, f.Values[ours])
	}
	if f.Default != "" {
		sent = append(sent, f.Default)
	}
	if f.constant() {
		sent = append(sent, f.from.parts[0].text)
	}
	for _, word := range slices.Compact(sent) {
		if !slices.Contains(theirs.Values, word) {
			p.add(f.where, words("the CRM's field %q does not know the value %q", "CRM 的字段 %q 没有值 %q", f.Field, word), oneOf(word, theirs.Values))
		}
	}
}
