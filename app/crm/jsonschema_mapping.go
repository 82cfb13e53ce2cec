package crm

import (
	"reflect"
	"slices"

	"github.com/expr-lang/expr/types"
)

// mappingSections are the structs of a site's mapping file. The first is the file itself.
var mappingSections = []section{
	{reflect.TypeFor[mappingDocument](), "mapping", ""},
	{reflect.TypeFor[fieldSpec](), "field", "fields.OBJECT[]"},
}

// mappingFacts is what the types do not say about a key of a mapping file.
var mappingFacts = map[string]keyFact{
	"mapping.apiVersion": {values: []string{schemaVersion}, required: true},
	"mapping.kind":       {values: []string{kindMapping}, required: true},
	"mapping.fields":     {names: sortedKeys(mappedOps)},

	"field.field":     {required: true},
	"field.direction": {values: directions, usual: toCRM},
	"field.type":      {values: mappingTypes, usual: typeString},
	"field.values":    {form: formLoose},
	"field.unit":      {values: sortedKeys(units), usual: usualUnit},
	"field.format":    {values: formats, usual: formats[0]},
	"field.default":   {form: formLoose},
	"field.empty":     {values: empties, usual: emptySkip},
	"field.when":      {form: formExpression},
}

// mappingRules is what keys of a field have to do with each other.
var mappingRules = []*jsonSchema{
	{Not: &jsonSchema{Required: []string{"from", "value"}, Not: only("direction", fromCRM)}},
	{AnyOf: []*jsonSchema{{Required: []string{"from"}}, {Required: []string{"value"}, Not: reading()}}},
	when("type", []string{typeEnum}, filled("values")),
	{If: filled("values"), Then: &jsonSchema{Required: []string{"type"}, Properties: map[string]*jsonSchema{"type": {Enum: []string{typeEnum, typeUser}}}}},
}

// reading holds for a field that is read.
func reading() *jsonSchema {
	return &jsonSchema{Required: []string{"direction"}, Properties: map[string]*jsonSchema{"direction": {Enum: []string{fromCRM, both}}}}
}

// MappingSchema gives the JSON Schema of a site's mapping files, as Schema does of connector files.
func MappingSchema() []byte {
	w := referenceWords()
	root := structSchema(w, mappingSections[0])
	root.Schema, root.Title, root.Description = schemaDraft, "Ringside mapping", w.Sections[mappingSections[0].name].En
	root.Defs = map[string]*jsonSchema{
		formText:       {Description: "A constant, or text with ${…}; an expression sees the canonical names.", Type: scalarTypes},
		formExpression: expressionSchema(),
	}
	general := structSchema(w, mappingSections[1])
	general.AllOf = mappingRules
	for object, list := range root.Properties["fields"].Properties {
		root.Defs[object] = objectSchema(general, object)
		list.Items = refTo(object)
	}
	return marshalSchema(root)
}

// objectSchema is a field of one object: from is completed with the names that there are, but may be any expression.
func objectSchema(general *jsonSchema, object string) *jsonSchema {
	out, from := *general, *general.Properties["from"]
	from.AnyOf = []*jsonSchema{{Enum: CanonicalNames(object)}, {Type: from.Type}}
	from.Type = nil
	out.Properties = map[string]*jsonSchema{}
	for key, value := range general.Properties {
		out.Properties[key] = value
	}
	out.Properties["from"] = &from
	if readNames[object] == nil {
		direction := *general.Properties["direction"]
		direction.Enum, direction.Help = []string{toCRM}, nil
		out.Properties["direction"] = &direction
	}
	return &out
}

// CanonicalNames lists what a mapping of an object may name: what is written of a call and its customer, and where what is read may go. What came with
// a call stands below call.data, what is shown on the card below customer.data, under names of the site's own.
func CanonicalNames(object string) []string {
	out := slices.Clone(readNames[object])
	for name, t := range mappedScope(object) {
		inner, ok := t.(types.Map)
		if !ok {
			out = append(out, name)
		}
		for below := range inner {
			out = append(out, name+"."+below)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
