package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"ringside.dev/ringside/app"
	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/secret"
	"ringside.dev/ringside/app/settings"
)

// namedSecret is a secret a profile refers to.
type namedSecret struct {
	Name    string `json:"name"`
	Present bool   `json:"present"`
}

func (e *env) secretCommand() *cobra.Command {
	set := command("set NAME", e.say("Store a secret; its value is read from standard input", "保存一个密钥；其值从标准输入读取"), 1, func(_ context.Context, args []string) error {
		keychain, err := secret.Open(e.Getenv)
		if err != nil {
			return err
		}
		value, err := io.ReadAll(io.LimitReader(e.In, secret.MaxValue+2))
		if err != nil {
			return fmt.Errorf("read the value from standard input: %w", err)
		}
		// What a terminal or echo adds at the end is not part of a token.
		text := strings.TrimSuffix(strings.TrimSuffix(string(value), "\n"), "\r")
		if text == "" {
			return cti.Errorf(cti.Invalid, "no value came on standard input; for example: ringctl secret set "+args[0]+" < token.txt", nil)
		}
		if err := keychain.Set(args[0], text); err != nil {
			return err
		}
		return e.print(map[string]string{"set": args[0]}, func() string { return fmt.Sprintf(e.say("%s is stored.\n", "已保存 %s。\n"), args[0]) })
	})
	remove := command("delete NAME", e.say("Delete a secret", "删除一个密钥"), 1, func(_ context.Context, args []string) error {
		keychain, err := secret.Open(e.Getenv)
		if err != nil {
			return err
		}
		if err := keychain.Delete(args[0]); err != nil {
			return err
		}
		return e.print(map[string]string{"deleted": args[0]}, func() string { return fmt.Sprintf(e.say("%s is deleted.\n", "已删除 %s。\n"), args[0]) })
	})
	return group("secret", e.say("Secrets in the keychain of this computer", "本机密钥串中的密钥"), set, e.secretListCommand(), remove)
}

func (e *env) secretListCommand() *cobra.Command {
	var profile string
	list := command("list", e.say("List the secrets the profile refers to, and whether they are there", "列出配置文件引用的密钥以及它们是否已保存"), 0, func(context.Context, []string) error {
		p, err := settings.Load(profile)
		if err != nil {
			return err
		}
		keychain, err := secret.Open(e.Getenv)
		if err != nil {
			return err
		}
		names := []namedSecret{}
		for _, name := range settings.SecretNames(p) {
			_, err := keychain.Get(name)
			if err != nil && !errors.Is(err, secret.ErrNotFound) {
				return err
			}
			names = append(names, namedSecret{Name: name, Present: err == nil})
		}
		return e.print(names, func() string {
			return table(func(w io.Writer) {
				for _, n := range names {
					row(w, n.Name, map[bool]string{true: e.say("present", "已保存"), false: e.say("missing", "缺少")}[n.Present])
				}
			})
		})
	})
	list.Flags().StringVar(&profile, "profile", DefaultProfile(), e.say("the profile file", "配置文件"))
	return list
}

func (e *env) profileCommand() *cobra.Command {
	check := command("check FILE", e.say("Check a profile", "检查配置文件"), 1, func(_ context.Context, args []string) error {
		p, err := settings.Load(args[0])
		if err == nil {
			err = app.CheckPhones(p)
		}
		if err != nil {
			return err
		}
		return e.print(map[string]any{"ok": true, "secrets": settings.SecretNames(p)}, func() string { return e.say("The profile is good.\n", "配置文件没有问题。\n") })
	})
	example := command("example", e.say("Print a commented profile to begin with", "输出带注释的示例配置文件"), 0, func(context.Context, []string) error {
		return e.printf("%s", settings.Example(string(e.language)))
	})
	return group("profile", e.say("Profiles", "配置文件"), check, example)
}
