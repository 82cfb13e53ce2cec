package crm

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
)

// jsonSchema is as much of JSON Schema, draft 2020-12, as a connector file needs. Older editors know draft 7 alone: only words that both have are used.
type jsonSchema struct {
	Schema      string `json:"$schema,omitempty"`
	Title       string `json:"title,omitempty"`
	Description string `json:"description,omitempty"`
	Ref         string `json:"$ref,omitempty"`

	Type  any      `json:"type,omitempty"` // a name or several
	Const any      `json:"const,omitempty"`
	Enum  []string `json:"enum,omitempty"`
	Help  []string `json:"enumDescriptions,omitempty"` // not of the standard: editors show it beside enum

	Pattern       string `json:"pattern,omitempty"`
	MinLength     int    `json:"minLength,omitempty"`
	Minimum       int64  `json:"minimum,omitempty"`
	Maximum       int64  `json:"maximum,omitempty"`
	MinItems      int    `json:"minItems,omitempty"`
	MinProperties int    `json:"minProperties,omitempty"`
	MaxProperties *int   `json:"maxProperties,omitempty"`

	Items      *jsonSchema            `json:"items,omitempty"`
	Required   []string               `json:"required,omitempty"`
	Properties map[string]*jsonSchema `json:"properties,omitempty"`
	Others     any                    `json:"additionalProperties,omitempty"` // false, or what all others must be

	AllOf []*jsonSchema `json:"allOf,omitempty"`
	AnyOf []*jsonSchema `json:"anyOf,omitempty"`
	OneOf []*jsonSchema `json:"oneOf,omitempty"`
	Not   *jsonSchema   `json:"not,omitempty"`
	If    *jsonSchema   `json:"if,omitempty"`
	Then  *jsonSchema   `json:"then,omitempty"`
	Else  *jsonSchema   `json:"else,omitempty"`

	Defs map[string]*jsonSchema `json:"$defs,omitempty"`
}

const schemaDraft = "https://json-schema.org/draft/2020-12/schema"

// Schema gives the JSON Schema of connector files: what editors need to complete and check one. It is made of the types a file is read into and of
// the tables the engine loads it by, and ends with a line break. It does not look into expressions: only Open does.
func Schema() []byte {
	w := referenceWords()
	root := structSchema(w, sections[0])
	root.Schema, root.Title, root.Description = schemaDraft, "Ringside connector", w.Sections[sections[0].name].En
	root.Defs = map[string]*jsonSchema{
		formText:       {Description: "Text, a number or a truth value; ${…} in it holds an expression.", Type: scalarTypes},
		formExpression: expressionSchema(),
	}
	for _, s := range sections[1:] {
		root.Defs[s.name] = structSchema(w, s)
	}
	for section, rules := range schemaRules {
		root.Defs[section].AllOf = rules
	}
	root.Properties["operations"] = operationsSchema(w, root.Defs["operation"])
	delete(root.Defs, "operation") // each operation has its own
	return marshalSchema(root)
}

func expressionSchema() *jsonSchema {
	return &jsonSchema{Description: "One expression and nothing else: ${…}.", Type: "string", Pattern: `^\$\{[\s\S]*\}$`}
}

func marshalSchema(s *jsonSchema) []byte {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(s); err != nil {
		panic(err) // it holds texts, numbers and lists of them
	}
	return out.Bytes()
}

// scalarTypes are what a text may be written as: YAML takes 5 and true without quotes.
var scalarTypes = []string{"string", "number", "boolean"}

func structSchema(w *referenceText, s section) *jsonSchema {
	out := &jsonSchema{Type: "object", Properties: map[string]*jsonSchema{}, Others: false}
	for field := range s.of.Fields() {
		key := field.Tag.Get("yaml")
		fact := factOf(s.name + "." + key)
		out.Properties[key] = keySchema(w, s.name+"."+key, fact, field.Type)
		if fact.required {
			out.Required = append(out.Required, key)
		}
	}
	slices.Sort(out.Required)
	return out
}

// keySchema is what may stand under a key.
func keySchema(w *referenceText, name string, fact keyFact, t reflect.Type) *jsonSchema {
	out := valueSchema(w, name, fact, t)
	if fact.required && t.Kind() == reflect.Slice {
		out.MinItems = 1
	}
	if fact.required && t.Kind() == reflect.Map {
		out.MinProperties = 1
	}
	out.Description = w.Keys[name].En
	if fact.usual != "" {
		out.Description += " Default: " + fact.usual + "." // not the word default: editors would write it into each new step
	}
	return out
}

