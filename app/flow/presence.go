package flow

import (
	"cmp"
	"context"
	"slices"
	"time"

	"ringside.dev/ringside/app/cti"
)

// PresenceConfig says what is asked of agents after a call, and why they may not be ready. The zero value asks nothing and offers nothing.
type PresenceConfig struct {
	Seconds  int      // of after-call work; 0: none, unless Required
	Required bool     // an outcome before the agent is ready again
	Default  string   // the outcome when Seconds are over without one; empty: the agent stays in after-call work
	Reasons  []string // of not being ready
}

// asks tells whether after-call work is a state at all.
func (c PresenceConfig) asks() bool { return c.Seconds > 0 || c.Required }

// left is how much of the after-call work of a call that ended then is left.
func (c PresenceConfig) left(ended, now time.Time) time.Duration {
	all := time.Duration(c.Seconds) * time.Second
	return min(all, all-now.Sub(ended)) // a clock that was set back gives nobody more
}

// Presence is the agent's state as the screen shows it.
type Presence struct {
	State  cti.Presence
	Reason string
	Since  time.Time
	Until  time.Time // after-call work ends by itself then; zero: it does not
	Owed   string    // leg of the call whose outcome is to be chosen first
}

// presence is what the loop keeps of the agent's state.
type presence struct {
	Presence

	leg    string          // of the after-call work
	owes   []string        // legs whose outcomes are owed, the oldest first
	before cti.AgentStatus // what the agent returns to after it
	turn   int             // counts after-call works, so that an old timer says nothing

	untold  *cti.AgentStatus // what the phone is to be told next
	telling bool             // it is being told something
	paused  bool             // it took our word that no calls should come
}

// afterCall is what an exchange is told while the agent finishes a call: no further ones.
const afterCall = "after-call work"

// canPresence tells whether a person can change their state here.
func (f *Flow) canPresence() bool {
	return f.cfg.Phone.Presence != nil || f.cfg.Presence.asks() || len(f.cfg.Presence.Reasons) > 0
}

// SetPresence makes the agent ready, or not ready for a reason, at the phone too where it can be told.
func (f *Flow) SetPresence(ctx context.Context, s cti.AgentStatus) error {
	turn := 0
	if err := f.ask(ctx, func() error { turn = f.presence.turn; return f.mayBe(s) }); err != nil {
		return err
	}
	if tell := f.cfg.Phone.Presence; tell != nil {
		if err := tell(ctx, s); err != nil {
			return err
		}
	}
	return f.ask(ctx, func() error {
		f.personSaid(s, turn)
		return nil
	})
}

// personSaid books what a person wants and the phone took. A call may have ended since they said it: then it is for after that call's work.
func (f *Flow) personSaid(s cti.AgentStatus, turn int) {
	p := &f.presence
	p.paused = false // the phone has the person's word now
	if p.State != cti.AfterCall || p.turn == turn {
		f.presenceIs(s, cti.ByPerson, "", time.Now())
		return
	}
	p.before = s
	if s.State == cti.Ready {
		f.tellPhone(cti.AgentStatus{State: cti.NotReady, Reason: afterCall})
	}
}

func (f *Flow) mayBe(s cti.AgentStatus) error {
	reasons := f.cfg.Presence.Reasons
	switch {
	case !f.canPresence():
		return cti.Errorf(cti.Invalid, "this phone knows no ready and not ready", nil)
	case s.State != cti.Ready && s.State != cti.NotReady:
		return cti.Errorf(cti.Invalid, "an agent can be made ready or not_ready", nil)
	case s.State == cti.Ready && f.presence.Owed != "":
		return cti.Errorf(cti.Conflict, "choose an outcome for the last call first", nil)
	case s.State == cti.NotReady && len(reasons) > 0 && !slices.Contains(reasons, s.Reason):
		return cti.Errorf(cti.Invalid, "choose one of the reasons", nil)
	}
	return nil
}

