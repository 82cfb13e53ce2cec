// Package relay is ringctl relay: a process without a window near the exchange. It alone has the exchange's credentials, and passes each
// extension its own calls, numbered, over TLS 1.3 with certificates on both sides, to the source bridge/relayed of its workstations; commands
// come back the same way, about the extension's own calls and within its rights.
//
//	bridge.Exchange ─▶ line (one for each extension) ─▶ conn (one for each workstation) ─▶ bridge/relayed
//	       ▲             │  keeper: what nobody has yet      │
//	       └─ rights ◀───┼──────── commands ◀────────────────┘
//	                   devices, codes, authority: who may connect
//
// It must not know what a call means, how a CRM is spoken to, or any one exchange's protocol: kinds.go lists them.
package relay

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/gofrs/flock"
	"golang.org/x/sync/errgroup"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/settings"
	"ringside.dev/ringside/bridge"
)

// maxLines bounds how many extensions an exchange may name.
const maxLines = 20_000

// Config says how to run; Settings, Secrets and Log are required.
type Config struct {
	Settings settings.Relay
	Secrets  Secrets
	Log      *slog.Logger
	Listener net.Listener                                                              // nil: at Settings.Listen
	Control  net.Listener                                                              // where this computer's administrator is heard; nil: nowhere
	Started  func()                                                                    // told when it listens; nil: nobody
	Open     func(x settings.RelayExchange, log *slog.Logger) (bridge.Exchange, error) // nil: by its kind
}

// Relay is the running relay.
type Relay struct {
	cfg       Config
	log       *slog.Logger
	lock      *flock.Flock
	authority *authority
	devices   *devices
	codes     *codes
	keep      *keeper
	door      *door

	mu        sync.Mutex
	exchanges []*attached
	lines     map[string]*line
	conns     map[*conn]bool
}

// attached is an exchange as the relay has it.
type attached struct {
	bridge.Exchange

	entry  settings.RelayExchange
	source cti.Source // as its first event had it
	up     bool
}

