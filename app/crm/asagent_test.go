package crm_test

import (
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
