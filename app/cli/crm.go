package cli

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"

	"github.com/pkg/browser"
	"github.com/spf13/cobra"

	"ringside.dev/ringside/app"
	"ringside.dev/ringside/app/crm"
	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/secret"
	"ringside.dev/ringside/app/settings"
)

// crmOptions say which CRM a command speaks to: that of the profile, or a connector with its parameters.
type crmOptions struct {
	profile, state    string
	connector, region string
	mapping           string
	params            []string
	system            string
}

func (e *env) crmCommand() *cobra.Command {
	return group("crm", e.say("Test a CRM's connector, and do one thing with it", "测试 CRM 连接器，或执行单个操作"),
		e.crmTest(), e.crmRun(), e.crmSetup(), e.crmLogin(), e.crmLogout(), e.crmSchema(), e.crmReference())
}

// flags adds what all commands of a CRM take.
func (o *crmOptions) flags(e *env, c *cobra.Command) *cobra.Command {
	f := c.Flags()
	f.StringVar(&o.profile, "profile", DefaultProfile(), e.say("the profile file", "配置文件"))
	f.StringVar(&o.state, "state", DefaultState(), e.say("the folder of the store", "存储目录"))
	f.StringVar(&o.connector, "connector", "", e.say("instead of the profile's: a preset's name, or a connector file", "代替配置文件：预设名称或连接器文件"))
	f.StringArrayVar(&o.params, "param", nil, e.say("NAME=VALUE of that connector; a secret as NAME=keychain:SECRET", "该连接器的参数，名称=值；密钥写作 名称=keychain:密钥名"))
	f.StringVar(&o.region, "region", "", e.say("the country whose national numbers are read, such as CN", "国内号码所属的国家或地区，例如 CN"))
	f.StringVar(&o.mapping, "mapping", "", e.say("a mapping file, instead of the profile's", "映射文件，代替配置文件中的"))
	f.StringVar(&o.system, "system", "", e.say("one of several systems, by its connector's name", "多个系统之一（连接器名称）"))
	return c
}

// open opens the connection that the options name.
func (o *crmOptions) open(e *env) (*app.Connection, error) {
	profile, err := o.profileOf()
	if err != nil {
		return nil, err
	}
	keychain, err := secret.Open(e.Getenv)
	if err != nil {
		return nil, err
	}
	log := slog.New(slog.NewTextHandler(e.Err, &slog.HandlerOptions{Level: slog.LevelWarn}))
	keys, err := storeKeys(keychain, o.state, log)
	if err != nil { // who signs in with parameters needs none; a sign-in that has to be sealed says so itself
		log.Debug("no key from the keychain", "err", err)
	}
	return app.OpenConnection(app.Config{Profile: profile, StateDir: o.state, Secret: keychain.Get, Keys: keys, Log: log})
}

func (o *crmOptions) profileOf() (cti.Profile, error) {
	if o.connector == "" {
		p, err := settings.Load(o.profile)
		if err == nil && len(o.params) > 0 {
			err = cti.Errorf(cti.Invalid, "--param belongs to --connector: the parameters of a profile stand in it, under crm.params", nil)
		}
		if o.mapping != "" {
			p.CRM.Mapping = o.mapping
		}
		return p, err
	}
	if o.region == "" {
		return cti.Profile{}, cti.Errorf(cti.Invalid, "--connector needs --region: the country whose national numbers are read, such as CN", nil)
	}
	p := cti.Profile{Region: strings.ToUpper(o.region), CRM: cti.CRMProfile{Connector: o.connector, Mapping: o.mapping, Params: map[string]string{}, SharedSignIn: true}}
	for _, one := range o.params {
		name, value, ok := strings.Cut(one, "=")
		if !ok {
			return p, cti.Errorf(cti.Invalid, "write --param NAME=VALUE", nil)
		}
		p.CRM.Params[name] = value
	}
	return p, nil
}

// systems are those that a command is about, all of them made from files.
func (o *crmOptions) systems(c *app.Connection) ([]app.System, error) {
	var out []app.System
	var names []string
	for _, s := range c.Systems {
		names = append(names, s.Connector.Name())
		if s.Engine != nil && (o.system == "" || s.Connector.Name() == o.system) {
			out = append(out, s)
		}
	}
	if len(out) == 0 {
		return nil, cti.Errorf(cti.Invalid, "no such system is made from a connector file; there is "+strings.Join(names, ", "), nil)
	}
	return out, nil
}

// one opens the one system that a command is about.
func (o *crmOptions) one(e *env) (*app.Connection, *crm.Engine, error) {
	c, err := o.open(e)
	if err != nil {
		return nil, nil, err
	}
	all, err := o.systems(c)
	if err != nil {
		c.Close()
		return nil, nil, err
	}
	return c, all[0].Engine, nil
}

