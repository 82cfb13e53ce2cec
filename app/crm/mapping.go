package crm

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	_ "time/tzdata" // Windows does not know the zones by these names

	"go.yaml.in/yaml/v4"

	"ringside.dev/ringside/app/cti"
)

// kindMapping is the kind of a site's mapping file.
const kindMapping = "Mapping"

// mappingDocument is a site's mapping file: what goes into which field of the CRM, besides what the connector itself writes.
type mappingDocument struct {
	APIVersion string                 `yaml:"apiVersion"`
	Kind       string                 `yaml:"kind"`
	Fields     map[string][]fieldSpec `yaml:"fields"` // by object: call, customer, ticket, task
}

// fieldSpec maps one field. A yaml.Node holds an expression or a constant.
type fieldSpec struct {
	Field     string            `yaml:"field"`     // its name in the CRM
	From      string            `yaml:"from"`      // a canonical name such as call.outcome; of a field that is read, where it goes
	Value     yaml.Node         `yaml:"value"`     // instead of from: a constant, or an expression
	Direction string            `yaml:"direction"` // write (the usual), read or both
	Type      string            `yaml:"type"`      // string (the usual), number, int, bool, enum, time, duration, list or user
	Values    map[string]string `yaml:"values"`    // enum, user: ours to the CRM's
	Unit      string            `yaml:"unit"`      // duration: ms, s (the usual), min or h
	Format    string            `yaml:"format"`    // time: iso (the usual), datetime, date, unix or unix_ms
	Zone      string            `yaml:"zone"`      // time: IANA name; none: UTC
	Separator string            `yaml:"separator"` // list: written as one text
	Max       int               `yaml:"max"`       // characters; what is longer ends with …
	Required  bool              `yaml:"required"`  // without a value nothing is written, and a person is asked
	Default   string            `yaml:"default"`
	Empty     string            `yaml:"empty"` // without a value: skip (the usual) leaves the field alone, clear empties it
	When      yaml.Node         `yaml:"when"`  // else the field is left alone
}

// The words of a mapping.
const (
	toCRM   = "write"
	fromCRM = "read"
	both    = "both"

	typeString   = "string"
	typeNumber   = "number"
	typeInt      = "int"
	typeBool     = "bool"
	typeEnum     = "enum"
	typeTime     = "time"
	typeDuration = "duration"
	typeList     = "list"
	typeUser     = "user"

	emptySkip  = "skip"
	emptyClear = "clear"

	usualUnit = "s"
)

var (
	directions   = []string{toCRM, fromCRM, both}
	mappingTypes = []string{typeString, typeNumber, typeInt, typeBool, typeEnum, typeTime, typeDuration, typeList, typeUser}
	units        = map[string]time.Duration{"ms": time.Millisecond, "s": time.Second, "min": time.Minute, "h": time.Hour}
	formats      = []string{"iso", "datetime", "date", "unix", "unix_ms"}
	empties      = []string{emptySkip, emptyClear}
)

// mappedOps are the operations that write each object; the first one's input is what expressions may name.
var mappedOps = map[string][]string{
	"call":     {"log_call"},
	"customer": {"create_contact", "update_contact"},
	"ticket":   {"create_ticket", "update_ticket"},
	"task":     {"create_task"},
}

// readNames are where what is read may go; data.NAME is shown under its name.
var readNames = map[string][]string{
	"customer": {"customer.name", "customer.company", "customer.email", "customer.status", "customer.owner", "customer.type", dataPrefix + "NAME"},
}

const dataPrefix = "customer.data."

// mapping is a site's file, compiled; nil maps nothing.
type mapping struct {
	mark    string // of the file's content
	objects map[string][]mapped
}

// writes tells whether a canonical name goes into a field of an object.
func (m *mapping) writes(object, name string) bool {
	return m != nil && slices.ContainsFunc(m.objects[object], func(f mapped) bool { return f.Direction != fromCRM && f.From == name })
}

type mapped struct {
	fieldSpec

	where position
	file  string
	from  *template
	when  *template
	zone  *time.Location
	once  bool // only when the record is made: it is about the call
	usual any  // what default is for the CRM; nil: none
}

// site is where a site's mapping is, and as it was read last.
type site struct {
	path string
	now  atomic.Pointer[mapping]
}

func (s *site) mapping() *mapping { return s.now.Load() }

