package esl

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"ringside.dev/ringside/app/cti"
)

// interpreter turns FreeSWITCH's events into canonical ones. It is pure: the same events at the same times give the same. It keeps what the
// wire leaves out: whose a channel is, whom it was dialled for, how far it got.
type interpreter struct {
	source  cti.Source
	devices devices
	wanted  wanted

	channels map[string]*channel
	graves   map[string]grave
	buried   []grave                    // the same, in the order of time
	rooms    map[string]map[string]bool // conferences: name → channels
	joined   map[string]time.Time       // channels in a queue, since when
	clicks   map[string]string          // id of a channel of ours → the number it is for
	begins   map[string]chan struct{}   // id of a channel of ours → closed with its first event
	watched  map[string]bool            // extensions that were asked for
	bereft   map[string]bool            // extensions whose calls ended unseen: the next snapshot is theirs too
	seen     uint64
}

func newInterpreter(source cti.Source, d devices, w wanted) *interpreter {
	return &interpreter{source: source, devices: d, wanted: w, channels: map[string]*channel{}, graves: map[string]grave{},
		rooms: map[string]map[string]bool{}, joined: map[string]time.Time{}, clicks: map[string]string{}, begins: map[string]chan struct{}{},
		watched: map[string]bool{}, bereft: map[string]bool{}}
}

// when is the time of an event: here, and by the exchange's own clock.
type when struct{ at, source time.Time }

// events gives what one event means: usually nothing, since most channels are nobody's leg. Unknown ones say nothing.
func (i *interpreter) events(e event, at time.Time) []told {
	w := when{at, stamp(e.get("Event-Date-Timestamp"))}
	if e.get("Event-Name") == "CUSTOM" {
		switch e.get("Event-Subclass") {
		case "callcenter::info":
			return i.callcenter(e, w)
		case "conference::maintenance":
			return i.conference(e, w)
		}
		return nil
	}
	if e.get("Event-Name") == "RECORD_STOP" {
		return i.recorded(e, w)
	}
	c := i.learn(e)
	if c == nil {
		return nil
	}
	switch e.get("Event-Name") {
	case "CHANNEL_CREATE":
		return i.created(c, w)
	case "CHANNEL_PROGRESS", "CHANNEL_PROGRESS_MEDIA":
		return i.progress(c, w)
	case "CHANNEL_ANSWER":
		c.answered = true
	case "CHANNEL_BRIDGE":
		return i.bridged(c, e, w)
	case "CHANNEL_UNBRIDGE":
		i.unbridged(c)
	case "CHANNEL_HOLD":
		return i.holding(c, true, w)
	case "CHANNEL_UNHOLD":
		return i.holding(c, false, w)
	case "CALL_UPDATE":
		return i.better(c, e, w)
	case "CHANNEL_HANGUP":
		c.gone = true
	case "CHANNEL_HANGUP_COMPLETE":
		return i.ended(c, e, w)
	}
	return i.listening(c, w)
}

