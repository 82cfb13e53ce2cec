package local

import (
	"context"
	"crypto/rand"
	"slices"
	"strconv"
	"strings"

	"ringside.dev/ringside/app/cti"
)

const (
	pageSize = 1000    // customers
	maxLog   = 300_000 // ids; then everybody is read again
)

// feed knows who changed since when. A state of the list is named by its content, so that a place in the changes is known after a restart,
// too, if nothing changed meanwhile.
type feed struct {
	run   string // tells the places of this run from those of others
	ids   []string
	known map[string]int // state: how many of ids there were
	parts [2]string      // the state: of the site's list, and of our own
	whole snapshot
}

// snapshot is the list while somebody reads all of it.
type snapshot struct {
	serial int
	people []cti.Customer
	state  string
}

func newFeed() feed { return feed{run: rand.Text()[:8], known: map[string]int{}} }

// differing gives the ids of those who are not the same in two lists; without a list before, of nobody.
func differing(before, after *list) (ids []string) {
	if before == nil {
		return nil
	}
	for id, at := range before.byID {
		now, ok := after.get(id)
		if !ok || !same(before.people[at], now) {
			ids = append(ids, id)
		}
	}
	for id := range after.byID {
		if _, ok := before.byID[id]; !ok {
			ids = append(ids, id)
		}
	}
	return ids
}

// The parts of the list.
const (
	partSite = iota
	partOwn
)

// changed notes who changed in a part of the list.
func (f *feed) changed(part int, ids []string, sum string) {
	f.ids = append(f.ids, ids...)
	if len(f.ids) > maxLog {
		*f = feed{run: rand.Text()[:8], known: map[string]int{}, parts: f.parts}
	}
	f.parts[part] = sum
	f.known[f.state()] = len(f.ids)
}

func (f *feed) state() string { return f.parts[0] + "." + f.parts[1] }

func same(a, b cti.Customer) bool {
	return a.Name == b.Name && a.Company == b.Company && a.Email == b.Email && a.Status == b.Status && a.Owner == b.Owner && a.Type == b.Type &&
		slices.Equal(a.Numbers, b.Numbers) && slices.Equal(a.Tags, b.Tags)
}

// The cursors: "all:run:serial:from" within everybody, "since:run:from" within the changes, and "state:…" behind them.
func (l *Local) changes(_ context.Context, cursor string) (cti.CustomerPage, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.ready(); err != nil {
		return cti.CustomerPage{}, err
	}
	kind, rest, _ := strings.Cut(cursor, ":")
	parts := strings.Split(rest, ":")
	switch {
	case cursor == "":
		l.feed.whole = snapshot{serial: l.feed.whole.serial + 1, people: l.everybody(), state: l.feed.state()}
		return l.all(0), nil
	case kind == "all" && len(parts) == 3 && parts[0] == l.feed.run && parts[1] == strconv.Itoa(l.feed.whole.serial):
		if from, err := strconv.Atoi(parts[2]); err == nil && from >= 0 && from <= len(l.feed.whole.people) {
			return l.all(from), nil
		}
	case kind == "since" && len(parts) == 2 && parts[0] == l.feed.run:
		if from, err := strconv.Atoi(parts[1]); err == nil && from >= 0 && from <= len(l.feed.ids) {
			return l.since(from), nil
		}
	case kind == "state":
		if from, ok := l.feed.known[rest]; ok {
			return l.since(from), nil
		}
	}
	return cti.CustomerPage{}, cti.Errorf(cti.Invalid, "this place in the list of contacts is not known any more: read everybody again", nil)
}

// everybody gives the whole list. The caller holds mu.
func (l *Local) everybody() []cti.Customer {
	all := slices.Clone(l.own.people)
	for _, c := range l.site.people {
		if _, changed := l.own.byID[c.ID]; !changed {
			all = append(all, c)
		}
	}
	return all
}

// all gives a page of everybody.
func (l *Local) all(from int) cti.CustomerPage {
	w := &l.feed.whole
	to := min(from+pageSize, len(w.people))
	page := cti.CustomerPage{Cursor: "state:" + w.state}
	for _, c := range w.people[from:to] {
		page.Customers = append(page.Customers, l.shown(c))
	}
	if page.More = to < len(w.people); page.More {
		page.Cursor = strings.Join([]string{"all", l.feed.run, strconv.Itoa(w.serial), strconv.Itoa(to)}, ":")
	} else {
		w.people = nil
	}
	return page
}

// since gives a page of who changed, as they are now.
func (l *Local) since(from int) cti.CustomerPage {
	to := min(from+pageSize, len(l.feed.ids))
	var page cti.CustomerPage
	ids := slices.Clone(l.feed.ids[from:to])
	slices.Sort(ids)
	for _, id := range slices.Compact(ids) {
		if c, ok := l.get(id); ok {
			page.Customers = append(page.Customers, l.shown(c))
		} else {
			page.Deleted = append(page.Deleted, id)
		}
	}
	page.Cursor = "state:" + l.feed.state()
	if page.More = to < len(l.feed.ids); page.More {
		page.Cursor = "since:" + l.feed.run + ":" + strconv.Itoa(to)
	}
	return page
}
