package flow

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"ringside.dev/ringside/app/cti"
)

// write makes a finished call and its write-backs durable; when the disk refuses, the card says so and it is tried again.
func (f *Flow) write(card *Card) {
	err := f.accept(card, f.writes(card))
	if err == nil {
		return
	}
	f.cfg.Log.Error("call not written down", "leg", card.Call.Leg, "err", err)
	card.Write, card.Notice = Write{State: WriteUnsaved}, NotSaved
	if leg := card.Call.Leg; !card.again {
		card.again = true
		f.after(saveAgain, func() { f.writeAgain(leg) })
	}
}

func (f *Flow) writeAgain(leg string) {
	card := f.cards[leg]
	if card == nil {
		return
	}
	card.again = false
	if card.Write.State == WriteUnsaved {
		f.write(card)
		f.show(card)
	}
}

// accept hands the call to the queue and notes on the card what is on its way now. The queue drops what says nothing new, so then the
// card stays as it is.
func (f *Flow) accept(card *Card, writes []cti.WriteBack) error {
	if err := f.cfg.Queue.Accept(card.Call, card.WrapUp, writes); err != nil {
		return err
	}
	if card.Notice == NotSaved {
		card.Notice = ""
	}
	if len(writes) == 0 {
		if card.Write.State == WriteUnsaved {
			card.Write = Write{}
		}
		return nil
	}
	if w := writes[0]; !w.Equal(card.accepted) || card.Write.State == WriteUnsaved {
		card.accepted, card.Write = w, Write{State: WriteQueued}
		if w.Identity == cti.IdentityUnclear {
			card.Write = Write{State: WriteReview, Kind: cti.Conflict}
		}
	}
	return nil
}

// decided tells whether the call is over and nothing better will be known about its end: only then it is written down.
func (c *Card) decided() bool { return c.Call.State == cti.StateClosed && !c.settling }

// writes tells what a finished call brings to the CRM: no drafts. Who did not answer because a colleague did writes nothing,
// but puts right what was written before that was known.
func (f *Flow) writes(card *Card) []cti.WriteBack {
	if card.Call.Ending() == cti.EndAnsweredElsewhere && card.accepted.Key == "" {
		return nil
	}
	record := cti.NewRecord(f.cfg.Tenant, card.Call, card.saved)
	if key := card.accepted.Key; key != "" {
		record.Key = key // also when the site's tenant was changed since: one call, one record
	}
	w := cti.WriteBack{Op: cti.LogCall, Key: record.Key, Leg: card.Call.Leg, CustomerID: card.Picked, Record: record}
	w.Identity = identity(card)
	if settled := card.accepted.CustomerID; w.Identity == cti.IdentityPending && settled != "" {
		w.CustomerID, w.Identity = settled, cti.IdentityKnown // nobody can be asked now, and it was decided before
	}
	if card.Call.Recording == nil {
		return []cti.WriteBack{w}
	}
	return append([]cti.WriteBack{w}, cti.NewAttachments(f.cfg.Tenant, w, *card.Call.Recording)...)
}

func identity(card *Card) cti.Identity {
	switch {
	case card.Picked != "":
		return cti.IdentityKnown
	case card.Search == Looking || card.Search == Failed || card.Search == "":
		return cti.IdentityPending
	case card.Search == Several:
		return cti.IdentityUnclear
	}
	return cti.IdentityKnown // nobody to be found: the record names only the number
}

// identified is the case of a look-up that answered after the call was over: what was not sent yet learns whom it is for, and what
// went to another customer is corrected.
func (f *Flow) identified(card *Card) {
	if card.accepted.Identity == cti.IdentityPending && card.Search == Nobody && card.Write.State != WriteReview {
		return // the delivery asks itself, perhaps at this moment: what it finds then is not older than this
	}
	switch card.Write.State {
	case WriteQueued, WriteRetrying, WriteReview:
		f.write(card)
	case WriteSending, WriteReconciling, WriteDelivered:
		if was := card.accepted.CustomerID; was != "" && card.Picked != "" && was != card.Picked {
			f.write(card)
		}
	}
}

// wrapUp takes the agent's outcome and note; for a call that goes on they are kept until its end.
func (f *Flow) wrapUp(card *Card, w cti.WrapUp, draft bool, now time.Time) error {
	w, err := CheckWrapUp(w, f.cfg.Outcomes)
	if err != nil {
		return err
	}
	before := *card
	w.SavedAt = card.saved.SavedAt
	if !draft {
		if w != card.saved || w.SavedAt.IsZero() { // else it is saved already, and the CRM need not hear of it again
			w.SavedAt = now.UTC().Truncate(time.Millisecond)
		}
		card.saved = w
	}
	card.WrapUp = w
	switch {
	case card.settling && !draft:
		card.Call = card.Call.EndWrap(now)
		f.tracker.alive(card.Call, w, now)
	case !card.decided(): // kept on the card until the call's end, and on the disk in case we do not live to see it
		f.tracker.alive(card.Call, w, now)
	case draft && card.Write.State != WriteUnsaved:
		err = f.accept(card, nil)
	case draft:
		err = f.accept(card, f.writes(card))
	default:
		card.Call = card.Call.EndWrap(now)
		err = f.accept(card, f.writes(card))
	}
	if err != nil {
		card.WrapUp, card.saved, card.Call, card.Notice = before.WrapUp, before.saved, before.Call, WrapUpNotSaved
		f.cfg.Log.Error("wrap-up not written down", "leg", card.Call.Leg, "err", err)
		f.show(card)
		return cti.Errorf(cti.Internal, "the wrap-up could not be written to the disk", err)
	}
	if card.Notice == WrapUpNotSaved {
		card.Notice = ""
	}
	if !draft && card.Call.State == cti.StateClosed {
		f.finished(card)
	}
	if !draft || card.Write != before.Write || card.Notice != before.Notice {
		f.show(card)
	}
	return nil
}

// CheckWrapUp cleans what an agent typed; invalid when it is too long, or the outcome is none of the profile's.
func CheckWrapUp(w cti.WrapUp, outcomes []string) (cti.WrapUp, error) {
	w.Outcome = cti.Clean(w.Outcome, cti.MaxText)
	w.Note = strings.TrimSpace(strings.ToValidUTF8(w.Note, "\uFFFD"))
	switch {
	case len(w.Note) > cti.MaxNote:
		return w, cti.Errorf(cti.Invalid, fmt.Sprintf("the note is too long: shorten it by about %d characters", utf8.RuneCountInString(w.Note[cti.MaxNote:])+1), nil)
	case w.Outcome != "" && len(outcomes) > 0 && !slices.Contains(outcomes, w.Outcome):
		return w, cti.Errorf(cti.Invalid, "this outcome is not one of the profile's: "+strings.Join(outcomes, ", "), nil)
	}
	return w, nil
}

// Progress is what the outbox tells about a call's write-back.
type Progress struct {
	Leg   string
	Write Write
}

// Progress hands the outbox's news to the loop.
func (f *Flow) Progress(p Progress) {
	select {
	case f.posted <- func() { f.progressed(p) }:
	case <-f.stopped:
	}
}

func (f *Flow) progressed(p Progress) {
	card := f.cards[p.Leg]
	if card == nil || card.Write == p.Write || card.Write.State == WriteUnsaved { // unsaved: the news is about older content
		return
	}
	card.Write = p.Write
	if card.toPick() && len(card.Matches) == 0 {
		f.askAgain(card) // delivery found several people; nobody could be asked during the call
	}
	f.show(card)
}
