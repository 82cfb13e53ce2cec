package hook

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/hook/mailbox"
)

// refCall is our own reference of a call whose phone has none: the id of the event that began it.
const refCall = "hook_call"

// The bounds of what is remembered.
const (
	maxOpen = 256
	// twiceWithin: some phones run two programs for one ring. A caller who gives up and calls again takes longer.
	twiceWithin = 2 * time.Second
	// earlyFor is how long an end waits for the ring it belongs to: two programs may overtake each other.
	earlyFor = 2 * time.Second
	maxEarly = 16
)

// calls is what the events of this workstation's phones add up to: the calls that are open. Turning an event into canonical ones depends on
// nothing else, so that after a crash the same events give the same references.
type calls struct {
	V     int      `json:"v"`
	Open  []call   `json:"open"`
	Early []early  `json:"early,omitempty"`
	Taken []string `json:"taken,omitempty"` // files that may be removed: they are in here

	asked map[string]cti.Command // what the phone was told to do with a call, by reference; not for disk
	aside []consultation         // asked for, not seen yet
}

// consultation is a second call that the phone was told to begin beside a first one.
type consultation struct {
	main, to string // the first call's reference, and the number
	at       time.Time
}

// call is an open call of a phone. Without an id of the phone's there is one for each number.
type call struct {
	Source    string        `json:"source"`
	Key       string        `json:"key"` // what the phone calls it: its id, else the number
	Ref       string        `json:"ref"` // refCall or cti.RefSIPCallID
	ID        string        `json:"id"`  // the value of the reference
	Number    string        `json:"number,omitempty"`
	Line      string        `json:"line,omitempty"`
	Direction cti.Direction `json:"direction,omitempty"`
	Answered  bool          `json:"answered,omitempty"`
	Main      string        `json:"main,omitempty"` // of a consultation: the reference of the call it is about
	At        time.Time     `json:"at"`             // of its newest event
}

// early is an end that came before its ring.
type early struct {
	Source string    `json:"source"`
	Key    string    `json:"key"`
	At     time.Time `json:"at"`
}

func newCalls() *calls { return &calls{V: 1, asked: map[string]cti.Command{}} }

// The keys of calls: an id never equals a number.
func keyOf(e mailbox.Event) string {
	switch {
	case e.SIPCallID != "":
		return "sip:" + e.SIPCallID
	case e.CallID != "":
		return "id:" + e.CallID
	}
	return "number:" + e.Number
}

// events gives what one event of a phone means: none when it tells of a call nobody knows and says nothing about it.
func (c *calls) events(e mailbox.Event) []cti.Event {
	e = clean(e)
	switch e.Event {
	case "ring", "out":
		return c.begin(e)
	case "answer":
		return c.answer(e)
	case "end":
		return c.end(e)
	case "hold", "resume":
		return c.hold(e)
	}
	return nil
}

// clean: any string may have been chosen by a caller (reducer rule 11).
func clean(e mailbox.Event) mailbox.Event {
	for _, s := range []*string{&e.Source, &e.Event, &e.Number, &e.Name, &e.SIPCallID, &e.CallID, &e.To, &e.Line, &e.Direction, &e.Cause, &e.By, &e.Reason} {
		*s = cti.Clean(*s, cti.MaxText)
	}
	e.URI = cti.Clean(e.URI, cti.MaxURI)
	return e
}

// begin: a ring or an outgoing call. The same again at once is the same call; later it closes the one before, whose end the phone did not tell.
func (c *calls) begin(e mailbox.Event) []cti.Event {
	var events []cti.Event
	was := c.find(e)
	again := was != nil && (e.SIPCallID != "" || !was.Answered && within(e.At, was.At, twiceWithin))
	if was != nil && !again {
		events = append(events, c.close(*was, e, cti.Cause{Code: cti.CauseUnknown, By: cti.ByUnknown, Raw: "the same number rang again"}))
		was = nil
	}
	if was == nil {
		was = c.open(e)
		was.Direction = map[string]cti.Direction{"ring": cti.In, "out": cti.Out}[e.Event]
		was.Main = c.consulted(e)
	}
	begun := c.about(*was, e, cti.Delivered)
	if begun.Side = cti.SideLocal; was.Direction == cti.Out {
		begun.Type, begun.Side = cti.Originated, ""
	}
	begun.Dialled, begun.Data = e.To, data(e.Data)
	events = append(events, begun)
	if c.early(e) {
		events = append(events, c.close(*was, e, unsaid(*was)))
	}
	return events
}

