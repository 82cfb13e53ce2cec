package ami

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/running"
)

// Times of commands.
const (
	ringFor   = 30 * time.Second // how long a click lets the agent's own phone ring
	toneFor   = 120 * time.Millisecond
	toneBreak = 60 * time.Millisecond
)

// Phone is what the exchange can do for one extension, which is from then on one that snapshots are given of. Each command returns nil when the
// exchange accepted it, and that is all it means. Errors: offline while not connected or when no reply came in time, notfound for a call the
// exchange does not have, conflict for one that is not in a state for it, denied where the manager user may not, invalid for what the exchange refuses.
//
// A ringing desk phone cannot be answered from outside, and an attended transfer of Asterisk's works by sending its feature code as digits, which was
// seen to reach the customer's ear instead: both are left to the phone. Reject hangs up the ringing leg; in a ring group the others go on
// ringing.
func (x *Exchange) Phone(extension string) cti.Phone {
	x.mu.Lock()
	x.machine.now = time.Now().UTC()
	x.machine.want(extension)
	x.mu.Unlock()
	p := extensionPhone{x, extension}
	return cti.Phone{Reject: p.reject, Hangup: p.hangup, Transfer: p.transfer, DTMF: p.dtmf, Mute: p.mute, Dial: p.dial, Presence: p.presence,
		TellsHold: true, RingsFirst: true, Offers: offers}
}

func offers(c cti.Call) []cti.Command {
	switch c.State {
	case cti.Alerting:
		return []cti.Command{cti.CommandReject, cti.CommandHangup}
	case cti.Initiated:
		return []cti.Command{cti.CommandHangup}
	case cti.Connected, cti.OnHold:
		return []cti.Command{cti.CommandHangup, cti.CommandTransfer, cti.CommandDTMF, cti.CommandMute, cti.CommandUnmute}
	case cti.StateClosed:
		return nil
	case cti.Null:
	}
	return []cti.Command{cti.CommandDial, cti.CommandPresence}
}

type extensionPhone struct {
	exchange  *Exchange
	extension string
}

// part is what a command needs to know of a leg.
type part struct {
	leg         *leg
	channel     string
	peers       []string
	established bool
	rings       bool // at the agent, who did not answer
}

// connected gives the connection, once what the exchange has was listed on it: replies come in the order of what was asked.
func (p extensionPhone) connected(ctx context.Context) (*link, error) {
	x := p.exchange
	x.mu.Lock()
	l, listing := x.link, x.machine.snap.open || x.machine.snap.members
	x.mu.Unlock()
	if l == nil {
		return nil, offline(nil)
	}
	if !listing {
		return l, nil
	}
	_, err := l.ask(ctx, action{{"Action", "Ping"}})
	return l, err
}

// find gives the leg that a call is, and the connection.
func (p extensionPhone) find(ctx context.Context, c cti.Call) (part, *link, error) {
	connection, err := p.connected(ctx)
	if err != nil {
		return part{}, nil, err
	}
	x := p.exchange
	x.mu.Lock()
	defer x.mu.Unlock()
	l := x.machine.find(p.extension, c.Refs)
	if l == nil {
		return part{}, nil, notFound()
	}
	found := part{leg: l, channel: l.channel.name, established: l.established, rings: l.direction == cti.In && !l.established && l.channel.state < stateUp}
	for _, peer := range x.machine.peers(l.channel) {
		found.peers = append(found.peers, peer.name)
	}
	return found, connection, nil
}

func (m *machine) find(extension string, refs map[string]string) *leg {
	if c := m.channels[refs[RefVendor]]; c != nil && c.leg != nil && c.leg.extension == extension && !c.leg.ended {
		return c.leg
	}
	id := refs[cti.RefSIPCallID]
	for _, l := range m.legsOf(extension) {
		if id != "" && l.channel.callID == id && !l.ended {
			return l
		}
	}
	return nil
}

func (p extensionPhone) reject(ctx context.Context, c cti.Call) error {
	found, l, err := p.find(ctx, c)
	switch {
	case err != nil:
		return err
	case !found.rings:
		return cti.Errorf(cti.Conflict, "this call does not ring any more", nil)
	}
	return p.end(ctx, l, found)
}

func (p extensionPhone) hangup(ctx context.Context, c cti.Call) error {
	found, l, err := p.find(ctx, c)
	if err != nil {
		return err
	}
	return p.end(ctx, l, found)
}

// end hangs a leg's channel up. No event names us as who did, so that is noted; the cause 21, rejected, is for who reads the exchange's own records.
func (p extensionPhone) end(ctx context.Context, l *link, found part) error {
	cause := "16"
	if found.rings {
		cause = "21"
	}
	p.mark(found, true)
	err := l.do(ctx, action{{"Action", "Hangup"}, {"Channel", found.channel}, {"Cause", cause}})
	if err != nil && cti.KindOf(err) != cti.Offline { // else nobody knows whether it came through
		p.mark(found, false)
	}
	return err
}

func (p extensionPhone) mark(found part, ours bool) {
	p.exchange.mu.Lock()
	defer p.exchange.mu.Unlock()
	found.leg.weHungUp, found.leg.weRefused = ours, ours && found.rings
}

