package store

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/secret"
	"ringside.dev/ringside/store/journal"
)

// Open opens or makes the store in a folder, which only this user may read. A store that another process holds is kind conflict, one
// that a newer Ringside wrote is kind invalid (Export reads it). An index that is in doubt is put aside and made anew from the journal.
func Open(o Options) (*Store, error) {
	o.defaults()
	if o.Keys.Empty() {
		return nil, cti.Errorf(cti.Invalid, "the store cannot be opened: there is no key to seal it with", nil)
	}
	if err := makeDir(o.Dir); err != nil {
		return nil, err
	}
	lock, err := takeLock(o.Dir)
	if err != nil {
		return nil, err
	}
	s := &Store{opt: o, lock: lock, queue: queue{stop: make(chan struct{})}, ballast: newBallast(o.Dir, o.tune.ballast), mode: healthy,
		wake: make(chan struct{}, 1), tasks: make(chan task), ended: make(chan struct{})}
	s.changed.L = &s.mu
	if err := s.open(); err != nil {
		return nil, errors.Join(err, s.letGo())
	}
	s.pending = newPending(s.head.Number)
	go s.attend()
	return s, nil
}

// letGo closes what is open.
func (s *Store) letGo() error {
	var errs []error
	if s.log != nil {
		errs = append(errs, s.log.Close())
	}
	return errors.Join(append(errs, s.file.close(), s.lock.Unlock())...)
}

// Close brings everything into the index, marks it as closed cleanly and lets go of the folder. What could not be brought in is in the
// journal. Closing twice does nothing.
func (s *Store) Close() error {
	if !s.queue.close() {
		return nil
	}
	<-s.ended
	if err := s.log.Close(); err != nil { // before the index says that all is well
		return errors.Join(fmt.Errorf("close the store: %w", err), s.letGo())
	}
	if s.is(healthy) && !s.head.Clean {
		s.head.Clean = true
		if err := s.file.update(func(tx *bbolt.Tx) error { return (&index{tx: tx, keys: s.opt.Keys, head: &s.head}).saveHead() }); err != nil {
			s.opt.Log.Warn("index not closed cleanly", "error", err) // it will be vetted
		}
	}
	if err := s.letGo(); err != nil {
		return fmt.Errorf("close the store: %w", err)
	}
	return nil
}

// finding is what Open makes of the index file that it finds.
type finding string

const (
	missing finding = "missing"
	bad     finding = "bad"     // unreadable, or the probe refused it
	older   finding = "older"   // of an older schema
	rekeyed finding = "rekeyed" // made with another ring, or lean
	good    finding = "good"
)

// open brings the index up to date.
func (s *Store) open() error {
	for _, name := range []string{freshName, compactName, checkName} {
		if err := os.RemoveAll(filepath.Join(s.opt.Dir, name)); err != nil {
			return fmt.Errorf("remove a half-made index: %w", err)
		}
	}
	found, err := s.look()
	if err != nil {
		return err
	}
	s.log, err = journal.Open(journal.Options{Dir: filepath.Join(s.opt.Dir, journalName), Keys: s.opt.Keys, Log: s.opt.Log, Known: s.head.Position, Above: s.head.Number})
	if err != nil {
		return fmt.Errorf("open the store: %w", err)
	}
	if found.is == good && !s.head.Clean {
		if err := s.opt.probe(); err != nil {
			found = look{bad, err}
		}
	}
	s.opt.Log.Info("store found", "index", string(found.is), "clean", s.head.Clean, "cause", found.cause)
	switch found.is {
	case good:
		return s.goOn()
	case older:
		return s.migrate()
	case rekeyed:
		return s.rekey()
	default:
		return s.renewAtStart(found)
	}
}

// look is a finding with its cause.
type look struct {
	is    finding
	cause error
}

// look reads who wrote the index, and how far it is, into s.head. The error is one that Open gives up with.
func (s *Store) look() (look, error) {
	path := filepath.Join(s.opt.Dir, indexName)
	if info, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return look{is: missing}, nil
	} else if err == nil && info.Size() == 0 {
		return look{bad, errors.New("it is empty")}, nil // bbolt would take it for a new one
	}
	schema, h, err := peek(path, s.opt.Keys)
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return look{}, inUse(s.opt.Dir)
	case schema > schemaVersion:
		return look{}, cti.Errorf(cti.Invalid, fmt.Sprintf("the store was written by a newer Ringside (schema %d, this one knows %d): install the newer version again; "+
			"ringctl store export reads what is in it", schema, schemaVersion), nil)
	case schema > 0 && schema < schemaVersion:
		s.head = h
		return look{is: older}, nil
	case errors.Is(err, secret.ErrUnknownKey):
		return look{rekeyed, err}, nil
	case errors.Is(err, errDamaged):
		return look{bad, err}, nil
	case err != nil:
		return look{}, fmt.Errorf("open the store: %w", err)
	}
	s.head = h
	if h.Ring != ringID(s.opt.Keys) || h.Lean {
		return look{is: rekeyed}, nil
	}
	return look{is: good}, nil
}

