package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ringside.dev/ringside/app/crm"
	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/number"
)

// runInput is what ringctl crm run reads: the input of an operation, in the names of the connector file.
type runInput struct {
	Phone   string `json:"phone"` // as a person or a phone writes it
	Text    string `json:"text"`
	Cursor  string `json:"cursor"`
	Kind    string `json:"kind"`
	Object  string `json:"object"`
	Limit   int    `json:"limit"` // 0: 20
	Key     string `json:"key"`   // of a write: the same one again is the same record
	Version string `json:"version"`
	Contact struct {
		ID string `json:"id"`
	} `json:"contact"`
	Record struct {
		ID string `json:"id"`
	} `json:"record"` // of a write: the record that it changes
	Call      runCall         `json:"call"`
	Customer  cti.NewCustomer `json:"customer"`
	Note      cti.Note        `json:"note"`
	Ticket    cti.TicketDraft `json:"ticket"`
	Task      cti.TaskDraft   `json:"task"`
	Tags      []string        `json:"tags"`
	Recording cti.Recording   `json:"recording"`
}

type runCall struct {
	Direction  cti.Direction     `json:"direction"` // in (the usual) or out
	Extension  string            `json:"extension"`
	Queue      string            `json:"queue"`
	StartedAt  time.Time         `json:"started_at"` // none: now
	AnsweredAt time.Time         `json:"answered_at"`
	EndedAt    time.Time         `json:"ended_at"`
	TalkMS     int64             `json:"talk_ms"`
	Ending     cti.Ending        `json:"ending"`
	Outcome    string            `json:"outcome"`
	Note       string            `json:"note"`
	Data       map[string]string `json:"data"`
}

// maxInput caps the file of an operation's input, bytes.
const maxInput = 1 << 20

// usualLimit is how many items a list has when the input says nothing.
const usualLimit = 20

func (e *env) crmRun() *cobra.Command {
	var o crmOptions
	var file string
	var yes bool
	c := o.flags(e, command("run OPERATION", e.say("Run one operation of the connector; what writes is only shown without --yes", "执行连接器的一个操作；写入操作不加 --yes 时只显示请求"), 1,
		func(ctx context.Context, args []string) error {
			in, err := e.readInput(file)
			if err != nil {
				return err
			}
			conn, err := o.open(e)
			if err != nil {
				return err
			}
			defer conn.Close()
			region, err := o.profileOf()
			if err != nil {
				return err
			}
			on := conn.Connector
			if o.system != "" {
				systems, err := o.systems(conn)
				if err != nil {
					return err
				}
				on = systems[0].Connector
			}
			return e.runOperation(ctx, on, args[0], in, region.Region, yes)
		}))
	c.Flags().StringVar(&file, "input", "", e.say("the JSON file of the operation's input; - is standard input", "操作输入的 JSON 文件；- 表示标准输入"))
	c.Flags().BoolVar(&yes, "yes", false, e.say("really write", "确实写入"))
	return c
}

func (e *env) readInput(file string) (in runInput, err error) {
	var from io.Reader
	switch file {
	case "":
		return in, nil
	case "-":
		from = e.In
	default:
		f, err := os.Open(file)
		if err != nil {
			return in, cti.Errorf(cti.Invalid, "the input cannot be read", err)
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		from = f
	}
	d := json.NewDecoder(io.LimitReader(from, maxInput))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return in, cti.Errorf(cti.Invalid, `the input is not an operation's: write JSON such as {"phone": "+44 20 7946 0123"} (`+err.Error()+")", nil)
	}
	return in, nil
}

// runOperation runs a read, or shows or makes a write.
func (e *env) runOperation(ctx context.Context, c crm.Connector, op string, in runInput, region string, yes bool) error {
	if !cti.Op(op).Writes() {
		out, err := read(ctx, c, op, in, region)
		if err != nil {
			return err
		}
		return e.print(out, func() string { return asJSON(out) })
	}
	w, err := in.write(cti.Op(op), region)
	if err != nil {
		return err
	}
	if yes {
		receipt, err := c.Write(ctx, w)
		if err != nil {
			return err
		}
		out := map[string]string{"key": w.Key, "id": receipt.ID}
		return e.print(out, func() string { return asJSON(out) })
	}
	p, ok := c.(crm.Previewer)
	if !ok {
		return cti.Errorf(cti.Invalid, "this connector sends no requests: nothing can be shown; write with --yes", nil)
	}
	shown, err := p.Preview(ctx, w)
	if err != nil {
		return err
	}
	return e.print(map[string]any{"sent": false, "requests": filledList(shown)}, func() string {
		return e.requests(shown) + e.say("Nothing was sent: add --yes to write.\n", "未发送任何内容：加 --yes 才写入。\n")
	})
}