// talk finds a call that is answered.
func (p extensionPhone) talk(ctx context.Context, c cti.Call) (part, *link, error) {
	found, l, err := p.find(ctx, c)
	if err == nil && !found.established {
		err = cti.Errorf(cti.Conflict, "nobody has answered this call yet", nil)
	}
	return found, l, err
}

func (p extensionPhone) transfer(ctx context.Context, c cti.Call, to string) error {
	if !plainNumber.MatchString(to) {
		return badNumber()
	}
	found, l, err := p.talk(ctx, c)
	if err != nil {
		return err
	}
	return l.do(ctx, action{{"Action", "BlindTransfer"}, {"Channel", found.channel}, {"Context", p.exchange.config.Context}, {"Exten", to}})
}

// dtmf has the digits played to the far end: PlayDTMF plays to the channel it is given, so that on the agent's own the agent would hear them.
func (p extensionPhone) dtmf(ctx context.Context, c cti.Call, digits string) error {
	found, l, err := p.talk(ctx, c)
	switch {
	case err != nil:
		return err
	case !cti.Digits(digits):
		return cti.Errorf(cti.Invalid, "only 0-9, *, # and A-D can be sent as tones, 64 at most", nil)
	case len(found.peers) != 1:
		return cti.Errorf(cti.Conflict, "it cannot be told who is to hear the tones: use the phone itself", nil)
	}
	for i := range len(digits) {
		if !running.Sleep(ctx, p.toneIn(found.leg)) {
			return cti.Errorf(cti.Uncertain, "only "+strconv.Itoa(i)+" of the digits were sent", ctx.Err())
		}
		err := l.do(ctx, action{{"Action", "PlayDTMF"}, {"Channel", found.peers[0]}, {"Digit", digits[i : i+1]},
			{"Duration", strconv.FormatInt(toneFor.Milliseconds(), 10)}})
		if err != nil {
			return err
		}
		p.toned(found.leg)
	}
	return nil
}

// toneIn takes the next turn for a tone, and tells how long it is until then. Without a break between two tones they have one RTP time stamp (observed), and
// whoever hears them takes the second for the first going on (RFC 4733): also when they were typed one by one.
func (p extensionPhone) toneIn(l *leg) time.Duration {
	p.exchange.mu.Lock()
	defer p.exchange.mu.Unlock()
	now := time.Now()
	wait := max(0, l.nextTone.Sub(now))
	l.nextTone = now.Add(wait + toneFor + toneBreak)
	return wait
}

// toned puts the next turn off: the exchange says yes when the tone is over.
func (p extensionPhone) toned(l *leg) {
	p.exchange.mu.Lock()
	defer p.exchange.mu.Unlock()
	if free := time.Now().Add(toneBreak); free.After(l.nextTone) {
		l.nextTone = free
	}
}

// mute keeps what the agent says from the exchange. No event tells of it, so that the exchange's yes is told as one.
func (p extensionPhone) mute(ctx context.Context, c cti.Call, on bool) error {
	found, l, err := p.talk(ctx, c)
	if err != nil {
		return err
	}
	state := map[bool]string{true: "on", false: "off"}[on]
	if err := l.do(ctx, action{{"Action", "MuteAudio"}, {"Channel", found.channel}, {"Direction", "in"}, {"State", state}}); err != nil {
		return err
	}
	x := p.exchange
	x.mu.Lock()
	defer x.mu.Unlock()
	if !found.leg.ended {
		x.machine.now, x.machine.block = time.Now().UTC(), nil
		x.machine.out(found.leg, cti.Event{Type: cti.Info, Muted: &on})
	}
	return nil
}

// dial has the agent's own phone rung, and then the number. Its channel has an id of ours, which names the whole call, so that the ringing is
// known for what it is.
func (p extensionPhone) dial(ctx context.Context, number string) error {
	if !plainNumber.MatchString(number) {
		return badNumber()
	}
	l, err := p.connected(ctx)
	if err != nil {
		return err
	}
	device, err := p.device(ctx, l)
	if err != nil {
		return err
	}
	id := ourIDs + strings.ToLower(rand.Text())
	p.note(id, number)
	// The number is what the agent's phone shows. Given as CallerID it would also be who calls: the customer would be called by their own number (observed).
	err = l.do(ctx, action{{"Action", "Originate"}, {"ActionID", id}, {"ChannelId", id}, {"Channel", device}, {"Context", p.exchange.config.Context},
		{"Exten", number}, {"Priority", "1"}, {"Variable", "CONNECTEDLINE(num)=" + number}, {"Timeout", strconv.FormatInt(ringFor.Milliseconds(), 10)}, {"Async", "true"}})
	return err
}

func (p extensionPhone) note(id, number string) {
	x := p.exchange
	x.mu.Lock()
	defer x.mu.Unlock()
	x.machine.now = time.Now().UTC()
	x.machine.originals[id] = originate{p.extension, number}
	x.machine.forget(remembered, func() { delete(x.machine.originals, id) })
}

