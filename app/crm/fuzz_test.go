package crm

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
)

// A connector file comes from elsewhere: whatever is in it, loading ends, without a panic, in an engine or in problems with their places.
func FuzzLoad(f *testing.F) {
	seeds, err := filepath.Glob("testdata/load/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range append(seeds, "presets/sandbox.yaml") {
		text, err := os.ReadFile(seed)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte("apiVersion: ringside.dev/v1\nkind: Connector\noperations: &a {lookup: *a}\n"))
	f.Add([]byte("apiVersion: ringside.dev/v1\nkind: Connector\noperations: {lookup: {steps: &s [{id: a, save: &b {x: *b}}, *s]}}\n"))
	params := map[string]string{"base_url": "https://crm.example.com", "token": "secret-token"}
	f.Fuzz(func(t *testing.T, text []byte) {
		p := &problems{file: "fuzz.yaml"}
		doc, root := p.parse(text)
		if len(p.list) > 0 {
			return
		}
		e, err := p.build(doc, root, Config{Params: params, Region: "GB", Log: slog.New(slog.DiscardHandler)})
		if (e == nil) == (err == nil) {
			t.Fatalf("engine %v, error %v", e, err)
		}
	})
}
