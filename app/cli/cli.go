// Package cli is the command line: each command a function of context, arguments and streams. Commands that concern the running agent
// ask it over its local API. It must not open the store of an agent that runs, nor decide anything that is the agent's to decide.
package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"ringside.dev/ringside/app"
	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/client"
	"ringside.dev/ringside/bridge/hook/leave"
)

// Streams are a command's surroundings; all are required.
type Streams struct {
	In     io.Reader
	Out    io.Writer
	Err    io.Writer
	Getenv func(string) string
}

// Main runs ringctl and gives its exit code.
func Main(ctx context.Context, args []string, s Streams) int {
	if hooked(args) {
		return leave.Main(args[1:], s.Getenv, s.Out, s.Err)
	}
	root := newRoot(s)
	root.SetArgs(args)
	root.SetIn(s.In)
	root.SetOut(s.Out)
	root.SetErr(s.Err)
	err := root.ExecuteContext(ctx)
	if err != nil {
		_, _ = fmt.Fprintln(s.Err, Explain(err, s.Getenv)) // nobody is left to tell
	}
	return ExitCode(err)
}

// env is what all commands share.
type env struct {
	Streams
	language
	socket string
	json   bool
}

func newRoot(s Streams) *cobra.Command {
	e := &env{Streams: s, language: languageOf(s.Getenv)}
	root := &cobra.Command{
		Use: "ringctl", SilenceUsage: true, SilenceErrors: true,
		Short:             e.say("Run, steer and examine Ringside", "运行、控制和检查 Ringside"),
		Long:              e.say("Run, steer and examine Ringside.\n\n", "运行、控制和检查 Ringside。\n\n") + exitCodes(e.language),
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return cti.Errorf(cti.Invalid, "there is no command "+args[0]+": see ringctl --help", nil)
			}
			return cmd.Help()
		},
		Args: cobra.ArbitraryArgs,
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return cti.Errorf(cti.Invalid, err.Error()+": see "+cmd.CommandPath()+" --help", nil)
	})
	root.PersistentFlags().StringVar(&e.socket, "socket", "", e.say("endpoint of the agent's local API (default: this user's own)", "代理本地接口的地址（默认：当前用户的代理）"))
	root.PersistentFlags().BoolVar(&e.json, "json", false, e.say("print JSON", "以 JSON 输出"))
	root.AddCommand(e.runCommand(), e.demoCommand(), e.sandboxCommand(), e.statusCommand(), e.callsCommand(), e.outboxCommand(),
		e.eventCommand(), e.hookCommand(), e.dialCommand(), e.handlersCommand(), e.eventsCommand(), e.sourceCommand(), e.presenceCommand(), e.secretCommand(), e.storeCommand(), e.numberCommand(), e.identifyCommand(), e.indexCommand(), e.crmCommand(), e.mappingCommand(), e.profileCommand(), e.relayCommand(), e.phoneCommand(), e.versionCommand())
	return root
}

// anyNumber of arguments: the command itself says how many.
const anyNumber = -1

// command makes a command; its arguments are counted here so that the error says what is wanted.
func command(use, short string, args int, run func(ctx context.Context, args []string) error) *cobra.Command {
	return &cobra.Command{Use: use, Short: short, RunE: func(cmd *cobra.Command, got []string) error {
		if args != anyNumber && len(got) != args {
			return cti.Errorf(cti.Invalid, fmt.Sprintf("usage: %s", cmd.UseLine()), nil)
		}
		return run(cmd.Context(), got)
	}}
}

// group makes a command that only holds others.
func group(use, short string, of ...*cobra.Command) *cobra.Command {
	g := &cobra.Command{Use: use, Short: short, Args: cobra.ArbitraryArgs, RunE: func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return cti.Errorf(cti.Invalid, "there is no command "+cmd.CommandPath()+" "+args[0]+": see "+cmd.CommandPath()+" --help", nil)
		}
		return cmd.Help()
	}}
	g.AddCommand(of...)
	return g
}

func (e *env) client() *client.Client { return client.New(e.socket) }

func (e *env) printf(format string, args ...any) error {
	_, err := fmt.Fprintf(e.Out, format, args...)
	return err
}

// print writes a value as JSON when that was asked for, else as text makes it.
func (e *env) print(v any, text func() string) error {
	if !e.json {
		_, err := io.WriteString(e.Out, text())
		return err
	}
	encoder := json.NewEncoder(e.Out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(v)
}

func (e *env) runCommand() *cobra.Command {
	var o RunOptions
	c := command("run", e.say("Run the agent without a window", "运行代理（无窗口）"), 0, func(ctx context.Context, _ []string) error {
		o.Socket = e.socket
		return run(ctx, o, e.Streams)
	})
	c.Flags().StringVar(&o.Profile, "profile", DefaultProfile(), e.say("the profile file", "配置文件"))
	c.Flags().StringVar(&o.State, "state", DefaultState(), e.say("the folder of the store", "存储目录"))
	return c
}

func (e *env) versionCommand() *cobra.Command {
	return command("version", e.say("Print the version", "显示版本"), 0, func(context.Context, []string) error {
		return e.print(map[string]string{"version": app.Version}, func() string { return "ringctl " + app.Version + "\n" })
	})
}

func exitCodes(l language) string {
	var b strings.Builder
	b.WriteString(l.say("Exit codes:\n", "退出码：\n"))
	fmt.Fprintf(&b, "  %2d  ok\n", ExitOK)
	for _, kind := range []cti.Kind{cti.Internal, cti.Invalid, cti.NotFound, cti.Conflict, cti.Auth, cti.Denied, cti.Limited, cti.Offline, cti.Uncertain} {
		o := outcomes[kind]
		fmt.Fprintf(&b, "  %2d  %-10s %s\n", o.code, kind, l.say(o.en, o.zh))
	}
	fmt.Fprintf(&b, "  %2d  %-10s %s\n", ExitFailed, "failed", l.say("the demo's check failed", "演示的核对未通过"))
	return b.String()
}
