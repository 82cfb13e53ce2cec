package crm_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ringside.dev/ringside/app/crm"
	"ringside.dev/ringside/app/crm/crmtest"
	"ringside.dev/ringside/app/cti"
)

// The sandbox's token is Lin Yue's.
func TestAWriteIsNotMadeAsSomebodyElse(t *testing.T) {
	server := startSandbox(t)
	open := func(connector string, agent cti.Agent, shared bool) *crm.Engine {
		e, err := crm.Open(crm.Config{Connector: connector, Params: map[string]string{"base_url": server.URL(), "token": sandboxToken}, Region: "GB", Agent: agent, Shared: shared})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(e.Close)
		return e
	}
	ada := cti.Agent{Name: "Ada", Email: "ada@ringside.example"}
	tells := crmtest.File(t, "sandbox-header", `extension: "${input.call.extension}"`, `extension: "${input.agent.email}"`)
	for name, test := range map[string]struct {
		engine *crm.Engine
		want   cti.Kind
	}{
		"another one":                      {open("sandbox", ada, false), cti.Denied},
		"another one, by the profile's id": {open("sandbox", cti.Agent{ID: "u_99", Email: "lin.yue@ringside.example"}, false), cti.Denied},
		"another one, by the id alone":     {open("sandbox", cti.Agent{ID: "u_99"}, false), cti.Denied},
		"the agent":                        {open("sandbox", cti.Agent{Email: "LIN.YUE@ringside.example"}, false), ""},
		"the agent, by the profile's id":   {open("sandbox", cti.Agent{ID: "u_01", Email: "lin@elsewhere.example"}, false), ""},
		"a shared sign-in":                 {open("sandbox", ada, true), ""},
		"the operation says whose it is":   {open(tells, ada, false), ""},
		"a profile that does not say who":  {open("sandbox", cti.Agent{}, false), ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := mappedCall("")
			w.Key = name
			_, err := test.engine.Write(t.Context(), w)
			if cti.KindOf(err) != test.want {
				t.Fatalf("the error is %v (%s), want %s", err, cti.KindOf(err), test.want)
			}
			if written := len(recordsOf(t, server, name)) == 1; written != (err == nil) {
				t.Errorf("written: %t, the error is %v", written, err)
			}
			if err != nil && !strings.Contains(err.Error(), "Lin Yue") {
				t.Errorf("the error does not say as whom: %v", err)
			}
		})
	}
}

// The person does what the message says; nobody has to start Ringside again. And who cannot be asked about is no reason to park a record.
func TestSigningInAsTheAgentHelpsAtOnce(t *testing.T) {
	who, status := "boss@ringside.example", http.StatusOK
	o := openOffice(t, func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/me" {
			w.WriteHeader(status)
		}
		return sayJSON(w, map[string]any{"id": "1", "name": "n", "email": who})
	})
	file := filepath.Join(t.TempDir(), "office.yaml")
	ops := strings.Replace(officeOps, `output: {name: "${res.json.name}"}`, `output: {name: "${res.json.name}", email: "${res.json.email}"}`, 1)
	if err := os.WriteFile(file, []byte(officeHead+officeToken+ops), 0o600); err != nil {
		t.Fatal(err)
	}
	e, err := crm.Open(crm.Config{Connector: file, Region: "GB", Params: map[string]string{"base_url": o.URL, "password": "pass-word-1"}, Agent: cti.Agent{Email: "ada@ringside.example"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	write := func() error {
		_, err := e.Write(t.Context(), mappedCall(""))
		return err
	}
	wantKind(t, write(), cti.Denied)
	status = http.StatusNotFound
	wantKind(t, write(), cti.Offline)
	status, who = http.StatusOK, "ada@ringside.example"
	wantKind(t, write(), "")
	before := len(o.requests())
	wantKind(t, write(), "")
	if asked := o.requests()[before:]; len(asked) != 1 {
		t.Errorf("known to be the agent, it is asked %v", asked)
	}
}
