package sandbox

import (
	"fmt"
	"time"
)

// sowHistory gives contacts their past: calls, tickets, orders, tasks.
func (s *sower) sowHistory() {
	for i := range s.st.Contacts {
		c := &s.st.Contacts[i]
		country, lang := s.countryOf(*c), "en"
		if country == "CN" {
			lang = "zh"
		}
		calls, open, solved, orders, tasks := s.amounts(c.ID)
		for range calls {
			s.addCall(c, country, lang)
		}
		for n := range open + solved {
			s.addTicket(c, country, lang, n < open)
		}
		for range orders {
			s.addOrder(c, country, lang)
		}
		for range tasks {
			s.addTask(c, country, lang)
		}
	}
	s.number()
}

// amounts are fixed for the anchors, because scripts and screenshots count on them.
func (s *sower) amounts(id string) (calls, open, solved, orders, tasks int) {
	switch id {
	case "c_000001":
		return 3, 2, 0, 2, 1
	case "c_000002":
		return 1, 1, 0, 1, 0
	}
	calls, orders = s.rnd.IntN(5), max(0, s.rnd.IntN(5)-1)
	if s.chance(20) {
		open = 1 + s.rnd.IntN(2)
	}
	if s.chance(35) {
		solved = 1 + s.rnd.IntN(2)
	}
	if s.chance(15) {
		tasks = 1
	}
	return calls, open, solved, orders, tasks
}

// number gives ids in the order things happened. Orders and calls carry the number in a second field too.
func (s *sower) number() {
	sorted(s.st.Calls, func(c Call) Stamp { return c.StartedAt }, func(c *Call, n int) {
		c.ID, c.ExternalKey = fmt.Sprintf("call_%06d", n), fmt.Sprintf("seed-%06d", n)
		c.Case, c.Leg = fmt.Sprintf("case-%06d", n), fmt.Sprintf("leg-%06d", n)
	})
	sorted(s.st.Tickets, func(t ticket) Stamp { return t.CreatedAt }, func(t *ticket, n int) { t.ID = fmt.Sprintf("t_%06d", n) })
	sorted(s.st.Tasks, func(t task) Stamp { return t.CreatedAt }, func(t *task, n int) { t.ID = fmt.Sprintf("task_%06d", n) })
	sorted(s.st.Orders, func(o order) Stamp { return o.PlacedAt }, func(o *order, n int) {
		o.ID, o.Number = fmt.Sprintf("o_%06d", n), fmt.Sprintf("SO-2026-%05d", n)
	})
}

func (s *sower) addCall(c *contact, country, lang string) {
	u := s.st.Users[s.rnd.IntN(len(s.st.Users))]
	call := Call{
		ContactID: copyOf(&c.ID), Agent: u, Direction: "in", Number: c.Phones[s.rnd.IntN(len(c.Phones))].Number,
		Extension: fmt.Sprintf("80%02d", 1+s.rnd.IntN(20)), StartedAt: s.ago(240, country), RingMS: 2000 + s.rnd.Int64N(18000), Revision: 1,
	}
	if s.chance(30) {
		call.Direction = "out"
	}
	s.endCall(&call, lang)
	call.CreatedAt, call.UpdatedAt = *call.EndedAt, *call.EndedAt
	c.LastActivityAt = later(c.LastActivityAt, call.StartedAt)
	s.st.Calls = append(s.st.Calls, call)
}

func (s *sower) endCall(call *Call, lang string) {
	after := func(from Stamp, ms int64) *Stamp {
		at := stamp(from.Add(time.Duration(ms) * time.Millisecond))
		return &at
	}
	if s.chance(20) {
		call.Ending = map[string]string{"in": "missed", "out": "no_answer"}[call.Direction]
		call.EndedAt = after(call.StartedAt, call.RingMS)
		return
	}
	call.Ending, call.Cause = "answered", "normal_clearing"
	call.TalkMS, call.WrapMS = 20_000+s.rnd.Int64N(600_000), s.rnd.Int64N(60_000)
	call.AnsweredAt = after(call.StartedAt, call.RingMS)
	call.EndedAt = after(*call.AnsweredAt, call.TalkMS)
	outcome := s.oneOf("resolved", "follow_up", "sale", "complaint", "information")
	note := s.pickIn(lang, s.notes)[1]
	call.Outcome, call.Note = &outcome, &note
}

func (s *sower) addTicket(c *contact, country, lang string, open bool) {
	words := s.pickIn(lang, s.tickets)
	at := s.ago(60, country)
	t := ticket{
		common:  common{ContactID: copyOf(&c.ID), CreatedBy: s.st.Users[s.rnd.IntN(len(s.st.Users))], CreatedAt: at, UpdatedAt: at},
		Subject: words[1], Body: words[2], Status: "open", Priority: s.oneOf("low", "normal", "normal", "normal", "high", "urgent"),
	}
	if !open {
		t.Status = "solved"
		t.CreatedAt = s.ago(400, country)
		t.UpdatedAt = later(t.CreatedAt, stamp(t.CreatedAt.Add(time.Duration(s.rnd.IntN(72))*time.Hour)))
		if t.UpdatedAt.After(s.day) {
			t.UpdatedAt = t.CreatedAt
		}
	}
	c.LastActivityAt = later(c.LastActivityAt, t.UpdatedAt)
	s.st.Tickets = append(s.st.Tickets, t)
}

func (s *sower) addOrder(c *contact, country, lang string) {
	n := 1 + s.rnd.IntN(20)
	o := order{
		ContactID: c.ID, Item: s.pickIn(lang, s.products)[1], Quantity: n, Total: int64(n) * int64(900+s.rnd.IntN(30000)),
		Currency: map[string]string{"CN": "CNY", "GB": "GBP", "US": "USD"}[country],
		Status:   s.oneOf("open", "shipped", "delivered", "delivered", "delivered", "returned"), PlacedAt: s.ago(300, country),
	}
	c.LastActivityAt = later(c.LastActivityAt, o.PlacedAt)
	s.st.Orders = append(s.st.Orders, o)
}

func (s *sower) addTask(c *contact, country, lang string) {
	at := s.ago(20, country)
	due := stamp(s.day.AddDate(0, 0, 1+s.rnd.IntN(14)).Add(9 * time.Hour))
	s.st.Tasks = append(s.st.Tasks, task{
		common:  common{ContactID: copyOf(&c.ID), CreatedBy: Agent{ID: c.Owner.ID, Name: c.Owner.Name}, CreatedAt: at, UpdatedAt: at},
		Subject: s.pickIn(lang, s.tasks)[1], DueAt: &due, Done: s.chance(25), Owner: copyOf(&c.Owner),
	})
}
