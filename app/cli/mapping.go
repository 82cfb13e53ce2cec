package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ringside.dev/ringside/app/crm"
	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/wire"
)

func (e *env) mappingCommand() *cobra.Command {
	return group("mapping", e.say("What goes into the CRM's own fields", "CRM 自有字段的映射"), e.mappingCheck(), e.mappingPreview(), e.mappingRebuild(), e.mappingSchema())
}

// finding is a mistake in a mapping as ringctl prints it.
type finding struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
	Text   string `json:"text"`
}

func (e *env) mappingCheck() *cobra.Command {
	var o crmOptions
	return o.flags(e, command("check", e.say("Compare the mapping with the CRM's fields; nothing is written", "将映射与 CRM 字段核对；不写入任何内容"), 0, func(ctx context.Context, _ []string) error {
		c, err := o.open(e)
		if err != nil {
			return err
		}
		defer c.Close()
		systems, err := o.systems(c)
		if err != nil {
			return err
		}
		found, checked := []finding{}, 0
		for _, s := range systems {
			if !s.Engine.HasMapping() {
				continue
			}
			checked++
			problems, err := s.Engine.CheckMapping(ctx)
			if err != nil {
				return err
			}
			for _, p := range problems {
				found = append(found, finding{p.File, p.Line, p.Column, p.In(string(e.language))})
			}
		}
		if checked == 0 {
			return cti.Errorf(cti.Invalid, "there is no mapping to check: name its file under crm.mapping in the profile", nil)
		}
		if err := e.print(found, func() string { return e.findings(found) }); err != nil {
			return err
		}
		if len(found) > 0 {
			return cti.Errorf(cti.Invalid, fmt.Sprintf(e.say("the mapping does not fit the CRM in %d places", "映射有 %d 处与 CRM 不符"), len(found)), nil)
		}
		return nil
	}))
}

func (e *env) findings(found []finding) string {
	if len(found) == 0 {
		return e.say("The mapping fits the CRM.\n", "映射与 CRM 相符。\n")
	}
	var b strings.Builder
	for _, f := range found {
		b.WriteString(f.Text + "\n")
	}
	return b.String()
}

func (e *env) mappingPreview() *cobra.Command {
	var call, itemSeq string
	c := command("preview", e.say("Show the requests of a call's record under the mapping file as it is now; nothing is sent", "按当前映射文件显示一个通话记录的请求；不发送任何内容"), 0,
		func(ctx context.Context, _ []string) error {
			var shown []wire.ShownRequest
			var err error
			switch {
			case (call == "") == (itemSeq == ""):
				return cti.Errorf(cti.Invalid, "name a call (--call LEG, see ringctl calls list) or an item (--item N, see ringctl outbox list)", nil)
			case call != "":
				shown, err = e.client().PreviewCall(ctx, call)
			default:
				shown, err = e.previewItem(ctx, itemSeq)
			}
			if err != nil {
				return err
			}
			return e.print(shown, func() string { return e.requests(requestsOf(shown)) })
		})
	c.Flags().StringVar(&call, "call", "", e.say("the leg of a finished call", "已结束通话的编号（leg）"))
	c.Flags().StringVar(&itemSeq, "item", "", e.say("the number of an item of the outbox", "发件箱记录的编号"))
	return c
}

func (e *env) previewItem(ctx context.Context, arg string) ([]wire.ShownRequest, error) {
	seq, err := seqOf(arg)
	if err != nil {
		return nil, err
	}
	return e.client().Preview(ctx, seq)
}

func requestsOf(shown []wire.ShownRequest) []crm.Request {
	var out []crm.Request
	for _, one := range shown {
		out = append(out, crm.Request(one))
	}
	return out
}

// rebuilt is an item that is sent anew, or would be.
type rebuilt struct {
	Item     uint64              `json:"item"`
	Leg      string              `json:"leg"`
	State    wire.WriteState     `json:"state"`
	Requests []wire.ShownRequest `json:"requests"`
	Sent     bool                `json:"sent"`
	Error    string              `json:"error,omitempty"` // why it cannot be shown, or was not sent

	err error
}

// failed notes the first thing that went wrong with an item; the others are not held up by it.
func (r *rebuilt) failed(err error) {
	if err != nil && r.err == nil {
		r.err, r.Error = fmt.Errorf("item %d: %w", r.Item, err), err.Error()
	}
}

