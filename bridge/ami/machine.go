package ami

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"ringside.dev/ringside/app/cti"
)

// The times of the state machine.
const (
	// identityWait is how long the first event of a leg waits for the exchange to tell the leg's SIP Call-ID and call data.
	identityWait = 150 * time.Millisecond
	// privacyWait is how long it waits, of all, for the word whether the caller withholds the number, on an exchange that is slow: to show it late is better
	// than to show what is not to be seen.
	privacyWait = time.Second
	// evidenceWait is how long the end of a leg waits for what tells who ended it and why: events come out of order by up to 150 ms.
	evidenceWait = 300 * time.Millisecond
	// snapshotWait is how long a snapshot waits for the Call-IDs of the calls it found.
	snapshotWait = time.Second
	// snapshotLook is how often it looks whether they came.
	snapshotLook = 5 * time.Millisecond
	// answerWait is how long a question may go unanswered before it is forgotten.
	answerWait = 10 * time.Second
	// remembered is how long what is over still swallows late events (reducer rule 2 asks for 60 s).
	remembered = 2 * time.Minute
	// recordable is how long after its end a call may still get its recording.
	recordable = 30 * time.Minute
)

// maxChannels bounds what is kept of one exchange; beyond it new channels are not followed until others end. A large Asterisk has a few thousand.
const maxChannels = 50_000

// machine turns the exchange's events into canonical ones. It does no input or output and has no clock: it is fed blocks with the time they came,
// gives events to emit and questions to send, and is asked again at the time wake names. It is not safe for concurrent use.
//
// It collects evidence: each channel notes what was said of it, in whatever order and however often, and after each block the legs that the
// block touched tell what follows from the evidence now and was not told before (leg.go, ending.go). What the brief order of events would
// be is in protocols of the design; nothing here relies on it but the decision what to tell first.
type machine struct {
	config  Config
	devices []device
	source  cti.Source
	emit    func(extension string, e cti.Event)
	send    func(a action) string // gives the ActionID of what was sent; "" when it could not be

	now      time.Time
	block    block  // the one that is being taken; nil in tick
	step     uint64 // counts blocks
	channels map[string]*channel
	journeys map[string]*journey
	bridges  map[string]map[string]bool // the channels in each bridge that count
	over     map[string]bool            // ended channels, by Uniqueid
	expiring map[time.Duration][]expiry // what is to be forgotten, by how long it is kept: each list is in the order of time

	questions map[string]question
	deadlines []deadline // unordered: there are few
	originals map[string]originate
	queue     queues
	snap      snapshot
	asked     map[string]bool // the extensions somebody wants snapshots of
	touched   map[*leg]bool
	quiet     bool            // nothing is told: a list is being taken over
	ended     map[string]*leg // legs lately over, by Uniqueid: their recordings may still come
}

type expiry struct {
	at time.Time
	do func()
}

type deadline struct {
	at time.Time
	do func()
}

// question is what the exchange was asked.
type question struct {
	at       time.Time
	answered func(b block, ok bool)
}

// originate is a call we had the exchange make.
type originate struct{ extension, number string }

func newMachine(c Config, emit func(string, cti.Event), send func(action) string) *machine {
	return &machine{config: c, devices: devices(c.Channels), emit: emit, send: send,
		source:   cti.Source{Adapter: "ami", Instance: c.Instance, Confidence: cti.Signalled},
		channels: map[string]*channel{}, journeys: map[string]*journey{}, bridges: map[string]map[string]bool{}, over: map[string]bool{}, expiring: map[time.Duration][]expiry{},
		questions: map[string]question{}, originals: map[string]originate{}, queue: newQueues(), asked: map[string]bool{},
		touched: map[*leg]bool{}, ended: map[string]*leg{}}
}

func (m *machine) serves(extension string) bool {
	return m.config.Serves == nil || m.config.Serves(extension)
}

// apply takes one block that is no reply to a command.
func (m *machine) apply(b block, now time.Time) {
	m.now, m.block = now, b
	m.step++
	if event := b.get("Event"); event != "" {
		if does, known := events[event]; known {
			does(m, b)
		}
	} else if q, known := m.questions[b.get("ActionID")]; known {
		delete(m.questions, b.get("ActionID"))
		q.answered(b, strings.EqualFold(b.get("Response"), "Success"))
	}
	m.settle()
}

// settle lets the touched legs tell what is new, until nothing is.
func (m *machine) settle() {
	for len(m.touched) > 0 {
		legs := slices.SortedFunc(maps.Keys(m.touched), func(a, b *leg) int { return cmp.Compare(a.born, b.born) })
		clear(m.touched)
		for _, l := range legs {
			m.tell(l)
		}
	}
}