// read reads the file as it is now; without one there is no mapping.
func (s *site) read() (*mapping, error) {
	if s.path == "" {
		return nil, nil
	}
	return openMapping(s.path)
}

// ReadMapping reads the site's mapping file anew: from now on it is written under it. It gives the mark of the mapping, which changes with the file;
// empty where there is none. After an error the one before stays.
func (e *Engine) ReadMapping() (mark string, err error) {
	m, err := e.site.read()
	if m == nil || err != nil {
		return "", err
	}
	e.site.now.Store(m)
	return m.mark, nil
}

// HasMapping tells whether the site maps fields of this CRM.
func (e *Engine) HasMapping() bool { return e.site.path != "" }

// openMapping reads a site's mapping file. The error is a *LoadError, or a cti.Error when the file cannot be read.
func openMapping(path string) (*mapping, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, cti.Errorf(cti.Invalid, "the mapping file cannot be read: check crm.mapping in the profile", err)
	}
	p := &problems{file: filepath.Base(path)}
	var root yaml.Node
	if err := yaml.Load(text, &root); err != nil {
		p.badYAML(err)
		return nil, p.err()
	}
	if len(root.Content) != 1 || root.Content[0].Kind != yaml.MappingNode {
		p.add(position{1, 1}, words("this is not a mapping file", "这不是映射文件"),
			words("It starts with apiVersion: %s and kind: %s.", "应以 apiVersion: %s 和 kind: %s 开头。", schemaVersion, kindMapping))
		return nil, p.err()
	}
	p.version(&root, kindMapping)
	checkKeys(p, root.Content[0], reflect.TypeFor[mappingDocument]())
	if err := p.err(); err != nil {
		return nil, err
	}
	var doc mappingDocument
	if err := root.Load(&doc, yaml.WithKnownFields()); err != nil {
		p.badYAML(err)
		return nil, p.err()
	}
	m := p.mapping(doc, &root)
	if err := p.err(); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(text)
	m.mark = hex.EncodeToString(sum[:8])
	return m, nil
}

func (p *problems) mapping(doc mappingDocument, root *yaml.Node) *mapping {
	m := &mapping{objects: map[string][]mapped{}}
	for _, object := range sortedKeys(doc.Fields) {
		if mappedOps[object] == nil {
			p.add(find(root, "fields", object), words("unknown object %q", "未知的对象 %q", object), oneOf(object, sortedKeys(mappedOps)))
			continue
		}
		seen := map[string]bool{}
		for i := range doc.Fields[object] {
			spec, place := doc.Fields[object][i], []string{"fields", object, strconv.Itoa(i)}
			at := func(key string) position { return find(root, slices.Concat(place, []string{key})...) }
			if seen[spec.Field] {
				p.add(at("field"), words("field %q is mapped twice", "字段 %q 映射了两次", spec.Field), words("Keep one of them.", "请只保留一个。"))
			}
			seen[spec.Field] = true
			m.objects[object] = append(m.objects[object], p.mapped(object, spec, at))
		}
	}
	return m
}

// mapped compiles one field.
func (p *problems) mapped(object string, spec fieldSpec, at func(key string) position) mapped {
	f := mapped{fieldSpec: spec, where: at(""), file: p.file, zone: time.UTC}
	f.fill()
	p.choices(f, at)
	if f.Field == "" {
		p.add(f.where, words("a field has no name", "字段没有名称"), words("Write field: with its name in the CRM.", "请写 field: 及其在 CRM 中的名称。"))
	}
	if zone, err := time.LoadLocation(f.Zone); err != nil {
		p.add(at("zone"), words("unknown time zone %q", "未知的时区 %q", f.Zone), words("Write it as Asia/Shanghai.", "请写成 Asia/Shanghai 的形式。"))
	} else {
		f.zone = zone
	}
	if f.Direction != toCRM {
		p.read(object, f, at)
	}
	if f.Direction != fromCRM {
		p.write(object, &f, at)
	}
	return f
}

// fill fills in what was left out.
func (f *mapped) fill() {
	for _, one := range []struct {
		of    *string
		usual string
	}{{&f.Direction, toCRM}, {&f.Type, typeString}, {&f.Unit, usualUnit}, {&f.Format, formats[0]}, {&f.Empty, emptySkip}} {
		if *one.of == "" {
			*one.of = one.usual
		}
	}
}

