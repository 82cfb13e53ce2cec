package crm_test

import (
	"bytes"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"

	"ringside.dev/ringside/app/crm"
)

var updateReference = flag.Bool("update-reference", false, "write connector.schema.json, mapping.schema.json and docs/connector-reference*.md anew")

const rewrite = "go test ./app/crm -run 'Schema|Reference' -update-reference"

func TestSchemaInTheTreeIsTheGeneratedOne(t *testing.T) {
	wantFile(t, "connector.schema.json", crm.Schema())
}

func TestReferencesInTheTreeAreTheGeneratedOnes(t *testing.T) {
	wantFile(t, "../../docs/connector-reference.md", []byte(crm.Reference("en")))
	wantFile(t, "../../docs/connector-reference.zh-CN.md", []byte(crm.Reference("zh-CN")))
}

func wantFile(t *testing.T, path string, want []byte) {
	t.Helper()
	if *updateReference {
		if err := os.WriteFile(path, want, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s is not what the code says (%v): run %s", path, err, rewrite)
	}
}

// schema is compiled by a validator that is not ours.
func schema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	return compiledSchema(t, "connector.schema.json", crm.Schema())
}

func compiledSchema(t *testing.T, name string, text []byte) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource(name, doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// asEditorsSee reads YAML into what JSON has: aliases followed, maps merged, times left as text.
func asEditorsSee(t *testing.T, text []byte) any {
	t.Helper()
	var root yaml.Node
	if err := yaml.Load(text, &root); err != nil {
		t.Fatal(err)
	}
	return jsonOf(t, &root)
}

func jsonOf(t *testing.T, n *yaml.Node) any {
	t.Helper()
	switch n.Kind {
	case yaml.DocumentNode:
		return jsonOf(t, n.Content[0])
	case yaml.AliasNode:
		return jsonOf(t, n.Alias)
	case yaml.SequenceNode:
		out := []any{}
		for _, one := range n.Content {
			out = append(out, jsonOf(t, one))
		}
		return out
	case yaml.MappingNode:
		return jsonMapOf(t, n)
	}
	if tag := n.ShortTag(); tag == "!!str" || tag == "!!timestamp" {
		return n.Value
	}
	var v any
	if err := n.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

func jsonMapOf(t *testing.T, n *yaml.Node) map[string]any {
	t.Helper()
	out := map[string]any{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].ShortTag() != "!!merge" {
			continue
		}
		if merged, ok := jsonOf(t, n.Content[i+1]).(map[string]any); ok { // else an expression: the engine merges what it gives
			maps.Copy(out, merged)
		}
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].ShortTag() != "!!merge" {
			out[n.Content[i].Value] = jsonOf(t, n.Content[i+1])
		}
	}
	return out
}

func TestEveryFileThatLoadsFitsTheSchema(t *testing.T) {
	s := schema(t)
	files, err := filepath.Glob("presets/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no presets: %v", err)
	}
	more, err := filepath.Glob("crmtest/testdata/*.yaml")
	if err != nil || len(more) == 0 {
		t.Fatalf("no files of crmtest: %v", err)
	}
	files = append(files, more...)
	good := 0
	goldens, err := filepath.Glob("testdata/load/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, golden := range goldens {
		if info, err := os.Stat(golden); err == nil && info.Size() == 0 {
			files = append(files, strings.TrimSuffix(golden, ".txt")+".yaml")
			good++
		}
	}
	if good == 0 {
		t.Error("no file of testdata/load loads")
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(asEditorsSee(t, text)); err != nil {
			t.Errorf("%s loads, but the schema refuses it: %v", file, err)
		}
	}
}

// Editors find the schema by the first line.
func TestEveryPresetNamesItsSchema(t *testing.T) {
	files, err := filepath.Glob("presets/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if want := "# yaml-language-server: $schema=../connector.schema.json\n"; !strings.HasPrefix(string(text), want) {
			t.Errorf("%s does not begin with %s", file, want)
		}
	}
}

