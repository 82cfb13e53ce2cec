// Package hook is the call source for phones without an interface of their own that run a program at each event of a call: Twinkle,
// MicroSIP, and whatever else can. It owns what those events add up to, the commands such phones take on their command line, and the lines
// that set them up. It must not know what becomes of the events, other sources, or who gives commands.
//
// The program a phone runs (bridge/hook/leave) never speaks to this source: it leaves each event in a mailbox (bridge/hook/mailbox) and
// knocks at the agent's door (Source.Look). So nothing is lost while the agent does not run, nobody waits for it while it does, and there is
// one order of events. An event is taken out of the mailbox once the agent had time to write it down; after a crash it is told again, with
// the same references, and changes nothing.
package hook

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/hook/mailbox"
	"ringside.dev/ringside/bridge/running"
	"ringside.dev/ringside/bridge/tape"
)

// The times of the source.
const (
	// lookEvery is how often the mailbox is looked into when nobody knocks: on Windows a busy pipe turns a knock away.
	lookEvery = 2 * time.Second
	// keepFor is how long an event stays in the mailbox after the agent has it: the agent writes calls down within milliseconds.
	keepFor = 2 * time.Second
	// pastAfter is the age at which nobody waits for an event any more.
	pastAfter = 15 * time.Second
)

// backoff after the mailbox could not be read.
var backoff = running.Backoff{First: time.Second, Most: 30 * time.Second, Proven: lookEvery}

// Source is one workstation's phone with a hook. Make it with New.
type Source struct {
	box       mailbox.Mailbox
	preset    Preset
	run       runner
	extension string
	log       *slog.Logger
	wake      chan struct{} // holds one token when somebody knocked
	tape      tape.Deck

	once running.Once

	mu    sync.Mutex
	calls *calls
}

