package local

import (
	"os"
	"slices"
	"strings"
	"time"

	"ringside.dev/ringside/app/cti"
)

const (
	// settled is after how long without a change a file that breaks off is taken as it is: it is not being written any more.
	settled = time.Minute
	// coarse is how exact the times of files are at worst (FAT: two seconds): a file may change again within it and look the same.
	coarse = 3 * time.Second
)

// watch is what was seen of the contacts file.
type watch struct {
	begun bool
	last  mark      // at the last look
	read  mark      // when it was read
	again time.Time // when it is to be read once more, changed or not; zero: need not be
}

type mark struct {
	size int64
	at   time.Time
}

// look reads the contacts file if it changed. At the first look it is read at once; later it must have been the same at two looks, so that
// it is not read while it is written.
func (l *Local) look(now time.Time) {
	if l.contacts == "" {
		if !l.watch.begun {
			l.watch.begun = true
			l.take(&contacts{}, now)
		}
		return
	}
	info, err := os.Stat(l.contacts)
	if err != nil {
		l.watch.last, l.watch.begun = mark{}, true
		l.trouble("the contacts file cannot be read: is it in another place, or the network away?", err)
		return
	}
	seen := mark{info.Size(), info.ModTime()}
	quiet := seen == l.watch.last || !l.watch.begun
	l.watch.last, l.watch.begun = seen, true
	due := !l.watch.again.IsZero() && !now.Before(l.watch.again)
	if !quiet || seen == l.watch.read && !due {
		return
	}
	l.read(seen, now)
}

func (l *Local) read(seen mark, now time.Time) {
	l.watch.read, l.watch.again = seen, time.Time{}
	if soon := seen.at.Add(coarse); now.Before(soon) {
		l.watch.again = soon
	}
	c, err := readContacts(l.contacts, l.plan)
	switch {
	case err != nil && cti.KindOf(err) == cti.Offline:
		l.watch.read = mark{} // once more at the next look
		l.trouble(cti.MessageOf(err), err)
	case err != nil:
		l.trouble(cti.MessageOf(err), err)
	case c.torn != "" && now.Sub(seen.at) < settled && (c.torn != noEnd || l.hasSite()):
		l.watch.again = seen.at.Add(settled)
		l.trouble("the contacts file is not whole ("+c.torn+"): the list of before is used until it is", nil)
	case c.torn != "" && len(c.people) == 0 && c.count == 0 && l.hasSite():
		l.trouble("the contacts file is empty: the list of before is used", nil)
	default:
		l.take(c, now)
	}
}

func (l *Local) hasSite() bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.site != nil && len(l.site.people) > 0
}

// take makes a file that was read the list.
func (l *Local) take(c *contacts, now time.Time) {
	l.mu.RLock()
	before := l.site
	l.mu.RUnlock()
	site := newList(c.people, c.tails)
	ids := differing(before, site) // both may be long: nobody waits for it
	l.mu.Lock()
	defer l.mu.Unlock()
	l.site = site
	l.feed.changed(partSite, ids, c.print)
	l.refreshOwn()
	l.state = State{
		Customers: len(site.people), ReadAt: now.UTC(), Encoding: c.encoding, LeftOut: c.count, Lines: c.leftOut, Spoiled: c.spoiled, Ignored: c.unknown,
	}
	l.log.Info("contacts file read", "customers", len(site.people), "left_out", c.count, "spoiled", len(c.spoiled), "encoding", c.encoding)
	if len(c.unknown) > 0 {
		l.log.Info("columns of the contacts file are ignored", "columns", strings.Join(c.unknown, ", "))
	}
	for _, out := range slices.Concat(c.leftOut, c.spoiled)[:min(len(c.leftOut)+len(c.spoiled), maxLogged)] {
		l.log.Warn("a row of the contacts file is not as it should be", "line", out.Line, "why", out.Why)
	}
}

// maxLogged bounds what one file may put into the log.
const maxLogged = 20

// trouble notes why the list is not fresh; the same thing is logged once.
func (l *Local) trouble(what string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state.Trouble != what {
		l.log.Warn("the list of contacts is not fresh", "why", what, "err", err)
	}
	l.state.Trouble = what
}
