// Package local is the connector of a business without a CRM: customers come from a file of contacts that the business keeps (a table, or
// vCards), and calls, tickets, notes, tasks and new customers go into files of a folder. It owns these files: how contacts are read, the
// journal of what was written, and the tables made of it for spreadsheets. It must not know calls in progress, the outbox or the window.
//
//	contacts file ─▶ contacts (rows, cards) ─▶ list ┐
//	                                               ├─▶ Lookup, Search, Changes
//	Write ─▶ journal (flushed) ─▶ books ─▶ own list ┘
//	                                └─▶ sheets ─▶ calls.csv, tickets.csv, …
package local

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"ringside.dev/ringside/app/crm"
	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/number"
)

// Name is the connector's name, in profiles too.
const Name = "local"

// The parameters.
const (
	ParamContacts = "contacts" // the path of the contacts file; empty: there is none, and all customers are made here
	ParamFolder   = "folder"   // where the records are kept and the tables are written; it is made if it is missing
)

// The files in the folder, beside the tables.
const (
	journalName = "ringside.jsonl"
	lockName    = ".ringside.lock"
)

// Local is a connector without a CRM. Make it with Open, and Close it.
type Local struct {
	plan     *number.Plan
	contacts string // path
	folder   string
	log      *slog.Logger
	lock     *flock.Flock
	zone     *time.Location // of the times in the tables
	stop     context.CancelFunc
	done     chan struct{}
	watch    watch // of run alone

	writing sync.Mutex // one change after the other
	broken  bool       // the journal has to be opened anew: what is behind its end is not known
	next    time.Time  // when tables may be written again; of run alone

	mu      sync.RWMutex // what is below
	journal *journal
	books   *books
	due     map[string]bool // tables that are behind, by file
	site    *list           // of the contacts file; nil: it could not be read yet
	own     *list           // customers made here, and those of the site who were changed here
	feed    feed
	state   State
}

var _ crm.Connector = (*Local)(nil)

// State is how the files are.
type State struct {
	Customers int
	ReadAt    time.Time // when the list was taken from the contacts file; zero: never
	Encoding  string    // of the file
	LeftOut   int       // rows that are of no use
	Lines     []LeftOut // the first of them, and why
	Spoiled   []LeftOut // rows that were taken without something
	Ignored   []string  // columns that say nothing to Ringside
	Trouble   string    // why the list is older than the file, or the tables older than the records; empty: all is well
}

// Open makes the connector of these parameters; numbers without a country are read as those of region, an ISO 3166-1 alpha-2 code. Log gets
// line numbers and counts, never customers' data; nil is slog.Default(). A contacts file that cannot be read is no error here, for it may
// come: until then who asks for customers gets kind offline. An error, kind invalid, says which parameter is wrong; kind conflict, that
// another Ringside has the folder.
func Open(params map[string]string, region string, log *slog.Logger) (*Local, error) {
	for _, name := range slices.Sorted(maps.Keys(params)) {
		if name != ParamContacts && name != ParamFolder {
			return nil, cti.Errorf(cti.Invalid, fmt.Sprintf("connector local knows no parameter %q: it has contacts and folder", name), nil)
		}
	}
	if log == nil {
		log = slog.Default()
	}
	l := &Local{
		plan: &number.Plan{Region: region}, contacts: params[ParamContacts], folder: params[ParamFolder], log: log, zone: time.Local,
		done: make(chan struct{}), own: newList(nil, nil), due: map[string]bool{}, feed: newFeed(),
	}
	if err := l.checkPaths(); err != nil {
		return nil, err
	}
	if err := l.takeFolder(); err != nil {
		return nil, err
	}
	l.look(time.Now())
	ctx, stop := context.WithCancel(context.Background())
	l.stop = stop
	go l.run(ctx)
	return l, nil
}