// peek reads the head of an index file. Of an older schema it gives the highest number only.
func peek(path string, keys secret.Ring) (schema uint64, h head, err error) {
	db, _, err := openFile(path, bbolt.Options{ReadOnly: true})
	if err != nil {
		return 0, h, err
	}
	err = guarded(func() error {
		return db.View(func(tx *bbolt.Tx) error {
			x := &index{tx: tx, keys: keys}
			meta, err := x.bucket(bucketMeta)
			if err != nil {
				return err
			}
			if schema = be(meta.Get(keySchema)); schema == 0 {
				return fmt.Errorf("%w: its schema cannot be read", errDamaged)
			}
			if schema > schemaVersion {
				return nil
			}
			if schema < schemaVersion {
				items, err := x.bucket(items1)
				if err == nil {
					h.Number = items.Sequence()
				}
				return err
			}
			found, err := x.getJSON(bucketMeta, keyHead, &h)
			if err == nil && !found {
				err = fmt.Errorf("%w: it does not say how far it is", errDamaged)
			}
			return err
		})
	})
	return schema, h, errors.Join(err, guarded(db.Close))
}

// ringID names a ring: the keys and their order.
func ringID(r secret.Ring) string {
	var ids []string
	for _, part := range strings.Fields(r.Text()) {
		if key, err := secret.ParseRing(part); err == nil {
			mac := key.Mac([]byte("ringside store ring"))
			ids = append(ids, hex.EncodeToString(mac[:]))
		}
	}
	return strings.Join(ids, " ")
}

// goOn takes the index as it is and brings in what only the journal has.
func (s *Store) goOn() error {
	path := filepath.Join(s.opt.Dir, indexName)
	db, f, err := openFile(path, bbolt.Options{MaxSize: s.opt.tune.maxSize})
	if errors.Is(err, errDamaged) {
		return s.renewAtStart(look{bad, err})
	}
	if errors.Is(err, berrors.ErrTimeout) {
		return inUse(s.opt.Dir)
	}
	if err != nil {
		return fmt.Errorf("open the store: %w", err)
	}
	s.file.db, s.file.os = db, f
	if err := s.catchUp(db); err != nil {
		if errors.Is(err, errDamaged) || noRoom(err) {
			return s.renewAtStart(look{bad, err})
		}
		return fmt.Errorf("open the store: %w", err)
	}
	return nil
}

// catchUp makes journal and index equal: first what only the index has is written to the journal, then the other way round.
func (s *Store) catchUp(db *bbolt.DB) error {
	if err := s.carryLost(db); err != nil {
		return err
	}
	h := s.head
	h.Clean = false
	t := transfer{db: db, index: index{keys: s.opt.Keys, head: &h}}
	damage, err := replay(s.log, h.Position, &t)
	if err != nil {
		return err
	}
	if h.Unknown += damage.UnknownKey; h.Number > s.head.Number || damage != (journal.Damage{}) {
		h.Position = s.log.End()
		if err := t.update((*index).saveHead); err != nil {
			return err
		}
		s.head = h
	}
	s.opt.alarmDamage(journal.Damage{Records: damage.Records, UnknownKey: s.head.Unknown})
	return nil
}

// rekey makes the index anew for another ring. What only the old index has is written to the journal first, if it can be read.
func (s *Store) rekey() error {
	if s.head.Number > 0 && !s.log.Holds(s.head.Position) {
		db, _, err := openFile(filepath.Join(s.opt.Dir, indexName), bbolt.Options{ReadOnly: true})
		if err == nil {
			err = errors.Join(s.carryLost(db), guarded(db.Close))
		}
		if err != nil {
			s.opt.Log.Warn("index of another key ring cannot be read", "error", err)
		}
	}
	return s.make(false)
}

// renewAtStart puts what there is aside and makes the index from the journal. Where there was nothing at all this is the first start.
func (s *Store) renewAtStart(found look) error {
	first := found.is == missing && s.log.Last() == 0
	if err := s.file.close(); err != nil {
		s.opt.Log.Warn("damaged index not closed", "error", err)
	}
	if err := s.make(found.is == bad); err != nil {
		return err
	}
	if !first {
		msg := "the store's index was damaged or missing, and was made anew from the journal: nothing is lost"
		if s.log.Last() == 0 {
			msg = "the store's index was damaged, and there is no journal: the file is kept in " + quarantineName + ", and the store begins anew"
		}
		s.opt.alarm(Alarm{Kind: AlarmRebuilt, Msg: msg, Err: found.cause})
	}
	return nil
}

// make builds the index from the journal and opens it.
func (s *Store) make(keep bool) error {
	b := &builder{Options: &s.opt, path: filepath.Join(s.opt.Dir, freshName), journal: s.log, restart: true}
	h, err := b.build()
	if noRoom(err) {
		b.lean = true
		h, err = b.build()
	}
	if err != nil {
		return fmt.Errorf("make the store's index: %w", err)
	}
	s.opt.tune.step("built")
	keep = keep || b.damage != (journal.Damage{})
	if err := s.file.swap(filepath.Join(s.opt.Dir, indexName), s.opt.tune.maxSize, func() error { return s.opt.install(keep) }); err != nil {
		return fmt.Errorf("put the store's index in its place: %w", err)
	}
	s.head = h
	s.opt.alarmDamage(b.damage)
	return nil
}
