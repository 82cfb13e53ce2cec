package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/hook/leave"
	"ringside.dev/ringside/bridge/hook/mailbox"
	"ringside.dev/ringside/bridge/hook/setup"
)

// hooked tells that a phone tells an event: `ringctl hook --…`. It is answered before the other commands are even made, and by another exit
// code table: a phone must never see an error it could act upon.
func hooked(args []string) bool {
	return len(args) > 1 && args[0] == "hook" && strings.HasPrefix(args[1], "-") && args[1] != "--help" && args[1] != "-h"
}

func (e *env) hookCommand() *cobra.Command {
	c := group("hook", e.say("Tell an event of a call, as phones do", "告知一个通话事件（由电话程序运行）"), e.hookSetupCommand(), e.hookStatusCommand())
	c.Long = e.say("A phone runs this at each event of a call. It returns at once, also when Ringside does not run: the event waits on the disk.\n"+
		"ringhook beside ringctl is the same as a program of its own that starts faster: let phones run that.\n\n",
		"电话程序在每个通话事件时运行本命令。即使 Ringside 未运行也会立即返回：事件保存在磁盘上等待。\n"+
			"ringctl 旁边的 ringhook 与此相同，但启动更快：请让电话程序运行它。\n\n") + "ringctl hook " + leave.Usage
	return c
}

func (e *env) hookSetupCommand() *cobra.Command {
	var write bool
	var file, program string
	c := command("setup PHONE", e.say("Show the settings by which a phone runs ringhook, or write them", "显示让电话程序运行 ringhook 的设置，或直接写入"), 1,
		func(_ context.Context, args []string) error {
			path, err := besideThis("ringhook", program)
			if err != nil {
				return err
			}
			phone, err := setup.Of(args[0], path)
			if err != nil {
				return err
			}
			if !write {
				return e.printf("%s", e.settingsOf(phone))
			}
			if file == "" {
				if file, err = phone.File(); err != nil {
					return err
				}
			}
			if err := phone.Write(file); err != nil {
				return err
			}
			return e.printf(e.say("✓ written to %[1]s; as it was before: %[1]s%[2]s\n", "✓ 已写入 %[1]s；原文件保存为 %[1]s%[2]s\n"), file, setup.BackupSuffix)
		})
	c.Flags().BoolVar(&write, "write", false, e.say("write them into the phone's file; end the phone before", "写入电话程序的设置文件；请先退出电话程序"))
	c.Flags().StringVar(&file, "file", "", e.say("the phone's file of settings", "电话程序的设置文件"))
	c.Flags().StringVar(&program, "program", "", e.say("the program it is to run (default: ringhook beside this one)", "要运行的程序（默认：本程序旁的 ringhook）"))
	return c
}

// settingsOf is what a person reads.
func (e *env) settingsOf(p setup.Phone) string {
	var b strings.Builder
	switch {
	case len(p.Settings) > 0:
		b.WriteString(e.say("# End the phone first. Then put these lines into its file", "# 请先退出电话程序，然后把以下各行写入其设置文件"))
		if len(p.Files) > 0 {
			b.WriteString(" " + strings.Join(p.Files, e.say(" or ", " 或 ")))
		}
		if p.Section != "" {
			b.WriteString(e.say(", section ", "，小节 ") + p.Section)
		}
		b.WriteString("\n" + strings.Join(p.Lines(), "\n") + "\n")
	default:
		b.WriteString(e.say("# In the phone's own window, let it run at each event, with the caller's number as the last argument:\n",
			"# 请在电话程序自己的设置界面中，让它在各事件时运行以下程序，并把来电号码作为最后一个参数：\n"))
		for _, s := range p.Events {
			fmt.Fprintf(&b, "%-7s %s NUMBER\n", s.Key, s.Value)
		}
	}
	if !p.Verified {
		b.WriteString(e.say("# Not verified: whether this phone runs a program, and how it writes the number, its maker's documentation must say.\n",
			"# 未经验证：此电话能否运行程序、如何填写号码，请以厂商文档为准。\n"))
	}
	return b.String()
}

// besideThis gives a program of ours: the one named, or the one that lies beside this one.
func besideThis(name, given string) (string, error) {
	path := given
	if path == "" {
		self, err := os.Executable()
		if err != nil {
			return "", fmt.Errorf("find this program: %w", err)
		}
		if runtime.GOOS == "windows" {
			name += ".exe"
		}
		path = filepath.Join(filepath.Dir(self), name)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if info, err := os.Stat(path); err != nil || info.IsDir() {
		return "", cti.Errorf(cti.NotFound, "there is no "+path, err)
	}
	if strings.ContainsAny(path, "\"'`$\r\n") {
		return "", cti.Errorf(cti.Invalid, path+" holds a character that phones do not take in a command: move the program", nil)
	}
	return path, nil
}

// hookState is how the mailbox stands.
type hookState struct {
	Folder  string    `json:"folder"`
	Waiting int       `json:"waiting"`
	Oldest  time.Time `json:"oldest,omitzero"`
	Agent   bool      `json:"agent"`
	Phone   string    `json:"phone,omitempty"`
	Log     []string  `json:"log"`
}

func (e *env) hookStatusCommand() *cobra.Command {
	return command("status", e.say("Show what phones left, and whether Ringside takes it", "显示电话程序留下的事件，以及 Ringside 是否在接收"), 0,
		func(ctx context.Context, _ []string) error {
			s, err := e.hookState(ctx)
			if err != nil {
				return err
			}
			return e.print(s, func() string { return e.hookText(s) })
		})
}

func (e *env) hookState(ctx context.Context) (s hookState, err error) {
	if s.Folder, err = mailbox.Default(); err != nil {
		return s, cti.Errorf(cti.Invalid, err.Error(), nil)
	}
	box := mailbox.At(s.Folder)
	names, err := box.List()
	if err != nil {
		return s, err
	}
	if s.Waiting = len(names); s.Waiting > 0 {
		if first, err := box.Read(names[0]); err == nil {
			s.Oldest = first.At
		}
	}
	if s.Log, err = leave.Problems(s.Folder); err != nil {
		return s, err
	}
	if s.Log == nil {
		s.Log = []string{}
	}
	c := e.client()
	defer c.Close()
	if agent, err := c.Status(ctx); err == nil {
		s.Agent, s.Phone = true, agent.Phone.Name
	}
	return s, nil
}

func (e *env) hookText(s hookState) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-9s %s\n", e.say("folder", "目录"), s.Folder)
	fmt.Fprintf(&b, "%-9s %d", e.say("waiting", "待接收"), s.Waiting)
	if !s.Oldest.IsZero() {
		fmt.Fprintf(&b, e.say(", the oldest since %s", "，最早的始于 %s"), s.Oldest.Local().Format(time.DateTime))
	}
	agent := e.say("not running", "未运行")
	if s.Agent {
		agent = e.say("running, phone: ", "运行中，电话：") + s.Phone
		if !strings.Contains(s.Phone, "hook") {
			agent += e.say(" (its profile does not name the source hook: nothing is taken)", "（其配置文件没有来源 hook：不会接收任何事件）")
		}
	}
	fmt.Fprintf(&b, "\n%-9s %s\n", "Ringside", agent)
	for _, line := range s.Log {
		fmt.Fprintf(&b, "%-9s %s\n", e.say("problem", "问题"), line)
	}
	return b.String()
}