func (c *calls) answer(e mailbox.Event) []cti.Event {
	was := c.find(e)
	if was == nil {
		if e.Number == "" && e.SIPCallID == "" {
			return nil // somebody answered something
		}
		was = c.open(e)
		was.Direction = cti.Direction(e.Direction)
	}
	was.Answered, was.At = true, e.At
	if e.Line != "" {
		was.Line = e.Line
	}
	out := c.about(*was, e, cti.Established)
	out.Data = data(e.Data)
	return []cti.Event{out}
}

// end: one of a call nobody knows is told where it says whose it was, for a missed ring is not to be lost; else its ring may be on the way.
func (c *calls) end(e mailbox.Event) []cti.Event {
	if found := c.find(e); found != nil {
		was, asked := *found, c.asked[found.ID]
		out := c.close(was, e, cause(was, e, asked))
		if asked == cti.CommandTransfer && was.Answered && out.Cause.By != cti.ByRemote {
			out.Type, out.Transfer = cti.Transferred, &cti.Transfer{Kind: cti.Blind, Role: cti.Transferrer}
			out.Cause = &cti.Cause{Code: cti.CauseTransferred, By: cti.ByLocal, Raw: out.Cause.Raw}
		}
		return []cti.Event{out}
	}
	if len(c.Early) == maxEarly {
		c.Early = c.Early[1:]
	}
	c.Early = append(c.Early, early{Source: e.Source, Key: keyOf(e), At: e.At})
	if e.SIPCallID == "" || e.Number == "" || e.Direction == "" {
		return nil
	}
	gone := call{Ref: cti.RefSIPCallID, ID: e.SIPCallID, Direction: cti.Direction(e.Direction)}
	return []cti.Event{c.ended(gone, e, cause(gone, e, ""))}
}

func (c *calls) hold(e mailbox.Event) []cti.Event {
	was := c.find(e)
	if was == nil {
		return nil
	}
	was.At = e.At
	out := c.about(*was, e, map[string]cti.EventType{"hold": cti.Held, "resume": cti.Retrieved}[e.Event])
	if out.By = cti.Party(e.By); out.By == "" {
		out.By = cti.ByUnknown
	}
	return []cti.Event{out}
}

// find gives the open call of an event. One that names no call means the only one of its phone.
func (c *calls) find(e mailbox.Event) *call {
	key, only, n := keyOf(e), -1, 0
	for i := range c.Open {
		if c.Open[i].Source != e.Source {
			continue
		}
		if c.Open[i].Key == key {
			return &c.Open[i]
		}
		only, n = i, n+1
	}
	if key == "number:" && n == 1 && e.Event != "ring" && e.Event != "out" {
		return &c.Open[only]
	}
	return nil
}

func (c *calls) open(e mailbox.Event) *call {
	if len(c.Open) == maxOpen {
		c.Open = slices.Delete(c.Open, 0, 1) // the ledger ends it as a ghost (reducer rule 8)
	}
	one := call{Source: e.Source, Key: keyOf(e), Ref: refCall, ID: e.ID, Number: e.Number, Line: e.Line, At: e.At}
	if e.SIPCallID != "" {
		one.Ref, one.ID = cti.RefSIPCallID, e.SIPCallID
	}
	c.Open = append(c.Open, one)
	return &c.Open[len(c.Open)-1]
}

// close takes a call off the open ones and tells its end.
func (c *calls) close(was call, e mailbox.Event, why cti.Cause) cti.Event {
	delete(c.asked, was.ID)
	c.Open = slices.DeleteFunc(c.Open, func(o call) bool { return o.ID == was.ID && o.Source == was.Source })
	return c.ended(was, e, why)
}

// ended is an end; an outgoing call that nobody answered and the agent did not give up failed.
func (c *calls) ended(was call, e mailbox.Event, why cti.Cause) cti.Event {
	out := c.about(was, e, cti.Cleared)
	if out.Cause = &why; was.Direction == cti.Out && !was.Answered && why.By != cti.ByLocal && why.Code != cti.CauseUnknown {
		out.Type = cti.Failed
	}
	return out
}

func (c *calls) about(was call, e mailbox.Event, typ cti.EventType) cti.Event {
	out := cti.Event{Type: typ, Call: cti.CallRef{Direction: was.Direction, Refs: map[string]string{was.Ref: was.ID}}}
	if was.Main != "" {
		out.Call.Purpose = cti.Consultation
	}
	out.Remote.Name, out.Remote.URI, out.Remote.Raw = e.Name, e.URI, e.Number
	if out.Remote.Raw == "" {
		out.Remote.Raw = was.Number
	}
	return out
}