// tick does what is due.
func (m *machine) tick(now time.Time) {
	m.now, m.block = now, nil
	due := slices.Clone(m.deadlines)
	m.deadlines = slices.DeleteFunc(m.deadlines, func(d deadline) bool { return !d.at.After(now) })
	for _, d := range due {
		if !d.at.After(now) {
			d.do()
		}
	}
	for kept, list := range m.expiring {
		for len(list) > 0 && !list[0].at.After(now) {
			list[0].do()
			list[0].do = nil
			list = list[1:]
		}
		m.expiring[kept] = list
	}
	for id, q := range m.questions {
		if now.Sub(q.at) > answerWait {
			delete(m.questions, id)
			q.answered(nil, false)
		}
	}
	m.settle()
}

// wake tells when tick is wanted next, at the latest.
func (m *machine) wake() (time.Time, bool) {
	var first time.Time
	for _, d := range m.deadlines {
		if first.IsZero() || d.at.Before(first) {
			first = d.at
		}
	}
	return first, !first.IsZero()
}

// after has something done at a time, soon.
func (m *machine) after(d time.Duration, do func()) {
	m.deadlines = append(m.deadlines, deadline{m.now.Add(d), do})
}

// forget has something done later, for memory's sake: when tick comes by, which nobody is waked for.
func (m *machine) forget(after time.Duration, do func()) {
	m.expiring[after] = append(m.expiring[after], expiry{m.now.Add(after), do})
}

// ask sends a question and has its answer come to answered, once.
func (m *machine) ask(a action, answered func(b block, ok bool)) {
	id := m.send(a)
	if id == "" {
		answered(nil, false)
		return
	}
	m.questions[id] = question{m.now, answered}
}

// events is what is read of the manager interface; everything else is skipped.
var events = map[string]func(m *machine, b block){
	"Newchannel":       func(m *machine, b block) { m.touch(m.seen(b, "")) },
	"Newstate":         func(m *machine, b block) { m.touch(m.seen(b, "")) },
	"NewCallerid":      (*machine).newCallerID,
	"NewConnectedLine": (*machine).connectedLine,
	"Rename":           (*machine).rename,
	"VarSet":           (*machine).varSet,
	"UserEvent":        (*machine).userEvent,

	"DialBegin": (*machine).dialBegin,
	"DialState": (*machine).dialState,
	"DialEnd":   (*machine).dialEnd,

	"BridgeEnter":   (*machine).bridgeEnter,
	"BridgeLeave":   (*machine).bridgeLeave,
	"BridgeDestroy": func(m *machine, b block) { m.destroyBridge(b.get("BridgeUniqueid")) },

	"Hold":   func(m *machine, b block) { m.hold(b, true) },
	"Unhold": func(m *machine, b block) { m.hold(b, false) },

	"BlindTransfer":    (*machine).blindTransfer,
	"ParkedCall":       (*machine).parked,
	"BridgeMerge":      (*machine).bridgeMerge,
	"AttendedTransfer": (*machine).attendedTransfer,
	"ChanSpyStart":     (*machine).spying,

	"HangupRequest":     (*machine).hangupRequest,
	"Hangup":            (*machine).hangup,
	"OriginateResponse": (*machine).originateResponse,

	"QueueCallerJoin":    (*machine).queueJoin,
	"QueueCallerAbandon": (*machine).queueAbandon,
	"AgentCalled":        (*machine).agentCalled,
	"AgentConnect":       (*machine).agentConnect,
	"AgentComplete":      (*machine).agentComplete,
	"AgentRingNoAnswer":  (*machine).agentRingNoAnswer,

	"QueueMember":        func(m *machine, b block) { m.member(b, b.get("Location"), b.get("Paused"), b.get("PausedReason")) },
	"QueueMemberAdded":   func(m *machine, b block) { m.member(b, b.get("Interface"), b.get("Paused"), b.get("PausedReason")) },
	"QueueMemberStatus":  func(m *machine, b block) { m.member(b, b.get("Interface"), b.get("Paused"), b.get("PausedReason")) },
	"QueueMemberPause":   (*machine).memberPause,
	"QueueMemberPaused":  (*machine).memberPause, // before Asterisk 12
	"QueueMemberRemoved": (*machine).memberRemoved,
	"QueueEntry":         (*machine).queueEntry,

	"CoreShowChannel":          func(m *machine, b block) { m.listed(b, b.get("BridgeId"), b.get("Application")) },
	"CoreShowChannelsComplete": (*machine).listComplete,
	"Status":                   func(m *machine, b block) { m.listed(b, b.get("BridgeID"), b.get("Application")) },
	"StatusComplete":           (*machine).listComplete,
	"QueueStatusComplete":      (*machine).membersComplete,
}

// sourceTime is when the exchange says it happened; only with timestampevents=yes in manager.conf.
func sourceTime(b block) time.Time {
	seconds, micros, _ := strings.Cut(b.get("Timestamp"), ".")
	s, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil || s <= 0 || s > 1<<40 {
		return time.Time{}
	}
	us, err := strconv.ParseInt(micros, 10, 64)
	if err != nil || len(micros) != 6 || us < 0 {
		us = 0
	}
	return time.Unix(s, us*1000).UTC()
}

// number reads a whole number of at most nine digits; 0 for anything else.
func number(s string) int {
	if len(s) > 9 {
		return 0
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return 0
	}
	return n
}
