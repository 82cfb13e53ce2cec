package crm_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"ringside.dev/ringside/app/crm"
	"ringside.dev/ringside/app/crm/crmtest"
	"ringside.dev/ringside/app/crm/crmtest/servers"
	"ringside.dev/ringside/app/cti"
)

func trytonSuite(t *testing.T, d *trytonDesk) {
	tr, door := d.Tryton, d.door
	crmtest.Run(t, crmtest.Rig{
		Connector: d.e, BadSignIn: openTryton(t, tr, door.URL(), tr.Agent, "not the password"), Region: "GB",
		KnownID: d.ada, OtherID: addParty(t, tr, "Same Tail", "+44 117 946 0123"),
		Spellings:  []string{"+442079460123", "02079460123", "00442079460123", "+44 (0)20 7946-0123", "sip:+442079460123@pbx.example", "０２０ ７９４６ ０１２３"},
		NearNumber: "+441179460123", UnknownNumber: "+442073335678",
		CountRecords:  func(key string) int { return len(trytonCalls(t, tr, key)) },
		Record:        func(key string) map[string]any { return trytonCalls(t, tr, key)[0] },
		DropNextWrite: door.DropNextWrite, Refuse: door.Refuse, Restore: door.Restore, Throttle: door.Throttle,
		Work: crmtest.Work{
			Count:    func(op cti.Op, key string) int { return trytonCount(t, tr, op, key) },
			Statuses: []string{"lead", "opportunity"},
			TicketStatus: func(id string) string {
				return fmt.Sprint(d.one(t, "sale.opportunity", []any{[]any{"id", "=", atoi(t, id)}}, "state")["state"])
			},
			SetTicketStatus: func(id, status string) {
				tr.Set(t, "sale.opportunity", atoi(t, id), map[string]any{"state": status})
			},
			Tag: "VIP",
			Recording: func(id string) string {
				message := fmt.Sprint(d.one(t, "ir.note", []any{[]any{"id", "=", atoi(t, id)}}, "message")["message"])
				first, _, _ := strings.Cut(message, "\n")
				return fmt.Sprint(d.one(t, "ir.attachment", []any{[]any{"description", "=", "Recording of " + first}}, "link")["link"])
			},
			Deny:      trytonDeny(t, tr),
			EndSignIn: func() { tr.EndSessions(t) },
		},
	})
}

// trytonCount counts what an operation made under a key.
func trytonCount(t *testing.T, tr *servers.Tryton, op cti.Op, key string) int {
	t.Helper()
	if op == cti.CreateCustomer {
		return len(tr.Find(t, "party.party", []any{[]any{"code", "=", "RINGSIDE-" + key}}, "id"))
	}
	notes, opportunities := tr.Find(t, "ir.note", []any{[]any{"message", "like", "%" + key}}, "id"), tr.Find(t, "sale.opportunity", []any{[]any{"reference", "=", key}}, "id")
	return len(notes) + len(opportunities)
}

// trytonDeny takes the right to change customers away from everybody, and gives it back.
func trytonDeny(t *testing.T, tr *servers.Tryton) func(bool) {
	rule := 0
	return func(deny bool) {
		t.Helper()
		if !deny {
			tr.Remove(t, "ir.model.access", rule)
			return
		}
		model := tr.Find(t, "ir.model", []any{[]any{"model", "=", "party.party"}}, "id")
		rule = tr.Add(t, "ir.model.access", map[string]any{"model": model[0]["id"], "perm_read": true, "perm_write": false, "perm_create": false, "perm_delete": false})
	}
}

func atoi(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func openTryton(t *testing.T, tr *servers.Tryton, base, login, password string) *crm.Engine {
	t.Helper()
	e, err := crm.Open(crm.Config{
		Connector: "tryton", Region: "GB",
		Params: map[string]string{"base_url": base, "database": tr.Database, "login": login, "password": password},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

func addParty(t *testing.T, tr *servers.Tryton, name, number string) string {
	t.Helper()
	return strconv.Itoa(tr.Add(t, "party.party", map[string]any{
		"name": name, "contact_mechanisms": []any{[]any{"create", []any{map[string]any{"type": "phone", "value": number}}}},
	}))
}

// trytonCalls reads the call records with a key as the administrator sees them.
func trytonCalls(t *testing.T, tr *servers.Tryton, key string) []map[string]any {
	var out []map[string]any
	for _, note := range tr.Find(t, "ir.note", []any{[]any{"message", "like", "%" + key + "%"}}, "message", "resource") {
		message, _ := note["message"].(string)
		lines := strings.SplitN(message, "\n", 4)
		if len(lines) != 4 {
			t.Fatalf("the record of a call is %q", message)
		}
		resource, _ := note["resource"].(string)
		row := map[string]any{
			"id": note["id"], "contact_id": strings.TrimPrefix(resource, "party.party,"), "outcome": strings.TrimPrefix(lines[2], "Outcome: "), "note": lines[3],
		}
		if nobody := tr.Find(t, "party.party", []any{[]any{"code", "=", "RINGSIDE-NOBODY"}}, "id"); row["contact_id"] == fmt.Sprint(nobody[0]["id"]) {
			row["contact_id"] = nil
		}
		out = append(out, row)
	}
	return out
}
