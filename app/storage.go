package app

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/flow"
	"ringside.dev/ringside/app/outbox"
	"ringside.dev/ringside/app/secret"
	"ringside.dev/ringside/bridge/loopback"
	"ringside.dev/ringside/bridge/wire"
	"ringside.dev/ringside/store"
)

// openStore opens the store, whose alarms go to the board.
func openStore(cfg Config, board *loopback.Board) (*store.Store, *storage, error) {
	told := &storage{board: board, standing: map[store.AlarmKind]bool{}}
	s, err := store.Open(store.Options{Dir: cfg.StateDir, Keys: cfg.Keys, Log: cfg.Log, Probe: cfg.Probe, Alarm: told.alarm,
		KeepCalls: time.Duration(cfg.Profile.Storage.KeepCallsDays) * 24 * time.Hour})
	if err != nil {
		return nil, nil, err
	}
	if err := keepRecoveryCopy(cfg.StateDir, cfg.Keys, cfg.Profile.Storage.RecoveryRecipient); err != nil {
		return nil, nil, errors.Join(err, s.Close())
	}
	return s, told, nil
}

// storage tells the board how the place is where records are written down.
type storage struct {
	board *loopback.Board

	mu       sync.Mutex
	standing map[store.AlarmKind]bool
	refused  wire.StorageState // why the disk took the last record not; empty: it took it
	shown    wire.StorageState
}

// alarms are what an agent should see of the store's alarms, the worst first.
var alarms = []struct {
	kind  store.AlarmKind
	shown wire.StorageState
}{{store.AlarmFull, wire.StorageDiskFull}, {store.AlarmIndex, wire.StorageJournal}, {store.AlarmKeys, wire.StorageKeyMissing}, {store.AlarmDamage, wire.StorageDamaged}}

func (s *storage) alarm(a store.Alarm) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.standing[a.Kind] = !a.Over
	s.show()
}

// wrote takes how writing a record ended.
func (s *storage) wrote(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err == nil:
		s.refused = ""
	case readOnly(err):
		s.refused = wire.StorageReadOnly
	case errors.Is(err, fs.ErrInvalid) || cti.KindOf(err) == cti.Invalid:
		return // that record, not the disk
	default:
		s.refused = wire.StorageFailing
	}
	s.show()
}

func (s *storage) show() {
	state := s.refused
	for _, a := range alarms {
		if s.standing[a.kind] && (state == "" || state == wire.StorageFailing) {
			state = a.shown
		}
	}
	if state == "" {
		state = wire.StorageOK
	}
	if state != s.shown {
		s.shown = state
		s.board.Publish(wire.Delta{Storage: &wire.Storage{State: state}})
	}
}

// queue is the flow's Queue: calls that are over go to the outbox, live ones straight to the store. It keeps the outbox's numbers and the
// disk's state on the board.
type queue struct {
	*outbox.Outbox
	tenant  string
	store   *store.Store
	storage *storage
	board   *loopback.Board
	files   *files
	log     *slog.Logger
}

func (q queue) Accept(call cti.Call, wrap cti.WrapUp, writes []cti.WriteBack) error {
	err := q.Outbox.Accept(call, wrap, writes)
	q.storage.wrote(err)
	q.board.Publish(wire.Delta{Outbox: counts(q.Outbox)})
	if err == nil {
		if later := q.files.wanted(writes); later != nil { // the outbox asks for it again
			q.log.Warn("a recording is fetched later", "leg", call.Leg, "err", later)
		}
	}
	return err
}

func (q queue) Track(call cti.Call, wrap cti.WrapUp) error {
	return q.store.Track(call, wrap)
}

// Recorded tells the record of a finished call where its recording is.
func (q queue) Recorded(leg string, r cti.Recording) error {
	logged, err := q.store.Call(leg)
	if err != nil {
		return err
	}
	key := cti.WriteKey(q.tenant, leg, cti.LogCall, 0)
	item, err := q.store.Latest(leg, key)
	if err != nil {
		return err
	}
	if item.Seq == 0 {
		return cti.Errorf(cti.NotFound, "the call left no record that a recording could belong to", nil)
	}
	logged.Call.Recording = logged.Call.Recording.Then(r)
	return q.Accept(logged.Call, logged.WrapUp, append([]cti.WriteBack{item.WriteBack}, cti.NewAttachments(q.tenant, item.WriteBack, *logged.Call.Recording)...))
}

// recent is how many of the newest calls are remembered at the start, so that what comes late about them is known for what it is.
const recent = 1000

// earlierCalls are the calls of earlier runs that may still be heard of, and since when nobody listened: zero on a first run.
func earlierCalls(s *store.Store) (earlier []flow.Earlier, since time.Time, err error) {
	calls, err := s.Calls(recent)
	if err != nil {
		return nil, time.Time{}, err
	}
	live, err := s.Live()
	if err != nil {
		return nil, time.Time{}, err
	}
	for _, c := range calls {
		if time.Since(c.Call.ClearedAt) < cti.TombstoneFor {
			earlier = append(earlier, flow.Earlier{Call: c.Call, WrapUp: c.WrapUp})
		}
		since = later(since, c.Call.ClearedAt)
	}
	for _, c := range live {
		earlier = append(earlier, flow.Earlier{Call: c.Call, WrapUp: c.WrapUp, Unsettled: c.Call.State == cti.StateClosed})
		since = later(since, c.Call.SeenAt)
	}
	return earlier, since, nil
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// RecoveryCopies is the pattern of the files in the state folder that hold the store's keys for the organisation's recovery key.
const RecoveryCopies = "key-*.age"

// keepRecoveryCopy leaves the keys, wrapped for the recovery key, beside the store. One that is there stays: an older ring may be needed.
func keepRecoveryCopy(dir string, keys secret.Ring, recipient string) error {
	if recipient == "" {
		return nil
	}
	sum := sha256.Sum256([]byte(recipient + " " + keys.Text()))
	path := filepath.Join(dir, "key-"+hex.EncodeToString(sum[:6])+".age")
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	wrapped, err := secret.WrapKeys(keys, recipient)
	if err != nil {
		return cti.Errorf(cti.Invalid, "storage.recovery_recipient: "+err.Error(), err)
	}
	err = WriteWhole(path, func(w io.Writer) error {
		_, err := w.Write(wrapped)
		return err
	})
	if err != nil {
		return fmt.Errorf("keep the copy for the recovery key: %w", err)
	}
	return nil
}
