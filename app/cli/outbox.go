package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ringside.dev/ringside/app"
	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/wire"
)

func (e *env) outboxCommand() *cobra.Command {
	return group("outbox", e.say("What has not reached the CRM", "尚未写入 CRM 的记录"), e.outboxList(), e.outboxShow(), e.outboxRetry(), e.outboxEdit(),
		e.outboxAttach(), e.outboxDiscard(), e.outboxExport())
}

func (e *env) outboxList() *cobra.Command {
	var state string
	q := wire.OutboxQuery{}
	list := command("list", e.say("List what has not reached the CRM, oldest first", "列出尚未写入 CRM 的记录，最早的在前"), 0, func(ctx context.Context, _ []string) error {
		q.State = wire.WriteState(state)
		items, err := e.client().Outbox(ctx, q)
		if err != nil {
			return err
		}
		return e.print(items, func() string { return e.itemTable(items, q) })
	})
	list.Flags().StringVar(&state, "state", "", e.say("only this state: ", "仅此状态：")+stateNames()+e.say(" (waiting: all but review)", "（waiting：除 review 外全部）"))
	list.Flags().IntVar(&q.Limit, "limit", 50, e.say("at most so many, 1 to 1000", "最多条数，1 至 1000"))
	list.Flags().Uint64Var(&q.After, "after", 0, e.say("only what comes after this item", "仅列出此记录之后的"))
	return list
}

func stateNames() string {
	var names []string
	for _, s := range wire.OutboxListStates {
		names = append(names, string(s))
	}
	return strings.Join(names, ", ")
}

func (e *env) itemTable(items []wire.OutboxItem, q wire.OutboxQuery) string {
	if len(items) == 0 && q == (wire.OutboxQuery{Limit: q.Limit}) {
		return e.say("Everything has reached the CRM.\n", "所有记录均已写入 CRM。\n")
	}
	text := table(func(w io.Writer) {
		row(w, "ITEM", e.say("STATE", "状态"), e.say("STARTED", "开始"), e.say("NUMBER", "号码"), e.say("WHO", "对方"), e.say("ATTEMPTS", "尝试"),
			e.say("NEXT", "下次"), e.say("WHY", "原因"))
		for _, it := range items {
			row(w, strconv.FormatUint(it.Seq, 10), string(it.State), local(it.StartedAt), it.Number.Best(), it.Name, strconv.Itoa(it.Attempts), local(it.Due),
				e.why(it))
		}
	})
	if len(items) == q.Limit {
		text += fmt.Sprintf(e.say("There may be more: --after %d\n", "可能还有更多：--after %d\n"), items[len(items)-1].Seq)
	}
	return text
}

// why says what an item waits for, in the CRM's own words where it gave some.
func (e *env) why(it wire.OutboxItem) string {
	if it.Unclear {
		return e.say("several customers share the number: ringctl outbox attach", "多位客户共用此号码：ringctl outbox attach")
	}
	return strings.TrimSpace(string(it.Kind) + " " + it.Message)
}

func (e *env) outboxShow() *cobra.Command {
	return command("show ITEM", e.say("Show one item with its attempts", "显示一条记录及其各次尝试"), 1, func(ctx context.Context, args []string) error {
		seq, err := seqOf(args[0])
		if err != nil {
			return err
		}
		it, err := e.client().Item(ctx, seq)
		if err != nil {
			return err
		}
		return e.print(it, func() string { return e.itemText(it) })
	})
}

func (e *env) itemText(it wire.OutboxItem) string {
	text := table(func(w io.Writer) {
		row(w, "item", strconv.FormatUint(it.Seq, 10))
		row(w, e.say("what", "操作"), string(it.Op))
		row(w, e.say("state", "状态"), string(it.State))
		row(w, e.say("why", "原因"), e.why(it))
		row(w, e.say("direction", "方向"), string(it.Direction))
		row(w, e.say("number", "号码"), it.Number.Best(), it.Name)
		row(w, e.say("customer", "客户"), it.CustomerID)
		row(w, e.say("started", "开始"), local(it.StartedAt))
		row(w, e.say("how it ended", "结束方式"), string(it.Ending), seconds(it.TalkMS))
		row(w, e.say("what came of it", "结果"), it.Outcome)
		row(w, e.say("note", "备注"), strings.ReplaceAll(it.Note, "\n", " ⏎ "))
		row(w, e.say("queued", "入队"), local(it.CreatedAt))
		row(w, e.say("next attempt", "下次尝试"), local(it.Due))
		row(w, e.say("may be in the CRM since", "可能已写入 CRM"), local(it.Begun))
		row(w, "leg", it.Leg)
		if it.Reason != "" {
			row(w, e.say("discarded because", "放弃原因"), it.Reason)
		}
	})
	if len(it.Tries) == 0 {
		return text
	}
	return text + "\n" + table(func(w io.Writer) {
		row(w, e.say("ATTEMPT", "尝试时间"), e.say("TOOK", "用时"), e.say("KIND", "类别"), e.say("ANSWER", "答复"))
		for _, t := range slices.Backward(it.Tries) {
			row(w, local(t.At), seconds(t.TookMS), string(t.Kind), t.Message)
		}
	})
}

