package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/wire"
)

func (e *env) eventsCommand() *cobra.Command {
	var q wire.EventQuery
	show := command("events", e.say("Show what the phones told: the newest canonical events, for support", "显示电话上报的最新标准事件，供技术支持使用"), 0, func(ctx context.Context, _ []string) error {
		return e.client().Events(ctx, q, e.printEvent)
	})
	show.Flags().BoolVar(&q.Follow, "follow", false, e.say("and those that come, until Ctrl-C", "并持续显示新事件，按 Ctrl-C 结束"))
	show.Flags().BoolVar(&q.Mask, "mask", false, e.say("hide every number", "隐藏所有号码"))
	return show
}

// printEvent writes an event: as JSON one a line, so that programs can follow.
func (e *env) printEvent(event cti.Event) error {
	if e.json {
		return json.NewEncoder(e.Out).Encode(event)
	}
	_, err := fmt.Fprintln(e.Out, eventLine(event))
	return err
}

// eventLine is an event as a person reads it.
func eventLine(e cti.Event) string {
	line := fmt.Sprintf("%s  %-10s %-17s", e.At.Local().Format("15:04:05.000"), e.Source.Adapter, e.Type)
	if !strings.HasPrefix(string(e.Type), "call.") {
		e.Local.Extension = ""
	}
	for _, part := range []string{string(e.Call.Direction), string(e.Side), string(e.Call.Purpose), e.Local.Extension, e.Remote.Raw, e.Remote.Name} {
		if part != "" {
			line += " " + part
		}
	}
	if e.Queue != nil {
		line += " queue=" + e.Queue.Name
	}
	if e.Agent != nil {
		line += fmt.Sprintf(" %s %s", e.Agent.State, e.Agent.Reason)
	}
	if e.Transfer != nil {
		line += fmt.Sprintf(" %s %s to=%s", e.Transfer.Kind, e.Transfer.Role, e.Transfer.To)
	}
	if e.Cause != nil {
		line += fmt.Sprintf(" %s by %s %s", e.Cause.Code, e.Cause.By, e.Cause.Raw)
	}
	if e.Type == cti.Snapshot {
		line += fmt.Sprintf(" %d calls", len(e.Legs))
	}
	return strings.TrimSpace(line)
}
