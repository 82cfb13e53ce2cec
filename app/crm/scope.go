package crm

import (
	"context"
	"maps"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/number"
)

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
	return vars{"raw": n.Raw, "e164": n.E164, "national": national, "best": n.Best(), "candidate": ""}
}

func contactInput(id string) vars { return vars{"id": idOrNil(id)} }

// recordInput is null for a record that is to be made.
func recordInput(id string) any {
	if id == "" {
		return nil
	}
	return vars{"id": id}
}

// writeInput is what the steps of a write see, with the fields that the site maps.
func (e *Engine) writeInput(w cti.WriteBack, m *mapping) (vars, error) {
	input := canonical(w, e.agent)
	fields, err := m.write(string(w.Op), input)
	if err != nil {
		return nil, cti.Errorf(cti.Invalid, e.doing(string(w.Op))+": "+e.redact.text(err.Error())+"; once it is corrected: ringctl mapping rebuild", nil)
	}
	input["fields"] = fields
	return input, nil
}

// canonical is a write-back in the words of the schema; which of it the steps may name, the shape of its operation says.
func canonical(w cti.WriteBack, agent cti.Agent) vars {
	c, t := w.New, w.Ticket
	return vars{
		"key": w.Key, "phone": phoneInput(w.Record.Number), "contact": contactInput(w.CustomerID), "record": recordInput(w.RecordID), "version": w.Version,
		"agent":    vars{"id": agent.ID, "name": agent.Name, "email": agent.Email},
		"customer": vars{"type": c.Type, "name": c.Name, "company": c.Company, "email": c.Email, "status": c.Status},
		"note":     vars{"text": w.Note.Text, "at": stampOrNil(w.Note.At)},
		"ticket": vars{
			"id": idOrNil(t.ID), "subject": t.Subject, "body": t.Body, "status": t.Status, "priority": t.Priority, "queue": t.Queue, "owner": t.Owner, "type": t.Type,
		},
		"task": vars{"subject": w.Task.Subject, "body": w.Task.Body, "due_at": stampOrNil(w.Task.DueAt), "owner": w.Task.Owner},
		"tags": anyOf(w.Tags),
		"recording": vars{
			"id": w.Recording.ID, "url": w.Recording.URL, "name": w.Recording.Name, "type": w.Recording.Type, "duration_ms": int(w.Recording.DurationMS),
			"expires_at": stampOrNil(w.Recording.ExpiresAt),
		},
		"call": callInput(w),
	}
}

// fileInput is what the steps see of the file that is handed on.
func fileInput(ctx context.Context) vars {
	f, _ := cti.FileOf(ctx)
	return vars{"name": f.Name, "type": f.Type, "size": int(f.Size), "sha256": f.SHA256}
}

func callInput(w cti.WriteBack) vars {
	r := w.Record
	return vars{
		"key": w.Key, "case": r.Case, "leg": r.Leg, "direction": string(r.Direction), "extension": r.Extension,
		"queue": r.Queue, "remote_name": r.RemoteName, "parties": anyOf(r.Parties),
		"started_at": stamp(r.StartedAt), "answered_at": stampOrNil(r.AnsweredAt), "ended_at": stamp(r.EndedAt),
		"ring_ms": int(r.RingMS), "queue_ms": int(r.QueueMS), "talk_ms": int(r.TalkMS), "hold_ms": int(r.HoldMS), "wrap_ms": int(r.WrapMS),
		"duration_ms": int(r.TalkMS + r.HoldMS), "ending": string(r.Ending), "cause": r.Cause,
		"outcome": r.WrapUp.Outcome, "note": r.WrapUp.Note, "wrapped_up": !r.WrapUp.SavedAt.IsZero(),
		"data": maps.Clone(r.Data),
	}
}

func anyOf(list []string) []any {
	out := make([]any, len(list))
	for i, one := range list {
		out[i] = one
	}
	return out
}

func idOrNil(id string) any {
	if id == "" {
		return nil
	}
	return id
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z07:00") }

func stampOrNil(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return stamp(t)
}
