package crm_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ringside.dev/ringside/app/crm"
)

func TestMappingSchemaInTheTreeIsTheGeneratedOne(t *testing.T) {
	wantFile(t, "mapping.schema.json", crm.MappingSchema())
}

// mappingError is what the engine says of a mapping file; empty when it loads.
func mappingError(t *testing.T, file string) string {
	t.Helper()
	e, err := crm.Open(crm.Config{Connector: "sandbox", Params: map[string]string{"base_url": "http://127.0.0.1:1", "token": testToken}, Region: "GB", Mapping: file})
	if err != nil {
		return err.Error()
	}
	e.Close()
	return ""
}

func TestTheMappingSchemaRefusesWhatTheEngineRefuses(t *testing.T) {
	s := compiledSchema(t, "mapping.schema.json", crm.MappingSchema())
	if err := s.Validate(asEditorsSee(t, []byte(siteMapping))); err != nil {
		t.Errorf("the schema refuses what loads: %v", err)
	}
	for name, change := range map[string][2]string{
		"another file":                    {"kind: Mapping", "kind: Connector"},
		"another version":                 {"dev/v1", "dev/v2"},
		"no version":                      {"apiVersion: ringside.dev/v1\n", ""},
		"an unknown object":               {"  ticket:", "  person:"},
		"an unknown key":                  {"zone: Asia", "tz: Asia"},
		"no field":                        {"{field: origin, ", "{"},
		"neither from nor value":          {"field: origin, value: ringside", "field: origin"},
		"from and value":                  {"field: origin, value", "field: origin, from: call.note, value"},
		"an unknown type":                 {"type: bool", "type: boolean"},
		"an unknown unit":                 {"unit: s", "unit: sec"},
		"an unknown format":               {"format: datetime", "format: sql"},
		"an unknown direction":            {"direction: read", "direction: in"},
		"empty":                           {"max: 10}", "max: 10, empty: drop}"},
		"enum without values":             {", values: {Sold: S, Called back: C}", ""},
		"values of a text":                {"type: enum, values: {Sold", "values: {Sold"},
		"a call that is read":             {"field: ivr,", "field: ivr, direction: read,"},
		"a customer's field without from": {"from: customer.data.VIP, ", "value: VIP, "},
		"when is no expression":           {`when: "${call.ending != 'answered'}"`, "when: answered"},
		"max is no number":                {"max: 5", "max: five"},
		"required is no truth value":      {"max: 5", "required: maybe"},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(siteMapping, change[0], change[1], 1)
			if text == siteMapping {
				t.Fatalf("the mapping has no %q", change[0])
			}
			if err := s.Validate(asEditorsSee(t, []byte(text))); err == nil {
				t.Error("the schema takes it")
			}
			if mappingError(t, mappingFile(t, text)) == "" {
				t.Error("the engine takes it")
			}
		})
	}
}

// Whatever one takes away from a good mapping, or writes instead of one of its values: what still loads, the schema takes.
func TestTheMappingSchemaRefusesNothingThatLoads(t *testing.T) {
	s, file := compiledSchema(t, "mapping.schema.json", crm.MappingSchema()), filepath.Join(t.TempDir(), "variant.yaml")
	text := siteMapping + `  task:
    - {field: until, from: task.due_at, type: time, default: "2026-12-31", required: false, empty: clear}
    - {field: words, from: "task.subject + task.body", type: list, separator: ";", when: "${task.owner != ''}"}
    - {field: paid, value: true, type: bool, default: 0}
`
	loaded := 0
	for n := 0; ; n++ {
		changed, what := variant(t, []byte(text), n)
		if changed == nil {
			break
		}
		if err := os.WriteFile(file, changed, 0o600); err != nil {
			t.Fatal(err)
		}
		if mappingError(t, file) != "" {
			continue
		}
		loaded++
		if err := s.Validate(asEditorsSee(t, changed)); err != nil {
			t.Errorf("it loads with %s, but the schema refuses it: %v", what, err)
		}
	}
	if loaded < 60 {
		t.Errorf("only %d variants load: is this still a test?", loaded)
	}
}

// What a completing editor offers under from is what the engine takes there.
func TestEveryCanonicalNameLoads(t *testing.T) {
	for _, object := range []string{"call", "customer", "ticket", "task"} {
		names := crm.CanonicalNames(object)
		if len(names) < 10 {
			t.Errorf("%s has only the names %v", object, names)
		}
		for _, name := range names {
			write := mappingError(t, mappingFile(t, "apiVersion: ringside.dev/v1\nkind: Mapping\nfields:\n  "+object+":\n    - {field: a, from: "+name+"}\n"))
			read := mappingError(t, mappingFile(t, "apiVersion: ringside.dev/v1\nkind: Mapping\nfields:\n  "+object+":\n    - {field: a, from: "+name+", direction: read}\n"))
			if write != "" && read != "" {
				t.Errorf("%s of a %s can be neither written nor read: %s; %s", name, object, write, read)
			}
		}
	}
}
