package rig

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ringside.dev/ringside/app/crm/crmtest"
)

// Strategy is how a connector keeps a repeated write from leaving two records.
type Strategy string

// The strategies.
const (
	Upsert    Strategy = "upsert"
	Header    Strategy = "header"
	Uncertain Strategy = "uncertain" // asks the CRM for the record after an answer was lost
	Post      Strategy = "post"      // none
)

// Timeout and Settle are the connectors' own: short, so that a hanging CRM costs little.
const (
	Timeout = "400ms"
	Settle  = "900ms" // more than a late commit and the search's lag together
)

// Connector writes the connector file of a strategy for the sandbox, changed by pairs of old and new, and gives its path.
func Connector(t testing.TB, s Strategy, oldNew ...string) string {
	t.Helper()
	name := filepath.Join("..", "..", "..", "app", "crm", "presets", "sandbox.yaml")
	changes := append([]string{"timeout: 8s", "timeout: " + Timeout}, oldNew...)
	if s != Upsert {
		name = crmtest.File(t, "sandbox-"+string(s))
		changes = append([]string{"timeout: 2s", "timeout: " + Timeout, firstStep, firstStep + onlyNew, lastLine, update + lastLine}, oldNew...)
		if s == Header || s == Uncertain {
			changes = append(changes, "settle: 1s", "settle: "+Settle)
		}
	}
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	for i := 0; i+1 < len(changes); i += 2 {
		if !strings.Contains(text, changes[i]) {
			t.Fatalf("%s has no %q", name, changes[i])
		}
		text = strings.Replace(text, changes[i], changes[i+1], 1)
	}
	path := filepath.Join(t.TempDir(), string(s)+".yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil { //nolint:gosec // a temporary folder
		t.Fatal(err)
	}
	return path
}

// An update of a record that is known to be there goes to that record, not to the door for new ones.
const (
	firstStep = "    steps:\n      - id: call\n"
	onlyNew   = "        when: \"${input.record_id == nil}\"\n"
	lastLine  = "    output: {id: \"${res.json.id}\"}\n\ndeep_link"
	update    = `      - id: update
        when: "${input.record_id != nil}"
        request:
          method: PUT
          url: "${param.base_url}/api/calls/by-key/${input.key}"
          json:
            contact_id: "${input.contact.id}"
            ended_at: "${input.call.ended_at}"
            wrap_ms: "${input.call.wrap_ms}"
            ending: "${input.call.ending}"
            outcome: "${input.call.wrapped_up ? input.call.outcome : nil}"
            note: "${input.call.wrapped_up ? input.call.note : nil}"
`
)
