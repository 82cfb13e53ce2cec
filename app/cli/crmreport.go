package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"ringside.dev/ringside/app"
	"ringside.dev/ringside/app/crm"
	"ringside.dev/ringside/app/cti"
)

// crmReport is what ringctl crm test finds out about one system.
type crmReport struct {
	System     string     `json:"system"`
	Agent      cti.Agent  `json:"agent"`    // who is signed in
	IsAgent    bool       `json:"is_agent"` // who is the agent of the profile
	Roles      []string   `json:"roles"`
	Version    string     `json:"version,omitempty"`
	Supported  string     `json:"supported"`       // yes, no or unknown
	Wants      string     `json:"wants,omitempty"` // the versions the connector was made for
	SkewS      int        `json:"skew_s"`          // how far the server's clock is ahead
	Operations []opState  `json:"operations"`
	Excess     []string   `json:"excess"` // what the signed-in user may do and an agent need not
	Setup      []setupRow `json:"setup"`

	Error string `json:"error,omitempty"` // why nothing else is known

	older bool
}

type opState struct {
	Name  string `json:"name"`
	State string `json:"state"` // one of the states below
	Why   string `json:"why,omitempty"`
}

// The states of an operation.
const (
	opAllowed = "allowed" // the CRM says that the signed-in user may
	opRefused = "refused" // and that they may not
	opThere   = "there"   // the connector can, and the CRM does not say whether it may
	opLacking = "setup"   // something has to be made in the CRM first
	opMissing = "missing" // the connector does not have it
	opUnclear = "unclear" // asking for the right failed
)

// mostSkew is how far the clocks may be apart before times in the CRM look wrong, seconds.
const mostSkew = 60

func (e *env) crmTest() *cobra.Command {
	var o crmOptions
	return o.flags(e, command("test", e.say("Sign in and say what works: operations, rights, version, clock; nothing is written", "登录并报告可用情况：操作、权限、版本、时钟；不写入任何内容"), 0,
		func(ctx context.Context, _ []string) error {
			c, err := o.open(e)
			if err != nil {
				return err
			}
			defer c.Close()
			systems, err := o.systems(c)
			if err != nil {
				return err
			}
			reports := []crmReport{}
			var unreached error
			for _, s := range systems {
				r, err := examine(ctx, s, elsewhere(c, s))
				if err != nil {
					r = crmReport{System: s.Connector.Name(), Error: err.Error(), IsAgent: true, Supported: "unknown", Roles: []string{}, Operations: []opState{}, Excess: []string{}, Setup: []setupRow{}}
				}
				if unreached == nil {
					unreached = err
				}
				reports = append(reports, r)
			}
			if err := e.print(reports, func() string { return e.reported(reports) }); err != nil {
				return err
			}
			if unreached != nil {
				return unreached
			}
			return e.verdict(reports, o.connector != "")
		}))
}

// elsewhere lists the operations of the CRM that systems beside it took over.
func elsewhere(c *app.Connection, s app.System) []string {
	var out []string
	if len(s.Operations) == 0 {
		for _, other := range c.Systems {
			out = append(out, other.Operations...)
		}
	}
	return out
}

// examine asks one system; nothing is written.
func examine(ctx context.Context, s app.System, elsewhere []string) (crmReport, error) {
	about, err := s.Engine.About(ctx)
	if err != nil {
		return crmReport{}, err
	}
	r := crmReport{System: s.Connector.Name(), Agent: about.Agent, IsAgent: s.Engine.IsAgent(about.Agent), Roles: filledList(about.Roles), Version: about.Version,
		Supported: "unknown", Wants: about.Range, SkewS: int(about.Skew.Seconds()), older: about.Older, Excess: []string{}}
	if about.Known {
		r.Supported = map[bool]string{true: "yes", false: "no"}[about.Supported]
	}
	setups := s.Engine.Setups(ctx)
	r.Setup = setupRows(setups)
	rights := s.Engine.Rights(ctx)
	for _, right := range rights {
		if right.Excess && right.Allowed {
			r.Excess = append(r.Excess, right.Title)
		}
	}
	has := s.Engine.Operations()
	for _, op := range describedOps() {
		if slices.Contains(elsewhere, op) {
			continue
		}
		if len(s.Operations) == 0 || slices.Contains(s.Operations, op) || op == "whoami" || op == "lookup" {
			r.Operations = append(r.Operations, stateOf(op, has, rights, setups))
		}
	}
	return r, nil
}

