package esl

import (
	"context"
	"strings"

	"github.com/google/uuid"

	"ringside.dev/ringside/app/cti"
)

// ringFor is how long, in seconds, the agent's own phone rings for click-to-dial.
const ringFor = "30"

// maxClicks bounds the dialled calls whose channels did not end.
const maxClicks = 1024

// Phone gives what FreeSWITCH can do for an extension. The commands may be called concurrently; nil means that FreeSWITCH accepted it, and
// no more: a phone need not obey to be answered or held. Errors: offline while not connected or when no answer came within 3 s, notfound
// for a call that it or this extension does not have, conflict for a call in another state, denied for a user who may not do it, uncertain
// if the connection ended between a command and its answer.
func (x *Exchange) Phone(extension string) cti.Phone {
	x.asked(extension)
	p := cti.Phone{
		Reject: func(ctx context.Context, c cti.Call) error { return x.kill(ctx, extension, c, true) },
		Hangup: func(ctx context.Context, c cti.Call) error { return x.kill(ctx, extension, c, false) },
		DTMF: func(ctx context.Context, c cti.Call, digits string) error {
			return x.digits(ctx, extension, c, digits)
		},
		TellsHold: true, RingsFirst: true,
		Offers: x.offers,
	}
	if x.config.PhoneEvents {
		p.Answer = func(ctx context.Context, c cti.Call) error { return x.phoneEvent(ctx, extension, c, "talk", ringing) }
		p.Hold = func(ctx context.Context, c cti.Call) error {
			return x.phoneEvent(ctx, extension, c, "hold", established)
		}
		p.Resume = func(ctx context.Context, c cti.Call) error {
			return x.phoneEvent(ctx, extension, c, "talk", established)
		}
	}
	if x.config.Context != "" && extensionName.MatchString(extension) {
		p.Dial = func(ctx context.Context, to string) error { return x.dialNumber(ctx, extension, to) }
		p.Transfer = func(ctx context.Context, c cti.Call, to string) error { return x.transfer(ctx, extension, c, to) }
	}
	if x.config.AgentDomain != "" && extensionName.MatchString(extension) {
		p.Presence = func(ctx context.Context, s cti.AgentStatus) error { return x.presence(ctx, extension, s) }
	}
	return p
}

func (x *Exchange) offers(c cti.Call) []cti.Command {
	switch c.State {
	case cti.Null:
		return []cti.Command{cti.CommandDial, cti.CommandPresence}
	case cti.Alerting:
		return []cti.Command{cti.CommandAnswer, cti.CommandReject}
	case cti.Initiated:
		return []cti.Command{cti.CommandHangup}
	case cti.Connected:
		return []cti.Command{cti.CommandHangup, cti.CommandHold, cti.CommandDTMF, cti.CommandTransfer}
	case cti.OnHold:
		return []cti.Command{cti.CommandHangup, cti.CommandResume, cti.CommandTransfer}
	case cti.StateClosed:
	}
	return nil
}

// find gives the connection and a copy of what is known of a call of this extension. with changes the channel before anything is sent, so
// that the events that follow are understood; it may be nil.
func (x *Exchange) find(extension string, c cti.Call, with func(c *channel) error) (*link, channel, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.link == nil {
		return nil, channel{}, offline(nil)
	}
	id := c.Refs[refChannel]
	ch := x.in.channels[id]
	if id == "" {
		ch = x.in.bySIP(extension, c.Refs[cti.RefSIPCallID]) // another source named the call
	}
	if ch == nil || !ch.leg() || ch.extension != extension || !properID(ch.id) {
		return nil, channel{}, notFound()
	}
	if with != nil {
		if err := with(ch); err != nil {
			return nil, channel{}, err
		}
	}
	return x.link, *ch, nil
}

func (i *interpreter) bySIP(extension, callID string) *channel {
	for _, c := range i.channels {
		if callID != "" && c.callID == callID && c.extension == extension {
			return c
		}
	}
	return nil
}

func conflict(msg string) error { return cti.Errorf(cti.Conflict, msg, nil) }

func (x *Exchange) kill(ctx context.Context, extension string, c cti.Call, reject bool) error {
	l, ch, err := x.find(extension, c, func(ch *channel) error {
		if reject && ch.stage == established {
			return conflict("the call is answered already: hang up instead")
		}
		ch.killed = true
		return nil
	})
	if err != nil {
		return err
	}
	command := "uuid_kill " + ch.id
	if reject {
		command += " CALL_REJECTED"
	}
	err = l.job(ctx, command, nil)
	if notDone(err) {
		x.change(ch.id, func(c *channel) { c.killed = false })
	}
	return err
}