// onlyTheEngineSees are files of testdata/load whose mistake is in an expression, or in what two distant parts have to do with each other.
var onlyTheEngineSees = []string{
	"auth_oauth2_secret_alone", "duplicate_key", "forbidden_expression", "idempotency_found", "idempotency_header_not_sent", "limits_gate_max", "missing_param",
	"typo_in_block_text", "typo_in_expression", "unclosed_expression", "update_sends_key", "update_without_record", "upload-without",
}

func TestTheSchemaRefusesWrongFiles(t *testing.T) {
	s := schema(t)
	goldens, err := filepath.Glob("testdata/load/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, golden := range goldens {
		name := strings.TrimSuffix(filepath.Base(golden), ".txt")
		says, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(strings.TrimSuffix(golden, ".txt") + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		var root yaml.Node
		if len(says) == 0 || yaml.Load(text, &root) != nil {
			continue // it loads, or is no YAML
		}
		refused := s.Validate(asEditorsSee(t, text)) != nil
		if left := slices.Contains(onlyTheEngineSees, name); refused == left {
			t.Errorf("%s: refused by the schema: %v; listed as seen by the engine alone: %v", name, refused, left)
		}
	}
}

// Each is good.yaml with one text replaced: the engine and the schema refuse it alike.
func TestSchemaAndEngineRefuseTheSame(t *testing.T) {
	s := schema(t)
	good, err := os.ReadFile("testdata/load/good.yaml")
	if err != nil {
		t.Fatal(err)
	}
	const bearer, hosts, whoami = `auth: {type: bearer, headers: {Authorization: "Bearer ${param.token}"}}`, `timeout: 5s`, `output: {name: "${res.json.name}"}`
	const login = `login: [{id: in, request: {method: POST, url: "${param.base_url}/in"}}]`
	for name, change := range map[string][2]string{
		"no version":                       {"apiVersion: ringside.dev/v1\n", ""},
		"another version":                  {"ringside.dev/v1", "ringside.dev/v2"},
		"another kind":                     {"kind: Connector", "kind: ScriptConnector"},
		"no id":                            {"id: plain, ", ""},
		"an empty name":                    {"name: Plain", "name: ''"},
		"maturity":                         {"name: Plain", "name: Plain, maturity: mature"},
		"a parameter's type":               {"type: secret", "type: password"},
		"a parameter without a name":       {"{name: token, ", "{"},
		"no hosts":                         {`["${host(param.base_url)}"]`, "[]"},
		"a time":                           {hosts, "timeout: fast"},
		"a time without a unit":            {hosts, "timeout: 5"},
		"bytes":                            {hosts, "max_response: 99999999"},
		"an unknown key":                   {hosts, "timeuot: 5s"},
		"a later key":                      {"errors: []", "mock: {}"},
		"no sign-in":                       {bearer + "\n", ""},
		"an unknown sign-in":               {bearer, "auth: {type: magic}"},
		"a later sign-in":                  {bearer, "auth: {type: script}"},
		"none with headers":                {"type: bearer", "type: none"},
		"bearer without headers":           {bearer, "auth: {type: bearer}"},
		"bearer with empty headers":        {bearer, "auth: {type: bearer, headers: {}}"},
		"bearer with login":                {"auth: {", "auth: {" + login + ", "},
		"session without login":            {"type: bearer", "type: session"},
		"session without headers":          {bearer, "auth: {type: session, " + login + `, save: {a: "${res.json.a}"}}`},
		"refresh_on":                       {"type: bearer", "type: session, " + login + `, save: {a: "${res.json.a}"}, refresh_on: [tired]`},
		"oauth2 without its part":          {"type: bearer", "type: oauth2"},
		"oauth2 without an address":        {"type: bearer", "type: oauth2, oauth2: {token_url: a, client_id: b}"},
		"a fixed port that is missing":     {"type: bearer", "type: oauth2, oauth2: {authorize_url: a, token_url: a, client_id: b, redirect: loopback_fixed}"},
		"a port that is not fixed":         {"type: bearer", "type: oauth2, oauth2: {authorize_url: a, token_url: a, client_id: b, port: 8787}"},
		"an unknown grant":                 {"type: bearer", "type: oauth2, oauth2: {authorize_url: a, token_url: a, client_id: b, pkce: plain}"},
		"too many at once":                 {"errors: []", "limits: {concurrency: 65}"},
		"a bucket without a time":          {"errors: []", "limits: {buckets: [{max: 5}]}"},
		"a bucket without a number":        {"errors: []", "limits: {buckets: [{per: 1s}]}"},
		"a bucket of an unknown one":       {"errors: []", "limits: {buckets: [{max: 5, per: 1s, match: [log_cal]}]}"},
		"a header alone":                   {"errors: []", "limits: {headers: {remaining: X-Left}}"},
		"a limit alone":                    {"errors: []", "limits: {headers: {limit: X-All}}"},
		"a cost of nothing":                {"errors: []", "limits: {cost: {lookup: 0}}"},
		"a cost of an unknown one":         {"errors: []", "limits: {cost: {look: 2}}"},
		"a rule without a class":           {"errors: []", `errors: [{when: "${res.status == 1}"}]`},
		"a rule of an unknown class":       {"errors: []", `errors: [{when: "${res.status == 1}", class: bad}]`},
		"a rule that is no expression":     {"errors: []", "errors: [{when: always, class: fatal}]"},
		"a rule's scope":                   {"errors: []", `errors: [{when: "${res.status == 1}", class: throttled, scope: planet}]`},
		"verify":                           {"errors: []", "phone: {verify: maybe}"},
		"a spelling":                       {"errors: []", "phone: {candidates: [tail7]}"},
		"a setup without a way":            {"errors: []", `setup: [{id: a, check: [{id: a, request: {url: "${param.base_url}"}}]}]`},
		"a setup with two ways":            {"errors: []", `setup: [{id: a, check: [{id: a, request: {url: "${param.base_url}"}}], apply: [{id: a, request: {url: "${param.base_url}"}}], manual: b}]`},
		"a right for nothing":              {"errors: []", `rights: [{id: a, steps: [{id: a, request: {url: "${param.base_url}"}}]}]`},
		"a right of an unknown one":        {"errors: []", `rights: [{id: a, ops: [dance], steps: [{id: a, request: {url: "${param.base_url}"}}]}]`},
		"an unknown operation":             {"  log_call:", "  dance: {steps: []}\n  log_call:"},
		"an operation that is missing":     {"  log_call:", "  search:"},
		"a read with idempotency":          {"  whoami:\n", "  whoami:\n    idempotency: {strategy: upsert}\n"},
		"a read with update":               {"  whoami:\n", "  whoami:\n    update: {steps: []}\n"},
		"a single result with map":         {whoami, whoami + "\n    map: {name: a}"},
		"a list with output":               {`    map: {id: "${item.id}",`, "    output: {id: a}\n" + `    map: {id: "${item.id}",`},
		"an unknown name":                  {whoami, `output: {name: a, nick: b}`},
		"a name that is missing":           {whoami, `output: {id: a}`},
		"a write without idempotency":      {"    idempotency: {strategy: header, window: 24h}\n", ""},
		"an unknown strategy":              {"{strategy: header, window: 24h}", "{strategy: hope}"},
		"header without a window":          {", window: 24h", ""},
		"a window elsewhere":               {"strategy: header", "strategy: upsert"},
		"a window that is no time":         {"24h", "tomorrow"},
		"probe without probe":              {"{strategy: header, window: 24h}", "{strategy: probe}"},
		"probe without found":              {"window: 24h", `window: 24h, probe: [{id: a, request: {url: "${param.base_url}"}}]`},
		"settle without probe":             {"window: 24h", "window: 24h, settle: 1s"},
		"no steps":                         {`steps: [{id: me, request: {url: "${param.base_url}/me"}}]`, "steps: []"},
		"a step without an id":             {"{id: me, ", "{"},
		"a step without an address":        {`{url: "${param.base_url}/me"}`, "{method: GET}"},
		"a step's when":                    {"{id: me, ", "{id: me, when: often, "},
		"a method":                         {"method: POST", "method: BREW"},
		"two bodies":                       {"method: POST,", "method: POST, raw: a,"},
		"a type without raw":               {"method: POST,", "method: POST, type: text/csv,"},
		"a file without content":           {"json: {", "multipart: {file: {name: a}}, form: {"},
		"pages without items":              {`{url: "${param.base_url}/me"}`, `{url: "${param.base_url}/me"}, paginate: {type: offset, param: from}`},
		"a way of paging":                  {`items: "${res.json.items}"`, `items: "${res.json.items}", paginate: {type: scroll}`},
		"a cursor without next":            {`items: "${res.json.items}"`, `items: "${res.json.items}", paginate: {type: cursor, param: after}`},
		"too many pages":                   {`items: "${res.json.items}"`, `items: "${res.json.items}", paginate: {type: offset, param: from, max_pages: 101}`},
		"an unknown page of the CRM":       {"deep_link: {contact", "deep_link: {person"},
		"a list where a text belongs":      {`Authorization: "Bearer ${param.token}"`, "Authorization: [a]"},
		"a text where a list belongs":      {"errors: []", "errors: none"},
		"an update without steps":          {"    idempotency: {strategy: header", "    update: {output: {id: a}}\n    idempotency: {strategy: header"},
		"an update that gives other names": {"    idempotency: {strategy: header", `    update: {steps: [{id: a, request: {url: "${param.base_url}/${input.record.id}"}}], output: {name: a}}` + "\n    idempotency: {strategy: header"},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(string(good), change[0], change[1], 1)
			if text == string(good) {
				t.Fatalf("good.yaml has no %q", change[0])
			}
			if err := s.Validate(asEditorsSee(t, []byte(text))); err == nil {
				t.Error("the schema takes it")
			}
			file := filepath.Join(t.TempDir(), "wrong.yaml")
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if loadError(t, file) == "" {
				t.Error("the engine takes it")
			}
		})
	}
}

