package crm_test

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ringside.dev/ringside/app/crm"
	"ringside.dev/ringside/app/crm/crmtest"
	"ringside.dev/ringside/app/crm/sandbox"
	"ringside.dev/ringside/app/cti"
)

func TestAServersVersionIsComparedWithTheRange(t *testing.T) {
	for _, test := range []struct {
		span, version           string
		supported, known, older bool
	}{
		{"14..21", "14.0", true, true, false},
		{"14..21", "21.3+e", true, true, false}, // 21 is all of 21
		{"14..21", "22.0", false, true, false},
		{"14..21", "13.9", false, true, true},
		{"14..", "99", true, true, false},
		{"5.0", "5.0.3", true, true, false},
		{"5.0", "v5.1", false, true, false},
		{"5", "4.4.7", false, true, true},
		{"5", "", false, false, false},
		{"5", "cloud", false, false, false},
		{"", "5", false, false, false},
		{"CRM v3", "5", false, false, false},
	} {
		t.Run(test.span+" and "+test.version, func(t *testing.T) {
			server := startSandbox(t)
			if err := server.SetTraits(sandbox.Traits{Version: test.version}); err != nil {
				t.Fatal(err)
			}
			replaced := `output: {id: "${res.json.id}", name: "${res.json.name}", email: "${res.json.email}"}`
			file := crmtest.File(t, "sandbox-header", "metadata: {", "metadata: {vendor_versions: '"+test.span+"', ", replaced,
				`output: {id: "${res.json.id}", name: "${res.json.name}", email: "${res.json.email}", version: "${'`+test.version+`'}", roles: "${res.json.roles}"}`)
			about, err := openFile(t, file, server.URL(), sandboxToken).About(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if about.Supported != test.supported || about.Known != test.known || about.Older != test.older || len(about.Roles) == 0 {
				t.Errorf("about %+v", about)
			}
		})
	}
}

func TestTheClockOfTheServerIsCompared(t *testing.T) {
	server := startSandbox(t)
	e := openSandbox(t, server.URL(), sandboxToken)
	for _, skew := range []int64{0, 90, -3600} {
		if err := server.SetTraits(sandbox.Traits{DateSkewS: skew}); err != nil {
			t.Fatal(err)
		}
		about, err := e.About(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if off := about.Skew - time.Duration(skew)*time.Second; off.Abs() > time.Second {
			t.Errorf("a clock %d s ahead is found to be %s ahead", skew, about.Skew)
		}
	}
}

// A company that has its own certificate authority names it; nobody else's certificate passes.
func TestACompanysOwnAuthorityIsTrustedWhereItIsNamed(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		sayJSON(w, map[string]any{"id": "u", "name": "Lin"})
	}))
	defer server.Close()
	authority := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(authority, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	open := func(ca string) (*crm.Engine, error) {
		file := crmtest.File(t, "sandbox-header", "network: {", "network: {tls: {ca_param: ca}, ", "params:\n", "params:\n  - {name: ca, title: Authority, type: string}\n")
		return crm.Open(crm.Config{Connector: file, Params: map[string]string{"base_url": server.URL, "token": testToken, "ca": ca}, Region: "GB"})
	}
	for ca, want := range map[string]cti.Kind{"": cti.Offline, authority: ""} {
		e, err := open(ca)
		if err != nil {
			t.Fatal(err)
		}
		_, err = e.Whoami(t.Context())
		wantKind(t, err, want)
		e.Close()
	}
	for name, text := range map[string]string{"nothing there": "", "no certificate in it": "-----BEGIN NONSENSE-----"} {
		file := filepath.Join(t.TempDir(), "ca.pem")
		if text != "" {
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		_, err := open(file)
		wantKind(t, err, cti.Invalid)
		if err == nil || !strings.Contains(err.Error(), "crm.params.ca") {
			t.Errorf("%s: the error is %v", name, err)
		}
	}
}