func (e *env) outboxRetry() *cobra.Command {
	var all bool
	retry := &cobra.Command{Use: "retry [ITEM]", Short: e.say("Try one item, or with --all every item, again now", "立即重试一条记录，或用 --all 重试全部")}
	retry.Flags().BoolVar(&all, "all", false, e.say("every item that needs no person", "所有无需人工处理的记录"))
	retry.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case all && len(args) == 0:
			n, err := e.client().RetryAll(cmd.Context())
			if err != nil {
				return err
			}
			return e.print(map[string]int{"retried": n}, func() string {
				return fmt.Sprintf(e.say("%d items are tried again.\n", "正在重试 %d 条记录。\n"), n)
			})
		case !all && len(args) == 1:
			return e.change(cmd.Context(), args[0], "retried", e.say("Item %d is tried again.\n", "正在重试记录 %d。\n"), e.client().Retry)
		}
		return cti.Errorf(cti.Invalid, "usage: ringctl outbox retry ITEM, or ringctl outbox retry --all", nil)
	}
	return retry
}

func (e *env) outboxEdit() *cobra.Command {
	var to wire.EditRequest
	var edit *cobra.Command
	edit = command("edit ITEM", e.say("Replace the outcome or the note of an item", "修改一条记录的结果或备注"), 1, func(ctx context.Context, args []string) error {
		outcome, note := edit.Flags().Changed("outcome"), edit.Flags().Changed("note")
		if !outcome && !note {
			return cti.Errorf(cti.Invalid, "say what to change: --outcome, --note or both", nil)
		}
		return e.change(ctx, args[0], "edited", e.say("Item %d was changed.\n", "记录 %d 已修改。\n"), func(ctx context.Context, seq uint64) error {
			now, err := e.client().Item(ctx, seq)
			if err != nil {
				return err
			}
			b := to
			if !outcome {
				b.Outcome = now.Outcome
			}
			if !note {
				b.Note = now.Note
			}
			return e.client().Edit(ctx, seq, b)
		})
	})
	edit.Flags().StringVar(&to.Outcome, "outcome", "", e.say("the new outcome", "新的结果"))
	edit.Flags().StringVar(&to.Note, "note", "", e.say("the new note", "新的备注"))
	return edit
}

func (e *env) outboxAttach() *cobra.Command {
	return command("attach ITEM CUSTOMER", e.say("Say whom an item is for, by the id the CRM gave the customer", "指定一条记录属于哪位客户（CRM 中的客户编号）"), 2,
		func(ctx context.Context, args []string) error {
			return e.change(ctx, args[0], "attached", e.say("Item %d has its customer.\n", "记录 %d 已指定客户。\n"), func(ctx context.Context, seq uint64) error {
				return e.client().Attach(ctx, seq, args[1])
			})
		})
}

func (e *env) outboxDiscard() *cobra.Command {
	var reason string
	discard := command("discard ITEM", e.say("Give an item up for good: the CRM will not have it", "永久放弃一条记录：不再写入 CRM"), 1, func(ctx context.Context, args []string) error {
		if strings.TrimSpace(reason) == "" {
			return cti.Errorf(cti.Invalid, "say why: --reason TEXT. It is kept with the record", nil)
		}
		return e.change(ctx, args[0], "discarded", e.say("Item %d was discarded.\n", "记录 %d 已放弃。\n"), func(ctx context.Context, seq uint64) error {
			return e.client().Discard(ctx, seq, reason)
		})
	})
	discard.Flags().StringVar(&reason, "reason", "", e.say("why the CRM shall not have it", "为何不写入 CRM"))
	return discard
}

// change does something with the item an argument names, and says so.
func (e *env) change(ctx context.Context, arg, done, said string, do func(ctx context.Context, seq uint64) error) error {
	seq, err := seqOf(arg)
	if err != nil {
		return err
	}
	if err := do(ctx, seq); err != nil {
		return err
	}
	return e.print(map[string]any{done: seq}, func() string { return fmt.Sprintf(said, seq) })
}

func seqOf(arg string) (uint64, error) {
	seq, err := strconv.ParseUint(arg, 10, 64)
	if err != nil {
		return 0, cti.Errorf(cti.Invalid, "the item is named by its number: see ringctl outbox list", nil)
	}
	return seq, nil
}

func (e *env) outboxExport() *cobra.Command {
	var format, out string
	export := command("export", e.say("Write the whole outbox as CSV or JSON", "将全部未写入的记录导出为 CSV 或 JSON"), 0, func(ctx context.Context, _ []string) error {
		f := wire.Format(format)
		if !slices.Contains(wire.Formats, f) {
			return cti.Errorf(cti.Invalid, "--format is csv or json", nil)
		}
		if out == "" {
			return e.client().Export(ctx, f, e.Out)
		}
		if err := app.WriteWhole(out, func(w io.Writer) error { return e.client().Export(ctx, f, w) }); err != nil {
			return err
		}
		return e.print(map[string]string{"written": out}, func() string { return fmt.Sprintf(e.say("Written to %s.\n", "已写入 %s。\n"), out) })
	})
	export.Flags().StringVar(&format, "format", string(wire.CSV), e.say("csv, for spreadsheets, or json", "csv（供电子表格）或 json"))
	export.Flags().StringVar(&out, "out", "", e.say("the file to write (default: standard output)", "写入的文件（默认：标准输出）"))
	return export
}

// waitingSince says how long the oldest record has waited.
func (e *env) waitingSince(o wire.Outbox) string {
	if o.OldestAt.IsZero() {
		return ""
	}
	return fmt.Sprintf(e.say("; the oldest since %s", "；最早的自 %s"), o.OldestAt.Local().Format(time.DateTime))
}
