package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge"
	"ringside.dev/ringside/bridge/tape"
)

func (e *env) sourceCommand() *cobra.Command {
	return group("source", e.say("What phones and exchanges send, for support", "电话与交换机发送的原始数据，供技术支持使用"), e.recordCommand(), e.replayCommand())
}

func (e *env) recordCommand() *cobra.Command {
	var mask bool
	c := command("record SOURCE", e.say("Record what a source of the running agent sends and is sent, to standard output, until Ctrl-C", "将正在运行的代理某一来源的收发数据记录到标准输出，按 Ctrl-C 结束"), 1,
		func(ctx context.Context, args []string) error {
			return e.record(mask, func(each func(tape.Frame) error) error { return e.client().Record(ctx, args[0], each) })
		})
	e.maskFlag(c, &mask)
	return c
}

func (e *env) maskFlag(c *cobra.Command, mask *bool) {
	c.Flags().BoolVar(mask, "mask", false, e.say("put other digits in the place of telephone numbers: names stay", "将电话号码替换为其他数字；姓名不变"))
}

// record writes the frames that from gives to standard output.
func (e *env) record(mask bool, from func(each func(tape.Frame) error) error) error {
	m, err := tape.NewMasker()
	if err != nil {
		return err
	}
	if !mask {
		if _, err := fmt.Fprintln(e.Err, e.say("The recording holds customers' numbers and names: keep it to yourself, or use --mask.", "记录中含有客户的号码和姓名：请妥善保管，或使用 --mask。")); err != nil {
			return err
		}
	}
	out := json.NewEncoder(e.Out)
	return from(func(f tape.Frame) error {
		if mask {
			if f, err = m.Frame(f); err != nil {
				return cti.Errorf(cti.Invalid, err.Error(), nil)
			}
		}
		return out.Encode(f)
	})
}

func (e *env) replayCommand() *cobra.Command {
	var extension string
	replay := command("replay SOURCE FILE", e.say("Show which events and calls a recording makes; needs no running agent", "显示一份记录产生的事件与通话；无需代理运行"), 2, func(_ context.Context, args []string) error {
		frames, err := readRecording(args[1])
		if err != nil {
			return err
		}
		events, err := bridge.Replay(args[0], frames, extension)
		if err != nil {
			return err
		}
		r := replayOf(events)
		return e.print(r, r.text)
	})
	replay.Flags().StringVar(&extension, "extension", "", e.say("the agent's own, where the recording does not name it", "坐席自己的分机号，记录中没有时使用"))
	return replay
}

func readRecording(file string) (frames []tape.Frame, err error) {
	f, err := os.Open(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, cti.Errorf(cti.NotFound, "there is no such file; make a recording with: ringctl source record SOURCE > FILE", err)
	case err != nil:
		return nil, cti.Errorf(cti.Invalid, "the recording cannot be read", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := tape.Read(f, func(frame tape.Frame) error { frames = append(frames, frame); return nil }); err != nil {
		return nil, cti.Errorf(cti.Invalid, err.Error(), nil)
	}
	return frames, nil
}

// replayed is what a recording comes to.
type replayed struct {
	Events []cti.Event `json:"events"`
	Calls  []cti.Call  `json:"calls"`
}

func replayOf(events []cti.Event) replayed {
	r := replayed{Events: events, Calls: []cti.Call{}}
	if events == nil {
		r.Events = []cti.Event{}
	}
	ledger := cti.NewLedger("replay")
	for _, e := range events {
		for _, change := range ledger.Apply(e.Clean()) {
			i := slices.IndexFunc(r.Calls, func(c cti.Call) bool { return c.Leg == change.After.Leg })
			if i < 0 {
				r.Calls = append(r.Calls, change.After)
				continue
			}
			r.Calls[i] = change.After
		}
	}
	return r
}

func (r replayed) text() string {
	var s string
	for _, e := range r.Events {
		s += eventLine(e) + "\n"
	}
	return s + "\n" + table(func(w io.Writer) {
		row(w, "STARTED", "DIRECTION", "NUMBER", "STATE", "ENDING", "CAUSE")
		for _, c := range r.Calls {
			cause := ""
			if c.Cause != nil {
				cause = string(c.Cause.Code) + " by " + string(c.Cause.By)
			}
			row(w, local(c.StartedAt), string(c.Direction), c.Remote.Best(), string(c.State), string(c.Ending()), cause)
		}
	})
}
