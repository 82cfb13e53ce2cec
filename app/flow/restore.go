package flow

import "ringside.dev/ringside/app/cti"

// Unfinished is a call of an earlier run whose record has not reached the CRM.
type Unfinished struct {
	Call      cti.Call
	WrapUp    cti.WrapUp
	WriteBack cti.WriteBack // the newest
	Write     Write
	Changes   []Change // of the customer, on their way or for a person
}

// Earlier is a call of an earlier run with what the agent typed until then.
type Earlier struct {
	Call   cti.Call
	WrapUp cti.WrapUp

	Unsettled bool // it was over, and nothing of it written down yet
}

// restoreAll puts cards back: all that need a person or hold a draft, and of the others the newest. After a long outage there may be thousands, and
// each asks the CRM once.
func (f *Flow) restoreAll() {
	for _, e := range f.cfg.Earlier {
		f.ledger.Restore(e.Call)
		if e.Call.Purpose != "" {
			f.restoreAside(e)
			continue
		}
		if e.Unsettled || e.Call.State != cti.StateClosed {
			f.restoreLive(e)
		}
	}
	newest := len(f.cfg.Unfinished) - maxUnderWay
	for i, u := range f.cfg.Unfinished {
		if draft := u.WrapUp != u.WriteBack.Record.WrapUp; i >= newest || draft || u.Write.State == WriteReview || len(u.Changes) > 0 || f.cfg.Owing != nil && f.cfg.Owing.Leg == u.Call.Leg {
			f.restore(u)
		}
	}
	if f.cfg.Owing != nil {
		f.restoreWork(*f.cfg.Owing)
	}
}

// restore puts the card of an unfinished call back, so that a person can pick, note and see what becomes of it. It does not ask for
// the window.
func (f *Flow) restore(u Unfinished) {
	card := &Card{Call: u.Call, WrapUp: u.WrapUp, Write: u.Write, Changes: u.Changes, saved: u.WriteBack.Record.WrapUp, accepted: u.WriteBack}
	f.cards[u.Call.Leg] = card
	f.askAgain(card)
	f.show(card)
}

// restoreLive puts the card of a call back that was live when Ringside ended. Whether it still is, the phone will tell.
func (f *Flow) restoreLive(e Earlier) {
	card := &Card{Call: e.Call, WrapUp: e.WrapUp}
	if !e.WrapUp.SavedAt.IsZero() { // else it is a draft
		card.saved = e.WrapUp
	}
	f.cards[e.Call.Leg] = card
	if e.Unsettled {
		f.restoreUnsettled(card)
		return
	}
	lookup := f.needsLookup(card)
	f.show(card)
	if lookup {
		f.lookUp(card)
	}
}

// restoreAside: no card, and no record.
func (f *Flow) restoreAside(e Earlier) {
	switch {
	case e.Unsettled:
		f.endAside(e.Call, e.WrapUp)
	case e.Call.State != cti.StateClosed:
		f.asides[e.Call.Leg] = e.WrapUp
	}
}

// restoreUnsettled writes a call down that was over when Ringside ended, while more might have come about its end. Nobody can tell more now.
func (f *Flow) restoreUnsettled(card *Card) {
	f.askAgain(card)
	f.end(card)
	f.show(card)
	f.leave(card)
}

// askAgain looks up a finished call's number anew: its candidates are not known (any more).
func (f *Flow) askAgain(card *Card) {
	if n := card.Call.Remote.Number; n.Tells() {
		card.Search, card.asked = Looking, n.Best()
		f.lookUp(card)
	}
}