func (l *Local) checkPaths() error {
	if !filepath.IsAbs(l.folder) {
		return cti.Errorf(cti.Invalid, "connector local needs the parameter folder: the whole path of a folder for calls.csv and the other tables", nil)
	}
	if l.contacts == "" {
		return nil
	}
	if !filepath.IsAbs(l.contacts) {
		return cti.Errorf(cti.Invalid, "the parameter contacts must be a whole path, such as /home/ada/contacts.csv or C:\\Users\\Ada\\contacts.csv", nil)
	}
	if name := filepath.Base(l.contacts); filepath.Clean(filepath.Dir(l.contacts)) == filepath.Clean(l.folder) && ours(name) {
		return cti.Errorf(cti.Invalid, "the contacts file must not be one that Ringside writes itself ("+name+"): rename it, or choose another folder", nil)
	}
	return nil
}

// ours tells whether a file in the folder is one that this package writes. Some disks make no difference between A and a.
func ours(name string) bool {
	return slices.ContainsFunc(sheets, func(s sheet) bool { return strings.EqualFold(name, s.file) }) || strings.EqualFold(name, journalName)
}

// takeFolder makes the folder, keeps others out of it, and reads the journal.
func (l *Local) takeFolder() error {
	if err := os.MkdirAll(l.folder, 0o700); err != nil {
		return cti.Errorf(cti.Invalid, "the folder for the tables cannot be made", err)
	}
	l.lock = flock.New(filepath.Join(l.folder, lockName), flock.SetPermissions(0o600))
	free, err := l.lock.TryLock()
	switch {
	case err != nil:
		return cti.Errorf(cti.Invalid, "the folder for the tables cannot be used", err)
	case !free:
		return cti.Errorf(cti.Conflict, "another Ringside uses the folder for the tables: give each workstation a folder of its own", nil)
	}
	if err = l.load(); err != nil {
		return errors.Join(cti.Errorf(cti.Invalid, "the records in the folder cannot be read", err), l.lock.Close())
	}
	return nil
}

// load reads the journal.
func (l *Local) load() error {
	b := newBooks()
	j, damaged, err := openJournal(filepath.Join(l.folder, journalName), b.book)
	if err != nil {
		return err
	}
	if damaged > 0 {
		l.log.Warn("lines of the records are damaged and left out", "lines", damaged)
	}
	l.journal, l.books = j, b
	for _, s := range sheets {
		l.due[s.file] = true
	}
	return nil
}

// Close stops watching, writes the tables and lets go of the folder. Nothing may be asked afterwards.
func (l *Local) Close() {
	l.stop()
	<-l.done
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := errors.Join(l.export(), l.journal.close(), l.lock.Close()); err != nil {
		l.log.Warn("connector local not closed in order", "err", err)
	}
}

// every is how often the contacts file is looked at, and tables that are behind are written.
const every = time.Second

// run keeps list and tables fresh until ctx ends.
func (l *Local) run(ctx context.Context) {
	defer close(l.done)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			l.look(now)
			l.keepTables(now)
		}
	}
}

// Name implements crm.Connector.
func (l *Local) Name() string { return Name }

// State gives how the files are.
func (l *Local) State() State {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.state
}

// Whoami implements crm.Connector: the user of this computer, if the files are well.
func (l *Local) Whoami(context.Context) (cti.Agent, error) {
	if trouble := l.State().Trouble; trouble != "" {
		return cti.Agent{}, cti.Errorf(cti.Offline, trouble, nil)
	}
	u, err := user.Current()
	if err != nil {
		return cti.Agent{ID: Name, Name: Name}, nil //nolint:nilerr // a user without an entry may use their own files all the same
	}
	name, _, _ := strings.Cut(u.Name, ",")
	a := cti.Agent{ID: cti.Clean(u.Username, cti.MaxText), Name: cti.Clean(name, cti.MaxText)}
	first(&a.Name, a.ID)
	return a, nil
}

// Features implements crm.Connector.
func (l *Local) Features() crm.Features {
	f := crm.Features{History: l.history, Tickets: l.tickets, Search: l.search, Changes: l.changes, Get: l.customer, Status: true, Writes: map[cti.Op]bool{}}
	for _, op := range can {
		f.Writes[op] = true
	}
	return f
}