// New reads or makes the relay's state and opens the exchanges, without connecting; Run starts everything, Close lets go of the state.
func New(cfg Config) (_ *Relay, err error) {
	if cfg.Open == nil {
		cfg.Open = open
	}
	r := &Relay{cfg: cfg, log: cfg.Log, codes: newCodes(), door: &door{from: map[string]int{}}, lines: map[string]*line{}, conns: map[*conn]bool{}}
	for _, entry := range cfg.Settings.Exchanges {
		full, err := cfg.Secrets.withSecrets(entry)
		if err != nil {
			return nil, err
		}
		x, err := cfg.Open(full, cfg.Log)
		if err != nil {
			return nil, err
		}
		r.exchanges = append(r.exchanges, &attached{Exchange: x, entry: entry})
	}
	if err := r.openState(time.Now()); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

func (r *Relay) openState(now time.Time) error {
	dir := r.cfg.Settings.State
	if err := openState(dir); err != nil {
		return err
	}
	r.lock = flock.New(filepath.Join(dir, lockFile))
	if mine, err := r.lock.TryLock(); err != nil || !mine {
		return cti.Errorf(cti.Conflict, "another relay runs with the state folder "+dir+": stop it, or name another folder", err)
	}
	keys, err := sealKeys(r.cfg.Settings.Key, dir, r.cfg.Secrets)
	if err != nil {
		return err
	}
	if r.authority, err = openAuthority(dir, r.cfg.Settings.Name, keys, now); err != nil {
		return err
	}
	if r.devices, err = openDevices(dir); err != nil {
		return err
	}
	if r.keep, err = openKeeper(dir, keys, r.log); err != nil {
		return err
	}
	return r.takeUp(now)
}

// takeUp makes the lines of the enrolled workstations, with what an earlier run kept for them.
func (r *Relay) takeUp(now time.Time) error {
	for _, extension := range r.devices.extensions() {
		if l := r.lineOf(extension); l != nil {
			l.setKept(true)
		}
	}
	if err := r.keep.restore(r.restore); err != nil {
		return err
	}
	enrolled := map[string]string{}
	for _, d := range r.devices.all() {
		if d.RevokedAt.IsZero() {
			enrolled[d.ID] = d.Extension
		}
	}
	for _, l := range r.lines {
		l.last += leap
		for device := range l.acks {
			if enrolled[device] != l.extension {
				delete(l.acks, device)
			}
		}
		r.keep.line(l)
		l.sweep(now, r.longest())
	}
	return nil
}

// restore takes a record of an earlier run.
func (r *Relay) restore(kind string, rec record) {
	l := r.lines[rec.Line]
	if l == nil {
		return // no workstation is enrolled for it any more
	}
	switch kind {
	case keptEvent:
		l.restoreEvent(rec)
	case keptAck:
		l.restoreAck(rec)
	case keptLine:
		l.restoreLine(rec)
	}
}

func (r *Relay) longest() time.Duration {
	return time.Duration(r.cfg.Settings.HistoryHours) * time.Hour
}

// lineOf gives the line of an extension, and makes it when an exchange has it; nil when none has.
func (r *Relay) lineOf(extension string) *line {
	l, made := r.madeLine(extension)
	if made {
		for _, t := range l.tracks {
			_ = t.exchange.Phone(extension) // asked for: the exchange tells of its calls on every connection
		}
	}
	return l
}

func (r *Relay) madeLine(extension string) (l *line, made bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if l := r.lines[extension]; l != nil {
		return l, false
	}
	if !settings.IsExtension(extension) || len(r.lines) >= maxLines {
		return nil, false
	}
	l = newLine(extension, rightsOf(r.cfg.Settings.Rights, extension), r.keep)
	for _, x := range r.exchanges {
		if x.entry.Extensions.Match(extension) {
			t := newTrack(x.entry.Name, x.Exchange)
			t.source, t.up = x.source, x.up
			l.tracks = append(l.tracks, t)
		}
	}
	if len(l.tracks) == 0 {
		return nil, false
	}
	l.up = l.allUp()
	r.lines[extension] = l
	return l, true
}

// told takes an event of an exchange: one extension's, or, with "", all of them.
func (r *Relay) told(x *attached, extension string, e cti.Event) {
	if extension != "" {
		if l := r.lineOf(extension); l != nil {
			if t := l.track(x.entry.Name); t != nil {
				l.take(t, e)
			}
		}
		return
	}
	r.mu.Lock()
	if e.Type == cti.SourceUp || e.Type == cti.SourceDown {
		x.source, x.up = e.Clean().Source, e.Type == cti.SourceUp
		r.log.Info("exchange", "name", x.entry.Name, "up", x.up)
	}
	lines := r.allLines()
	r.mu.Unlock()
	for _, l := range lines {
		if t := l.track(x.entry.Name); t != nil {
			l.take(t, e)
		}
	}
}

// allLines lists the lines; r is locked.
func (r *Relay) allLines() []*line {
	lines := make([]*line, 0, len(r.lines))
	for _, l := range r.lines {
		lines = append(lines, l)
	}
	slices.SortFunc(lines, func(a, b *line) int {
		if a.extension < b.extension {
			return -1
		}
		return 1
	})
	return lines
}

// Run runs the relay until ctx ends or a part fails, and returns after everything has stopped.
func (r *Relay) Run(ctx context.Context) error {
	l := r.cfg.Listener
	if l == nil {
		var err error
		if l, err = net.Listen("tcp", r.cfg.Settings.Listen); err != nil {
			return cti.Errorf(cti.Conflict, "the relay cannot listen at "+r.cfg.Settings.Listen+": is another program there, or is the port reserved?", err)
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, x := range r.exchanges {
		group.Go(func() error {
			return x.Run(ctx, func(extension string, e cti.Event) { r.told(x, extension, e) })
		})
	}
	group.Go(func() error { return r.accept(ctx, l, maxConns, r.serve) })
	if r.cfg.Control != nil {
		group.Go(func() error { return r.accept(ctx, r.cfg.Control, maxOrders, r.obey) })
	}
	group.Go(func() error { return r.housekeep(ctx) })
	r.log.Info("relay started", "name", r.cfg.Settings.Name, "listen", l.Addr().String(), "exchanges", len(r.exchanges), "enrolled", len(r.devices.extensions()))
	if r.cfg.Started != nil {
		r.cfg.Started()
	}
	err := group.Wait()
	r.log.Info("relay stopped")
	return err
}

// housekeep flushes every second, and tidies up every hour.
func (r *Relay) housekeep(ctx context.Context) error {
	flush, tidy := time.NewTicker(flushEvery), time.NewTicker(tidyEvery)
	defer flush.Stop()
	defer tidy.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-flush.C:
			r.keepAcks()
			r.keep.flush()
		case now := <-tidy.C:
			r.tidy(now)
		}
	}
}

func (r *Relay) keepAcks() {
	r.mu.Lock()
	lines := r.allLines()
	r.mu.Unlock()
	for _, l := range lines {
		l.keepAcks()
	}
}

func (r *Relay) tidy(now time.Time) {
	r.mu.Lock()
	if err := r.authority.renewServer(now); err != nil {
		r.log.Error("the relay's certificate was not renewed", "err", err)
	}
	lines := r.allLines()
	r.mu.Unlock()
	for _, l := range lines {
		l.sweep(now, r.longest())
	}
	r.keep.tidy(now, r.longest(), lines)
}

// Close lets go of the state. Call it after Run has returned.
func (r *Relay) Close() error {
	var err error
	if r.keep != nil {
		r.keepAcks()
		err = r.keep.close()
	}
	if r.lock != nil {
		err = errors.Join(err, r.lock.Close())
	}
	return err
}
