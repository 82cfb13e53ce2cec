package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"ringside.dev/ringside/app"
	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/secret"
	"ringside.dev/ringside/store"
)

// probeArgs are the arguments by which Ringside's own programs vet a store in a process of its own: a damaged file can end a process.
var probeArgs = []string{"store", "probe"}

// probeCommand is the command line that vets a store; nothing when this program's path is not known: then the agent vets it itself.
func probeCommand() []string {
	self, err := os.Executable()
	if err != nil {
		return nil
	}
	return append([]string{self}, probeArgs...)
}

// Probe is for the program with the window, which has no commands: when its arguments ask for a probe it makes one and tells so.
func Probe(args []string, in io.Reader) (asked bool, err error) {
	if len(args) != len(probeArgs)+1 || args[0] != probeArgs[0] || args[1] != probeArgs[1] {
		return false, nil
	}
	return true, store.RunProbe(args[len(probeArgs)], in)
}

func (e *env) storeCommand() *cobra.Command {
	probe := command("probe DIR", "", 1, func(_ context.Context, args []string) error { return store.RunProbe(args[0], e.In) })
	probe.Hidden = true // the agent runs it
	key := command("key", e.say("Print a new key for the store, for computers without a keychain", "生成一个新的存储密钥（供没有密钥串的计算机使用）"), 0, func(context.Context, []string) error {
		ring, err := secret.NewRing()
		if err != nil {
			return err
		}
		return e.printf("%s\n", ring.Text())
	})
	return group("store", e.say("What is kept on this computer", "保存在本机的数据"), e.storeExport(), e.storeRecover(), key, probe)
}

func (e *env) storeExport() *cobra.Command {
	var state, out string
	export := command("export", e.say("Write all calls and unfinished records as JSON lines, also from a damaged store or one of a newer Ringside; the agent must not run",
		"以 JSON 行导出全部通话和未完成的记录，损坏的存储或更新版本的存储也可以；代理不得正在运行"), 0, func(context.Context, []string) error {
		keychain, err := secret.Open(e.Getenv)
		if err != nil {
			return err
		}
		keys, err := secret.LoadStoreKeys(keychain)
		if err != nil {
			return err
		}
		if out == "" {
			return store.Export(state, keys, e.Out)
		}
		return app.WriteWhole(out, func(w io.Writer) error { return store.Export(state, keys, w) })
	})
	export.Flags().StringVar(&state, "state", DefaultState(), e.say("the folder of the store", "存储目录"))
	export.Flags().StringVar(&out, "out", "", e.say("the file to write (default: standard output)", "输出文件（默认：标准输出）"))
	return export
}

func (e *env) storeRecover() *cobra.Command {
	var state, identity string
	c := command("recover", e.say("Bring back the store's keys with the organisation's recovery key", "用企业的恢复密钥找回存储密钥"), 0, func(context.Context, []string) error {
		if identity == "" {
			return cti.Errorf(cti.Invalid, "name the file with the secret half of the recovery key: --identity FILE", nil)
		}
		secretKey, err := os.ReadFile(identity)
		if err != nil {
			return cti.Errorf(cti.Invalid, "the file "+identity+" cannot be read", err)
		}
		recovered, files, err := unwrapAll(state, string(secretKey))
		if err != nil {
			return err
		}
		keychain, err := secret.Open(e.Getenv)
		if err != nil {
			return err
		}
		if _, err := secret.AddStoreKeys(keychain, recovered); err != nil {
			return err
		}
		return e.print(map[string]any{"files": files}, func() string {
			return fmt.Sprintf(e.say("The keys of %d files are in the keychain again. Start Ringside: it reads what was sealed with them.\n",
				"%d 个文件中的密钥已恢复到密钥串。启动 Ringside 即可读取用它们加密的数据。\n"), files)
		})
	})
	c.Flags().StringVar(&state, "state", DefaultState(), e.say("the folder of the store", "存储目录"))
	c.Flags().StringVar(&identity, "identity", "", e.say("the file with the secret half (AGE-SECRET-KEY-…)", "私钥文件（AGE-SECRET-KEY-…）"))
	return c
}

// unwrapAll opens every copy of the store's keys that the identity opens; one is enough.
func unwrapAll(state, identity string) (ring secret.Ring, opened int, err error) {
	files, err := filepath.Glob(filepath.Join(state, app.RecoveryCopies))
	if err != nil {
		return ring, 0, err
	}
	if len(files) == 0 {
		return ring, 0, cti.Errorf(cti.NotFound, "there is no copy of the keys ("+app.RecoveryCopies+") in "+state+": the profile named no storage.recovery_recipient when they were made", nil)
	}
	var failed error
	for _, file := range files {
		wrapped, err := os.ReadFile(file)
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		keys, err := secret.UnwrapKeys(wrapped, identity)
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", filepath.Base(file), err))
			continue
		}
		ring, opened = ring.With(keys), opened+1
	}
	if opened == 0 {
		return ring, 0, cti.Errorf(cti.Invalid, "this recovery key opens none of the copies", failed)
	}
	return ring, opened, nil
}