// consulted gives the call that an outgoing one is a consultation about, if the phone was told to begin one to its number.
func (c *calls) consulted(e mailbox.Event) (main string) {
	i := slices.IndexFunc(c.aside, func(o consultation) bool {
		return e.Event == "out" && o.to == e.Number && within(o.at, e.At, cti.DialFor)
	})
	if i >= 0 {
		main = c.aside[i].main
		c.aside = slices.Delete(c.aside, i, i+1)
	}
	return main
}

// early tells whether the end of a call that begins came before it.
func (c *calls) early(e mailbox.Event) bool {
	key := keyOf(e)
	i := slices.IndexFunc(c.Early, func(o early) bool {
		return o.Source == e.Source && o.Key == key && !o.At.Before(e.At) && within(o.At, e.At, earlyFor)
	})
	if i < 0 {
		return false
	}
	c.Early = slices.Delete(c.Early, i, i+1)
	return true
}

// causes are the codes a phone's end may have.
var causes = []cti.CauseCode{cti.CauseNormal, cti.CauseBusy, cti.CauseNoAnswer, cti.CauseRejected, cti.CauseAbandoned, cti.CauseUnreachable,
	cti.CauseNotFound, cti.CauseUnknown}

// cause is why a call ended: what the phone says, else what it was told to do, else what can be concluded.
func cause(was call, e mailbox.Event, asked cti.Command) cti.Cause {
	why := cti.Cause{Code: cti.CauseCode(e.Cause), By: cti.Party(e.By), Raw: e.Reason}
	if why.By != cti.ByLocal && why.By != cti.ByRemote {
		why.By = cti.ByUnknown
	}
	byUs := (asked == cti.CommandReject || asked == cti.CommandHangup) && why.By == cti.ByUnknown
	if byUs {
		why.By = cti.ByLocal
	}
	told := slices.Contains(causes, why.Code) && why.Code != cti.CauseUnknown
	switch {
	case was.Answered:
		why.Code = cti.CauseNormal
	case told && why.Code != cti.CauseNormal:
	case why.By == cti.ByLocal && was.Direction == cti.In:
		why.Code = cti.CauseRejected
	case why.By == cti.ByLocal, why.By == cti.ByRemote && was.Direction == cti.In:
		why.Code = cti.CauseAbandoned
	default:
		why.Code = unsaid(was).Code
	}
	return why
}

// unsaid is the cause of an end of which the phone says no more.
func unsaid(was call) cti.Cause {
	if was.Answered {
		return cti.Cause{Code: cti.CauseNormal, By: cti.ByUnknown}
	}
	return cti.Cause{Code: cti.CauseUnknown, By: cti.ByUnknown}
}

// data gives call data the names a profile declares.
func data(given map[string]string) map[string]string {
	named := map[string]string{}
	for name, value := range given {
		if name = cti.DataName(name); name != "" {
			named[name] = value
		}
	}
	return named
}

func within(a, b time.Time, d time.Duration) bool { return a.Sub(b).Abs() <= d }

// forget drops what no event will come for any more; the ledger ends such a call by itself (reducer rule 8).
func (c *calls) forget(now time.Time) {
	c.Open = slices.DeleteFunc(c.Open, func(o call) bool { return now.Sub(o.At) > cti.GhostAfter })
	c.Early = slices.DeleteFunc(c.Early, func(o early) bool { return now.Sub(o.At) > earlyFor+keepFor })
	c.aside = slices.DeleteFunc(c.aside, func(o consultation) bool { return now.Sub(o.at) > cti.DialFor })
}

// knownCalls is the name of the file that what is open is written to.
const knownCalls = "calls"

// loadCalls gives what was open when it was last written down; with an error, nothing.
func loadCalls(dir string) (*calls, error) {
	text, err := os.ReadFile(filepath.Join(dir, knownCalls))
	if errors.Is(err, fs.ErrNotExist) {
		return newCalls(), nil
	}
	c := newCalls()
	if err == nil {
		err = json.Unmarshal(text, c)
	}
	if err == nil && c.V != 1 {
		err = errors.New("written by another version of Ringside")
	}
	if err != nil {
		return newCalls(), err
	}
	return c, nil
}

// save writes down what is open, with the files whose events are in it.
func (c *calls) save(dir string, taken []string) error {
	c.Taken = taken
	text, err := json.Marshal(c)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, knownCalls)
	f, err := os.OpenFile(path+".tmp", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(path+".tmp", path)
}