// requests shows requests as one reads them.
func (e *env) requests(shown []crm.Request) string {
	var b strings.Builder
	for _, r := range shown {
		if r.Depends {
			fmt.Fprintf(&b, e.say("%s: depends on what the CRM answers before\n", "%s：取决于 CRM 先前的答复\n"), r.Step)
			continue
		}
		fmt.Fprintf(&b, "%s: %s %s\n", r.Step, r.Method, r.URL)
		for _, name := range sorted(r.Headers) {
			fmt.Fprintf(&b, "    %s: %s\n", name, r.Headers[name])
		}
		if r.Body != "" {
			fmt.Fprintf(&b, "    %s\n", indentedJSON(r.Body))
		}
	}
	return b.String()
}

// read runs an operation that only reads.
func read(ctx context.Context, c crm.Connector, op string, in runInput, region string) (any, error) {
	f, limit := c.Features(), in.Limit
	if limit <= 0 {
		limit = usualLimit
	}
	lacks := cti.Errorf(cti.Invalid, "there is no operation "+op+" here; there is "+strings.Join(crm.AllOperations(), ", "), nil)
	switch op {
	case "whoami":
		return c.Whoami(ctx)
	case "lookup":
		return listed(true, nil, func() ([]cti.Customer, error) { return c.Lookup(ctx, number.Parse(in.Phone, region)) })
	case "search":
		return listed(f.Search != nil, lacks, func() ([]cti.Customer, error) { return f.Search(ctx, in.Text, limit) })
	case "get":
		return asked(f.Get != nil, lacks, func() (cti.Customer, error) { return f.Get(ctx, in.Contact.ID) })
	case "changes":
		return asked(f.Changes != nil, lacks, func() (cti.CustomerPage, error) { return f.Changes(ctx, in.Cursor) })
	case "history":
		return listed(f.History != nil, lacks, func() ([]cti.Contact, error) { return f.History(ctx, in.Contact.ID, limit) })
	case "list_tickets":
		return listed(f.Tickets != nil, lacks, func() ([]cti.Ticket, error) { return f.Tickets(ctx, in.Contact.ID, limit) })
	case "list_orders":
		return listed(f.Orders != nil, lacks, func() ([]cti.Order, error) { return f.Orders(ctx, in.Contact.ID, limit) })
	case "list_options":
		return listed(f.Options != nil, lacks, func() ([]cti.Option, error) { return f.Options(ctx, in.Kind, limit) })
	case "describe":
		return listed(f.Describe != nil, lacks, func() ([]crm.Field, error) { return f.Describe(ctx, in.Object) })
	}
	return nil, lacks
}

// listed runs what gives a list; an empty one is [] and not null.
func listed[T any](there bool, lacks error, ask func() ([]T, error)) (any, error) {
	return asked(there, lacks, func() ([]T, error) {
		out, err := ask()
		if out == nil {
			out = []T{}
		}
		return out, err
	})
}

// asked runs what the connector has.
func asked[T any](there bool, lacks error, ask func() (T, error)) (any, error) {
	if !there {
		return nil, lacks
	}
	out, err := ask()
	return out, err
}

// write makes the write-back of an input. Without a key it gets one that nobody else has.
func (in runInput) write(op cti.Op, region string) (cti.WriteBack, error) {
	call, now := in.Call, time.Now().UTC().Truncate(time.Millisecond)
	if in.Key == "" {
		in.Key = cti.ID("ringctl", string(op), now.String(), fmt.Sprint(os.Getpid()))
	}
	if call.StartedAt.IsZero() {
		call.StartedAt = now
	}
	if call.EndedAt.IsZero() {
		call.EndedAt = call.StartedAt.Add(time.Duration(call.TalkMS) * time.Millisecond)
	}
	if call.Direction == "" {
		call.Direction = cti.In
	}
	if call.Ending == "" {
		call.Ending = cti.EndAnswered
	}
	if op == cti.AttachRecording && in.Record.ID == "" {
		return cti.WriteBack{}, cti.Errorf(cti.Invalid, `attach_recording needs the call's record: "record": {"id": "…"}`, nil)
	}
	if op == cti.UploadRecording {
		return cti.WriteBack{}, cti.Errorf(cti.Invalid, "upload_recording hands on a file that the agent has fetched: try it with a call, see docs/recordings.md", nil)
	}
	record := cti.Record{
		Key: in.Key, Case: in.Key, Leg: in.Key, Direction: call.Direction, Number: number.Parse(in.Phone, region), Extension: call.Extension, Queue: call.Queue,
		StartedAt: call.StartedAt.UTC(), AnsweredAt: call.AnsweredAt.UTC(), EndedAt: call.EndedAt.UTC(), TalkMS: call.TalkMS, Ending: call.Ending, Cause: string(cti.CauseNormal),
		WrapUp: cti.WrapUp{Outcome: call.Outcome, Note: call.Note, SavedAt: now}, Data: call.Data,
	}
	return cti.WriteBack{
		Op: op, Key: in.Key, Leg: in.Key, Identity: cti.IdentityKnown, CustomerID: in.Contact.ID, RecordID: in.Record.ID, Version: in.Version, Record: record,
		New: in.Customer, Note: in.Note, Ticket: in.Ticket, Task: in.Task, Tags: in.Tags, Recording: in.Recording,
	}, nil
}