func (e *env) mappingRebuild() *cobra.Command {
	var since time.Duration
	var items []string
	var yes bool
	c := command("rebuild", e.say("Send delivered call records, and what is parked, anew under a corrected mapping, as updates; without --yes they are only shown",
		"按更正后的映射重新发送已送达的通话记录和待处理的项目（作为更新）；不加 --yes 时只显示"), 0, func(ctx context.Context, _ []string) error {
		chosen, err := e.toRebuild(ctx, since, items)
		if err != nil {
			return err
		}
		for i := range chosen {
			one := &chosen[i]
			one.Requests, err = e.client().Preview(ctx, one.Item)
			one.Requests = filledList(one.Requests)
			one.failed(err)
			if yes && one.err == nil {
				one.failed(e.client().Rebuild(ctx, one.Item))
				one.Sent = one.err == nil
			}
		}
		err = e.print(map[string]any{"sent": yes, "items": chosen}, func() string { return e.rebuiltWords(chosen, yes) })
		for _, one := range chosen {
			if err == nil {
				err = one.err
			}
		}
		return err
	})
	c.Flags().DurationVar(&since, "since", 0, e.say("records of calls that began so long ago or later, such as 24h", "多久以内开始的通话记录，例如 24h"))
	c.Flags().StringArrayVar(&items, "item", nil, e.say("the number of an item; may be given several times", "记录编号；可多次给出"))
	c.Flags().BoolVar(&yes, "yes", false, e.say("really send them", "确实发送"))
	return c
}

// toRebuild chooses items: by their numbers, or of the calls since then the delivered records and all that is parked. What else was delivered is not
// the site's alone: a customer made here may have been corrected in the CRM.
func (e *env) toRebuild(ctx context.Context, since time.Duration, items []string) ([]rebuilt, error) {
	if (since == 0) == (len(items) == 0) {
		return nil, cti.Errorf(cti.Invalid, "say which: --since 24h, or --item N", nil)
	}
	out := []rebuilt{}
	for _, arg := range items {
		seq, err := seqOf(arg)
		if err != nil {
			return nil, err
		}
		it, err := e.client().Item(ctx, seq)
		if err != nil {
			return nil, err
		}
		out = append(out, rebuilt{Item: it.Seq, Leg: it.Leg, State: it.State})
	}
	if since == 0 {
		return out, nil
	}
	newest := map[string]rebuilt{} // of several with one key the last
	for _, state := range []wire.WriteState{wire.WriteDelivered, wire.WriteReview} {
		err := e.everyItem(ctx, state, func(it wire.OutboxItem) {
			ours := it.Op == cti.LogCall || state == wire.WriteReview
			if ours && it.StartedAt.After(time.Now().Add(-since)) && newest[it.Key].Item < it.Seq {
				newest[it.Key] = rebuilt{Item: it.Seq, Leg: it.Leg, State: it.State}
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return slices.SortedFunc(maps.Values(newest), func(a, b rebuilt) int { return int(a.Item) - int(b.Item) }), nil //nolint:gosec // numbers of items are far below
}

func (e *env) everyItem(ctx context.Context, state wire.WriteState, use func(wire.OutboxItem)) error {
	for after := uint64(0); ; {
		page, err := e.client().Outbox(ctx, wire.OutboxQuery{State: state, Limit: wire.MaxOutboxPage, After: after})
		if err != nil || len(page) == 0 {
			return err
		}
		for _, it := range page {
			use(it)
			after = it.Seq
		}
	}
}

func (e *env) rebuiltWords(chosen []rebuilt, yes bool) string {
	var b strings.Builder
	sent := 0
	for _, one := range chosen {
		fmt.Fprintf(&b, e.say("item %d (%s)\n%s", "记录 %d（%s）\n%s"), one.Item, one.State, e.requests(requestsOf(one.Requests)))
		if one.Error != "" {
			fmt.Fprintf(&b, e.say("    not sent: %s\n", "    未发送：%s\n"), one.Error)
		}
		if one.Sent {
			sent++
		}
	}
	if yes {
		fmt.Fprintf(&b, e.say("%d items are on their way.\n", "%d 条记录正在发送。\n"), sent)
	} else {
		fmt.Fprintf(&b, e.say("%d items; nothing was sent: add --yes.\n", "共 %d 条；未发送任何内容：加 --yes 才发送。\n"), len(chosen))
	}
	return b.String()
}

// asJSON writes a value for people.
func asJSON(v any) string {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err.Error() + "\n"
	}
	return string(text) + "\n"
}

// indentedJSON writes a body with its lines below each other; another kind of text stays as it is.
func indentedJSON(body string) string {
	var v any
	if json.Unmarshal([]byte(body), &v) != nil {
		return body
	}
	text, err := json.MarshalIndent(v, "    ", "  ")
	if err != nil {
		return body
	}
	return string(text)
}

func sorted(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }
