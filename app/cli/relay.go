package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ringside.dev/ringside/app"
	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/relay"
	"ringside.dev/ringside/app/secret"
	"ringside.dev/ringside/app/settings"
	"ringside.dev/ringside/bridge/loopback"
	"ringside.dev/ringside/bridge/relayed"
	"ringside.dev/ringside/bridge/tape"
)

// DefaultRelay is where a server's relay file is.
func DefaultRelay() string {
	if runtime.GOOS == "windows" {
		return filepath.Join(os.Getenv("ProgramData"), "Ringside", "relay.yaml")
	}
	return "/etc/ringside/relay.yaml"
}

func (e *env) relayCommand() *cobra.Command {
	var file string
	g := group("relay", e.say("Near the exchange: pass each extension its own calls, so that no workstation has the exchange's password",
		"在交换机旁运行：只把各分机自己的通话交给对应的工作站，工作站无需交换机密码"),
		e.relayRun(&file), e.relayCheck(&file), e.relayExample(), e.relayEnrol(&file), e.relayList(&file), e.relayRevoke(&file), e.relayEvent(&file), e.relayRecord(&file))
	g.PersistentFlags().StringVar(&file, "config", DefaultRelay(), e.say("the relay file", "中继配置文件"))
	return g
}

func loadRelay(file string) (settings.Relay, error) { return settings.LoadRelay(file, relay.Kinds()) }

func (e *env) relayRun(file *string) *cobra.Command {
	var service bool
	c := command("run", e.say("Run the relay", "运行中继"), 0, func(ctx context.Context, _ []string) error {
		if service {
			return asService(func(ctx context.Context, log io.Writer, started func()) error {
				return e.serveRelay(ctx, *file, log, started)
			})
		}
		return e.serveRelay(ctx, *file, e.Err, nil)
	})
	c.Flags().BoolVar(&service, "service", false, e.say("as a Windows service, with its log in the event log", "作为 Windows 服务运行，日志写入事件日志"))
	return c
}

// serveRelay runs the relay until ctx ends; started may be nil.
func (e *env) serveRelay(ctx context.Context, file string, logTo io.Writer, started func()) error {
	s, err := loadRelay(file)
	if err != nil {
		return err
	}
	keychain, err := secret.Open(e.Getenv)
	if err != nil {
		return err
	}
	control, err := loopback.ListenAdmin(relay.Endpoint(s.State))
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(logTo, &slog.HandlerOptions{Level: slog.LevelInfo}))
	r, err := relay.New(relay.Config{Settings: s, Secrets: relay.OpenSecrets(keychain, e.Getenv), Control: control, Log: log, Started: started})
	if err != nil {
		return errors.Join(err, control.Close())
	}
	return errors.Join(r.Run(ctx), r.Close())
}

func (e *env) relayCheck(file *string) *cobra.Command {
	return command("check", e.say("Check the relay file, and whether the secrets it names can be read", "检查中继配置文件，以及其中引用的密钥能否读取"), 0, func(context.Context, []string) error {
		s, err := loadRelay(*file)
		if err != nil {
			return err
		}
		keychain, err := secret.Open(e.Getenv)
		if err != nil {
			return err
		}
		secrets := relay.OpenSecrets(keychain, e.Getenv)
		if s.Key != "" {
			if _, err := secrets.Get(s.Key); err != nil && !errors.Is(err, secret.ErrNotFound) { // it is made at the first start
				return cti.Errorf(cti.Denied, "key: "+s.Key, err)
			}
		}
		if err := relay.Check(s, secrets); err != nil {
			return err
		}
		return e.print(map[string]any{"ok": true, "secrets": s.SecretRefs()}, func() string { return e.say("The relay file is good.\n", "中继配置文件没有问题。\n") })
	})
}

func (e *env) relayExample() *cobra.Command {
	return command("example", e.say("Print a commented relay file to begin with", "输出带注释的示例中继配置文件"), 0, func(context.Context, []string) error {
		return e.printf("%s", settings.RelayExample(string(e.language)))
	})
}

// ask gives an order to the relay of the file that runs on this computer.
func (e *env) ask(ctx context.Context, file string, o relay.Order) (relay.Report, settings.Relay, error) {
	s, err := loadRelay(file)
	if err != nil {
		return relay.Report{}, s, err
	}
	report, err := relay.Ask(ctx, s.State, o)
	return report, s, err
}

func (e *env) relayEnrol(file *string) *cobra.Command {
	return command("enrol EXTENSION", e.say("Make a one-time code with which one workstation is enrolled for an extension", "生成一次性登记码，供一台工作站登记为某个分机"), 1, func(ctx context.Context, args []string) error {
		report, s, err := e.ask(ctx, *file, relay.Order{Verb: "enrol", What: args[0]})
		if err != nil {
			return err
		}
		_, port, err := net.SplitHostPort(s.Listen)
		if err != nil {
			return err
		}
		return e.print(map[string]any{"extension": args[0], "code": report.Code, "until": report.Until}, func() string {
			return fmt.Sprintf(e.say("Code for extension %[1]s, good once, until %[2]s:\n\n    %[3]s\n\nOn the workstation, with this server's name:\n\n    ringctl phone enrol RELAY:%[4]s %[3]s\n",
				"分机 %[1]s 的登记码，仅可使用一次，有效至 %[2]s：\n\n    %[3]s\n\n在工作站上（把 RELAY 换成本服务器的名称）：\n\n    ringctl phone enrol RELAY:%[4]s %[3]s\n"),
				args[0], report.Until.Local().Format("15:04"), report.Code, port)
		})
	})
}

func (e *env) relayList(file *string) *cobra.Command {
	return command("list", e.say("List the enrolled workstations", "列出已登记的工作站"), 0, func(ctx context.Context, _ []string) error {
		report, _, err := e.ask(ctx, *file, relay.Order{Verb: "list"})
		if err != nil {
			return err
		}
		if report.Devices == nil {
			report.Devices = []relay.Device{}
		}
		return e.print(report.Devices, func() string {
			if len(report.Devices) == 0 {
				return e.say("No workstation is enrolled: make a code with ringctl relay enrol EXTENSION.\n", "尚无已登记的工作站：用 ringctl relay enrol 分机号 生成登记码。\n")
			}
			return table(func(w io.Writer) {
				row(w, e.say("EXTENSION", "分机"), e.say("COMPUTER", "计算机"), e.say("STATE", "状态"), e.say("CERTIFICATE UNTIL", "证书有效期至"), e.say("SERIAL", "序列号"))
				for _, d := range report.Devices {
					newest := d.Certs[len(d.Certs)-1]
					row(w, d.Extension, d.Host, e.deviceState(d, newest), newest.Until.Local().Format("2006-01-02"), newest.Serial)
				}
			})
		})
	})
}

func (e *env) deviceState(d relay.Device, newest relay.Certificate) string {
	switch {
	case !d.RevokedAt.IsZero():
		return e.say("revoked ", "已吊销 ") + d.RevokedAt.Local().Format("2006-01-02")
	case time.Now().After(newest.Until):
		return e.say("ended: enrol again", "已过期：请重新登记")
	case d.Connected:
		return e.say("connected", "已连接")
	}
	return e.say("not connected", "未连接")
}

func (e *env) relayRevoke(file *string) *cobra.Command {
	return command("revoke EXTENSION|SERIAL", e.say("End an enrolment at once: of all workstations of an extension, or of one by its serial number", "立即吊销登记：某分机的全部工作站，或按序列号吊销一台"), 1, func(ctx context.Context, args []string) error {
		report, _, err := e.ask(ctx, *file, relay.Order{Verb: "revoke", What: args[0]})
		if err != nil {
			return err
		}
		return e.print(map[string]any{"revoked": report.Revoked}, func() string {
			return fmt.Sprintf(e.say("Revoked: %d. They are disconnected and cannot come back without a new code.\n", "已吊销：%d 台。连接已断开，没有新的登记码无法再连接。\n"), report.Revoked)
		})
	})
}

func (e *env) relayEvent(file *string) *cobra.Command {
	return command("event EXTENSION JSON", e.say("Let something happen at a simulated exchange (kind: sim)", "让模拟交换机（kind: sim）产生一个事件"), 2, func(ctx context.Context, args []string) error {
		event, err := decodeEvent(args[1])
		if err != nil {
			return err
		}
		if _, _, err := e.ask(ctx, *file, relay.Order{Verb: "event", What: args[0], Event: &event}); err != nil {
			return err
		}
		return e.print(map[string]string{"fed": string(event.Type)}, func() string { return string(event.Type) + " ✓\n" })
	})
}

func (e *env) relayRecord(file *string) *cobra.Command {
	var mask bool
	c := command("record EXCHANGE", e.say("Record what an exchange of the running relay sends and is sent, to standard output, until Ctrl-C", "将运行中的中继某一交换机的收发数据记录到标准输出，按 Ctrl-C 结束"), 1,
		func(ctx context.Context, args []string) error {
			s, err := loadRelay(*file)
			if err != nil {
				return err
			}
			return e.record(mask, func(each func(tape.Frame) error) error { return relay.Record(ctx, s.State, args[0], each) })
		})
	e.maskFlag(c, &mask)
	return c
}

func (e *env) phoneCommand() *cobra.Command {
	return group("phone", e.say("This workstation's phone", "本工作站的电话"), e.phoneEnrol(), e.phoneTest())
}

func (e *env) phoneEnrol() *cobra.Command {
	var state string
	c := command("enrol HOST:PORT CODE|-", e.say("Enrol this workstation at a relay with a one-time code (- reads it from standard input)", "用一次性登记码在中继登记本工作站（- 表示从标准输入读取）"), 2, func(ctx context.Context, args []string) error {
		code := args[1]
		if code == "-" {
			text, err := io.ReadAll(io.LimitReader(e.In, 1024))
			if err != nil {
				return fmt.Errorf("read the code from standard input: %w", err)
			}
			code = string(text)
		}
		keychain, err := secret.Open(e.Getenv)
		if err != nil {
			return err
		}
		keys, err := storeKeys(keychain, state, slog.New(slog.NewTextHandler(e.Err, nil)))
		if err != nil {
			return err
		}
		extension, err := relayed.Enrol(ctx, relayed.Options{Address: args[0], Keep: app.Enrolment(state, args[0], keys)}, strings.TrimSpace(code))
		if err != nil {
			return err
		}
		return e.print(map[string]string{"extension": extension, "address": args[0]}, func() string {
			return fmt.Sprintf(e.say("This workstation is enrolled for extension %[1]s. In the profile:\n\n", "本工作站已登记为分机 %[1]s。在配置文件中写：\n\n")+
				"phone:\n  source: relayed\n  address: %[2]s\n  extension: %[1]q\n", extension, args[0])
		})
	})
	c.Flags().StringVar(&state, "state", DefaultState(), e.say("the folder of the store", "存储目录"))
	return c
}

func (e *env) phoneTest() *cobra.Command {
	var profile, state string
	c := command("test", e.say("Try the way to the relay that the profile names, and say what is wrong with it", "测试到配置文件所写中继的连接，并说明问题所在"), 0, func(ctx context.Context, _ []string) error {
		p, err := settings.Load(profile)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(p.Phone.Sources(), func(s cti.PhoneSource) bool { return s.Source == "relayed" })
		if i < 0 {
			return cti.Errorf(cti.Invalid, "the profile names no relay; how the phone is stands in: ringctl status", nil)
		}
		address := p.Phone.Sources()[i].Address
		keychain, err := secret.Open(e.Getenv)
		if err != nil {
			return err
		}
		keys, err := storeKeys(keychain, state, slog.New(slog.NewTextHandler(e.Err, nil)))
		if err != nil {
			return err
		}
		trial, err := relayed.Try(ctx, relayed.Options{Address: address, Extension: p.Phone.Extension, Keep: app.Enrolment(state, address, keys)})
		if err != nil {
			return err
		}
		if err := e.print(trial, func() string { return e.trial(trial, address) }); err != nil || trial.Up {
			return err
		}
		return cti.Errorf(cti.Offline, "the relay "+address+" has no connection to the exchange: see the relay's log", nil)
	})
	c.Flags().StringVar(&profile, "profile", DefaultProfile(), e.say("the profile", "配置文件"))
	c.Flags().StringVar(&state, "state", DefaultState(), e.say("the folder of the store", "存储目录"))
	return c
}

func (e *env) trial(t relayed.Trial, address string) string {
	commands := make([]string, 0, len(t.Can))
	for _, c := range t.Can {
		commands = append(commands, string(c))
	}
	exchange := e.say("connected", "已连接")
	if !t.Up {
		exchange = e.say("not connected", "未连接")
	}
	clocks := t.Clock.Abs().Round(time.Second).String()
	if t.Clock.Abs() > relayed.ClockWarns {
		clocks += e.say(": let both take the time from the network (NTP)", "：请让两台计算机都从网络校时（NTP）")
	}
	return table(func(w io.Writer) {
		row(w, e.say("relay", "中继"), t.Relay+" ("+address+")")
		row(w, e.say("extension", "分机"), t.Extension)
		row(w, e.say("certificate until", "证书有效期至"), t.Until.Local().Format("2006-01-02"))
		row(w, e.say("clocks apart", "时钟相差"), clocks)
		row(w, e.say("may", "可执行"), strings.Join(commands, ", "))
		row(w, e.say("exchange", "交换机"), exchange)
	})
}
