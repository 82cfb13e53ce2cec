package ami

import (
	"bytes"
	"strconv"
	"time"

	"ringside.dev/ringside/app/cti"
)

// Player feeds a machine with what an exchange sends, answers its questions, and keeps what it tells.
type Player struct {
	Events  map[string][]cti.Event // as they were told, by extension
	Order   []cti.Event            // all of them
	Asked   []string               // the questions: their action, channel and variable
	CallIDs map[string]string      // by channel
	Vars    map[string]string      // variables of every channel
	Silent  bool                   // questions are not answered

	machine *machine
	now     time.Time
	open    []action
	sent    int
	wire    *bytes.Buffer
	in      *reader
}

// Began is when a Player's time begins.
var Began = time.Date(2026, 11, 23, 5, 31, 58, 0, time.UTC)

// NewPlayer makes the machine of an exchange.
func NewPlayer(c Config) *Player {
	c.Address, c.Username, c.Instance = "127.0.0.1:5038", "ringside", "pbx-1"
	c.Secret = func() (string, error) { return "", nil }
	if err := c.check(); err != nil {
		panic(err)
	}
	p := &Player{now: Began, Events: map[string][]cti.Event{}, wire: &bytes.Buffer{}}
	p.in = newReader(p.wire)
	p.machine = newMachine(c, func(extension string, e cti.Event) {
		p.Events[extension] = append(p.Events[extension], e)
		p.Order = append(p.Order, e)
	}, func(a action) string {
		p.sent++
		id := "ringside-" + strconv.Itoa(p.sent)
		p.Asked = append(p.Asked, a.name()+" "+block(a).get("Channel")+" "+block(a).get("Variable"))
		p.open = append(p.open, append(a[:len(a):len(a)], field{"ActionID", id}))
		return id
	})
	p.machine.now = p.now
	return p
}

// Take feeds bytes of whole blocks at a time after the beginning, and answers what the machine asks because of them.
func (p *Player) Take(at time.Duration, raw []byte) {
	p.Pass(at)
	p.wire.Write(raw)
	for {
		b, err := p.in.next()
		if err != nil {
			return
		}
		p.machine.apply(b, p.now)
		p.Answer()
	}
}

// Answer answers what the machine asked, unless the player is silent.
func (p *Player) Answer() {
	for len(p.open) > 0 && !p.Silent {
		a := p.open[0]
		p.open = p.open[1:]
		p.machine.apply(p.answer(block(a)), p.now)
	}
}

func (p *Player) answer(a block) block {
	if a.get("Action") != "Getvar" {
		return block{{"Response", "Error"}, {"ActionID", a.get("ActionID")}, {"Message", "not in this test"}}
	}
	value := p.Vars[a.get("Variable")]
	if callIDVariable(a.get("Channel")) == a.get("Variable") {
		value = p.CallIDs[a.get("Channel")]
	}
	return block{{"Response", "Success"}, {"ActionID", a.get("ActionID")}, {"Variable", a.get("Variable")}, {"Value", value}}
}

// Pass lets time go by until a time after the beginning, with all that is due in it.
func (p *Player) Pass(at time.Duration) {
	to := Began.Add(at)
	for {
		next, is := p.machine.wake()
		if !is || next.After(to) {
			break
		}
		if next.After(p.now) {
			p.now = next
		}
		p.machine.tick(p.now)
		p.Answer()
	}
	if to.After(p.now) {
		p.now = to
	}
	p.machine.tick(p.now)
}

// Kept counts everything the machine remembers, for tests of memory.
func (p *Player) Kept() map[string]int {
	m := p.machine
	expiring := 0
	for _, list := range m.expiring {
		expiring += len(list)
	}
	return map[string]int{"channels": len(m.channels), "journeys": len(m.journeys), "bridges": len(m.bridges), "over": len(m.over),
		"ended": len(m.ended), "expiring": expiring, "questions": len(m.questions), "deadlines": len(m.deadlines), "talks": len(m.queue.talks),
		"originals": len(m.originals), "members": len(m.queue.members), "touched": len(m.touched)}
}

// ReadAll reads a stream to its end, and counts its blocks and their fields.
func ReadAll(raw []byte) (blocks, fields int, err error) {
	in := newReader(bytes.NewReader(raw))
	for range len(raw) + 1 {
		b, err := in.next()
		if err != nil {
			return blocks, fields, err
		}
		blocks++
		fields += len(b)
	}
	return blocks, fields, nil
}