// New makes the source for a phone of a preset's name (see Presets), whose mailbox is in a folder; an empty one means this user's own
// (mailbox.Default). log may be nil. The error's kind is invalid for a program there is no preset for, and where there is no folder.
func New(program, dir, extension string, log *slog.Logger) (*Source, error) {
	preset, err := PresetOf(program)
	if err != nil {
		return nil, err
	}
	if dir == "" {
		if dir, err = mailbox.Default(); err != nil {
			return nil, cti.Errorf(cti.Invalid, "the phone's events have no place: set RINGSIDE_HOOKS to a folder on this computer", err)
		}
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Source{box: mailbox.At(dir), preset: preset, run: runProgram, extension: extension, wake: make(chan struct{}, 1),
		log: log.With("source", "hook", "program", preset.Name), calls: newCalls()}, nil
}

// Look tells the source that something may be in its mailbox. It never waits; it may be called at any time.
func (s *Source) Look() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Run takes events out of the mailbox and feeds them to emit until ctx ends, then returns nil; emit is not called after that. It may block,
// and must let go when ctx ends. First comes source.up, and source.down when the mailbox cannot be read. There is never a source.snapshot:
// a hook cannot say which calls live (reducer rule 8). It runs once at a time: a second Run beside the first fails with kind conflict.
func (s *Source) Run(ctx context.Context, emit func(cti.Event)) error {
	end, err := s.once.Begin()
	if err != nil {
		return err
	}
	defer end()
	t := &taking{Source: s, emit: emit, taken: map[string]time.Time{}}
	t.run(ctx)
	return nil
}

// taking is what one Run keeps.
type taking struct {
	*Source
	emit  func(cti.Event)
	up    bool
	taken map[string]time.Time // events the agent has, by the name of their file, and since when
	later map[string]bool      // those of a later version, told of once
}

func (t *taking) run(ctx context.Context) {
	backoff.Again(ctx, t.watch, nil, func(err error, _, pause time.Duration) {
		t.down(err)
		t.log.Warn("mailbox not read", "error", err, "retry_in", pause)
	})
	if t.up {
		if err := t.settle(time.Now().Add(keepFor)); err != nil {
			t.log.Warn("mailbox not tidied: its events will be told again", "error", err)
		}
	}
}

// watch takes what comes as long as the mailbox can be read, and tells for how long that was.
func (t *taking) watch(ctx context.Context) (time.Duration, error) {
	began := time.Now()
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for reads := 0; ; reads++ {
		err := t.look(ctx)
		switch {
		case ctx.Err() != nil:
			return 0, ctx.Err()
		case err != nil && reads == 0:
			return 0, err
		case err != nil:
			return time.Since(began), err
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-t.wake:
		case <-look.C:
		}
	}
}

// look takes what is there. At the first look it makes the folder and takes up what an earlier run knew.
func (t *taking) look(ctx context.Context) error {
	if !t.up {
		if err := t.begin(); err != nil {
			return err
		}
	}
	names, err := t.box.List()
	if err != nil {
		return err
	}
	for _, name := range names {
		if _, have := t.taken[name]; have || t.later[name] {
			continue
		}
		if err := t.take(ctx, name); err != nil {
			return err
		}
	}
	return t.settle(time.Now())
}

// begin makes the folder this user's alone and tells that the phone can be heard.
func (t *taking) begin() error {
	if err := os.MkdirAll(t.box.Dir(), 0o700); err != nil {
		return err
	}
	if err := os.Chmod(t.box.Dir(), 0o700); err != nil { //nolint:gosec // a folder needs x
		return fmt.Errorf("keep the folder to this user: %w", err)
	}
	if err := t.box.Tidy(time.Now()); err != nil {
		return err
	}
	c, err := loadCalls(t.box.Dir())
	if err != nil {
		t.log.Warn("what the last run knew of its calls is lost", "error", err)
	}
	t.mu.Lock()
	t.calls = c
	t.mu.Unlock()
	t.later = map[string]bool{}
	for _, name := range c.Taken { // the last run ended between writing this down and removing them
		if err := t.box.Remove(name); err != nil {
			return err
		}
	}
	t.up = true
	t.emit(t.sourceEvent(cti.SourceUp, nil))
	return nil
}

func (t *taking) down(err error) {
	if !t.up {
		return
	}
	t.up = false
	clear(t.taken) // begun anew from what was written down last
	t.emit(t.sourceEvent(cti.SourceDown, &cti.Cause{Code: cti.CauseUnknown, By: cti.BySystem, Raw: "the phone's mailbox cannot be read: " + reason(err)}))
}

// reason is an error without the folder's name.
func reason(err error) string {
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	return err.Error()
}

// take reads one event and tells what it adds up to. It counts as taken once emit let go of it while ctx still lived; else the error is ctx's.
func (t *taking) take(ctx context.Context, name string) error {
	e, err := t.box.Read(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case errors.Is(err, mailbox.ErrLater):
		t.later[name] = true
		t.log.Warn("event of a phone left for a later Ringside", "file", name)
		return nil
	case err != nil:
		t.log.Warn("event of a phone cannot be read and is dropped", "file", name, "error", reason(err))
		return t.box.Remove(name)
	}
	now := time.Now().UTC()
	if now.Sub(e.At) > mailbox.MaxAge {
		t.log.Warn("event of a phone is too old and is dropped", "file", name, "at", e.At)
		return t.box.Remove(name)
	}
	if e.At.After(now) {
		e.At = now // the clock was set back meanwhile
	}
	t.heard(e)
	t.mu.Lock()
	open, ends := slices.Clone(t.calls.Open), slices.Clone(t.calls.Early)
	events := t.calls.events(e)
	t.mu.Unlock()
	for _, out := range events {
		out.Past = now.Sub(e.At) > pastAfter
		t.emit(t.filled(out, e))
	}
	if len(events) > 0 && ctx.Err() != nil { // whether the agent has them is not known: they are told again, so this never was
		t.mu.Lock()
		t.calls.Open, t.calls.Early = open, ends
		t.mu.Unlock()
		return ctx.Err()
	}
	if len(events) == 0 {
		t.log.Debug("event of a phone says nothing", "file", name, "phone", e.Source, "event", e.Event)
	}
	t.taken[name] = now
	return nil
}

// maxTaken is how many events may wait to be removed where the phone never rests.
const maxTaken = 500

// settle removes the events that were taken, once the agent has had all of them for long enough, after it wrote down what they add up to.
func (t *taking) settle(now time.Time) error {
	var names []string
	for name, since := range t.taken {
		if now.Sub(since) < keepFor && len(t.taken) < maxTaken {
			return nil
		}
		names = append(names, name)
	}
	if len(names) == 0 {
		return nil
	}
	t.mu.Lock()
	t.calls.forget(now)
	err := t.calls.save(t.box.Dir(), names)
	t.mu.Unlock()
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := t.box.Remove(name); err != nil {
			return err
		}
		delete(t.taken, name)
	}
	return nil
}

func (s *Source) sourceEvent(typ cti.EventType, cause *cti.Cause) cti.Event {
	return cti.Event{V: cti.EnvelopeVersion, Type: typ, At: time.Now().UTC(), Cause: cause,
		Source: cti.Source{Adapter: "hook", Instance: s.preset.Name, Confidence: cti.Hook}}
}

// filled adds what every event of a call has.
func (s *Source) filled(out cti.Event, e mailbox.Event) cti.Event {
	out.V, out.At, out.Local.Extension = cti.EnvelopeVersion, e.At, s.extension
	out.Source = cti.Source{Adapter: "hook", Instance: e.Source, Confidence: cti.Hook}
	return out
}
