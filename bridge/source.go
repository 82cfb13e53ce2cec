// Package bridge is how calls come in and commands go out: it owns what a call source is, and the list of those there are.
// It must not know what a call means to the agent, how a CRM is spoken to, or any one source's protocol.
package bridge

import (
	"context"
	"log/slog"
	"strings"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/baresip"
	"ringside.dev/ringside/bridge/bria"
	"ringside.dev/ringside/bridge/hook"
	"ringside.dev/ringside/bridge/relayed"
	"ringside.dev/ringside/bridge/sim"
)

// Source is a phone, or whatever else tells about the agent's calls. Sources are structurally typed: none imports this package.
// bridge/sourcetest is the contract in full; a source is done when it passes.
type Source interface {
	// Run feeds canonical events to emit until ctx ends, and reconnects by itself; it returns after everything it started has
	// stopped, and emit is not called after that. emit is called by one goroutine at a time; it may block, and must let go when
	// ctx ends. Run may be called again after it returned, but not twice at a time: that fails with kind conflict. The strings in
	// events are the caller's: use Event.Clean before keeping them.
	Run(ctx context.Context, emit func(cti.Event)) error
	// Phone tells what the phone can do; a nil field means it cannot. Valid for the whole life of the source, also between Runs:
	// the commands then fail with kind offline.
	Phone() cti.Phone
}

// Notice is what a source's licence asks to be shown where it is used; "" for most.
func Notice(source string) string {
	if source == "bria" {
		return bria.Notice
	}
	return ""
}

// Place is what sources find on a workstation. All fields but Log are required by the sources that need them.
type Place struct {
	Enrolled func(address string) relayed.Keeper // keeps this workstation's certificate for a relay
	Secret   func(name string) (string, error)   // reads a secret that the profile names; nil: none is read, and another stands in its place
	Log      *slog.Logger                        // nil: no log
}

// Open makes one of the sources a profile names. It does not connect yet. Errors are of kind invalid: a source there is not, or one whose
// settings cannot work; auth for a secret that cannot be read. Whether this computer's policy lets a profile name an exchange is settled before.
func Open(p cti.Profile, of cti.PhoneSource, at Place) (Source, error) {
	switch of.Source {
	case "sim":
		return sim.New(p.Phone.Extension), nil
	case "baresip":
		s, err := baresip.New(of.Address, p.Phone.Extension, at.Log)
		if err != nil {
			return nil, err // not s: a nil *baresip.Source would be no nil Source
		}
		return s, nil
	case "bria":
		s, err := bria.New(of.Address, p.Phone.Extension, at.Log)
		if err != nil {
			return nil, err
		}
		return s, nil
	case "hook":
		s, err := hook.New(of.Program, "", p.Phone.Extension, at.Log)
		if err != nil {
			return nil, err
		}
		return s, nil
	case "relayed":
		s, err := relayed.New(relayed.Options{Address: of.Address, Extension: p.Phone.Extension, Keep: at.Enrolled(of.Address), Log: at.Log})
		if err != nil {
			return nil, err
		}
		return s, nil
	case "ami", "ari", "esl", "webhook":
		return direct(p, of, at)
	}
	return nil, cti.Errorf(cti.Invalid, "phone.source must be sim, baresip, bria, hook or relayed", nil)
}

// direct is an exchange that is spoken to without a relay, for the one extension of this workstation.
func direct(p cti.Profile, of cti.PhoneSource, at Place) (Source, error) {
	c := ExchangeConfig{Kind: of.Source, Name: of.Source, Address: of.Address, User: of.Exchange.User, Serves: func(e string) bool { return e == p.Phone.Extension },
		Variables: of.Exchange.Variables, Params: map[string]string{}, Log: at.Log}
	read := func(value string) (string, error) {
		name, is := strings.CutPrefix(value, "keychain:")
		switch {
		case !is:
			return value, nil
		case at.Secret == nil:
			return strings.Repeat("x", 64), nil
		}
		secret, err := at.Secret(name)
		if err != nil {
			return "", cti.Errorf(cti.Auth, "the secret "+name+" of the phone's exchange cannot be read", err)
		}
		return secret, nil
	}
	var err error
	if c.Password, err = read(of.Exchange.Password); err != nil {
		return nil, err
	}
	for name, value := range of.Exchange.Params {
		if c.Params[name], err = read(value); err != nil {
			return nil, err
		}
	}
	x, err := OpenExchange(c)
	if err != nil {
		return nil, err
	}
	_ = x.Phone(p.Phone.Extension) // asked for: the exchange tells of its calls on every connection
	one := oneExtension{x, p.Phone.Extension}
	if taped, is := x.(Taped); is {
		return tapedExtension{one, taped}, nil
	}
	return one, nil
}

// tapedExtension is one whose exchange's wire can be listened to: it carries every extension's calls.
type tapedExtension struct {
	oneExtension
	Taped
}
