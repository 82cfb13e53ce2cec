package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"ringside.dev/ringside/app/crm/sandbox"
	"ringside.dev/ringside/app/cti"
)

func (e *env) sandboxCommand() *cobra.Command {
	var o sandbox.Options
	var chaos, traits, users string
	c := command("sandbox", e.say("Run the training CRM with 500 made-up customers", "运行带有 500 个虚构客户的练习用 CRM"), 0, func(ctx context.Context, _ []string) error {
		for _, one := range []jsonFlag{{"--chaos", chaos, &o.Chaos}, {"--traits", traits, &o.Traits}, {"--users", users, &o.Users}} {
			if err := one.read(); err != nil {
				return err
			}
		}
		server, err := sandbox.Start(ctx, o)
		if err != nil {
			return cti.Errorf(cti.Invalid, "check --addr, --control, --file, --chaos, --traits and --users", err)
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
	c.Flags().StringVar(&chaos, "chaos", "", e.say("troubles by chance, as JSON (see docs/sandbox.md)", "随机故障，JSON（见 docs/sandbox.zh-CN.md）"))
	c.Flags().StringVar(&traits, "traits", "", e.say("what kind of CRM it is, as JSON: limits, roles, logins, OAuth, clock", "CRM 的特性，JSON：限流、角色、登录、OAuth、时钟"))
	c.Flags().StringVar(&users, "users", "", e.say("who signs in beside the agent, as a JSON list", "其他登录用户，JSON 列表"))
	return c
}

// jsonFlag is a flag that holds JSON; an empty text is none.
type jsonFlag struct {
	name, text string
	into       any
}

func (f jsonFlag) read() error {
	if f.text == "" {
		return nil
	}
	d := json.NewDecoder(strings.NewReader(f.text))
	d.DisallowUnknownFields()
	if err := d.Decode(f.into); err != nil {
		return cti.Errorf(cti.Invalid, f.name+" is not the JSON that is wanted", err)
	}
	return nil
}
