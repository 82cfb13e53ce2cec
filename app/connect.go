package app

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"ringside.dev/ringside/app/crm"
	"ringside.dev/ringside/app/crm/local"
	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/secret"
	"ringside.dev/ringside/store/tokens"
)

// secretPrefix marks a connector parameter that names a secret.
const secretPrefix = "keychain:"

// localName is the connector of a business without a CRM.
const localName = "local"

// Connection is the CRM of a profile, with the systems that take some of its operations over.
type Connection struct {
	crm.Connector

	Systems []System // the CRM first
}

// System is one of the systems behind a connection.
type System struct {
	Connector  crm.Connector
	Engine     *crm.Engine // nil: it is not made from a file
	Operations []string    // what it takes over; of the CRM none
	close      func()
}

// OpenConnection opens the CRM that a profile names and what stands beside it; nothing is sent yet. It needs Profile, Secret, Keys, StateDir and Log.
func OpenConnection(cfg Config) (*Connection, error) {
	p := cfg.Profile.CRM
	c := &Connection{}
	specs := append([]cti.CRMTarget{{Connector: p.Connector, Params: p.Params, Mapping: p.Mapping}}, p.Also...)
	gates := &crm.Gates{}
	for i, spec := range specs {
		where := "crm"
		if i > 0 {
			where = fmt.Sprintf("crm.also[%d]", i)
		}
		one, err := openSystem(cfg, spec, where, gates)
		if err != nil {
			c.Close()
			return nil, err
		}
		c.Systems = append(c.Systems, one)
		if slices.ContainsFunc(specs[:i], func(before cti.CRMTarget) bool { return signInOf(before) == signInOf(spec) }) && one.Engine != nil && one.Engine.SignsIn() {
			c.Close()
			return nil, cti.Errorf(cti.Invalid, where+": "+spec.Connector+" is named twice, and one sign-in would be used for both: copy its connector file, with another metadata.id", nil)
		}
	}
	var targets []crm.Target
	for _, s := range c.Systems[1:] {
		targets = append(targets, crm.Target{Connector: s.Connector, Operations: s.Operations})
	}
	var err error
	if c.Connector, err = crm.Several(cfg.Profile.Region, c.Systems[0].Connector, targets...); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func openSystem(cfg Config, spec cti.CRMTarget, where string, gates *crm.Gates) (System, error) {
	params, err := withSecrets(cfg, spec.Params, where)
	if err != nil {
		return System{}, err
	}
	if spec.Connector == localName && spec.Mapping != "" {
		return System{}, cti.Errorf(cti.Invalid, where+".mapping: the connector local has no fields of its own to map: remove the line", nil)
	}
	if spec.Connector == localName {
		l, err := local.Open(params, cfg.Profile.Region, cfg.Log)
		if err != nil {
			return System{}, err
		}
		return System{Connector: l, Operations: spec.Operations, close: l.Close}, nil
	}
	e, err := crm.Open(crm.Config{Connector: spec.Connector, Params: params, Region: cfg.Profile.Region, Agent: cfg.Profile.Agent, Shared: cfg.Profile.CRM.SharedSignIn, Mapping: spec.Mapping,
		Gates: gates, Log: cfg.Log, Tokens: tokens.Open(cfg.StateDir, signInOf(spec), cfg.Keys)})
	if err != nil {
		return System{}, err
	}
	return System{Connector: e, Engine: e, Operations: spec.Operations, close: e.Close}, nil
}

// signInOf names the sign-in of a connector at its addresses: what one server gave is never shown to another. A file is named by its whole path, so that
// whoever signs in beside it and the agent mean the same one.
func signInOf(spec cti.CRMTarget) string {
	name := spec.Connector
	if strings.ContainsAny(name, `./\`) {
		if whole, err := filepath.Abs(name); err == nil {
			name = whole
		}
	}
	sum := sha256.New()
	for _, param := range slices.Sorted(maps.Keys(spec.Params)) {
		if value := spec.Params[param]; strings.Contains(value, "://") {
			sum.Write([]byte(param + "=" + strings.TrimRight(value, "/") + "\n"))
		}
	}
	return name + "-" + hex.EncodeToString(sum.Sum(nil)[:8])
}

// Close gives back what the systems hold.
func (c *Connection) Close() {
	for _, s := range c.Systems {
		s.close()
	}
}

// Wake drops connections that died while the computer slept.
func (c *Connection) Wake() {
	for _, s := range c.Systems {
		if s.Engine != nil {
			s.Engine.Reconnect()
		}
	}
}

// withSecrets gives the parameters of a connector with the secrets they name.
func withSecrets(cfg Config, params map[string]string, where string) (map[string]string, error) {
	out := map[string]string{}
	for name, value := range params {
		if wanted, ok := strings.CutPrefix(value, secretPrefix); ok {
			var err error
			if value, err = secretOf(cfg, where+".params."+name, wanted); err != nil {
				return nil, err
			}
		}
		out[name] = value
	}
	return out, nil
}

// secretOf reads the secret that a parameter names. A keychain that cannot be asked is kind offline and keeps its own error.
func secretOf(cfg Config, where, name string) (string, error) {
	value, err := cfg.Secret(name)
	switch {
	case errors.Is(err, secret.ErrNotFound):
		return "", cti.Errorf(cti.Auth, fmt.Sprintf("%s names the secret %[2]s, which is not there; store it with: ringctl secret set %[2]s"+
			" (with RINGSIDE_KEYCHAIN=env: set the variable %[3]s)", where, name, secret.EnvName(name)), nil)
	case err != nil:
		return "", cti.Errorf(cti.Offline, where, err)
	}
	return value, nil
}
