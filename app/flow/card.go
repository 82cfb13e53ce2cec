package flow

import (
	"slices"
	"time"

	"ringside.dev/ringside/app/cti"
)

// Search tells how far the look-up is.
type Search string

// The states of the look-up.
const (
	Looking    Search = "looking"
	Found      Search = "found"
	Several    Search = "several"
	Nobody     Search = "none"
	Failed     Search = "failed"
	Withheld   Search = "withheld"
	OwnLine    Search = "own"
	Colleague  Search = "internal"
	Privacy    Search = "privacy"
	Unreadable Search = "unreadable"
)

// Notice is a code for something the agent should know.
type Notice string

// The notices.
const (
	PhoneSilent    Notice = "phone_did_not_answer"
	PhoneRefused   Notice = "phone_refused"
	PhoneOffline   Notice = "phone_offline"
	NotSaved       Notice = "not_saved"
	WrapUpNotSaved Notice = "wrapup_not_saved"
)

// Card is one call with all that is known about it. The screen gets copies.
type Card struct {
	Call       cti.Call
	Search     Search
	SearchKind cti.Kind // why the look-up failed
	Matches    []cti.Match
	Picked     string // customer id: the one match, or the agent's choice
	Details    Details
	Changes    []Change // of the customer, on their way or refused
	WrapUp     cti.WrapUp
	Write      Write
	Commands   []cti.Command // what the phone can do with the call now
	Notice     Notice
	Pop        bool     // asks for the window to be shown
	Again      bool     // asks once more: only a colleague was shown so far, and now the customer is
	Consult    *Consult // the colleague who is asked meanwhile

	asked    string        // the number of the newest look-up: an older one's answer is dropped
	chosen   bool          // the agent picked: look-ups do not undo that
	chosenOn cti.Transfer  // the transfer that had brought the far end by then
	awaited  int           // the command that the call has not followed yet; 0: none
	saved    cti.WrapUp    // the newest that is no draft: what the CRM is told
	accepted cti.WriteBack // the newest the queue has
	internal bool          // a colleague is shown
	settling bool          // it is over, and why may still become clearer
	away     bool          // put away while settling
	again    bool          // a timer runs after which the record is written again
}

// Write tells where the record is on its way.
type Write struct {
	State    string // "", or one of those below
	Kind     cti.Kind
	Message  string
	Attempts int
	NextAt   time.Time
	RecordID string
}

// The states of a write-back as the card knows them.
const (
	WriteUnsaved     = "unsaved"
	WriteQueued      = "queued"
	WriteSending     = "sending"
	WriteRetrying    = "retrying"
	WriteReconciling = "reconciling" // it may have arrived: being looked up
	WriteDelivered   = "delivered"
	WriteReview      = "review"
	WriteDiscarded   = "discarded"
)

// card gives the card of a call, making it at the first ring; nil as long as nothing rings, and for a caller who left the queue
// before it rang here.
func (f *Flow) card(before, call cti.Call) *Card {
	card := f.cards[call.Leg]
	if card == nil {
		if call.State == cti.Null || call.State == cti.StateClosed && before.Leg != "" {
			return nil
		}
		card = &Card{Pop: call.State != cti.StateClosed && !f.past}
		f.cards[call.Leg] = card
	}
	if card.Call.State == cti.StateClosed { // a better cause takes nothing back
		call.WrapEndedAt = card.Call.WrapEndedAt
		if known := card.Call.Recording; call.Recording == nil {
			call.Recording = known
		} else {
			call.Recording = known.Then(*call.Recording)
		}
	}
	card.Call = call
	return card
}

// show hands a copy to the screen.
func (f *Flow) show(card *Card) {
	if card.away {
		return
	}
	card.Commands = f.commands(card)
	c := *card
	c.Matches, c.Changes = slices.Clone(card.Matches), slices.Clone(card.Changes)
	if card.Consult != nil {
		consult := *card.Consult
		c.Consult = &consult
	}
	f.cfg.Screen.Show(c)
}

