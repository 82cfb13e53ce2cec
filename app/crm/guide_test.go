package crm_test

import (
	"errors"
	"fmt"
	"iter"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"ringside.dev/ringside/app/crm"
	"ringside.dev/ringside/app/crm/sandbox"
	"ringside.dev/ringside/app/cti"
)

var guides = []string{"../../docs/connectors.md", "../../docs/connectors.zh-CN.md"}

// fenced finds the YAML of a page.
var fenced = regexp.MustCompile("(?s)\n```yaml\n(.*?)```\n")

// examples gives the YAML of a page: the first is a whole file, the others are parts to put into it.
func examples(t *testing.T, page string) []string {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, found := range fenced.FindAllStringSubmatch(string(text), -1) {
		out = append(out, found[1])
	}
	if len(out) < 10 {
		t.Fatalf("%s has %d examples: was another kind of block used?", page, len(out))
	}
	return out
}

// merged puts a part into the whole file: its keys replace those that are there, except that parameters are added and operations are replaced one
// by one.
func merged(t *testing.T, whole, part string) string {
	t.Helper()
	var into, from yaml.Node
	for text, to := range map[string]*yaml.Node{whole: &into, part: &from} {
		if err := yaml.Load([]byte(text), to); err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
	}
	under := into.Content[0]
	for key, value := range pairsOf(from.Content[0]) {
		old := valueOf(under, key.Value)
		switch key.Value {
		case "params":
			old.Content = append(old.Content, value.Content...)
		case "operations":
			for name, op := range pairsOf(value) {
				put(old, name, op)
			}
		default:
			put(under, key, value)
		}
	}
	text, err := yaml.Dump(&into)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func pairsOf(n *yaml.Node) iter.Seq2[*yaml.Node, *yaml.Node] {
	return func(yield func(key, value *yaml.Node) bool) {
		for i := 0; i+1 < len(n.Content); i += 2 {
			if !yield(n.Content[i], n.Content[i+1]) {
				return
			}
		}
	}
}

func valueOf(n *yaml.Node, name string) *yaml.Node {
	for key, value := range pairsOf(n) {
		if key.Value == name {
			return value
		}
	}
	return nil
}

// put sets a key of a map.
func put(n, key, value *yaml.Node) {
	if old := valueOf(n, key.Value); old != nil {
		*old = *value
		return
	}
	n.Content = append(n.Content, key, value)
}

func fileOf(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "acme.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestExamplesOfTheGuideLoadAndFitTheSchema(t *testing.T) {
	s := schema(t)
	for _, page := range guides {
		all := examples(t, page)
		for i, part := range all {
			t.Run(fmt.Sprint(filepath.Base(page), " ", i), func(t *testing.T) {
				text := all[0]
				if i > 0 {
					text = merged(t, text, part)
				}
				if says := loadError(t, fileOf(t, text)); says != "" {
					t.Errorf("it does not load: %s\n%s", says, part)
				}
				if err := s.Validate(asEditorsSee(t, []byte(text))); err != nil {
					t.Errorf("the schema refuses it: %v\n%s", err, part)
				}
			})
		}
	}
}

// Both pages hold the same YAML, remarks and titles apart.
func TestGuidesInBothLanguagesHaveTheSameExamples(t *testing.T) {
	words := regexp.MustCompile(`(?m)\s*# .*$|title: (".*?"|[^,}\n]*)|name: Acme CRM`)
	en, zh := examples(t, guides[0]), examples(t, guides[1])
	if len(en) != len(zh) {
		t.Fatalf("%d examples in English, %d in Chinese", len(en), len(zh))
	}
	for i := range en {
		if a, b := words.ReplaceAllString(en[i], ""), words.ReplaceAllString(zh[i], ""); a != b {
			t.Errorf("example %d differs:\n%s\n%s", i, a, b)
		}
	}
}

// What the guide says ends as one record, against the training CRM it is written for.
func TestTheGuidesConnectorWritesOnce(t *testing.T) {
	all := examples(t, guides[0])
	for i, part := range all {
		if !strings.Contains(part, "log_call:") || strings.Contains(part, "requires:") {
			continue
		}
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			server := startSandbox(t)
			known := addContact(t, server, "Ada Lovelace", "020 7946 0123")
			text := all[0]
			if i > 0 {
				text = merged(t, text, part)
			}
			e := openFile(t, fileOf(t, text), server.URL(), sandboxToken)
			if who, err := e.Whoami(t.Context()); err != nil || who.Name == "" {
				t.Fatalf("whoami: %v, %v", who, err)
			}
			found, err := e.Lookup(t.Context(), someNumber())
			if err != nil || len(found) != 1 || found[0].ID != known {
				t.Fatalf("lookup: %v, %v", found, err)
			}
			writesOnce(t, e, server, known)
		})
	}
}