// agentState takes what the phone or the exchange says of the agent. In after-call work it is told that the agent is not ready, and says so
// again; for another reason it is what comes after that work. Some know no reasons: the one a person chose stays.
func (f *Flow) agentState(e cti.Event) {
	p := &f.presence
	if e.Agent == nil {
		return
	}
	said := *e.Agent
	switch {
	case said.State == p.State && said.Reason == "":
		return
	case said.State == cti.NotReady && p.State == cti.AfterCall:
		if said.Reason != "" && said.Reason != afterCall {
			p.before = said
		}
		return
	case said.State == cti.Ready:
		p.paused = false
	}
	f.presenceIs(said, cti.ByPhone, "", e.At)
}

// presenceIs books a change, journals it and shows it; nothing when there is none.
func (f *Flow) presenceIs(s cti.AgentStatus, by cti.By, leg string, at time.Time) {
	p := &f.presence
	if p.State == s.State && p.Reason == s.Reason {
		return
	}
	at = at.UTC()
	change := cti.PresenceChange{At: at, State: s.State, Reason: s.Reason, By: by, Leg: leg, Before: p.State}
	if !p.Since.IsZero() {
		change.LastedMS = max(0, at.Sub(p.Since).Milliseconds())
	}
	switch {
	case p.State == cti.AfterCall:
		p.turn++
		p.Until, p.leg = time.Time{}, ""
		change.Leg = leg
	case s.State == cti.AfterCall:
		p.before = cti.AgentStatus{State: p.State, Reason: p.Reason}
		if p.State == "" {
			p.before.State = cti.Ready // nothing is known against it
		}
	}
	p.State, p.Reason, p.Since = s.State, s.Reason, at
	f.cfg.Journal(change)
	f.cfg.Screen.Presence(p.Presence)
}

// wrap begins the after-call work of a call that was answered here.
func (f *Flow) wrap(card *Card) {
	c := f.cfg.Presence
	if !c.asks() || card.Call.EstablishedAt.IsZero() || f.past {
		return
	}
	p := &f.presence
	if c.Required && card.saved.Outcome == "" {
		p.owes = append(p.owes, card.Call.Leg)
		p.Owed = p.owes[0]
	}
	if p.Owed == "" && (c.Seconds == 0 || !card.saved.SavedAt.IsZero()) {
		return // it was finished during the call
	}
	last := c.left(card.Call.ClearedAt, time.Now())
	if c.Seconds > 0 && last <= 0 {
		if p.Owed == "" {
			return // it ended long ago, and we hear of it now
		}
		last = c.left(time.Now(), time.Now())
	}
	p.turn++
	p.leg, p.Until = card.Call.Leg, time.Time{}
	if c.Seconds > 0 {
		p.Until = time.Now().UTC().Add(last)
		turn := p.turn
		f.after(last, func() { f.wrapOver(turn) })
	}
	if p.State == cti.AfterCall { // of the call before
		f.cfg.Screen.Presence(p.Presence)
		return
	}
	until, leg := p.Until, p.leg
	f.presenceIs(cti.AgentStatus{State: cti.AfterCall}, cti.ByCall, leg, time.Now())
	p.Until, p.leg = until, leg
	f.cfg.Screen.Presence(p.Presence)
	if p.before.State == cti.Ready {
		f.tellPhone(cti.AgentStatus{State: cti.NotReady, Reason: afterCall})
	}
}

// restoreWork goes on with the after-call work that Ringside ended in, as far as an outcome is owed: a start does not get round it.
func (f *Flow) restoreWork(was cti.PresenceChange) {
	c, p, card := f.cfg.Presence, &f.presence, f.cards[was.Leg]
	if !c.Required || card == nil || card.saved.Outcome != "" {
		return
	}
	p.owes, p.Owed, p.leg = []string{was.Leg}, was.Leg, was.Leg
	p.State, p.Since, p.before = cti.AfterCall, was.At, cti.AgentStatus{State: cmp.Or(was.Before, cti.Ready)}
	p.turn++
	if c.Seconds > 0 {
		last := c.left(time.Now(), time.Now()) // all of it: the time without Ringside was no time to choose
		p.Until = time.Now().UTC().Add(last)
		turn := p.turn
		f.after(last, func() { f.wrapOver(turn) })
	}
	f.cfg.Screen.Presence(p.Presence)
}