// filledList makes an empty list of none: in JSON it is [] then.
func filledList[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func stateOf(op string, has []string, rights []crm.Right, setups []crm.Setup) opState {
	if !slices.Contains(has, op) {
		return opState{op, opMissing, ""}
	}
	out := opState{op, opThere, ""}
	for _, right := range rights {
		switch {
		case right.Op != op:
		case right.Err != nil:
			return opState{op, opUnclear, right.Err.Error()}
		case !right.Allowed:
			return opState{op, opRefused, right.Title}
		default:
			out.State = opAllowed
		}
	}
	for _, s := range setups {
		if slices.Contains(s.Ops, op) && !s.Ready {
			return opState{op, opLacking, s.Title}
		}
	}
	return out
}

func (e *env) reported(reports []crmReport) string {
	return table(func(w io.Writer) {
		for _, r := range reports {
			if r.Error != "" {
				row(w, e.say("system", "系统"), r.System, r.Error)
				continue
			}
			row(w, e.say("system", "系统"), r.System, e.versionWords(r))
			row(w, e.say("signed in as", "登录身份"), r.Agent.Name, r.Agent.Email, strings.Join(r.Roles, ", "))
			row(w, e.say("clock", "时钟"), e.skewWords(r.SkewS))
			for _, op := range r.Operations {
				row(w, op.Name, e.opWords(op.State), op.Why)
			}
			for _, s := range r.Setup {
				if !s.Ready {
					row(w, e.say("needed in the CRM", "CRM 中所需"), s.Title, s.Manual+s.Error)
				}
			}
			for _, title := range r.Excess {
				row(w, e.say("more than an agent needs", "超出坐席所需的权限"), title)
			}
		}
	})
}

func (e *env) versionWords(r crmReport) string {
	switch {
	case r.Supported == "yes":
		return r.Version
	case r.Supported == "unknown":
		return strings.TrimSpace(r.Version + e.say(" (not known whether it is supported)", "（未知是否受支持）"))
	case r.older:
		return fmt.Sprintf(e.say("%s is too old: ask for an upgrade to %s", "%s 版本过旧：请要求升级到 %s"), r.Version, r.Wants)
	}
	return fmt.Sprintf(e.say("%s is newer than the connector knows (%s): ask for a newer connector, and try it on a test system first", "%s 比连接器支持的版本（%s）更新：请获取更新的连接器，并先在测试系统上试用"), r.Version, r.Wants)
}

func (e *env) skewWords(s int) string {
	switch {
	case s == 0:
		return e.say("in step", "一致")
	case s > 0:
		return fmt.Sprintf(e.say("the server is %d s ahead of this computer", "服务器比本机快 %d 秒"), s)
	}
	return fmt.Sprintf(e.say("the server is %d s behind this computer", "服务器比本机慢 %d 秒"), -s)
}

func (e *env) opWords(state string) string {
	return map[string]string{
		opAllowed: e.say("allowed", "允许"),
		opRefused: e.say("refused", "被拒绝"),
		opThere:   e.say("there (the CRM does not say whether it is allowed)", "可用（CRM 未说明是否允许）"),
		opLacking: e.say("waits for a setting of the CRM", "等待 CRM 设置"),
		opMissing: e.say("the connector does not have it", "连接器不支持"),
		opUnclear: e.say("asking for the right failed", "查询权限失败"),
	}[state]
}

// verdict is the exit code: what an agent would run into. A connector that is tried without a profile has no agent.
func (e *env) verdict(reports []crmReport, noAgent bool) error {
	for _, r := range reports {
		if !r.IsAgent && !noAgent {
			return cti.Errorf(cti.Denied, fmt.Sprintf(e.say("records in %s would be written as %s, who is not the agent of the profile", "%s 中的记录会以 %s 的身份写入，而此人不是配置文件中的坐席"), r.System, r.Agent.Name), nil)
		}
		for _, op := range r.Operations {
			if op.State == opRefused || op.State == opLacking {
				return cti.Errorf(cti.Denied, r.System+": "+op.Name+" "+e.opWords(op.State)+": "+op.Why, nil)
			}
		}
		if r.Supported == "no" {
			return cti.Errorf(cti.Conflict, r.System+": "+e.versionWords(r), nil)
		}
		if r.SkewS > mostSkew || r.SkewS < -mostSkew {
			return cti.Errorf(cti.Conflict, r.System+": "+e.skewWords(r.SkewS)+e.say(": set the clocks by the network", "：请通过网络校准时钟"), nil)
		}
	}
	return nil
}
