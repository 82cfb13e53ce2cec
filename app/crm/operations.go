package crm

import (
	"maps"
	"slices"

	"github.com/expr-lang/expr/types"
)

// opShape is what the engine knows of an operation: whether it changes the CRM, what its steps see, and which names its result has.
type opShape struct {
	write  bool
	list   bool      // the result is a list of items, each through map
	input  types.Map // what the steps see as input
	fields []string
	needs  []string
	page   []string // of a list that is read page by page: the names of output, all needed
}

// line is where requests of the operation stand.
func (s opShape) line() line {
	switch {
	case s.write:
		return writes
	case s.page != nil:
		return background
	}
	return lookUps
}

var (
	phoneScope   = types.Map{"raw": types.String, "e164": types.String, "national": types.String, "best": types.String, "candidate": types.String}
	contactScope = types.Map{"id": types.Any} // null: nobody has this number
	callScope    = types.Map{
		"key": types.String, "case": types.String, "leg": types.String, "direction": types.String, "extension": types.String,
		"queue": types.String, "remote_name": types.String, "parties": types.Array(types.String), "started_at": types.String, "answered_at": types.Any, "ended_at": types.String,
		"ring_ms": types.Int, "queue_ms": types.Int, "talk_ms": types.Int, "hold_ms": types.Int, "wrap_ms": types.Int,
		"duration_ms": types.Int, "ending": types.String, "cause": types.String, "outcome": types.String, "note": types.String, "wrapped_up": types.Bool,
		"data": types.TypeOf(map[string]string{}),
	}
	customerScope  = types.Map{"type": types.String, "name": types.String, "company": types.String, "email": types.String, "status": types.String}
	agentScope     = types.Map{"id": types.String, "name": types.String, "email": types.String}
	noteScope      = types.Map{"text": types.String, "at": types.Any}
	ticketRefScope = types.Map{"id": types.Any} // null: none
	ticketScope    = types.Map{
		"id": types.Any, "subject": types.String, "body": types.String, "status": types.String, "priority": types.String,
		"queue": types.String, "owner": types.String, "type": types.String,
	}
	taskScope      = types.Map{"subject": types.String, "body": types.String, "due_at": types.Any, "owner": types.String}
	recordingScope = types.Map{"id": types.String, "url": types.String, "name": types.String, "type": types.String, "duration_ms": types.Int, "expires_at": types.Any}
	fileScope      = types.Map{"name": types.String, "type": types.String, "size": types.Int, "sha256": types.String}

	resScope = types.Map{"status": types.Int, "headers": types.TypeOf(map[string]string{}), "json": types.Any, "text": types.String}
)

// The names results have.
var (
	customerFields = []string{"id", "type", "name", "company", "email", "phones", "tags", "status", "owner", "open_tickets", "last_activity_at", "version", "fields"}
	ticketFields   = []string{"id", "subject", "status", "priority", "updated_at", "version", "fields"}
	idAlone        = []string{"id"}
)

// shapes lists the operations the engine runs, each with what its steps see: cursor is empty for the first page of all, record null for what is
// to be made.
var shapes = map[string]opShape{
	"whoami": {input: types.Map{}, fields: []string{"id", "name", "email", "version", "roles"}, needs: []string{"name"}},
	"lookup": {list: true, input: types.Map{"phone": phoneScope, "limit": types.Int}, fields: customerFields, needs: []string{"id", "name", "phones"}},
	"search": {list: true, input: types.Map{"text": types.String, "limit": types.Int}, fields: customerFields, needs: []string{"id", "name"}},
	"get":    {input: types.Map{"contact": contactScope}, fields: customerFields, needs: []string{"id", "name"}},
	"changes": {
		list: true, input: types.Map{"cursor": types.String, "limit": types.Int},
		fields: append([]string{"deleted"}, customerFields...), needs: []string{"id", "name", "phones"}, page: []string{"cursor", "more"},
	},
	"history": {
		list: true, input: types.Map{"contact": contactScope, "limit": types.Int},
		fields: []string{"at", "direction", "ending", "outcome", "note", "agent", "talk_ms"}, needs: []string{"at"},
	},
	"list_tickets": {list: true, input: types.Map{"contact": contactScope, "limit": types.Int}, fields: ticketFields, needs: []string{"id", "subject"}},
	"list_orders": {
		list: true, input: types.Map{"contact": contactScope, "limit": types.Int},
		fields: []string{"id", "number", "status", "total", "currency", "at"}, needs: []string{"id", "number"},
	},
	"list_options": {list: true, input: types.Map{"kind": types.String, "limit": types.Int}, fields: []string{"id", "name"}, needs: []string{"id", "name"}},
	"describe": {
		list: true, input: types.Map{"object": types.String},
		fields: []string{"name", "type", "length", "required", "writable", "unique", "values"}, needs: []string{"name"},
	},

	"log_call":         write(types.Map{"phone": phoneScope, "contact": contactScope, "call": callScope}),
	"create_contact":   write(types.Map{"phone": phoneScope, "customer": customerScope}),
	"update_contact":   write(types.Map{"contact": contactScope, "customer": customerScope}),
	"add_number":       write(types.Map{"phone": phoneScope, "contact": contactScope}),
	"add_note":         write(types.Map{"contact": contactScope, "ticket": ticketRefScope, "note": noteScope}),
	"create_ticket":    write(types.Map{"phone": phoneScope, "contact": contactScope, "ticket": ticketScope, "call": callScope}),
	"update_ticket":    write(types.Map{"contact": contactScope, "ticket": ticketScope}),
	"set_status":       write(types.Map{"contact": contactScope, "ticket": ticketScope}),
	"add_tags":         write(types.Map{"contact": contactScope, "tags": types.Array(types.String)}),
	"remove_tags":      write(types.Map{"contact": contactScope, "tags": types.Array(types.String)}),
	"create_task":      write(types.Map{"contact": contactScope, "task": taskScope}),
	"attach_recording": write(types.Map{"contact": contactScope, "recording": recordingScope}),
	"upload_recording": write(types.Map{"contact": contactScope, "recording": recordingScope, "file": fileScope}),
}

// write is the shape of an operation that changes the CRM; all of them see the key, the agent they are for, the record they change, the version
// of it, and what the site maps.
func write(input types.Map) opShape {
	maps.Copy(input, types.Map{"key": types.String, "agent": agentScope, "record": types.Any, "version": types.String, "fields": types.TypeOf(map[string]any{})})
	return opShape{write: true, input: input, fields: idAlone, needs: idAlone}
}

func opNames() []string { return slices.Sorted(maps.Keys(shapes)) }

// deepLinkKinds are the pages a connector may link to.
var deepLinkKinds = []string{"contact", "ticket", "call", "search"}

// optionKinds are the lists of choices an agent may be shown.
var optionKinds = []string{"customer_status", "owner", "queue", "status", "priority", "tag", "pipeline", "outcome"}

// objects are what a CRM's fields belong to.
var objects = []string{"call", "customer", "ticket", "task"}