// notDone tells that a command was certainly refused: without an answer it may have been carried out.
func notDone(err error) bool {
	kind := cti.KindOf(err)
	return err != nil && kind != cti.Offline && kind != cti.Uncertain
}

// change changes what is known of a channel, if it is still there.
func (x *Exchange) change(id string, f func(c *channel)) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if c := x.in.channels[id]; c != nil {
		f(c)
	}
}

func (x *Exchange) phoneEvent(ctx context.Context, extension string, c cti.Call, what string, in stage) error {
	l, ch, err := x.find(extension, c, func(ch *channel) error {
		if ch.stage != in || ch.click != "" && in == ringing {
			return conflict("the call is not in a state for this")
		}
		return nil
	})
	if err != nil {
		return err
	}
	return l.job(ctx, "uuid_phone_event "+ch.id+" "+what, nil)
}

// digits sends tones to the far end: out of the channel the agent talks with.
func (x *Exchange) digits(ctx context.Context, extension string, c cti.Call, digits string) error {
	l, ch, err := x.find(extension, c, func(ch *channel) error {
		if ch.stage != established || !properID(ch.peer) {
			return conflict("the call is not answered, so nobody would hear the tones")
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case !cti.Digits(digits):
		return cti.Errorf(cti.Invalid, "only 0-9, *, # and A-D can be sent as tones, 64 at most", nil)
	}
	return l.job(ctx, "uuid_send_dtmf "+ch.peer+" "+digits, nil)
}

// transfer gives the far end to a number in the dialplan; the agent's leg then ends.
func (x *Exchange) transfer(ctx context.Context, extension string, c cti.Call, to string) error {
	dialable := number.MatchString(to)
	l, ch, err := x.find(extension, c, func(ch *channel) error {
		if ch.stage != established {
			return conflict("the call is not answered: only then it can be given to somebody")
		}
		if dialable {
			ch.givenTo = to
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case !dialable:
		return undialable()
	}
	err = l.job(ctx, "uuid_transfer "+ch.id+" -bleg "+to+" XML "+x.config.Context, nil)
	if notDone(err) {
		x.change(ch.id, func(c *channel) { c.givenTo = "" })
	}
	return err
}

func undialable() error {
	return cti.Errorf(cti.Invalid, "this cannot be dialled: digits, * and # only, with a + in front if need be", nil)
}

// dialNumber rings the agent's own phone, and then the number through the dialplan. The channel has an id of ours, so that the ring is known
// for what it is. It waits for the channel to be there, or for the refusal.
func (x *Exchange) dialNumber(ctx context.Context, extension, to string) error {
	if !number.MatchString(to) {
		return undialable()
	}
	id, begins := uuid.NewString(), make(chan struct{})
	x.mu.Lock()
	l := x.link
	if l != nil {
		x.in.click(id, to, begins)
	}
	x.mu.Unlock()
	if l == nil {
		return offline(nil)
	}
	user := "user/" + extension
	if x.config.Domain != "" {
		user += "@" + x.config.Domain
	}
	variables := []string{"origination_uuid=" + id, clickVariable + "=" + to, "origination_caller_id_number=" + to,
		"origination_caller_id_name=" + to, "effective_caller_id_number=" + extension, "effective_caller_id_name=" + extension,
		"originate_timeout=" + ringFor, "ignore_early_media=true"}
	err := l.job(ctx, "originate {"+strings.Join(variables, ",")+"}"+user+" "+to+" XML "+x.config.Context, begins)
	if notDone(err) {
		x.mu.Lock()
		delete(x.in.clicks, id)
		x.mu.Unlock()
	}
	x.mu.Lock()
	delete(x.in.begins, id)
	x.mu.Unlock()
	return err
}

// click notes a channel of ours before it is there.
func (i *interpreter) click(id, to string, begins chan struct{}) {
	if len(i.clicks) >= maxClicks {
		for old := range i.clicks {
			if i.channels[old] == nil {
				delete(i.clicks, old)
			}
		}
	}
	i.clicks[id], i.begins[id] = to, begins
}

// presence sets what an agent of mod_callcenter wants to do. The reason has no place there.
func (x *Exchange) presence(ctx context.Context, extension string, s cti.AgentStatus) error {
	status, known := map[cti.Presence]string{cti.Ready: "Available", cti.LoggedOn: "Available", cti.NotReady: "On Break",
		cti.AfterCall: "On Break", cti.LoggedOff: "Logged Out"}[s.State]
	if !known {
		return cti.Errorf(cti.Invalid, "the exchange has no such state of an agent", nil)
	}
	x.mu.Lock()
	l := x.link
	x.mu.Unlock()
	if l == nil {
		return offline(nil)
	}
	return l.job(ctx, "callcenter_config agent set status "+extension+"@"+x.config.AgentDomain+" '"+status+"'", nil)
}
