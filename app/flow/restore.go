package flow

import "ringside.dev/ringside/app/cti"

// Unfinished is a call of an earlier run whose record has not reached the CRM.
type Unfinished struct {
	Call      cti.Call
	WrapUp    cti.WrapUp
	WriteBack cti.WriteBack // the newest
	Write     Write
}

// restoreAll puts cards back: all that need a person or hold a draft, and of the others the newest. After a long outage there may be thousands, and
// each asks the CRM once.
func (f *Flow) restoreAll() {
	newest := len(f.cfg.Unfinished) - maxUnderWay
	for i, u := range f.cfg.Unfinished {
		if draft := u.WrapUp != u.WriteBack.Record.WrapUp; i >= newest || draft || u.Write.State == WriteReview {
			f.restore(u)
		}
	}
}

// restore puts the card of an unfinished call back, so that a person can pick, note and see what becomes of it. It does not ask for
// the window.
func (f *Flow) restore(u Unfinished) {
	card := &Card{Call: u.Call, WrapUp: u.WrapUp, Write: u.Write, saved: u.WriteBack.Record.WrapUp, accepted: u.WriteBack}
	f.cards[u.Call.Leg] = card
	f.askAgain(card)
	f.show(card)
}

// askAgain looks up a finished call's number anew: its candidates are not known (any more).
func (f *Flow) askAgain(card *Card) {
	if n := card.Call.Remote.Number; !n.Withheld && n.Best() != "" && !f.cfg.Finder.Own(n) {
		card.Search, card.asked = Looking, n.Best()
		f.lookUp(card)
	}
}
