package pocketbase_test

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"ringside.dev/ringside/app/crm"
	"ringside.dev/ringside/app/crm/crmtest"
	"ringside.dev/ringside/app/crm/crmtest/servers"
	"ringside.dev/ringside/app/cti"
)

func TestPocketBasePassesTheSuite(t *testing.T) {
	b := start(t)
	door := servers.OpenDoor(t, b.url, writes)
	known := b.add("contacts", map[string]any{"name": "Ada Lovelace", "phone": "020 7946 0123"})
	near := b.add("contacts", map[string]any{"name": "Same Tail", "mobile": "0117 946 0123"})
	crmtest.Run(t, crmtest.Rig{
		Connector: open(t, door.URL(), password), BadSignIn: open(t, door.URL(), "wrong-horse-1"), Region: "GB",
		KnownID: known, OtherID: near,
		Spellings:  []string{"+442079460123", "02079460123", "00442079460123", "+44 (0)20 7946-0123", "sip:+442079460123@pbx.example", "０２０ ７９４６ ０１２３"},
		NearNumber: "+441179460123", UnknownNumber: "+442073335678",
		CountRecords:  func(key string) int { return len(b.calls(key)) },
		Record:        func(key string) map[string]any { return b.calls(key)[0] },
		DropNextWrite: door.DropNextWrite, Refuse: door.Refuse, Restore: door.Restore, Throttle: door.Throttle,
	})
}

// writes tells which requests change records: all but reads and the login.
func writes(r *http.Request, _ []byte) bool {
	return r.Method != http.MethodGet && !strings.HasSuffix(r.URL.Path, "/auth-with-password")
}

// open opens the connector as the agent of the tests.
func open(t *testing.T, address, secret string) *crm.Engine {
	t.Helper()
	e, err := crm.Open(crm.Config{
		Connector: "testdata/pocketbase.yaml", Region: "GB", Agent: cti.Agent{Name: agentName, Email: agentEmail},
		Params: map[string]string{"base_url": address, "user": agentEmail, "password": secret}, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

// calls reads the call records of a key past the connector.
func (b *base) calls(key string) (out []map[string]any) {
	b.t.Helper()
	bare := strings.ReplaceAll(key, "-", "")
	all, err := b.FindAllRecords("calls")
	b.must(err)
	for _, r := range all {
		if r.Id != bare[len(bare)-15:] {
			continue
		}
		row := map[string]any{"id": r.Id, "contact_id": nil, "note": r.GetString("note"), "outcome": r.GetString("outcome")}
		if id := r.GetString("contact"); id != "" {
			row["contact_id"] = id
		}
		out = append(out, row)
	}
	return out
}
