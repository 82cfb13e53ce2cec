package pocketbase_test

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/pocketbase/dbx"
	"github.com/pocketbase/pocketbase/core"
	"github.com/pocketbase/pocketbase/tools/types"

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
		Work: crmtest.Work{
			Count:           func(op cti.Op, key string) int { return b.count(made[op], key) },
			Statuses:        []string{"open", "pending"},
			TicketStatus:    func(id string) string { return b.one("tickets", id).GetString("status") },
			SetTicketStatus: func(id, status string) { b.set("tickets", id, "status", status) },
			Tag:             "vip",
			Recording:       func(id string) string { return b.one("calls", id).GetString("recording") },
			Deny:            b.deny, EndSignIn: b.endSessions,
		},
	})
}

// made names the collections in which operations make records.
var made = map[cti.Op]string{
	cti.LogCall: "calls", cti.CreateCustomer: "contacts", cti.CreateTicket: "tickets", cti.AddNote: "notes", cti.CreateTask: "tasks",
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
	for _, r := range b.with("calls", key) {
		row := map[string]any{"id": r.Id, "contact_id": nil, "note": r.GetString("note"), "outcome": r.GetString("outcome")}
		if id := r.GetString("contact"); id != "" {
			row["contact_id"] = id
		}
		out = append(out, row)
	}
	return out
}

// with gives the records of a key.
func (b *base) with(collection, key string) []*core.Record {
	b.t.Helper()
	bare := strings.ReplaceAll(key, "-", "")
	all, err := b.FindAllRecords(collection, dbx.HashExp{"id": bare[len(bare)-15:]})
	b.must(err)
	return all
}

func (b *base) count(collection, key string) int { return len(b.with(collection, key)) }

func (b *base) set(collection, id, field, value string) {
	b.t.Helper()
	r := b.one(collection, id)
	r.Set(field, value)
	b.must(b.Save(r))
}

// deny takes the right to make calls away from everybody, or gives it back.
func (b *base) deny(deny bool) {
	b.t.Helper()
	c, err := b.FindCollectionByNameOrId("calls")
	b.must(err)
	if c.CreateRule = c.ListRule; deny {
		c.CreateRule = types.Pointer("@request.auth.email = 'nobody@ringside.example'")
	}
	b.must(b.Save(c))
}

// endSessions does what a changed password does.
func (b *base) endSessions() {
	b.t.Helper()
	r, err := b.FindAuthRecordByEmail("users", agentEmail)
	b.must(err)
	r.RefreshTokenKey()
	b.must(b.Save(r))
}