// writesOnce writes a record whose answer gets lost, again, and then what the agent said.
func writesOnce(t *testing.T, e *crm.Engine, server *sandbox.Server, customer string) {
	t.Helper()
	w := someWrite()
	w.CustomerID, w.Record.WrapUp = customer, cti.WrapUp{}
	if err := server.SetFault(sandbox.Fault{DropAnswer: true, Writes: true, Count: 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Write(t.Context(), w); cti.KindOf(err) != cti.Uncertain {
		t.Fatalf("the answer was lost, but the error is %v", err)
	}
	receipt, err := e.Write(t.Context(), w)
	if err != nil || receipt.ID == "" {
		t.Fatalf("%v, %v", receipt, err)
	}
	w.RecordID, w.Record.WrapUp = receipt.ID, cti.WrapUp{Outcome: "Resolved", Note: "calls again on Monday", SavedAt: time.Date(2026, 3, 2, 9, 40, 0, 0, time.UTC)}
	if _, err := e.Write(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	if all := recordsOf(t, server, w.Key); len(all) != 1 || all[0]["note"] != w.Record.WrapUp.Note {
		t.Errorf("the CRM has %v; want one record with the note", all)
	}
}

// The further pieces of the guide, all put into its file.
func TestTheGuidesFurtherPiecesWork(t *testing.T) {
	server := startSandbox(t)
	known := addContact(t, server, "Ada Lovelace", "020 7946 0123")
	all := examples(t, guides[0])
	text := all[0]
	for _, part := range all[3:] {
		if !strings.Contains(part, "type: oauth2") { // that needs a person
			text = merged(t, text, part)
		}
	}
	e := openFile(t, fileOf(t, text), server.URL(), sandboxToken)
	f := e.Features()
	if who, err := e.Whoami(t.Context()); err != nil || who.Name == "" {
		t.Errorf("whoami in a session: %v, %v", who, err)
	}
	if found, err := e.Lookup(t.Context(), someNumber()); err != nil || len(found) != 1 || found[0].ID != known {
		t.Errorf("lookup by candidates: %v, %v", found, err)
	}
	if owners, err := f.Options(t.Context(), "owner", 100); err != nil || len(owners) < 2 {
		t.Errorf("options: %v, %v", owners, err)
	}
	if found, err := f.Search(t.Context(), "Lovelace", 5); err != nil || len(found) != 1 || found[0].Version == "" {
		t.Errorf("search: %v, %v", found, err)
	}
	if page, err := f.Changes(t.Context(), ""); err != nil || len(page.Customers) == 0 || page.Cursor == "" {
		t.Errorf("changes: %d, %v", len(page.Customers), err)
	}
	tags := someWrite()
	tags.Op, tags.CustomerID, tags.Tags = cti.AddTags, known, []string{"VIP", "late payer"}
	if _, err := e.Write(t.Context(), tags); err != nil {
		t.Errorf("add tags: %v", err)
	}
	ticket := someWrite()
	ticket.Op, ticket.CustomerID, ticket.Ticket = cti.CreateTicket, known, cti.TicketDraft{Subject: "Lamp", Body: "flickers"}
	receipt, err := e.Write(t.Context(), ticket)
	if err != nil {
		t.Fatalf("create a ticket: %v", err)
	}
	var notes struct{ Items []struct{ Text string } }
	if sayTo(t, server, http.MethodGet, "/api/notes?ticket_id="+receipt.ID, "", &notes); len(notes.Items) != 1 || notes.Items[0].Text != "flickers" {
		t.Errorf("the ticket %s has the notes %+v", receipt.ID, notes.Items)
	}
	if s := e.Setups(t.Context()); len(s) != 1 || s[0].Ready || s[0].Err != nil {
		t.Errorf("the field is not there, but setup says %+v", s)
	}
	r := e.Rights(t.Context())
	if len(r) != 3 || r[0].Op != "log_call" || r[1].Op != "add_tags" || !r[0].Allowed || !r[1].Allowed || r[2].Allowed || errors.Join(r[0].Err, r[1].Err, r[2].Err) != nil {
		t.Errorf("rights: %+v", r)
	}
	if err := server.SetTraits(sandbox.Traits{Denied: "add_tags"}); err != nil {
		t.Fatal(err)
	}
	if r := e.Rights(t.Context()); !r[0].Allowed || r[1].Allowed {
		t.Errorf("rights when one is denied: %+v", r)
	}
	if _, err := e.Write(t.Context(), someWrite()); err == nil || !strings.Contains(err.Error(), "ringside_key") {
		t.Errorf("the field is missing, but the record was written: %v", err)
	}
}

// A heading's address is what forges make of it: small letters, blanks as hyphens, nothing but letters, digits, hyphens and underscores.
func TestLinksIntoTheReferenceHaveTheirHeadings(t *testing.T) {
	dropped := regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
	heading := regexp.MustCompile(`(?m)^#+ (.*)$`)
	link := regexp.MustCompile(`\]\(([^)#]*)#([^)]+)\)`)
	read := func(page string) string {
		text, err := os.ReadFile("../../docs/" + page)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	for _, page := range []string{"connectors.md", "connectors.zh-CN.md", "connector-reference.md", "connector-reference.zh-CN.md", "mapping.md", "mapping.zh-CN.md", "profile.md", "profile.zh-CN.md", "ringctl.md", "ringctl.zh-CN.md", "architecture.md", "architecture.zh-CN.md"} {
		for _, to := range link.FindAllStringSubmatch(read(page), -1) {
			target := to[1]
			if target == "" {
				target = page
			}
			found := false
			for _, h := range heading.FindAllStringSubmatch(read(target), -1) {
				found = found || strings.ReplaceAll(dropped.ReplaceAllString(strings.ToLower(h[1]), ""), " ", "-") == to[2]
			}
			if !found {
				t.Errorf("%s links to %s#%s, which is no heading there", page, target, to[2])
			}
		}
	}
}