// Whatever one takes away from a good file, or writes instead of one of its values: what still loads, the schema takes.
func TestTheSchemaRefusesNothingThatLoads(t *testing.T) {
	s, file := schema(t), filepath.Join(t.TempDir(), "variant.yaml")
	loaded := 0
	for _, name := range []string{"good", "good_limits", "good_oauth2", "good_probe", "good_session", "good_update"} {
		text, err := os.ReadFile("testdata/load/" + name + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		for n := 0; ; n++ {
			changed, what := variant(t, text, n)
			if changed == nil {
				break
			}
			if err := os.WriteFile(file, changed, 0o600); err != nil {
				t.Fatal(err)
			}
			if loadError(t, file) != "" {
				continue
			}
			loaded++
			if err := s.Validate(asEditorsSee(t, changed)); err != nil {
				t.Errorf("%s loads with %s, but the schema refuses it: %v", name, what, err)
			}
		}
	}
	if loaded < 100 {
		t.Errorf("only %d variants load: is this still a test?", loaded)
	}
}

// variant makes the nth change of a file, and says which; nil when there are no more.
func variant(t *testing.T, text []byte, n int) (changed []byte, what string) {
	t.Helper()
	var root yaml.Node
	if err := yaml.Load(text, &root); err != nil {
		t.Fatal(err)
	}
	var walk func(*yaml.Node)
	walk = func(node *yaml.Node) {
		for i := range node.Content {
			if child := node.Content[i]; node.Kind == yaml.MappingNode && i%2 == 1 {
				if n--; n == -1 {
					what = "no " + node.Content[i-1].Value
					node.Content = slices.Delete(node.Content, i-1, i+1)
					return
				}
				for _, instead := range []string{"7", "some text"} {
					if n--; n == -1 {
						what = node.Content[i-1].Value + ": " + instead
						*child = yaml.Node{Kind: yaml.ScalarNode, Value: instead}
						return
					}
				}
			}
			if walk(node.Content[i]); what != "" {
				return
			}
		}
	}
	if walk(&root); what == "" {
		return nil, ""
	}
	changed, err := yaml.Dump(&root)
	if err != nil {
		t.Fatal(err)
	}
	return changed, what
}
