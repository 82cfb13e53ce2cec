package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/client"
	"ringside.dev/ringside/bridge/wire"
)

// progressEvery is how often a synchronisation under way is asked how far it is.
const progressEvery = 200 * time.Millisecond

func (e *env) indexCommand() *cobra.Command {
	var full bool
	sync := command("sync", e.say("Ask the CRM at once what changed, and wait for it", "立即向 CRM 询问变更，并等待完成"), 0, func(ctx context.Context, _ []string) error {
		return e.syncIndex(ctx, full)
	})
	sync.Flags().BoolVar(&full, "full", false, e.say("everybody, not only who changed", "读取全部客户，而不仅是变更"))
	stats := command("stats", e.say("Show how many customers are kept, and how fresh they are", "显示本机保存的客户数量及其时间"), 0, func(ctx context.Context, _ []string) error {
		s, err := e.client().Index(ctx)
		if err != nil {
			return err
		}
		return e.printIndex(s)
	})
	reset := command("clear", e.say("Forget all customers on this computer", "清除本机保存的全部客户"), 0, func(ctx context.Context, _ []string) error {
		if err := e.client().ClearIndex(ctx); err != nil {
			return err
		}
		return e.print(map[string]bool{"cleared": true}, func() string { return e.say("The index is empty.\n", "索引已清空。\n") })
	})
	return group("index", e.say("Customers kept on this computer", "本机保存的客户"), sync, stats, reset)
}

// syncIndex starts a synchronisation and shows on standard error how far it is.
func (e *env) syncIndex(ctx context.Context, full bool) error {
	c := e.client()
	if err := c.SyncIndex(ctx, full); err != nil {
		return err
	}
	s, err := e.watchSync(ctx, c)
	if err != nil {
		return err
	}
	if s.Error != "" {
		return cti.Errorf(s.Error, "the customers are not synchronised; what is here stays", nil)
	}
	return e.printIndex(s)
}

func (e *env) watchSync(ctx context.Context, c *client.Client) (wire.Index, error) {
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	shown := -1
	for {
		s, err := c.Index(ctx)
		if err != nil || !s.Running {
			return s, err
		}
		if s.Done != shown {
			shown = s.Done
			if _, err := fmt.Fprintf(e.Err, e.say("%d customers so far\n", "已读取 %d 位客户\n"), s.Done); err != nil {
				return s, err
			}
		}
		select {
		case <-ctx.Done():
			return s, ctx.Err()
		case <-tick.C:
		}
	}
}

func (e *env) printIndex(s wire.Index) error {
	return e.print(s, func() string {
		return table(func(w io.Writer) {
			row(w, e.say("customers", "客户"), fmt.Sprint(s.Customers), fmt.Sprintf("%.1f MB", float64(s.Bytes)/1e6))
			if !s.Syncs {
				row(w, e.say("synchronised", "同步"), e.say("never: this CRM's connector does not tell what changed; who calls is kept", "从不：此 CRM 的连接器不提供变更；只保存来过电话的客户"))
				return
			}
			row(w, e.say("right as of", "数据时间"), local(s.FreshAt))
			row(w, e.say("everybody read", "全部读取"), local(s.FullAt))
			if s.Running {
				row(w, e.say("under way", "进行中"), fmt.Sprintf(e.say("%d so far", "已读取 %d"), s.Done))
			}
			if s.Error != "" {
				row(w, e.say("last failure", "上次失败"), string(s.Error))
			}
		})
	})
}

func (e *env) identifyCommand() *cobra.Command {
	return command("identify -- NUMBER", e.say("Show who may be behind a number, and why", "显示号码可能属于谁及原因"), 1, func(ctx context.Context, args []string) error {
		found, err := e.client().Identify(ctx, args[0])
		if err != nil {
			return err
		}
		return e.print(found, func() string { return e.identified(found) })
	})
}

func (e *env) identified(f wire.Identified) string {
	return table(func(w io.Writer) {
		row(w, e.say("number", "号码"), f.Number.Best(), e.className(f.Number.Class))
		row(w, e.say("index", "索引"), fmt.Sprintf("%d", len(f.Index)), fmt.Sprintf("%.1f ms", f.IndexMS))
		crm := fmt.Sprintf("%d", len(f.CRM))
		if f.Error != "" {
			crm = string(f.Error)
		}
		row(w, "CRM", crm, fmt.Sprintf("%.1f ms", f.CRMMS))
		for i, m := range best(f) {
			row(w, fmt.Sprint(i+1)+".", m.Customer.Name, string(m.Grade), m.Rule+" "+fmt.Sprint(m.Digits), m.From, local(m.At), m.Customer.Type, m.Customer.ID, strings.Join(m.Why, ", "))
		}
	})
}

// best is what the CRM says, and what the index says if the CRM did not.
func best(f wire.Identified) []cti.Match {
	if f.Error != "" {
		return f.Index
	}
	return f.CRM
}