// device finds the first of the templates whose device the exchange knows.
func (p extensionPhone) device(ctx context.Context, l *link) (string, error) {
	all := p.exchange.machine.devices // never changes
	if !plainNumber.MatchString(p.extension) {
		return "", badNumber()
	}
	if len(all) == 1 {
		return all[0].name(p.extension), nil
	}
	for _, d := range all {
		reply, err := l.ask(ctx, action{{"Action", "Getvar"}, {"Variable", "DEVICE_STATE(" + d.name(p.extension) + ")"}})
		if err != nil {
			return "", err
		}
		if err := refusal("Getvar", reply); err != nil {
			return "", err
		}
		if state := reply.get("Value"); state != "" && state != "INVALID" {
			return d.name(p.extension), nil
		}
	}
	return "", cti.Errorf(cti.NotFound, "the exchange knows no phone of this extension", nil)
}

// originateResponse tells of a click that came to nothing before there was a channel: the agent's phone is not registered, for instance.
func (m *machine) originateResponse(b block) {
	id := b.get("ActionID")
	o, ours := m.originals[id]
	if !ours || b.get("Response") == "Success" {
		return
	}
	if m.channels[id] != nil || m.ended[id] != nil { // its own events tell
		return
	}
	delete(m.originals, id)
	code, known := reasons[b.get("Reason")]
	if !known {
		code = cti.CauseUnreachable
	}
	m.emit(o.extension, cti.Event{V: cti.EnvelopeVersion, Type: cti.Failed, At: m.now, SourceAt: sourceTime(b), Source: m.source,
		Call:  cti.CallRef{Direction: cti.Out, ClickToDial: true, Refs: map[string]string{RefVendor: id, cti.RefJourney: id}},
		Local: cti.Local{Extension: o.extension}, Remote: remote(o.number, ""), Dialled: o.number,
		Cause: &cti.Cause{Code: code, By: cti.BySystem, Raw: "originate failed, reason " + cti.Clean(b.get("Reason"), 16)}})
}

// reasons maps the Reason of an OriginateResponse (AST_CONTROL_*).
var reasons = map[string]cti.CauseCode{"0": cti.CauseUnreachable, "1": cti.CauseRejected, "3": cti.CauseNoAnswer, "5": cti.CauseBusy, "8": cti.CauseNetwork}

// presence pauses or unpauses the extension in all queues.
func (p extensionPhone) presence(ctx context.Context, s cti.AgentStatus) error {
	if s.State != cti.Ready && s.State != cti.NotReady {
		return cti.Errorf(cti.Invalid, "the exchange knows only ready and not ready", nil)
	}
	l, err := p.connected(ctx)
	if err != nil {
		return err
	}
	p.exchange.mu.Lock()
	interfaces := p.exchange.machine.interfaces(p.extension)
	p.exchange.mu.Unlock()
	if len(interfaces) == 0 {
		return cti.Errorf(cti.NotFound, "this extension is in no queue of the exchange", nil)
	}
	for _, one := range interfaces {
		a := action{{"Action", "QueuePause"}, {"Interface", one}, {"Paused", strconv.FormatBool(s.State == cti.NotReady)}}
		if reason := cti.Clean(s.Reason, cti.MaxText); s.State == cti.NotReady && reason != "" {
			a = append(a, field{"Reason", reason})
		}
		if err := l.do(ctx, a); err != nil {
			return err
		}
	}
	return nil
}

// plainNumber is what can be dialled: it goes into the dialplan as an extension, where other characters have other meanings.
var plainNumber = regexp.MustCompile(`^[0-9A-Za-z*#+._-]{1,64}$`)

func badNumber() error {
	return cti.Errorf(cti.Invalid, "this is no number that the exchange can dial", nil)
}

func notFound() error {
	return cti.Errorf(cti.NotFound, "the exchange does not have this call any more", nil)
}

// do sends an action and gives nil when the exchange accepts it.
func (l *link) do(ctx context.Context, a action) error {
	reply, err := l.ask(ctx, a)
	if err != nil {
		return err
	}
	return refusal(a.name(), reply)
}

// refusal gives the error of a reply that says no, nil for a yes.
func refusal(name string, reply block) error {
	if strings.EqualFold(reply.get("Response"), "Success") {
		return nil
	}
	text := strings.TrimSpace(cti.Clean(reply.get("Message"), cti.MaxText))
	lower := strings.ToLower(text)
	missing := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(lower, w) })
	}
	switch {
	case missing("permission denied"):
		return cti.Errorf(cti.Denied, "the exchange does not allow this: its manager user needs write="+cmp.Or(classes[name], "all")+" in manager.conf", nil)
	case missing("no such channel", "channel not existent", "not found", "does not exist", "no channel"):
		return notFound()
	}
	return cti.Errorf(cti.Invalid, "the exchange refused the command", errors.New(text))
}

// classes are what a manager user must be allowed to write for each action.
var classes = map[string]string{"Hangup": "call", "BlindTransfer": "call", "PlayDTMF": "call", "Getvar": "call", "Originate": "originate",
	"QueuePause": "agent", "MuteAudio": "system"}