// stamp reads FreeSWITCH's time, microseconds since 1970; zero when it is none.
func stamp(s string) time.Time {
	us, err := strconv.ParseInt(s, 10, 64)
	if err != nil || us <= 0 || us > 1<<52 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// tell makes an event of a leg, with all that is known of it.
func (i *interpreter) tell(c *channel, w when, e cti.Event) told {
	if !c.settled {
		i.settle(c, w)
	}
	e.V, e.At, e.SourceAt, e.Source = cti.EnvelopeVersion, w.at, w.source, i.source
	e.Call.Direction = cti.In
	if c.outgoing() {
		e.Call.Direction = cti.Out
	}
	e.Call.ClickToDial, e.Call.Purpose = c.click != "", c.purpose
	e.Call.Refs = map[string]string{refChannel: c.id}
	if c.journey != "" {
		e.Call.Refs[cti.RefJourney] = c.journey
	}
	if c.callID != "" {
		e.Call.Refs[cti.RefSIPCallID] = c.callID
	}
	if e.Type != cti.Conferenced && (e.Remote == cti.Remote{}) {
		e.Remote = c.remote
	}
	e.Local = cti.Local{Extension: c.extension}
	e.Dialled = c.into
	if c.queue != "" {
		e.Queue = &cti.Queue{Name: c.queue, WaitMS: c.waited.Milliseconds()}
	}
	if len(c.data) > 0 {
		e.Data = maps.Clone(c.data)
	}
	return told{c.extension, e}
}

// settle finds out, for the first event of a leg, who is at its far end and how they came there.
func (i *interpreter) settle(c *channel, w when) {
	c.settled = true
	c.journey = cmp.Or(c.journey, c.id)
	if c.listens && c.purpose == "" {
		c.purpose = cti.Monitoring
	}
	switch {
	case c.click != "":
		c.remote = remote(c.click, "", "")
		c.journey = c.id
		return
	case c.outgoing():
		c.remote = remote(c.dest, "", "")
		return
	}
	if c.remote = remote(c.number, c.caller, ""); c.hidden {
		c.remote = withheld
	}
	up := i.channels[c.parent]
	if up == nil {
		return
	}
	c.remote.Asserted = up.asserted
	if c.hidden = c.hidden || up.hidden; c.hidden {
		c.remote = withheld
	}
	if up.click == "" {
		c.into = up.dest
	}
	if since, is := i.joined[up.id]; is && c.queue != "" {
		c.joined = since
		c.waits(w)
	}
	c.inherit(up)
}

// waits counts how long the caller has waited in the queue by now.
func (c *channel) waits(w when) {
	if !c.joined.IsZero() {
		c.waited = max(c.waited, firstTime(w.source, w.at).Sub(c.joined))
	}
}

// inherit takes over the caller's call data.
func (c *channel) inherit(up *channel) {
	for name, value := range up.data {
		c.keep(name, value)
	}
}

func (i *interpreter) created(c *channel, w when) []told {
	if begins := i.begins[c.id]; begins != nil {
		close(begins)
		delete(i.begins, c.id)
	}
	if c.leg() && c.outgoing() {
		return i.originated(c, w)
	}
	return nil
}

func (i *interpreter) originated(c *channel, w when) []told {
	if c.stage != untold {
		return nil
	}
	c.stage = begun
	i.aside(c)
	return []told{i.tell(c, w, cti.Event{Type: cti.Originated})}
}

// aside marks a consultation: what an agent dials while they hold a call, if it is a colleague's extension by its length. Somebody outside
// may be another customer, whose record must not be lost.
func (i *interpreter) aside(c *channel) {
	if c.click != "" || len(c.dest) > len(c.extension) || strings.Trim(c.dest, "0123456789") != "" {
		return
	}
	for _, other := range i.channels {
		if other != c && other.leg() && other.extension == c.extension && other.held && other.stage == established {
			c.purpose = cti.Consultation
		}
	}
}

// progress: it rings at the phone a channel goes to, and for whom it was dialled that is the far end.
func (i *interpreter) progress(c *channel, w when) []told {
	if !c.outbound {
		return nil // the exchange plays something to a phone that dialled
	}
	var all []told
	if c.leg() && c.click == "" && c.stage == untold {
		c.stage = ringing
		all = append(all, i.tell(c, w, cti.Event{Type: cti.Delivered, Side: cti.SideLocal}))
		if up := i.channels[c.parent]; up != nil && up.passed {
			all = append(all, i.tell(c, w, cti.Event{Type: cti.Transferred, Transfer: &cti.Transfer{Kind: cti.Blind, Role: cti.Target, To: c.extension}}))
		}
	}
	if up := i.channels[c.parent]; up != nil && up.leg() && up.outgoing() && up.stage < ringing {
		all = append(all, i.originated(up, w)...)
		up.stage = ringing
		all = append(all, i.tell(up, w, cti.Event{Type: cti.Delivered, Side: cti.SideRemote}))
	}
	return all
}

// bridged: now both can talk, and not when either of them answered: a queue answers before any agent, and in click-to-dial the agent's own
// phone answers before the customer's. The event comes once, for the first of the two channels.
func (i *interpreter) bridged(c *channel, e event, w when) []told {
	other := cmp.Or(i.properOther(e.get("Bridge-B-Unique-ID")), i.properOther(e.get("Other-Leg-Unique-ID")))
	if other == c.id {
		other = i.properOther(e.get("Bridge-A-Unique-ID"))
	}
	if _, dead := i.graves[other]; dead || other == "" || other == c.id {
		return nil
	}
	peer := i.channels[other]
	if peer == nil { // its beginning was missed
		peer = i.begin(other)
		peer.name = clean(e.get("Other-Leg-Channel-Name"))
		peer.outbound = e.get("Other-Leg-Direction") == "outbound"
		peer.number, peer.caller = clean(e.get("Other-Leg-Caller-ID-Number")), clean(e.get("Other-Leg-Caller-ID-Name"))
		peer.dest = clean(e.get("Other-Leg-Destination-Number"))
		peer.hidden = e.get("Other-Leg-Privacy-Hide-Number") == "true"
		peer.extension = i.devices.extension(peer.name, "", i.known)
	}
	all := append(i.talks(c, peer, w), i.talks(peer, c, w)...)
	return append(all, i.elsewhere(c, peer, w)...)
}

// elsewhere: those at whose phones a call rang in vain a moment ago did not miss it if a colleague has it now.
func (i *interpreter) elsewhere(c, peer *channel, w when) []told {
	var all []told
	for n := len(i.buried) - 1; n >= 0 && w.at.Sub(i.buried[n].at) <= lateFor; n-- {
		if d := i.buried[n].c; d.vain && (d.parent == c.id || d.parent == peer.id) {
			d.vain = false
			all = append(all, i.tell(d, w, cti.Event{Type: cti.Diverted, Cause: &cti.Cause{Code: cti.CauseAnsweredElsewhere, By: cti.BySystem}}))
		}
	}
	return all
}

func (i *interpreter) talks(c, with *channel, w when) []told {
	before := cmp.Or(c.peer, c.last)
	c.answered = true
	c.meets(with)
	switch {
	case !c.leg():
		return i.listening(c, w)
	case c.stage != established:
		c.stage = established
		var all []told
		if c.outgoing() && c.click == "" && !with.outbound { // it dialled nobody, but took up a call that waited or rang for others
			c.remote = with.far()
			all = append(all, i.tell(c, w, cti.Event{Type: cti.Info}))
		}
		c.waits(w)
		if !c.outgoing() {
			c.inherit(with) // what the dialplan learnt of the caller since it rang
		}
		return append(all, i.tell(c, w, cti.Event{Type: cti.Established}))
	case before != "" && before != with.id && with.outbound && with.parent == c.id && !c.passed:
		return nil // dialled from this call: by a code the agent asks a colleague, while the customer waits
	case before != "" && before != with.id:
		r := with.far()
		if i.loops(before) || !r.Withheld && r.Raw == c.remote.Raw || r.Withheld && c.remote.Withheld {
			return nil // a detour of the dialplan that fell away, or the customer is back
		}
		// Somebody joined this agent with somebody else: who asked a colleague gave them the customer.
		if r.Withheld || r.Raw != c.extension {
			c.remote, c.hidden = r, with.hidden
		}
		return []told{i.tell(c, w, cti.Event{Type: cti.Transferred, Transfer: &cti.Transfer{Kind: cti.Consult, Role: cti.Target}})}
	}
	return nil
}

// loops tells that a channel is, or was, half of a loopback: a bit of dialplan, and no phone.
func (i *interpreter) loops(id string) bool {
	c := i.ever(id)
	return c != nil && strings.HasPrefix(c.name, "loopback/")
}

// ever gives a channel, also one that ended a while ago.
func (i *interpreter) ever(id string) *channel {
	if c := i.channels[id]; c != nil {
		return c
	}
	return i.graves[id].c
}

func (i *interpreter) unbridged(c *channel) {
	if peer := i.channels[c.peer]; peer != nil && peer.peer == c.id {
		peer.peer = ""
	}
	c.peer = ""
}

// holding: on the agent's channel the agent holds, on the one they talk with the far end does.
func (i *interpreter) holding(c *channel, held bool, w when) []told {
	typ := cti.Retrieved
	if held {
		typ = cti.Held
	}
	var all []told
	if c.leg() && c.stage == established {
		c.held = held
		all = append(all, i.tell(c, w, cti.Event{Type: typ, By: cti.ByLocal}))
	}
	if peer := i.channels[cmp.Or(c.peer, c.last)]; peer != nil && peer.leg() && peer.stage == established && cmp.Or(peer.peer, peer.last) == c.id {
		all = append(all, i.tell(peer, w, cti.Event{Type: typ, By: cti.ByRemote}))
	}
	return all
}

// better: the exchange shows a phone better who is at the far end of a call that came in. What the agent dialled stays what it is.
func (i *interpreter) better(c *channel, e event, w when) []told {
	if !c.leg() || c.stage == untold || c.outgoing() || c.hidden {
		return nil
	}
	for _, who := range []string{"Caller-Caller-ID-", "Caller-Callee-ID-"} {
		r := remote(clean(e.get(who+"Number")), clean(e.get(who+"Name")), c.remote.Asserted)
		if r.Withheld || r.Raw == c.extension || r.Raw == c.dest || r.Raw == c.remote.Raw || !number.MatchString(r.Raw) {
			continue
		}
		c.remote = r
		return []told{i.tell(c, w, cti.Event{Type: cti.Info})}
	}
	return nil
}

// listening says so of a leg that turned out to listen to somebody else's call.
func (i *interpreter) listening(c *channel, w when) []told {
	if !c.leg() || !c.listens || c.purpose != "" {
		return nil
	}
	c.purpose = cti.Monitoring
	if c.stage == untold {
		return nil
	}
	return []told{i.tell(c, w, cti.Event{Type: cti.Info})}
}

// conference: with the second member there is somebody to talk to, and each further one joins those who talk.
func (i *interpreter) conference(e event, w when) []told {
	name, c := clean(e.get("Conference-Name")), i.channels[e.get("Unique-ID")]
	if name == "" || c == nil {
		return nil
	}
	room := i.rooms[name]
	switch e.get("Action") {
	case "add-member":
		if room == nil && len(i.rooms) < maxRooms {
			room = map[string]bool{}
			i.rooms[name] = room
		}
		if room == nil || room[c.id] || len(room) >= maxMembers {
			return nil
		}
		room[c.id] = true
	case "del-member":
		if delete(room, c.id); len(room) == 0 {
			delete(i.rooms, name)
		}
		return nil
	default:
		return nil
	}
	if len(room) < 2 {
		return nil
	}
	var all []told
	for _, id := range slices.Sorted(maps.Keys(room)) {
		leg := i.channels[id]
		switch {
		case leg == nil || !leg.leg():
		case leg.stage != established:
			leg.stage, leg.answered = established, true
			all = append(all, i.tell(leg, w, cti.Event{Type: cti.Established}))
		case leg != c && leg.last != c.id: // it is not who they talked with before
			all = append(all, i.tell(leg, w, cti.Event{Type: cti.Conferenced, Remote: c.far()}))
		}
	}
	return all
}

// recorded: a recording is whole. It may be made on the agent's channel or on the customer's, and may be told after the end.
func (i *interpreter) recorded(e event, w when) []told {
	path := cti.Clean(e.get("Record-File-Path"), cti.MaxText)
	id := e.get("Unique-ID")
	if path == "" || !properID(id) {
		return nil
	}
	r := cti.Recording{ID: path, Name: path[strings.LastIndexByte(path, '/')+1:]}
	if ms, err := strconv.ParseInt(e.get("variable_record_ms"), 10, 64); err == nil && ms > 0 {
		r.DurationMS = ms
	}
	if kind := map[string]string{".wav": "audio/wav", ".mp3": "audio/mpeg", ".ogg": "audio/ogg"}[strings.ToLower(r.Name[max(0, len(r.Name)-4):])]; kind != "" {
		r.Type = kind
	}
	recorded := i.ever(id)
	if recorded == nil {
		return nil
	}
	var all []told
	for _, one := range append([]string{id}, recorded.met...) {
		if c := i.ever(one); c != nil && c.extension != "" && c.stage == established && (c.id == id || c.last == id) {
			copied := r
			all = append(all, i.tell(c, w, cti.Event{Type: cti.Info, Recording: &copied}))
		}
	}
	return all
}
