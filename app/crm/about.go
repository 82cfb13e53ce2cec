package crm

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"ringside.dev/ringside/app/cti"
)

// About is what a CRM says of itself and of who is signed in.
type About struct {
	Agent     cti.Agent
	Version   string   // of the server; empty: it does not say
	Roles     []string // of the signed-in user
	Supported bool     // its version lies in what the connector was made for
	Older     bool     // it is older than that: an upgrade is what to ask for
	Known     bool     // false: the server, or the connector, names no version
	Range     string   // the versions the connector was made for
	// Skew is how far the server's clock is ahead of this one, to a second (RFC 9110, 6.6.1: Date). Zero where it sends no date.
	Skew time.Duration
}

// About asks the CRM who is signed in, and reads what else it says while it answers.
func (e *Engine) About(ctx context.Context) (About, error) {
	began := time.Now()
	r, err := e.run(ctx, "whoami", vars{})
	if err != nil {
		return About{}, err
	}
	out, err := r.named(r.op.output, r.v)
	if err != nil {
		return About{}, err
	}
	a := About{
		Agent:   cti.Agent{ID: clean(out["id"]), Name: clean(out["name"]), Email: clean(out["email"])},
		Version: clean(out["version"]), Roles: cleanAll(out["roles"]), Range: e.doc.Metadata.VendorVersions,
		Skew: skew(r.last, began, time.Now()),
	}
	a.Supported, a.Known = inVersions(a.Range, a.Version)
	from, _, _ := strings.Cut(a.Range, "..")
	a.Older = a.Known && !a.Supported && slices.Compare(numbersOf(a.Version), numbersOf(from)) < 0
	return a, nil
}

// Whoami implements Connector.
func (e *Engine) Whoami(ctx context.Context) (cti.Agent, error) {
	a, err := e.About(ctx)
	return a.Agent, err
}

// asAgent makes sure that a write is made as the agent for whom it is: by who is signed in, or because the operation itself tells the CRM. Once
// somebody signed in is known to be the agent they are not asked for again.
func (e *Engine) asAgent(ctx context.Context, op *operation) error {
	if e.shared || op.agents || e.agent.Email == "" && e.agent.ID == "" {
		return nil
	}
	b, err := e.signIn.current(ctx)
	if err != nil {
		return err
	}
	if known := e.agentSignedIn.Load(); known != nil && *known == b.number {
		return nil
	}
	who, err := e.Whoami(ctx)
	switch kind := cti.KindOf(err); {
	case kind == cti.NotFound || kind == cti.Invalid: // of no record: it would be parked for a reason that is not its own
		return cti.Errorf(cti.Offline, e.doing(op.name)+": the CRM does not say who is signed in: check whoami in the connector file with ringctl crm test", err)
	case err != nil:
		return err
	case e.IsAgent(who):
		e.agentSignedIn.Store(&b.number)
		return nil
	}
	return cti.Errorf(cti.Denied, fmt.Sprintf("%s: the CRM would book this as %s, who is not this agent: sign in as the agent, or correct agent.email or agent.id in the profile;"+
		" where all agents share one sign-in on purpose, write crm.shared_sign_in: true", e.doing(op.name), who.Name), nil)
}

// IsAgent tells whether a user of the CRM is the agent of the profile: by the id that it names, else by the e-mail address. Where the CRM tells
// neither they are taken for the agent.
func (e *Engine) IsAgent(who cti.Agent) bool {
	switch {
	case e.agent.ID != "" && who.ID != "":
		return e.agent.ID == who.ID
	case e.agent.Email != "" && who.Email != "":
		return strings.EqualFold(e.agent.Email, who.Email)
	}
	return true
}

// skew compares the date of an answer with the middle of the exchange. A date has whole seconds: less than two is none.
func skew(res *response, began, ended time.Time) time.Duration {
	if res == nil {
		return 0
	}
	theirs, err := http.ParseTime(res.header.Get("Date"))
	if err != nil {
		return 0
	}
	ours := began.Add(ended.Sub(began) / 2)
	ahead := theirs.Add(500 * time.Millisecond).Sub(ours).Round(time.Second)
	if ahead.Abs() < 2*time.Second {
		return 0
	}
	return ahead
}