func (p *problems) choices(f mapped, at func(key string) position) {
	for _, one := range []struct {
		key, is string
		of      []string
	}{
		{"direction", f.Direction, directions}, {"type", f.Type, mappingTypes}, {"unit", f.Unit, sortedKeys(units)}, {"format", f.Format, formats}, {"empty", f.Empty, empties},
	} {
		if !slices.Contains(one.of, one.is) {
			p.add(at(one.key), words("unknown %s %q", "未知的 %s %q", one.key, one.is), oneOf(one.is, one.of))
		}
	}
	if len(f.Values) > 0 && f.Type != typeEnum && f.Type != typeUser {
		p.add(at("values"), words("values belong to the types enum and user", "values 只用于类型 enum 和 user"), words("Write type: enum.", "请写 type: enum。"))
	}
	if f.Type == typeEnum && len(f.Values) == 0 {
		p.add(at("type"), words("type enum needs values", "类型 enum 需要 values"), words("Write values: {ours: theirs}.", "请写 values: {我方: 对方}。"))
	}
	p.oneWord(f, at("values"))
	if f.Max < 0 {
		p.add(at("max"), words("max is below 0", "max 小于 0"), words("Write how many characters the field takes.", "请写该字段可容纳的字符数。"))
	}
}

// oneWord: what is looked up in a table, or back, must give one answer.
func (p *problems) oneWord(f mapped, at position) {
	ours, theirs := map[string]string{}, map[string]string{}
	for _, word := range sortedKeys(f.Values) {
		if other, twice := ours[strings.ToLower(word)]; twice {
			p.add(at, words("%q and %q differ in case alone", "%q 与 %q 仅大小写不同", other, word), words("Keep one of them.", "请只保留一个。"))
		}
		ours[strings.ToLower(word)] = word
		if other, twice := theirs[f.Values[word]]; twice && f.Direction != toCRM {
			p.add(at, words("%q and %q are one word in the CRM: which of them is read?", "%q 与 %q 在 CRM 中是同一个词：应读作哪一个？", other, word),
				words("Keep one of them, or write direction: write.", "请只保留一个，或写 direction: write。"))
		}
		theirs[f.Values[word]] = word
	}
}

// read checks where a field goes that is read.
func (p *problems) read(object string, f mapped, at func(key string) position) {
	known := readNames[object]
	data, isData := strings.CutPrefix(f.From, dataPrefix)
	switch {
	case len(known) == 0:
		p.add(at("direction"), words("fields of a %s are only written", "%s 的字段只能写入", object), words("Remove direction.", "请删除 direction。"))
	case isData && data != "" && object == "customer":
	case !slices.Contains(known, f.From):
		p.add(at("from"), words("%q is not a place for what is read", "%q 不能存放读取的值", f.From), oneOf(f.From, known))
	}
}

// write compiles where the value of a field comes from.
func (p *problems) write(object string, f *mapped, at func(key string) position) {
	if (f.From == "") == f.Value.IsZero() {
		p.add(f.where, words("a field needs from or value", "字段需要 from 或 value"),
			words("Write from: call.outcome, or value: with a constant.", "请写 from: call.outcome，或用 value: 写常量。"))
		return
	}
	var err error
	if f.usual, err = f.instead(); err != nil {
		p.add(at("default"), words("default is not of type %s", "default 不是类型 %s", f.Type), words("Write it as the CRM takes it.", "请按 CRM 接受的形式填写。"))
	}
	names := mappedScope(object)
	source := f.Value
	if f.From != "" {
		where := at("from")
		source = yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: "${" + f.From + "}", Line: where.line, Column: where.column}
	}
	f.from, f.when = p.scalar(&source, names), p.scalar(&f.When, names)
	f.once = object != "call" && (strings.Contains(source.Value, "call.") || strings.Contains(source.Value, "phone."))
	if f.when != nil && !f.when.whole {
		p.add(at("when"), words("when is not one expression", "when 不是单个表达式"), words(`Write it as when: "${call.direction == 'in'}".`, `请写成 when: "${call.direction == 'in'}"。`))
	}
}

// mappedScope is what expressions about an object may name.
func mappedScope(object string) scope {
	names := scope{}
	maps.Copy(names, shapes[mappedOps[object][0]].input)
	delete(names, "fields") // what the mapping itself makes
	delete(names, "version")
	if _, called := names["phone"]; called {
		phone := maps.Clone(phoneScope)
		delete(phone, "candidate") // of lookup
		names["phone"] = phone
	}
	return names
}
