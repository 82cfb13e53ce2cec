package ami

import (
	"cmp"
	"slices"
	"strings"

	"ringside.dev/ringside/app/cti"
)

// passed notes that a journey was given on: who rings after that is its target.
type passed struct {
	kind cti.TransferKind
	to   string
}

// blindTransfer: the agent gave the call away; their leg is over with it, whatever its channel does.
func (m *machine) blindTransfer(b block) {
	if b.get("Result") != "Success" {
		return
	}
	to := strings.Clone(b.get("Extension"))
	giver, given := m.seen(b, "Transferer"), m.seen(b, "Transferee")
	if given != nil {
		m.journeyOf(given.journey).transfer = &passed{cti.Blind, to}
		m.touch(given)
	}
	if giver != nil {
		m.touch(giver)
		m.settle() // what was not told before
		m.given(giver.leg, cti.Blind, to)
	}
	if given != nil && given.leg != nil {
		m.passedOn(given.leg, cti.Blind, remote(to, ""))
	}
}

// given ends the leg of an agent who gave a call away.
func (m *machine) given(l *leg, kind cti.TransferKind, to string) {
	if l == nil || l.ended {
		return
	}
	l.ended, l.endedAt = true, m.now
	m.out(l, cti.Event{Type: cti.Transferred, Transfer: &cti.Transfer{Kind: kind, Role: cti.Transferrer, To: to},
		Cause: &cti.Cause{Code: cti.CauseTransferred, By: cti.ByLocal}})
	m.buried(l)
}

// passedOn tells an extension that has been given on: its far end is another now.
func (m *machine) passedOn(l *leg, kind cti.TransferKind, to cti.Remote) {
	if l.ended || !l.begun {
		return
	}
	l.remote = to
	m.out(l, cti.Event{Type: cti.Transferred, Transfer: &cti.Transfer{Kind: kind, Role: cti.Transferee, To: to.Raw}})
}

// attendedTransfer joins the customer with whom the agent consulted. OrigTransferer is the agent's leg with the customer, SecondTransferer the one with the
// colleague; by a feature code both are one, and the colleague is behind a Local channel.
func (m *machine) attendedTransfer(b block) {
	if b.get("Result") != "Success" {
		return
	}
	main, aside := m.seen(b, "OrigTransferer"), m.seen(b, "SecondTransferer")
	customer, colleague := m.seen(b, "Transferee"), m.seen(b, "TransferTarget")
	if colleague == nil { // left out of one transfer in three (observed)
		colleague = m.other([]string{b.get("DestBridgeUniqueid"), b.get("SecondBridgeUniqueid")}, main, aside, customer)
	}
	for _, c := range []*channel{main, aside, customer, colleague} {
		m.touch(c)
	}
	m.settle()
	if main == nil || main.leg == nil || aside == nil || aside.leg == nil {
		return
	}
	to, from := aside.leg.remote, main.leg.remote
	if aside == main {
		to = cti.Remote{}
		if colleague != nil {
			to = remote(colleague.number, colleague.caller)
		}
	} else if aside.leg.direction == cti.Out && !aside.leg.clickToDial {
		aside.leg.purpose = cmp.Or(aside.leg.purpose, cti.Consultation) // now it is known, though the number was none of a colleague
	}
	if b.get("DestType") == "Threeway" { // the agent stays: a conference
		m.about(main.leg, cti.Event{Type: cti.Conferenced, Remote: to})
		return
	}
	m.given(main.leg, cti.Consult, to.Raw)
	m.given(aside.leg, cti.Consult, to.Raw)
	m.settleIn(b.get("DestBridgeUniqueid"), customer, colleague)
	if customer != nil && customer.leg != nil {
		m.passedOn(customer.leg, cti.Consult, to)
	}
	if colleague == nil {
		return
	}
	for _, l := range m.behind(colleague) {
		if l.begun {
			l.remote = from // the customer, and not the agent who asked
			m.out(l, cti.Event{Type: cti.Transferred, Transfer: &cti.Transfer{Kind: cti.Consult, Role: cti.Target, To: l.extension}})
		}
	}
}

// settleIn: those who were joined talk in this bridge from now on, wherever they did before.
func (m *machine) settleIn(bridge string, joined ...*channel) {
	for _, c := range joined {
		if c == nil || bridge == "" {
			continue
		}
		for _, l := range m.behind(c) {
			l.home = strings.Clone(bridge)
		}
	}
}

// other gives somebody who is in one of these bridges and none of these.
func (m *machine) other(bridges []string, none ...*channel) *channel {
	for _, bridge := range bridges {
		for id := range m.bridges[bridge] {
			if c := m.channels[id]; c != nil && !slices.Contains(none, c) {
				return c
			}
		}
	}
	return nil
}

// parked: the agent has the customer wait where any colleague can fetch them, and is done with them.
func (m *machine) parked(b block) {
	customer, by := m.seen(b, "Parkee"), m.extensionOfDevice(b.get("ParkerDialString"))
	if customer == nil || by == "" {
		return
	}
	for l := range m.journeyOf(customer.journey).legs {
		if l.extension == by && l.established && !l.ended {
			l.endBy = cti.ByLocal
			m.touched[l] = true
		}
	}
}

// spying: a supervisor listens, which is no call of a customer's.
func (m *machine) spying(b block) {
	c := m.seen(b, "Spyer")
	if c == nil {
		return
	}
	m.touch(c)
	m.settle()
	l := c.leg
	if l == nil || l.ended || !l.begun || l.purpose == cti.Monitoring {
		return
	}
	l.purpose = cti.Monitoring
	if spied := m.seen(b, "Spyee"); spied != nil && spied.device != "" {
		l.remote = remote(spied.device, "")
	}
	if l.established {
		m.out(l, cti.Event{Type: cti.Info})
		return
	}
	l.established, l.talkStep = true, m.step
	m.out(l, cti.Event{Type: cti.Established})
}