func (e *env) crmSetup() *cobra.Command {
	var o crmOptions
	return o.flags(e, command("setup [ID]", e.say("Show what the connector needs in the CRM, or make one of it", "显示连接器在 CRM 中所需的设置，或创建其中一项"), anyNumber,
		func(ctx context.Context, args []string) error {
			c, engine, err := o.one(e)
			if err != nil {
				return err
			}
			defer c.Close()
			if len(args) > 1 {
				return cti.Errorf(cti.Invalid, "name one setup, or none to see them all", nil)
			}
			for _, id := range args {
				if err := engine.Apply(ctx, id); err != nil {
					return err
				}
			}
			setups := engine.Setups(ctx)
			if setups == nil {
				setups = []crm.Setup{}
			}
			return e.print(setupRows(setups), func() string {
				if len(setups) == 0 {
					return e.say("The connector needs nothing in the CRM.\n", "该连接器在 CRM 中无需任何设置。\n")
				}
				return table(func(w io.Writer) {
					for _, s := range setups {
						row(w, s.ID, e.setupState(s), s.Title, strings.Join(s.Ops, ", "), s.Manual)
					}
				})
			})
		}))
}

// setupRow is a setup as ringctl prints it.
type setupRow struct {
	ID     string   `json:"id"`
	Title  string   `json:"title"`
	Ops    []string `json:"ops"`
	Ready  bool     `json:"ready"`
	Apply  bool     `json:"can_apply"`
	Manual string   `json:"manual,omitempty"`
	Error  string   `json:"error,omitempty"`
}

func setupRows(setups []crm.Setup) []setupRow {
	out := []setupRow{}
	for _, s := range setups {
		r := setupRow{ID: s.ID, Title: s.Title, Ops: filledList(s.Ops), Ready: s.Ready, Apply: s.CanApply, Manual: s.Manual}
		if s.Err != nil {
			r.Error = s.Err.Error()
		}
		out = append(out, r)
	}
	return out
}

func (e *env) setupState(s crm.Setup) string {
	switch {
	case s.Err != nil:
		return s.Err.Error()
	case s.Ready:
		return e.say("there", "已就绪")
	case s.CanApply:
		return e.say("missing: make it with ringctl crm setup "+s.ID, "缺失：用 ringctl crm setup "+s.ID+" 创建")
	}
	return e.say("missing: by hand", "缺失：需手动创建")
}

func (e *env) crmLogin() *cobra.Command {
	var o crmOptions
	var show bool
	c := o.flags(e, command("login", e.say("Sign in to the CRM in the browser (OAuth 2.0)", "在浏览器中登录 CRM（OAuth 2.0）"), 0, func(ctx context.Context, _ []string) error {
		c, engine, err := o.one(e)
		if err != nil {
			return err
		}
		defer c.Close()
		err = engine.SignIn(ctx, func(address string) error {
			if !show {
				browser.Stdout = io.Discard
				if err := browser.OpenURL(address); err == nil {
					return nil
				}
			}
			_, err := fmt.Fprintf(e.Err, e.say("Open this address in a browser on this computer:\n%s\n", "请在本机浏览器中打开此地址：\n%s\n"), address)
			return err
		})
		if err != nil {
			return err
		}
		who, err := engine.Whoami(ctx)
		if err != nil {
			return err
		}
		return e.print(map[string]string{"signed_in": who.Name}, func() string { return fmt.Sprintf(e.say("Signed in as %s.\n", "已以 %s 登录。\n"), who.Name) })
	}))
	c.Flags().BoolVar(&show, "show", false, e.say("show the address instead of opening a browser", "只显示地址，不打开浏览器"))
	return c
}

func (e *env) crmLogout() *cobra.Command {
	var o crmOptions
	return o.flags(e, command("logout", e.say("Forget the sign-in of OAuth 2.0, and end it in the CRM", "清除 OAuth 2.0 登录，并在 CRM 中注销"), 0, func(ctx context.Context, _ []string) error {
		c, engine, err := o.one(e)
		if err != nil {
			return err
		}
		defer c.Close()
		if err := engine.SignOut(ctx); err != nil {
			return err
		}
		return e.print(map[string]bool{"signed_out": true}, func() string { return e.say("Signed out.\n", "已注销。\n") })
	}))
}

// describedOps are the operations of a report: those every connector may have, in the order of a call.
func describedOps() []string {
	all := crm.AllOperations()
	first := []string{"whoami", "lookup", "log_call"}
	return slices.Concat(first, slices.DeleteFunc(all, func(op string) bool { return slices.Contains(first, op) }))
}