// commands lists what makes sense in the call's state, as far as the phone can do it.
func (f *Flow) commands(card *Card) []cti.Command {
	call := card.Call
	var sensible []cti.Command
	switch call.State {
	case cti.Alerting:
		sensible = []cti.Command{cti.CommandAnswer, cti.CommandReject}
	case cti.Initiated:
		sensible = []cti.Command{cti.CommandHangup}
	case cti.Connected:
		sensible = []cti.Command{cti.CommandHangup, cti.CommandHold, cti.CommandMute, cti.CommandDTMF, cti.CommandTransfer, cti.CommandConsult}
		if !f.cfg.Phone.TellsHold {
			sensible = append(sensible, cti.CommandResume)
		}
		if call.Muted {
			sensible = append(sensible, cti.CommandUnmute)
		}
	case cti.OnHold:
		sensible = []cti.Command{cti.CommandHangup, cti.CommandResume, cti.CommandTransfer, cti.CommandConsult}
	case cti.Null, cti.StateClosed:
		return nil
	}
	if card.Consult != nil { // one colleague at a time
		sensible = slices.DeleteFunc(sensible, func(c cti.Command) bool { return c == cti.CommandConsult })
		if card.Consult.State == cti.Connected {
			sensible = append(sensible, cti.CommandComplete)
		}
	}
	can := f.cfg.Phone.Can(call)
	return slices.DeleteFunc(sensible, func(c cti.Command) bool { return !slices.Contains(can, c) })
}

// dismiss takes a finished call's card away, unless something of it would be out of reach then.
func (f *Flow) dismiss(card *Card) error {
	switch {
	case card.Call.State != cti.StateClosed:
		return cti.Errorf(cti.Conflict, "the call is not over yet", nil)
	case card.Write.State == WriteUnsaved:
		return cti.Errorf(cti.Conflict, "the call record is not on the disk yet", nil)
	case card.toPick():
		return cti.Errorf(cti.Conflict, "pick the customer first: the record waits for it", nil)
	case card.undecided():
		return cti.Errorf(cti.Conflict, "decide first about what the CRM did not take of your changes", nil)
	case f.owed(card):
		return cti.Errorf(cti.Conflict, "choose an outcome for the call first", nil)
	case card.drafted():
		return cti.Errorf(cti.Conflict, "what was typed is not saved: save it, or clear it, first", nil)
	case card.settling: // its record is still to be written
		card.away = true
		f.cfg.Screen.Drop(card.Call.Leg)
		return nil
	}
	f.putAway(card)
	return nil
}

// toPick tells whether the record waits for the agent to say whose it is. Where nobody has the number there is nobody to pick: then
// the conflict is the CRM's own.
func (c *Card) toPick() bool {
	candidates := c.Search == Several || c.Search == Looking || c.Search == Failed
	return candidates && c.Write.State == WriteReview && c.Write.Kind == cti.Conflict && c.Picked == ""
}

// undecided tells whether a change of the customer waits for the agent's decision.
func (c *Card) undecided() bool {
	return slices.ContainsFunc(c.Changes, func(one Change) bool { return one.Write.State == WriteReview })
}

// drafted tells whether the agent typed something that was never saved.
func (c *Card) drafted() bool {
	return c.WrapUp != c.saved && c.Call.Ending() != cti.EndAnsweredElsewhere
}

// unfinished tells whether the record is still on its way.
func (c *Card) unfinished() bool {
	return c.Write.State != "" && c.Write.State != WriteDelivered && c.Write.State != WriteDiscarded
}

func (f *Flow) putAway(card *Card) {
	delete(f.cards, card.Call.Leg)
	f.cfg.Screen.Drop(card.Call.Leg)
}

// sweep ends ghosts, forgets tombstones and puts old cards away.
func (f *Flow) sweep(now time.Time) {
	for _, change := range f.ledger.Sweep(now) {
		f.follow(change)
	}
	f.tidy(now)
}

// tidy puts cards away that are old, or too many: the oldest first. What only the card's agent can settle stays; records on their way
// stay too, as many as a screen can bear, for delivery may find that a person must pick.
func (f *Flow) tidy(now time.Time) {
	var done, underWay []*Card
	for _, card := range f.cards {
		switch {
		case card.Call.State != cti.StateClosed || card.Write.State == WriteUnsaved || card.settling || card.toPick() || card.undecided() || card.drafted() || f.owed(card):
		case card.unfinished():
			underWay = append(underWay, card)
		default:
			done = append(done, card)
		}
	}
	f.putAwayOldest(underWay, maxUnderWay, time.Time{})
	f.putAwayOldest(done, maxCards, now.Add(-keepCards))
}

// putAwayOldest keeps the newest most cards of those that ended after a time.
func (f *Flow) putAwayOldest(cards []*Card, most int, after time.Time) {
	slices.SortFunc(cards, func(a, b *Card) int { return b.Call.ClearedAt.Compare(a.Call.ClearedAt) })
	for i, card := range cards {
		if i >= most || card.Call.ClearedAt.Before(after) {
			f.putAway(card)
		}
	}
}