// wrapOver is the end of the seconds: the outcome the site chose for that case, if one is owed, and the agent is what they were before.
func (f *Flow) wrapOver(turn int) {
	p := &f.presence
	if p.turn != turn && p.State == cti.AfterCall {
		return // of a later call, whose own timer will come
	}
	if f.cfg.Presence.Default != "" {
		for _, leg := range slices.Clone(p.owes) {
			f.chooseDefault(f.cards[leg])
		}
	}
	if p.Owed == "" && p.State == cti.AfterCall && p.turn == turn {
		f.endWrap(cti.ByTimer)
	}
}

// chooseDefault saves what was typed, with the outcome that was chosen and not saved, or else the one the site chose for agents who chose none.
func (f *Flow) chooseDefault(card *Card) {
	w := card.WrapUp
	w.Outcome = cmp.Or(w.Outcome, f.cfg.Presence.Default)
	if err := f.wrapUp(card, w, false, time.Now()); err != nil {
		f.cfg.Log.Error("outcome not saved at the end of after-call work", "leg", card.Call.Leg, "err", err)
	}
}

// finished notes that a call's wrap-up was saved: what was owed is paid, and the after-call work of that call is over.
func (f *Flow) finished(card *Card) {
	p := &f.presence
	was := p.Owed
	if card.saved.Outcome != "" {
		p.owes = slices.DeleteFunc(p.owes, func(leg string) bool { return leg == card.Call.Leg })
		p.Owed = ""
		if len(p.owes) > 0 {
			p.Owed = p.owes[0]
		}
	}
	switch {
	case p.State == cti.AfterCall && p.Owed == "" && (p.leg == card.Call.Leg || was != ""):
		f.endWrap(cti.BySaving)
	case p.Owed != was:
		f.cfg.Screen.Presence(p.Presence)
	}
}

// owed tells whether a call's outcome is still to be chosen: its card stays.
func (f *Flow) owed(card *Card) bool { return slices.Contains(f.presence.owes, card.Call.Leg) }

func (f *Flow) endWrap(by cti.By) {
	back := f.presence.before
	leg := f.presence.leg
	f.presenceIs(back, by, leg, time.Now())
	if back.State == cti.Ready {
		f.tellPhone(back)
	}
}

// tellPhone passes a state on that nobody waits for: one after the other, and of those that wait only the newest.
func (f *Flow) tellPhone(s cti.AgentStatus) {
	p := &f.presence
	if f.cfg.Phone.Presence == nil {
		return
	}
	if p.untold = &s; p.telling {
		return
	}
	p.telling = true
	f.tellNext()
}

func (f *Flow) tellNext() {
	p := &f.presence
	s := *p.untold
	p.untold = nil
	f.start(func(ctx context.Context) func() {
		ctx, cancel := context.WithTimeout(ctx, phoneLimit)
		defer cancel()
		err := f.cfg.Phone.Presence(ctx, s)
		return func() { f.phoneTold(s, err) }
	})
}

// phoneTold: an agent whom the exchange goes on keeping from calls is not ready, whatever we wanted.
func (f *Flow) phoneTold(s cti.AgentStatus, err error) {
	p := &f.presence
	if err != nil {
		f.cfg.Log.Warn("the phone was not told the agent's state", "state", s.State, "kind", cti.KindOf(err), "err", err)
	}
	switch {
	case err == nil:
		p.paused = s.State != cti.Ready
	case p.paused && p.State == cti.Ready && p.untold == nil:
		f.presenceIs(cti.AgentStatus{State: cti.NotReady, Reason: afterCall}, cti.ByPhone, "", time.Now())
	}
	if p.telling = p.untold != nil; p.telling {
		f.tellNext()
	}
}
