package app

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/secret"
	"ringside.dev/ringside/bridge"
	"ringside.dev/ringside/bridge/relayed"
	"ringside.dev/ringside/store/tokens"
)

// phones are the workstation's call sources: one, or several that tell of the same calls.
type phones []*phone

// phone is one source with what it must be asked about the time in which nobody listened to it.
type phone struct {
	bridge.Source
	missed *missed
}

// openPhones opens the sources a profile names, or takes those it is given.
func openPhones(cfg Config) (phones, error) {
	p, given := cfg.Profile, cfg.Phones
	var all phones
	for _, s := range given {
		all = append(all, &phone{Source: s})
	}
	if len(given) > 0 {
		return all, nil
	}
	at := bridge.Place{Enrolled: func(address string) relayed.Keeper { return Enrolment(cfg.StateDir, address, cfg.Keys) }, Secret: cfg.Secret, Log: cfg.Log}
	for _, of := range p.Phone.Sources() {
		s, err := bridge.Open(p, of, at)
		if err != nil {
			return nil, err
		}
		all = append(all, &phone{Source: s})
	}
	return all, nil
}

// CheckPhones tells whether the phones that a profile names can work, as far as that shows without connecting and without a secret.
func CheckPhones(p cti.Profile) error {
	var wrong []error
	for _, of := range p.Phone.Sources() {
		_, err := bridge.Open(p, of, bridge.Place{Enrolled: func(string) relayed.Keeper { return unenrolled{} }})
		wrong = append(wrong, err)
	}
	return errors.Join(wrong...)
}

// unenrolled is a workstation without a certificate.
type unenrolled struct{}

func (unenrolled) Load() ([]byte, error) { return nil, nil }
func (unenrolled) Store([]byte) error    { return nil }

// Enrolment keeps this workstation's certificate for the relay at an address, sealed, beside the store.
func Enrolment(stateDir, address string, keys secret.Ring) relayed.Keeper {
	return tokens.Open(stateDir, "relay-"+address, keys)
}

// joined is all of them as one phone.
func (p phones) joined() cti.Phone {
	var all []cti.Phone
	for _, one := range p {
		all = append(all, one.Phone())
	}
	return bridge.Join(all...)
}

// phonesName is what a person sees of them.
func phonesName(p cti.PhoneProfile) string {
	var names []string
	for _, s := range p.Sources() {
		names = append(names, s.Source)
	}
	return strings.Join(names, " + ")
}

// listen has every source's history asked for what ended since a time, and gives each its place to book.
func (p phones) listen(since time.Time, book func(ctx context.Context, e cti.Event) cti.Event, log *slog.Logger) {
	for _, one := range p {
		one.missed = &missed{history: one.Phone().History, since: since, log: log, book: func(ctx context.Context, e cti.Event) { book(ctx, e) }}
	}
}

// run runs all sources, each with its missed calls, until ctx ends or one fails.
func (p phones) run(ctx context.Context, book func(ctx context.Context, e cti.Event) cti.Event) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, one := range p {
		group.Go(func() error {
			return one.Run(ctx, func(e cti.Event) {
				e = book(ctx, e)
				if e.Type == cti.SourceUp || e.Type == cti.SourceDown {
					one.missed.heard(ctx, e)
				}
			})
		})
		group.Go(func() error { return one.missed.run(ctx) })
	}
	return group.Wait()
}

// look tells the sources that take what phones' programs leave that there is something.
func (p phones) look() {
	for _, one := range p {
		if takes, ok := one.Source.(interface{ Look() }); ok {
			takes.Look()
		}
	}
}

// errNoFeed: none of the sources takes events.
var errNoFeed = errors.New("no source takes events")

// feed hands an event to a source that plays what it is told: the simulated phone, or the one that programs report to.
func (p phones) feed(e cti.Event) error {
	for _, one := range p {
		if takes, ok := one.Source.(interface{ Feed(e cti.Event) error }); ok {
			return takes.Feed(e)
		}
	}
	return errNoFeed
}
