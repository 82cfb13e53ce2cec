package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"ringside.dev/ringside/app/crm/sandbox"
	"ringside.dev/ringside/app/cti"
)

func (e *env) sandboxCommand() *cobra.Command {
	var o sandbox.Options
	c := command("sandbox", e.say("Run the training CRM with 500 made-up customers", "运行带有 500 个虚构客户的练习用 CRM"), 0, func(ctx context.Context, _ []string) error {
		server, err := sandbox.Start(ctx, o)
		if err != nil {
			return cti.Errorf(cti.Invalid, "check --addr, --control and --file", err)
		}
		if o.Token == "" {
			o.Token = sandbox.DefaultToken
		}
		running := map[string]string{"url": server.URL(), "control": server.ControlURL(), "token": o.Token}
		err = e.print(running, func() string {
			return table(func(w io.Writer) {
				row(w, e.say("CRM", "CRM 地址"), server.URL())
				row(w, e.say("token", "令牌"), o.Token)
				row(w, e.say("faults", "故障控制"), server.ControlURL()+"/fault")
			}) + e.say("Stop with Ctrl+C.\n", "按 Ctrl+C 停止。\n")
		})
		if err != nil {
			return err
		}
		<-ctx.Done()
		if err := server.Close(); err != nil {
			return fmt.Errorf("stop the sandbox: %w", err)
		}
		return nil
	})
	c.Flags().StringVar(&o.Addr, "addr", "127.0.0.1:8765", e.say("where to listen", "监听地址"))
	c.Flags().StringVar(&o.Control, "control", "127.0.0.1:8766", e.say("where faults are switched, loopback only", "故障控制的监听地址（仅限本机）"))
	c.Flags().StringVar(&o.File, "file", "", e.say("keep the state in this file", "将状态保存在此文件"))
	c.Flags().Uint64Var(&o.Seed, "seed", 0, e.say("seed of the customers", "客户数据的种子"))
	c.Flags().StringVar(&o.Token, "token", "", e.say("bearer token of the agent", "坐席的访问令牌"))
	return c
}
