// Package app is the composition root: it alone knows every part and how they are joined. It is headless, so that tests and ringctl
// run it whole; the window stands on top of it. It decides nothing itself.
//
//	bridge.Source ─▶ intake ─▶ flow ─▶ screen ─▶ loopback.Board ─▶ window, ringctl
//	                            │ ▲
//	                  customers ┘ └ progress ◀─ outbox ─▶ delivery ─▶ crm.Connector
//	                                              │
//	                                            store
package app

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"ringside.dev/ringside/app/crm"
	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/flow"
	"ringside.dev/ringside/app/number"
	"ringside.dev/ringside/app/outbox"
	"ringside.dev/ringside/app/recording"
	"ringside.dev/ringside/app/secret"
	"ringside.dev/ringside/bridge"
	"ringside.dev/ringside/bridge/loopback"
	"ringside.dev/ringside/bridge/wire"
	"ringside.dev/ringside/store"
)

// Version is set when a release is built (-ldflags "-X …").
var Version = "dev"

// Config says how to run; Profile, StateDir, Secret, Keys and Log are required.
type Config struct {
	Profile  cti.Profile
	StateDir string                            // where the store is
	Socket   string                            // endpoint of the local API; empty: this user's own
	Secret   func(name string) (string, error) // reads a secret the profile names
	Keys     secret.Ring                       // seal the store
	Probe    []string                          // command line that vets a store in a process of its own; empty: this process does
	Phones   []bridge.Source                   // none: those the profile names
	Log      *slog.Logger
}

// App is the running agent.
type App struct {
	cfg       Config
	started   time.Time
	store     *store.Store
	plan      *number.Plan
	mask      masker
	phones    phones
	connector *Connection
	flow      *flow.Flow
	outbox    *outbox.Outbox
	board     *loopback.Board
	timings   *timings
	links     *links
	intake    *intake
	customers *customers
	searched  searched
	stale     chan string // customers to be read again
	dialling  dialling
	states    *states
	files     *files
	events    eventLog

	window atomic.Pointer[func()] // shows it; nil until there is one
}

// New builds all parts and opens the store; Run starts them, Close lets go of the store.
func New(cfg Config) (*App, error) {
	a := &App{cfg: cfg, started: time.Now().UTC(), timings: newTimings(), stale: make(chan string, mostStale)}
	if err := a.connect(); err != nil {
		return nil, err
	}
	if err := a.build(); err != nil {
		a.connector.Close()
		return nil, err
	}
	return a, nil
}

// build makes what stands on phone and CRM.
func (a *App) build() error {
	cfg, p := a.cfg, a.cfg.Profile
	plan, err := number.NewPlan(p)
	if err != nil {
		return err
	}
	a.plan, a.mask = plan, newMasker(p, plan)
	a.board = loopback.NewBoard(wire.Snapshot{Language: p.Language, Agent: p.Agent, Extension: p.Phone.Extension,
		Outcomes: p.WrapUp.Outcomes, Abilities: a.phones.joined().Abilities(), CRMCan: crmAbilities(a.connector.Features()), Types: filled(p.Customers.Types),
		Presence: firstPresence(p, a.phones.joined()),
		Phone:    wire.Link{Name: phonesName(p.Phone), State: wire.LinkUnknown}, CRM: wire.Link{Name: a.connector.Name(), State: wire.LinkUnknown}})
	a.links = &links{board: a.board, crmName: a.connector.Name(), phoneName: phonesName(p.Phone)}
	watched := watch(a.connector, a.links.crm)
	var told *storage
	if a.store, told, err = openStore(cfg, a.board); err != nil {
		return err
	}
	if a.states, err = openStates(cfg); err != nil {
		return errors.Join(err, a.store.Close())
	}
	a.customers = openCustomers(cfg, watched, plan, a.store.Latest)
	a.dialling = dialling{&clicks{}, p.Dialling, a.customers.Cached, a.customers.Find, cfg.Log}
	if err := a.takeUp(watched, told); err != nil {
		return errors.Join(err, a.customers.index.Close(), a.store.Close())
	}
	a.board.Publish(wire.Delta{Outbox: counts(a.outbox)})
	return nil
}

