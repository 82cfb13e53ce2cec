package ari

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"

	"github.com/google/uuid"

	"ringside.dev/ringside/app/cti"
)

// number is what can be dialled: nothing in it means anything to a dialplan's pattern or to a URL.
var number = regexp.MustCompile(`^\+?[0-9*#]{1,64}$`)

// ringFor is how long, in seconds, the agent's own phone rings for click-to-dial.
const ringFor = 30

// maxClicks bounds the dialled calls whose channels did not end.
const maxClicks = 1024

// Phone gives what ARI grants for calls the dialplan controls: hanging up, refusing and click-to-dial. Answering, holding, digits and
// transfers it refuses for them ("Channel not in Stasis application"), so they are not offered. The commands may be called concurrently;
// nil means that Asterisk accepted it, and no more. Errors: offline while not connected or when no answer came within 3 s, notfound for a
// call that it or this extension does not have, conflict for a call that cannot be refused any more, denied for a user who may only read.
func (x *Exchange) Phone(extension string) cti.Phone {
	x.asked(extension)
	p := cti.Phone{
		Reject:    func(ctx context.Context, c cti.Call) error { return x.reject(ctx, extension, c) },
		Hangup:    func(ctx context.Context, c cti.Call) error { return x.hangup(ctx, extension, c) },
		TellsHold: true, RingsFirst: true,
		Offers: func(c cti.Call) []cti.Command { return x.offers(c) },
	}
	if x.config.Context != "" {
		p.Dial = func(ctx context.Context, to string) error { return x.dial(ctx, extension, to) }
	}
	return p
}

func (x *Exchange) offers(c cti.Call) []cti.Command {
	switch c.State {
	case cti.Null:
		return []cti.Command{cti.CommandDial}
	case cti.Alerting:
		return []cti.Command{cti.CommandReject}
	case cti.Initiated, cti.Connected, cti.OnHold:
		return []cti.Command{cti.CommandHangup}
	case cti.StateClosed:
	}
	return nil
}

// find gives the channel of a call of this extension.
func (x *Exchange) find(extension string, c cti.Call) (id string, s stage, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.connected {
		return "", 0, offline(nil)
	}
	ch := x.in.channels[c.Refs[refChannel]]
	if ch == nil && c.Refs[refChannel] == "" { // another source named the call
		ch = x.in.bySIP(extension, c.Refs[cti.RefSIPCallID])
	}
	if ch == nil || !ch.leg() || ch.extension != extension {
		return "", 0, refusal(http.StatusNotFound)
	}
	return ch.id, ch.stage, nil
}

func (i *interpreter) bySIP(extension, callID string) *channel {
	for _, c := range i.channels {
		if callID != "" && c.callID == callID && c.extension == extension {
			return c
		}
	}
	return nil
}

func (x *Exchange) hangup(ctx context.Context, extension string, c cti.Call) error {
	id, _, err := x.find(extension, c)
	if err != nil {
		return err
	}
	return x.remove(ctx, id, "normal")
}

func (x *Exchange) reject(ctx context.Context, extension string, c cti.Call) error {
	id, at, err := x.find(extension, c)
	switch {
	case err != nil:
		return err
	case at == established:
		return cti.Errorf(cti.Conflict, "the call is answered already: hang up instead", nil)
	}
	return x.remove(ctx, id, "busy")
}

func (x *Exchange) remove(ctx context.Context, id, reason string) error {
	return x.rest.do(ctx, http.MethodDelete, []string{"channels", url.PathEscape(id)}, url.Values{"reason": {reason}}, nil, nil)
}

// dial rings the agent's own phone, and then the number through the dialplan. The channel has an id of ours, which Asterisk also makes
// the Linkedid of the whole call, so that the ring is known for what it is.
func (x *Exchange) dial(ctx context.Context, extension, to string) error {
	if !number.MatchString(to) {
		return cti.Errorf(cti.Invalid, "this cannot be dialled: digits, * and # only, with a + in front if need be", nil)
	}
	id := clickPrefix + uuid.NewString()
	x.mu.Lock()
	up := x.connected
	if up {
		x.in.click(id, to)
	}
	x.mu.Unlock()
	if !up {
		return offline(nil)
	}
	// POST with the parameters as a JSON body keeps the number out of URLs, which servers log. The number is what the agent's phone shows, as the connected
	// line; given as callerId it would also be who calls, so that the customer would be called by their own number.
	err := x.rest.do(ctx, http.MethodPost, []string{"channels"}, nil, map[string]any{"endpoint": x.in.devices.ring(extension), "extension": to,
		"context": x.config.Context, "priority": 1, "channelId": id, "variables": map[string]string{"CONNECTEDLINE(num,i)": to}, "timeout": x.ringFor}, nil)
	if err != nil && cti.KindOf(err) != cti.Offline { // else it may have been done
		x.mu.Lock()
		delete(x.in.clicks, id)
		x.mu.Unlock()
	}
	if cti.KindOf(err) == cti.NotFound {
		return cti.Errorf(cti.Invalid, "the exchange does not know this extension's phone, or it is not registered", err)
	}
	return err
}

// click notes a channel of ours before it is there.
func (i *interpreter) click(id, to string) {
	if len(i.clicks) >= maxClicks {
		for _, old := range slices.Collect(maps.Keys(i.clicks)) {
			if i.channels[old] == nil {
				delete(i.clicks, old)
			}
		}
	}
	i.clicks[id] = to
}
