package cli

import (
	"context"
	"io"
	"time"

	"github.com/spf13/cobra"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/wire"
)

func (e *env) presenceCommand() *cobra.Command {
	show := command("show", e.say("Show whether the agent is ready", "显示坐席当前状态"), 0, func(ctx context.Context, _ []string) error {
		s, err := e.client().Snapshot(ctx)
		if err != nil {
			return err
		}
		return e.print(s.Presence, func() string {
			return table(func(w io.Writer) {
				row(w, e.say("state", "状态"), e.presence(s.Presence.State), s.Presence.Reason)
				if !s.Presence.Since.IsZero() {
					row(w, e.say("since", "开始"), local(s.Presence.Since))
				}
				if !s.Presence.Until.IsZero() {
					row(w, e.say("until", "结束"), local(s.Presence.Until))
				}
			})
		})
	})
	ready := command("ready", e.say("Be ready for calls", "设为就绪"), 0, func(ctx context.Context, _ []string) error {
		return e.setPresence(ctx, cti.Ready, "")
	})
	away := command("not-ready REASON", e.say("Not be ready, for one of the profile's reasons", "设为未就绪，原因取自配置文件"), 1, func(ctx context.Context, args []string) error {
		return e.setPresence(ctx, cti.NotReady, args[0])
	})
	return group("presence", e.say("Whether the agent is ready for calls", "坐席是否就绪"), show, ready, away, e.presenceLogCommand())
}

func (e *env) presenceLogCommand() *cobra.Command {
	var back time.Duration
	log := command("log", e.say("List the agent's states, the oldest first, each with how long the one before lasted", "按时间列出坐席状态，并显示前一状态的持续时间"), 0,
		func(ctx context.Context, _ []string) error {
			changes, err := e.client().PresenceLog(ctx, time.Now().Add(-back))
			if err != nil {
				return err
			}
			return e.print(changes, func() string {
				return table(func(w io.Writer) {
					row(w, e.say("AT", "时间"), e.say("STATE", "状态"), e.say("REASON", "原因"), e.say("BY", "由谁"), e.say("BEFORE", "之前"), e.say("LASTED", "持续"))
					for _, c := range changes {
						row(w, local(c.At), e.presence(c.State), c.Reason, string(c.By), e.presence(c.Before), seconds(c.LastedMS))
					}
				})
			})
		})
	log.Flags().DurationVar(&back, "back", 24*time.Hour, e.say("how far to look back", "回溯时长"))
	return log
}

func (e *env) setPresence(ctx context.Context, state cti.Presence, reason string) error {
	if err := e.client().SetPresence(ctx, wire.PresenceRequest{State: state, Reason: reason}); err != nil {
		return err
	}
	return e.print(map[string]cti.Presence{"state": state}, func() string { return e.presence(state) + "\n" })
}

// presence puts a state into words.
func (e *env) presence(s cti.Presence) string {
	switch s {
	case cti.LoggedOn:
		return e.say("signed in", "已签入")
	case cti.Ready:
		return e.say("ready", "就绪")
	case cti.NotReady:
		return e.say("not ready", "未就绪")
	case cti.AfterCall:
		return e.say("after-call work", "话后处理")
	case cti.LoggedOff:
		return e.say("signed out", "已签出")
	}
	return e.say("not known", "未知")
}