// takeUp makes the parts that go on from what the store holds.
func (a *App) takeUp(connector crm.Connector, told *storage) (err error) {
	p := a.cfg.Profile
	if a.files, err = openFiles(a.cfg, connector, func() *outbox.Outbox { return a.outbox }); err != nil {
		return err
	}
	if a.outbox, err = outbox.New(a.store, &delivery{connector: connector, customers: a.customers, latest: a.store.Latest, files: a.files}, a.progressed, a.cfg.Log); err != nil {
		return err
	}
	earlier, since, err := earlierCalls(a.store)
	if err != nil {
		return err
	}
	owing := a.owing(time.Now())
	unfinished, err := a.unfinishedCalls(owing)
	if err != nil {
		return err
	}
	a.flow = flow.New(flow.Config{Tenant: p.Tenant, Phone: a.phones.joined(), Finder: a.customers,
		Queue:  queue{Outbox: a.outbox, tenant: p.Tenant, store: a.store, storage: told, board: a.board, files: a.files, log: a.cfg.Log},
		Screen: &screen{board: a.board, mask: a.mask, links: a.links, timings: a.timings, presence: firstPresence(p, a.phones.joined())}, Log: a.cfg.Log, Outcomes: p.WrapUp.Outcomes,
		Number: func(dialled string) cti.Number { return a.plan.Callee(dialled, "") }, Several: len(a.phones) > 1,
		Presence: flow.PresenceConfig{Seconds: p.WrapUp.Seconds, Required: p.WrapUp.Required, Default: p.WrapUp.Default, Reasons: p.Presence.Reasons}, Journal: a.states.note,
		Unfinished: unfinished, Earlier: earlier, Owing: owing})
	a.customers.told = func(page cti.CustomerPage) { a.flow.Refreshed(page.Customers, page.Deleted) }
	a.intake = &intake{flow: a.flow, plan: a.plan, extension: p.Phone.Extension, data: p.Phone.Data, log: &a.events,
		policy: recording.Policy{Links: p.Recordings.Links, Open: p.Recordings.Open}, files: a.files, warn: a.cfg.Log}
	a.phones.listen(since, a.intake.book, a.cfg.Log)
	return nil
}

// connect opens phone and CRM as the profile names them; nothing is sent yet.
func (a *App) connect() (err error) {
	if a.connector, err = OpenConnection(a.cfg); err != nil {
		return err
	}
	if a.phones, err = openPhones(a.cfg); err != nil {
		a.connector.Close()
	}
	return err
}

// Run runs the agent until ctx ends or a part fails, and returns after everything has stopped.
func (a *App) Run(ctx context.Context) error {
	l, err := loopback.Listen(a.cfg.Socket)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return loopback.NewServer(a.api(), a.cfg.Log).Serve(ctx, l) })
	group.Go(func() error { return a.flow.Run(ctx) })
	group.Go(func() error { return a.outbox.Run(ctx) })
	group.Go(func() error { return a.customers.run(ctx) })
	group.Go(func() error { return a.phones.run(ctx, a.intake.book) })
	group.Go(func() error { return a.states.run(ctx) })
	group.Go(func() error { return a.files.run(ctx) })
	group.Go(func() error { return a.readAgain(ctx) })
	if a.customers.sync == nil {
		group.Go(func() error { return a.freshen(ctx, a.customers.every) })
	}
	group.Go(func() error { return watchSleep(ctx, time.Now, a.woke, a.cfg.Log) })
	group.Go(func() error { return a.greet(ctx) })
	a.cfg.Log.Info("agent started", "version", Version, "phone", phonesName(a.cfg.Profile.Phone), "crm", a.connector.Name(), "pid", os.Getpid())
	err = group.Wait()
	a.cfg.Log.Info("agent stopped")
	return err
}

// greet asks the CRM once who we are, so that a wrong address or token shows before the first call. Failing is no reason to stop.
func (a *App) greet(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var who cti.Agent
	err := guarded(func() (err error) { who, err = a.connector.Whoami(ctx); return err })
	a.links.crm(err)
	if err != nil {
		a.cfg.Log.Warn("the CRM did not say who we are", "kind", cti.KindOf(err), "err", err)
		return nil
	}
	a.cfg.Log.Info("signed in to the CRM", "crm", a.connector.Name(), "agent_id", who.ID)
	return nil
}

// woke: the computer slept, so every connection is dead, and what waited for the network need not wait any longer.
func (a *App) woke() {
	a.connector.Wake()
	a.outbox.Wake()
}

// Close lets go of the store and of idle connections. Call it after Run has returned.
func (a *App) Close() error {
	a.connector.Close()
	return errors.Join(a.customers.index.Close(), a.store.Close())
}
