package crm_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ringside.dev/ringside/app/crm"
	"ringside.dev/ringside/app/cti"
)

var update = flag.Bool("update", false, "write the expected texts of testdata/load anew")

// Each testdata/load/NAME.yaml has the error it must give beside it, NAME.txt: in English, then in 简体中文. Empty: it loads.
func TestLoadErrorsAreTheGoldenOnes(t *testing.T) {
	files, err := filepath.Glob("testdata/load/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no test files: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			got := loadError(t, file)
			golden := strings.TrimSuffix(file, ".yaml") + ".txt"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func loadError(t *testing.T, file string) string {
	t.Helper()
	params := map[string]string{"base_url": "https://crm.example.com", "token": testToken}
	e, err := crm.Open(crm.Config{Connector: file, Params: params, Region: "GB"})
	if err == nil {
		e.Close()
		return ""
	}
	if cti.KindOf(err) != cti.Invalid || cti.MessageOf(err) == "" {
		t.Errorf("the error's kind is %s, want invalid with a message", cti.KindOf(err))
	}
	var load *crm.LoadError
	if !errors.As(err, &load) {
		t.Fatalf("%v is no LoadError", err)
	}
	return load.In("en") + "\n" + load.In("zh-CN") + "\n"
}

func TestParametersAreCheckedWithoutShowingTheirValues(t *testing.T) {
	for name, params := range map[string]map[string]string{
		"missing":           {"base_url": "https://crm.example.com"},
		"unknown":           {"base_url": "https://crm.example.com", "token": testToken, "tokn": testToken},
		"secret as address": {"base_url": testToken, "token": testToken},
		"user in address":   {"base_url": "https://me:" + testToken + "@crm.example.com", "token": testToken},
		"other scheme":      {"base_url": "ftp://crm.example.com", "token": testToken},
		"file":              {"base_url": "file:///etc/passwd", "token": testToken},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := crm.Open(crm.Config{Connector: "sandbox", Params: params, Region: "GB"})
			wantKind(t, err, cti.Invalid)
		})
	}
}

func TestUnknownConnectorNamesThePresets(t *testing.T) {
	_, err := crm.Open(crm.Config{Connector: "sandbocks"})
	wantKind(t, err, cti.Invalid)
	if err == nil || !strings.Contains(err.Error(), "sandbox") {
		t.Errorf("the error names no preset: %v", err)
	}
	_, err = crm.Open(crm.Config{Connector: "./no/such/file.yaml"})
	wantKind(t, err, cti.Invalid)
}

func TestEveryPresetIsListedWithItsParametersAndLoads(t *testing.T) {
	presets, err := crm.Presets()
	if err != nil || len(presets) == 0 {
		t.Fatalf("Presets() = %v, %v", presets, err)
	}
	for _, p := range presets {
		params := map[string]string{}
		for _, one := range p.Params {
			if params[one.Name] = one.Example; one.Example == "" && one.Type == "secret" {
				params[one.Name] = testToken
			}
		}
		e, err := crm.Open(crm.Config{Connector: p.ID, Params: params, Region: "GB"})
		if err != nil {
			t.Errorf("preset %s: %v", p.ID, err)
			continue
		}
		if e.Name() != p.ID {
			t.Errorf("preset %s calls itself %s", p.ID, e.Name())
		}
		e.Close()
	}
}
