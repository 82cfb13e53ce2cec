package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge"
	"ringside.dev/ringside/bridge/wire"
)

func (e *env) statusCommand() *cobra.Command {
	return command("status", e.say("Show how the running agent is", "显示正在运行的代理的状态"), 0, func(ctx context.Context, _ []string) error {
		s, err := e.client().Status(ctx)
		if err != nil {
			return err
		}
		return e.print(s, func() string {
			return table(func(w io.Writer) {
				row(w, e.say("version", "版本"), s.Version)
				row(w, e.say("running since", "启动时间"), local(s.StartedAt), "pid "+strconv.Itoa(s.PID))
				row(w, e.say("agent", "坐席"), s.Agent.Name, s.Extension)
				row(w, e.say("phone", "电话"), s.Phone.Name, string(s.Phone.State))
				for source := range strings.SplitSeq(s.Phone.Name, " + ") {
					if notice := bridge.Notice(source); notice != "" {
						row(w, "", notice)
					}
				}
				row(w, "CRM", s.CRM.Name, string(s.CRM.State))
				row(w, e.say("outbox", "发件箱"), fmt.Sprintf(e.say("%d waiting, %d for a person", "%d 待发送，%d 待人工处理"), s.Outbox.Waiting, s.Outbox.Review)+e.waitingSince(s.Outbox))
				row(w, e.say("storage", "存储"), strings.TrimSpace(string(s.Storage.State)+" "+s.Storage.Detail))
				row(w, e.say("live calls", "进行中的通话"), strconv.Itoa(s.LiveCalls))
			})
		})
	})
}

func (e *env) callsCommand() *cobra.Command {
	var limit int
	list := command("list", e.say("List finished calls, newest first", "列出已结束的通话，最新的在前"), 0, func(ctx context.Context, _ []string) error {
		calls, err := e.client().Calls(ctx, limit)
		if err != nil {
			return err
		}
		return e.print(calls, func() string {
			return table(func(w io.Writer) {
				row(w, e.say("STARTED", "开始"), e.say("DIRECTION", "方向"), e.say("NUMBER", "号码"), e.say("ENDING", "结束方式"), e.say("TALK", "通话"), e.say("OUTCOME", "结果"), "LEG")
				for _, c := range calls {
					row(w, local(c.Call.StartedAt), string(c.Call.Direction), c.Call.Remote.Best(), string(c.Ending), seconds(c.TalkMS), c.WrapUp.Outcome, c.Call.Leg)
				}
			})
		})
	})
	list.Flags().IntVar(&limit, "limit", 50, e.say("at most so many, 1 to 1000", "最多条数，1 至 1000"))
	show := command("show LEG", e.say("Show one finished call", "显示一个已结束的通话"), 1, func(ctx context.Context, args []string) error {
		c, err := e.client().Call(ctx, args[0])
		if err != nil {
			return err
		}
		return e.print(c, func() string { return e.callText(c) })
	})
	return group("calls", e.say("Calls", "通话"), list, show, e.callsDoCommand())
}

// callsDoCommand asks the phone to do something with a live call; what can be done now stands in the snapshot's cards.
func (e *env) callsDoCommand() *cobra.Command {
	var to string
	do := command("do LEG COMMAND", e.say("Ask the phone to do something with a live call: answer, reject, hangup, hold, resume, mute, unmute, dtmf, transfer, consult, complete",
		"让电话对进行中的通话执行操作：answer、reject、hangup、hold、resume、mute、unmute、dtmf、transfer、consult、complete"), 2,
		func(ctx context.Context, args []string) error {
			if err := e.client().Command(ctx, args[0], cti.Instruction{Command: cti.Command(args[1]), To: to}); err != nil {
				return err
			}
			return e.print(map[string]string{"accepted": args[1]}, func() string { return args[1] + " ✓\n" })
		})
	do.Flags().StringVar(&to, "to", "", e.say("the number of a transfer or consultation, or the digits of tones", "转接或咨询的号码，或要发送的按键"))
	return do
}

func (e *env) callText(c wire.LoggedCall) string {
	return table(func(w io.Writer) {
		row(w, "leg", c.Call.Leg)
		row(w, "case", c.Call.Case)
		row(w, e.say("direction", "方向"), string(c.Call.Direction))
		row(w, e.say("number", "号码"), c.Call.Remote.Best(), c.Call.Remote.Name)
		row(w, e.say("started", "开始"), local(c.Call.StartedAt))
		row(w, e.say("answered", "接听"), local(c.Call.EstablishedAt))
		row(w, e.say("ended", "结束"), local(c.Call.ClearedAt))
		row(w, e.say("ring / talk / hold", "振铃 / 通话 / 保持"), seconds(c.RingMS)+" / "+seconds(c.TalkMS)+" / "+seconds(c.HoldMS))
		row(w, e.say("how it ended", "结束方式"), string(c.Ending))
		row(w, e.say("what came of it", "结果"), c.WrapUp.Outcome)
		row(w, e.say("note", "备注"), strings.ReplaceAll(c.WrapUp.Note, "\n", " ⏎ "))
	})
}

func (e *env) eventCommand() *cobra.Command {
	return command("event JSON|-", e.say("Feed one canonical event to the running agent (- reads it from standard input)", "向正在运行的代理送入一个标准事件（- 表示从标准输入读取）"), 1,
		func(ctx context.Context, args []string) error {
			text := []byte(args[0])
			if args[0] == "-" {
				var err error
				if text, err = io.ReadAll(io.LimitReader(e.In, 256<<10)); err != nil {
					return fmt.Errorf("read standard input: %w", err)
				}
			}
			event, err := decodeEvent(string(text))
			if err != nil {
				return err
			}
			if err := e.client().Feed(ctx, event); err != nil {
				return err
			}
			return e.print(map[string]string{"fed": string(event.Type)}, func() string { return string(event.Type) + " ✓\n" })
		})
}

// decodeEvent reads one canonical event.
func decodeEvent(text string) (event cti.Event, err error) {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	err = decoder.Decode(&event)
	if err == nil && decoder.More() {
		err = errors.New("there is something after it")
	}
	if err != nil {
		return event, cti.Errorf(cti.Invalid, `this is not an event: `+err.Error()+`; an example: {"type":"call.delivered","side":"local","remote":{"number":"13800138000"},"call":{"refs":{"id":"1"}}}`, nil)
	}
	return event, nil
}

// table lays out rows in columns.
func table(fill func(w io.Writer)) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 4, 2, ' ', 0)
	fill(w)
	_ = w.Flush() // into memory: cannot fail
	return b.String()
}

// row writes cells; what callers put into names and notes cannot break the table or the terminal.
func row(w io.Writer, cells ...string) {
	for i, c := range cells {
		cells[i] = strings.ReplaceAll(cti.Clean(c, cti.MaxNote), "\t", " ")
	}
	_, _ = fmt.Fprintln(w, strings.Join(cells, "\t")) // into memory: cannot fail
}

func local(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format("2006-01-02 15:04:05")
}

func seconds(ms int64) string { return strconv.FormatFloat(float64(ms)/1000, 'f', 1, 64) + " s" }