// valueSchema goes by the type alone; what the type does not say comes from the fact.
func valueSchema(w *referenceText, name string, fact keyFact, t reflect.Type) *jsonSchema {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == nodeType {
		return nodeSchema(fact)
	}
	switch t.Kind() {
	case reflect.Struct:
		return refTo(sectionOf(t).name)
	case reflect.Slice:
		return &jsonSchema{Type: "array", Items: valueSchema(w, name, fact, t.Elem())}
	case reflect.Map:
		if names := fact.names; names != nil {
			return &jsonSchema{Type: "object", Properties: namedSchemas(w, name, names, valueSchema(w, name, fact, t.Elem())), Others: false}
		}
		return &jsonSchema{Type: "object", Others: valueSchema(w, name, fact, t.Elem())}
	case reflect.Bool:
		return &jsonSchema{Type: "boolean"}
	case reflect.Int, reflect.Int64:
		return &jsonSchema{Type: "integer", Minimum: fact.least, Maximum: fact.most}
	}
	return textSchema(w, name, fact)
}

func namedSchemas(w *referenceText, key string, names []string, each *jsonSchema) map[string]*jsonSchema {
	out := map[string]*jsonSchema{}
	for _, name := range names {
		one := *each
		if one.Description = w.Values[key+"."+name].En; one.Description == "" {
			one.Description = w.Operations[name].En
		}
		out[name] = &one
	}
	return out
}

// nodeSchema is for what the engine compiles later.
func nodeSchema(fact keyFact) *jsonSchema {
	switch fact.form {
	case formTree:
		return &jsonSchema{}
	case formFile:
		parts := map[string]*jsonSchema{"name": refTo(formText), "type": refTo(formText), "content": refTo(formText)}
		return &jsonSchema{AnyOf: []*jsonSchema{refTo(formText), {Type: "object", Properties: parts, Required: []string{"content"}, Others: false}}}
	case formExpression:
		return refTo(formExpression)
	}
	return refTo(formText)
}

// textSchema is for plain text.
func textSchema(w *referenceText, name string, fact keyFact) *jsonSchema {
	out := &jsonSchema{Type: "string", Enum: fact.values, Pattern: patterns[fact.form]}
	for _, value := range fact.values {
		if help := w.Values[name+"."+value].En; help != "" {
			out.Help = append(out.Help, help)
		}
	}
	if len(out.Help) != len(out.Enum) {
		out.Help = nil
	}
	switch {
	case fact.form == formLoose:
		out.Type = scalarTypes
	case fact.values == nil && out.Pattern == "":
		out.Type = scalarTypes[:2] // a version, a name or an id may be a number
	}
	if fact.required && fact.values == nil && fact.form == "" {
		out.MinLength = 1
	}
	return out
}

// factOf gives what is known of a key, of either kind of file.
func factOf(name string) keyFact {
	if fact, ok := mappingFacts[name]; ok {
		return fact
	}
	return keyFacts[name]
}

func refTo(name string) *jsonSchema { return &jsonSchema{Ref: "#/$defs/" + name} }

// operationsSchema lists the operations, each with the names of its own result.
func operationsSchema(w *referenceText, general *jsonSchema) *jsonSchema {
	out := &jsonSchema{Type: "object", Description: w.Keys[sections[0].name+".operations"].En, Properties: map[string]*jsonSchema{}, Required: neededOps, Others: false}
	for _, name := range opNames() {
		out.Properties[name] = operationSchema(w, general, name, shapes[name])
	}
	return out
}

func operationSchema(w *referenceText, general *jsonSchema, name string, shape opShape) *jsonSchema {
	out := &jsonSchema{Type: "object", Description: w.Operations[name].En, Properties: map[string]*jsonSchema{}, Others: false}
	for key, value := range general.Properties {
		out.Properties[key] = value
	}
	result := func(key string, fields, needs []string) {
		out.Properties[key] = resultSchema(w, name, general.Properties[key].Description, fields, needs)
		out.Required = append(out.Required, key)
	}
	out.Required = append(out.Required, "steps")
	switch {
	case shape.page != nil:
		result("map", shape.fields, shape.needs)
		result("output", shape.page, shape.page)
	case shape.list:
		result("map", shape.fields, shape.needs)
		delete(out.Properties, "output")
	default:
		result("output", shape.fields, shape.needs)
		delete(out.Properties, "map")
	}
	if shape.write {
		out.Required = append(out.Required, "idempotency")
	} else {
		delete(out.Properties, "idempotency")
		delete(out.Properties, "update")
	}
	slices.Sort(out.Required)
	return out
}

func resultSchema(w *referenceText, op, description string, fields, needs []string) *jsonSchema {
	out := &jsonSchema{Type: "object", Description: description, Properties: map[string]*jsonSchema{}, Required: slices.Sorted(slices.Values(needs)), Others: false}
	for _, name := range fields {
		one := refTo(formText)
		one.Description = w.result(op, name).En
		out.Properties[name] = one
	}
	return out
}

// result gives the words for a name of an operation's result.
func (w *referenceText) result(op, name string) Words {
	kind := resultOf(op)
	if shapes[op].page != nil && slices.Contains(shapes[op].page, name) {
		kind = "page"
	}
	return w.Results[kind+"."+name]
}

// sectionOf gives the section of a type. A type without one is found by the tests.
func sectionOf(t reflect.Type) section {
	for _, s := range slices.Concat(sections, mappingSections) {
		if s.of == t {
			return s
		}
	}
	return section{of: t, name: strings.TrimSuffix(t.Name(), "Spec")}
}
