package crm_test

import (
	"strings"
	"testing"

	"ringside.dev/ringside/app/crm"
	"ringside.dev/ringside/app/crm/crmtest"
	"ringside.dev/ringside/app/crm/crmtest/servers"
	"ringside.dev/ringside/app/cti"
)

// rtSetup holds what docs/rt.md gives administrators: the tests set RT up with the same files.
const rtSetup = "../../docs/rt"

func rtSuite(t *testing.T, d *rtDesk) {
	known, near := addRTCustomer(t, d.RT, "Ada Lovelace", "020 7946 0123"), addRTCustomer(t, d.RT, "Same Tail", "0117 946 0123")
	crmtest.Run(t, crmtest.Rig{
		Connector: d.admin, BadSignIn: openRT(t, d.door.URL(), "1-14-0123456789abcdef"), Region: "GB",
		KnownID: known, OtherID: near,
		Spellings:  []string{"+442079460123", "02079460123", "00442079460123", "+44 (0)20 7946-0123", "sip:+442079460123@pbx.example", "０２０ ７９４６ ０１２３"},
		NearNumber: "+441179460123", UnknownNumber: "+442073335678",
		CountRecords:  func(key string) int { return len(rtCalls(t, d.RT, key)) },
		Record:        func(key string) map[string]any { return rtCalls(t, d.RT, key)[0] },
		DropNextWrite: d.door.DropNextWrite, Refuse: d.door.Refuse, Restore: d.door.Restore, Throttle: d.door.Throttle,
		Work: crmtest.Work{
			Count: func(op cti.Op, key string) int {
				if op == cti.CreateCustomer {
					return d.Count(t, "users", "Name", "ringside-"+key)
				}
				return len(d.Tickets(t, "CF.{RingsideCallID} = '"+key+"'"))
			},
			Statuses:        []string{"new", "open"},
			TicketStatus:    func(id string) string { return d.Tickets(t, "id = "+id)[0].Status },
			SetTicketStatus: func(id, status string) { d.Set(t, "ticket/"+id, map[string]any{"Status": status}) },
			Recording:       func(id string) string { return d.Tickets(t, "id = "+id)[0].Field("RingsideRecording") },
			Deny:            func(deny bool) { d.AgentRights(t, !deny) },
		},
	})
}

func openRT(t *testing.T, base, token string) *crm.Engine {
	t.Helper()
	return openFile(t, "rt", base, token)
}

// addRTCustomer makes a customer and a call of theirs: a customer who has no ticket yet is not found by a number.
func addRTCustomer(t *testing.T, rt *servers.RT, name, number string) string {
	t.Helper()
	id := rt.Add(t, "user", map[string]any{"Name": strings.ToLower(strings.ReplaceAll(name, " ", ".")), "RealName": name, "WorkPhone": number})
	rt.Add(t, "ticket", map[string]any{"Queue": "Calls", "Status": "resolved", "Subject": "Call", "Requestor": []string{id}})
	return id
}

// rtCalls reads the call records with a key as the administrator sees them.
func rtCalls(t *testing.T, rt *servers.RT, key string) []map[string]any {
	var out []map[string]any
	for _, ticket := range rt.Tickets(t, "CF.{RingsideCallID} = '"+key+"'") {
		row := map[string]any{"id": ticket.ID, "contact_id": nil, "note": ticket.Field("RingsideNote"), "outcome": ticket.Field("RingsideOutcome")}
		if len(ticket.Requestors) > 0 {
			row["contact_id"] = ticket.Requestors[0]
		}
		out = append(out, row)
	}
	return out
}
