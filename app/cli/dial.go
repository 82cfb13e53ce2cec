package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/client"
	"ringside.dev/ringside/bridge/hook/handlers"
	"ringside.dev/ringside/bridge/hook/uri"
)

// Dial has this user's running agent call the number of a link, or a plain number. What a page or a mail put into the link beside it is left
// out. All of o but the socket is ignored.
func Dial(ctx context.Context, o RunOptions, link string) error {
	target, err := uri.Target(link)
	if err != nil {
		return err
	}
	c := client.New(o.Socket)
	defer c.Close()
	return c.Dial(ctx, target)
}

func (e *env) dialCommand() *cobra.Command {
	return command("dial NUMBER|LINK", e.say("Have the running Ringside call a number, or that of a tel:, sip: or callto: link", "让正在运行的 Ringside 拨打号码，或 tel:、sip:、callto: 链接中的号码"), 1,
		func(ctx context.Context, args []string) error {
			if err := Dial(ctx, RunOptions{Socket: e.socket}, args[0]); err != nil {
				return err
			}
			return e.printf("%s", e.say("✓ the phone dials\n", "✓ 电话正在拨号\n"))
		})
}

func (e *env) handlersCommand() *cobra.Command {
	install := command("install [SCHEME]…", e.say("Let Ringside open these links: tel, sip and callto", "让 Ringside 打开这些链接：tel、sip 和 callto"), anyNumber,
		func(_ context.Context, schemes []string) error {
			opens, err := opener()
			if err != nil {
				return err
			}
			if err := handlers.Install(opens, orAll(schemes)); err != nil {
				return err
			}
			return e.showHandlers()
		})
	remove := command("remove [SCHEME]…", e.say("Give the links back to what opened them before", "把链接交还给之前的程序"), anyNumber,
		func(_ context.Context, schemes []string) error {
			if err := handlers.Remove(orAll(schemes)); err != nil {
				return err
			}
			return e.showHandlers()
		})
	status := command("status", e.say("Show what opens the links", "显示打开链接的程序"), 0, func(context.Context, []string) error { return e.showHandlers() })
	return group("handlers", e.say("Call the number of a link by a click on it", "点击链接拨打号码"), install, remove, status)
}

func orAll(schemes []string) []string {
	if len(schemes) == 0 {
		return handlers.Schemes()
	}
	return schemes
}

// opener is the command that opens a link: the program with the window, which can say what is wrong, else this one.
func opener() ([]string, error) {
	path, err := besideThis("ringside", "")
	if err == nil {
		return []string{path, "-dial"}, nil
	}
	if cti.KindOf(err) != cti.NotFound {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	if !strings.HasPrefix(filepath.Base(self), "ringctl") {
		return nil, cti.Errorf(cti.NotFound, "neither ringside nor ringctl lies in the folder of this program", errors.New(filepath.Base(self)))
	}
	return []string{self, "dial"}, nil
}

func (e *env) showHandlers() error {
	all, err := handlers.Status()
	if err != nil {
		return err
	}
	return e.print(all, func() string {
		var b strings.Builder
		for _, h := range all {
			who := h.Program
			switch {
			case h.Ours:
				who = "Ringside"
			case who == "":
				who = e.say("not known", "未知")
			}
			fmt.Fprintf(&b, "%-8s %s\n", h.Scheme+":", who)
		}
		return b.String()
	})
}
