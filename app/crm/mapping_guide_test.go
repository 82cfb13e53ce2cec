package crm_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ringside.dev/ringside/app/crm"
	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/number"
	"ringside.dev/ringside/app/settings"
)

var mappingGuides = map[string]string{"en": "../../docs/mapping.md", "zh-CN": "../../docs/mapping.zh-CN.md"}

func pageText(t *testing.T, page string) string {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The table of names stands between two marks and is made of the code.
func TestTheMappingGuideHasAllNames(t *testing.T) {
	for language, page := range mappingGuides {
		text := pageText(t, page)
		before, rest, begun := strings.Cut(text, "<!-- names -->\n")
		_, after, ended := strings.Cut(rest, "<!-- end of names -->\n")
		if !begun || !ended {
			t.Errorf("%s has no place for the names", page)
			continue
		}
		wantFile(t, page, []byte(before+"<!-- names -->\n"+crm.MappingNames(language)+"<!-- end of names -->\n"+after))
	}
}

// Each key and each of its values is told with an example.
func TestTheMappingGuideHasAllKeys(t *testing.T) {
	var schema struct {
		Defs map[string]struct {
			Properties map[string]struct{ Enum []string }
		} `json:"$defs"`
	}
	if err := json.Unmarshal(crm.MappingSchema(), &schema); err != nil {
		t.Fatal(err)
	}
	keys := schema.Defs["customer"].Properties
	if len(keys) < 10 {
		t.Fatalf("the schema has only the keys %v", keys)
	}
	for _, page := range mappingGuides {
		examples := strings.Join(examples(t, page), "\n")
		for key, is := range keys {
			if !strings.Contains(examples, key+": ") {
				t.Errorf("%s has no example of %s", page, key)
			}
			for _, value := range is.Enum {
				if !strings.Contains(pageText(t, page), "`"+value+"`") && !strings.Contains(examples, key+": "+value) {
					t.Errorf("%s says nothing of %s: %s", page, key, value)
				}
			}
		}
	}
}

const mappingHead = "apiVersion: ringside.dev/v1\nkind: Mapping\n"

func TestExamplesOfTheMappingGuideLoad(t *testing.T) {
	s := compiledSchema(t, "mapping.schema.json", crm.MappingSchema())
	connector := examples(t, guides[0])[0]
	for _, page := range mappingGuides {
		for i, part := range examples(t, page) {
			t.Run(fmt.Sprint(filepath.Base(page), " ", i), func(t *testing.T) {
				switch {
				case strings.HasPrefix(part, "crm:"):
					file := filepath.Join(t.TempDir(), "profile.yaml")
					profile := "version: 1\nagent: {name: A}\nphone: {source: sim, extension: '1'}\nregion: CN\nwrapup: {outcomes: [Sold]}\n" + part
					if err := os.WriteFile(file, []byte(profile), 0o600); err != nil {
						t.Fatal(err)
					}
					if _, err := settings.Load(file); err != nil {
						t.Errorf("%v\n%s", err, part)
					}
					return
				case strings.HasPrefix(part, "operations:"):
					if says := loadError(t, fileOf(t, merged(t, connector, part))); says != "" {
						t.Errorf("%s\n%s", says, part)
					}
					return
				case strings.HasPrefix(part, "fields:"):
					part = mappingHead + part
				}
				if says := mappingError(t, mappingFile(t, part)); says != "" {
					t.Errorf("%s\n%s", says, part)
				}
				if err := s.Validate(asEditorsSee(t, []byte(part))); err != nil {
					t.Errorf("the schema refuses it: %v\n%s", err, part)
				}
			})
		}
	}
}

func TestMappingGuidesInBothLanguagesHaveTheSameExamples(t *testing.T) {
	remarks := regexp.MustCompile(`(?m)\s*# [^→\n]*$`)
	en, zh := examples(t, mappingGuides["en"]), examples(t, mappingGuides["zh-CN"])
	if len(en) != len(zh) {
		t.Fatalf("%d examples in English, %d in Chinese", len(en), len(zh))
	}
	for i := range en {
		if a, b := remarks.ReplaceAllString(en[i], ""), remarks.ReplaceAllString(zh[i], ""); a != b {
			t.Errorf("example %d differs:\n%s\n%s", i, a, b)
		}
	}
}

// guidesCall is the call of the guide.
func guidesCall(t *testing.T, page string) cti.WriteBack {
	t.Helper()
	found := regexp.MustCompile("(?s)\n```json\n(.*?)```\n").FindStringSubmatch(pageText(t, page))
	var in struct {
		Phone string
		Call  cti.Record
	}
	var said struct {
		Call struct{ Outcome, Note string }
	}
	if found == nil {
		t.Fatalf("%s has no call", page)
	}
	for _, into := range []any{&in, &said} {
		if err := json.Unmarshal([]byte(found[1]), into); err != nil {
			t.Fatal(err)
		}
	}
	r := in.Call
	r.Key, r.Direction, r.Ending, r.Number = "k", cti.In, cti.EndAnswered, number.Parse(in.Phone, "GB")
	r.WrapUp = cti.WrapUp{Outcome: said.Call.Outcome, Note: said.Call.Note, SavedAt: r.StartedAt.Add(time.Hour)}
	return cti.WriteBack{Op: cti.LogCall, Key: "k", Identity: cti.IdentityKnown, Record: r}
}

var (
	writtenAs = regexp.MustCompile(`(?m)\{field: (\w+), .*\} # → (.*)$`)
	shownAs   = regexp.MustCompile(`(?m)\{field: (\w+), from: customer\.data\.([^,]+), .*\} # (.*) → (.*)$`)
)

// What stands behind an arrow is what goes into the CRM.
func TestWhatTheMappingGuideSaysIsWritten(t *testing.T) {
	for _, page := range mappingGuides {
		said := 0
		for _, part := range examples(t, page) {
			wanted := writtenAs.FindAllStringSubmatch(part, -1)
			if len(wanted) == 0 {
				continue
			}
			e := openMapped(t, "http://127.0.0.1:1", mappingHead+part)
			shown, err := e.Preview(t.Context(), guidesCall(t, page))
			if err != nil || len(shown) != 1 {
				t.Fatalf("%v, %v\n%s", shown, err, part)
			}
			var body struct{ Fields map[string]any }
			if err := json.Unmarshal([]byte(shown[0].Body), &body); err != nil {
				t.Fatal(err)
			}
			for _, one := range wanted {
				said++
				if one[2] == "nothing" || one[2] == "不写入" {
					if is, there := body.Fields[one[1]]; there {
						t.Errorf("%s: %s, but %v is written", page, one[0], is)
					}
					continue
				}
				var want any
				if err := json.Unmarshal([]byte(one[2]), &want); err != nil {
					t.Fatalf("%s: %v", one[0], err)
				}
				if diff := cmp.Diff(want, body.Fields[one[1]]); diff != "" {
					t.Errorf("%s: %s (-said +written):\n%s", page, one[0], diff)
				}
			}
		}
		if said < 20 {
			t.Errorf("%s says of only %d fields what is written", page, said)
		}
	}
}

// What stands behind an arrow is what the card shows.
func TestWhatTheMappingGuideSaysIsShown(t *testing.T) {
	for _, page := range mappingGuides {
		i := slices.IndexFunc(examples(t, page), shownAs.MatchString)
		if i < 0 {
			t.Fatalf("%s has no example that reads", page)
		}
		part := examples(t, page)[i]
		server := startSandbox(t)
		known := addContact(t, server, "Ada Lovelace", "020 7946 0123")
		want, fields := map[string]string{}, map[string]any{}
		for _, one := range shownAs.FindAllStringSubmatch(part, -1) {
			var theirs any
			if err := json.Unmarshal([]byte(one[3]), &theirs); err != nil {
				t.Fatalf("%s: %v", one[0], err)
			}
			addField(t, server, "contact", fmt.Sprintf(`{"name":%q,"type":%q}`, one[1], sandboxType(theirs)))
			fields[one[1]], want[one[2]] = theirs, one[4]
		}
		body, err := json.Marshal(map[string]any{"fields": fields})
		if err != nil {
			t.Fatal(err)
		}
		e := openMapped(t, server.URL(), mappingHead+part)
		sayTo(t, server, http.MethodPatch, "/api/contacts/"+known, string(body), nil)
		found, err := e.Lookup(t.Context(), number.Parse("+442079460123", "GB"))
		if err != nil || len(found) != 1 {
			t.Fatalf("found %v, %v", found, err)
		}
		for name := range found[0].Data {
			if _, said := want[name]; !said {
				delete(found[0].Data, name)
			}
		}
		if diff := cmp.Diff(want, found[0].Data); diff != "" {
			t.Errorf("%s (-said +shown):\n%s", page, diff)
		}
	}
}

func sandboxType(v any) string {
	return map[reflect.Kind]string{reflect.Bool: "bool", reflect.Float64: "int", reflect.Slice: "list"}[reflect.TypeOf(v).Kind()] +
		map[bool]string{true: "string"}[reflect.TypeOf(v).Kind() == reflect.String]
}
