package crm

import (
	"maps"
	"time"

	"github.com/expr-lang/expr/types"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/number"
)

var (
	phoneScope   = types.Map{"raw": types.String, "e164": types.String, "national": types.String, "best": types.String}
	contactScope = types.Map{"id": types.Any} // null: nobody has this number
	callScope    = types.Map{
		"key": types.String, "case": types.String, "leg": types.String, "direction": types.String, "extension": types.String,
		"queue": types.String, "remote_name": types.String, "started_at": types.String, "answered_at": types.Any, "ended_at": types.String,
		"ring_ms": types.Int, "queue_ms": types.Int, "talk_ms": types.Int, "hold_ms": types.Int, "wrap_ms": types.Int,
		"duration_ms": types.Int, "ending": types.String, "cause": types.String, "outcome": types.String, "note": types.String, "wrapped_up": types.Bool,
	}
	customerScope = types.Map{"type": types.String, "name": types.String, "company": types.String, "email": types.String}

	resScope = types.Map{"status": types.Int, "headers": types.TypeOf(map[string]string{}), "json": types.Any, "text": types.String}
)

// inputScopes is what input holds in each operation.
var inputScopes = map[string]types.Map{
	"whoami":       {},
	"lookup":       {"phone": phoneScope, "limit": types.Int},
	"search":       {"text": types.String, "limit": types.Int},
	"changes":      {"cursor": types.String, "limit": types.Int}, // cursor: empty for the first page of all
	"history":      {"contact": contactScope, "limit": types.Int},
	"list_tickets": {"contact": contactScope, "limit": types.Int},
	"log_call":     {"key": types.String, "phone": phoneScope, "contact": contactScope, "call": callScope, "record": types.Any}, // null: a new record

	"create_contact": {"key": types.String, "phone": phoneScope, "customer": customerScope, "record": types.Any},
	"add_number":     {"key": types.String, "phone": phoneScope, "contact": contactScope, "record": types.Any},
}

// with gives a scope with more names.
func with(names scope, more scope) scope {
	out := maps.Clone(names)
	maps.Copy(out, more)
	return out
}

func phoneInput(n cti.Number) vars {
	national := n.Key
	if national == "" {
		national = number.Digits(n.Raw)
	}
	return vars{"raw": n.Raw, "e164": n.E164, "national": national, "best": n.Best()}
}

func contactInput(id string) vars {
	if id == "" {
		return vars{"id": nil}
	}
	return vars{"id": id}
}

// recordInput is null for a record that is to be made.
func recordInput(id string) any {
	if id == "" {
		return nil
	}
	return vars{"id": id}
}

// writeInput is what the steps of a write see; which of it, the scope of its operation says.
func writeInput(w cti.WriteBack) vars {
	r, c := w.Record, w.New
	return vars{"key": w.Key, "phone": phoneInput(r.Number), "contact": contactInput(w.CustomerID), "record": recordInput(w.RecordID),
		"customer": vars{"type": c.Type, "name": c.Name, "company": c.Company, "email": c.Email}, "call": vars{
			"key": w.Key, "case": r.Case, "leg": r.Leg, "direction": string(r.Direction), "extension": r.Extension,
			"queue": r.Queue, "remote_name": r.RemoteName,
			"started_at": stamp(r.StartedAt), "answered_at": stampOrNil(r.AnsweredAt), "ended_at": stamp(r.EndedAt),
			"ring_ms": int(r.RingMS), "queue_ms": int(r.QueueMS), "talk_ms": int(r.TalkMS), "hold_ms": int(r.HoldMS), "wrap_ms": int(r.WrapMS),
			"duration_ms": int(r.TalkMS + r.HoldMS), "ending": string(r.Ending), "cause": r.Cause,
			"outcome": r.WrapUp.Outcome, "note": r.WrapUp.Note, "wrapped_up": !r.WrapUp.SavedAt.IsZero(),
		}}
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z07:00") }

func stampOrNil(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return stamp(t)
}
