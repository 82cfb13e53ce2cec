package outbox_test

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/outbox"
)

// Random operations against a model: whatever is accepted, edited, attached, discarded, refused, crashed and set to another time, in the
// end each kind of CRM has every record once, with its last content, and no lane was ever out of order.
//
// Fault 13: items that the disk refused and kept are among them.
// Fault 46: so are jumps of the clock, of a day either way.
func TestRandomOperations_nothingLostNothingTwiceNothingOutOfOrder(outer *testing.T) {
	for _, k := range allKinds {
		outer.Run(k.name, func(outer *testing.T) {
			rapid.Check(outer, func(t *rapid.T) {
				if fault, diary := story(t, outer, k, k.truth()); fault != "" {
					t.Log(diary)
					t.Fatal(fault)
				}
			})
		})
	}
}

// The control: the same stories with connectors that lie must show what the model is there to see.
func TestRandomOperations_withLyingConnectorsAreSeen(outer *testing.T) {
	for name, lie := range map[string]struct {
		kind kind
		says cti.Repeat
	}{
		"plain re-send":    {lagging, cti.Repeat{Safe: true}},
		"no settle time":   {lagging, cti.Repeat{Find: true}},
		"key for ever":     {searching, cti.Repeat{Safe: true}},
		"nobody is asked":  {blind, cti.Repeat{Safe: true}},
		"upserts, it says": {windowed, cti.Repeat{Safe: true}},
	} {
		outer.Run(name, func(outer *testing.T) {
			stories := rapid.Custom(func(t *rapid.T) string {
				fault, _ := story(t, outer, lie.kind, lie.says)
				return fault
			})
			for seed := range 300 {
				if stories.Example(seed) != "" {
					return
				}
			}
			outer.Error("300 stories saw nothing")
		})
	}
}

// story is one run of random operations; it gives what was wrong in it, and what happened.
func story(t *rapid.T, outer *testing.T, k kind, says cti.Repeat) (wrong string, happened *diary) {
	seed := rapid.Uint64().Draw(t, "jitter")
	bubble(outer, func() {
		m := newModel(outer, k, says, seed)
		defer m.leave()
		t.Repeat(map[string]func(*rapid.T){
			"accept": m.accept, "plan": m.plan, "crash": m.crash, "retry": m.retry, "edit": m.edit, "attach": m.attach,
			"": m.look, "discard": m.discard, "disk": m.disk, "pass": m.pass, "hold": m.holdOrGo, "clock": m.clock, "wake": m.wake,
		})
		wrong, happened = m.end(), m.diary
	})
	return wrong, happened
}

// bubble runs f in fake time and brings rapid's way of failing, a panic, back out.
func bubble(t *testing.T, f func()) {
	var failed any
	synctest.Test(t, func(*testing.T) {
		defer func() { failed = recover() }()
		f()
	})
	if failed != nil {
		panic(failed)
	}
}

// model is what the outbox has promised.
type model struct {
	*rig
	version int
	content map[string]content // the newest by key
	letGo   func()
	able    atomic.Pointer[map[uint64]bool] // what could be sent when nothing happened last
}

type content struct {
	note, customer string
	unclear        bool
	refused        bool // the disk refused it, and may have kept it: it is given again in the end
	given          bool // a person gave up on it, or on an earlier one: the CRM may have any content of it, but once
}

func newModel(outer *testing.T, k kind, says cti.Repeat, seed uint64) *model {
	m := &model{content: map[string]content{}}
	m.rig = &rig{t: outer, store: newMemory(), crm: newCRM(k)}
	m.crm.says = says
	m.crm.started = m.inOrder
	m.diary, m.random = &diary{rig: m.rig}, jitter(seed)
	m.able.Store(&map[uint64]bool{})
	m.open()
	m.run()
	return m
}

// look notes what can be sent: neither waiting for a person nor for an earlier item with its key.
func (m *model) look(*rapid.T) {
	synctest.Wait()
	able := map[uint64]bool{}
	defer m.able.Store(&able)
	for _, it := range m.unfinished() {
		earlier, err := m.box.Get(it.After)
		able[it.Seq] = it.State != outbox.Review && (err != nil || earlier.State.Final())
	}
}

// inOrder: nothing older of the lane that could have been sent since the last look is left behind.
func (m *model) inOrder(w cti.WriteBack) {
	w.RecordID = ""
	items, err := m.box.List(outbox.Filter{States: []outbox.State{outbox.Queued, outbox.Retry, outbox.Reconcile}})
	if err != nil {
		m.crm.fault = err.Error()
	}
	at := slices.IndexFunc(items, func(it outbox.Item) bool { return it.WriteBack.Equal(w) })
	if at < 0 {
		return // it is in the act of being taken down
	}
	first := items[at].Seq
	for it := items[at]; it.After != 0; { // it has the turn of what it updates
		first = it.After
		if it, err = m.box.Get(it.After); err != nil {
			break
		}
	}
	able := *m.able.Load()
	for _, it := range items {
		if it.Lane == items[at].Lane && able[it.Seq] && cmp.Or(it.After, it.Seq) < first {
			m.crm.mu.Lock()
			m.crm.blame("item %d was sent before %d: %+v %+v", items[at].Seq, it.Seq, items[at].Standing(), it.Standing())
			m.crm.mu.Unlock()
		}
	}
}

// laneOf spreads the keys over three lanes.
func laneOf(key string) string { return fmt.Sprint("lane ", key[len(key)-1]%3) }

// leave ends what runs, so that the bubble can.
func (m *model) leave() {
	if m.letGo != nil {
		m.letGo()
	}
	if m.stop != nil {
		m.rig.crash()
	}
}

func (m *model) key(t *rapid.T) string {
	return fmt.Sprint("key ", rapid.IntRange(0, 7).Draw(t, "key"))
}

func (m *model) note() string {
	m.version++
	return fmt.Sprint("note ", m.version)
}

func (m *model) writeBack(key string, c content) cti.WriteBack {
	w := write(key, laneOf(key), c.note)
	w.CustomerID = c.customer
	if c.unclear {
		w.Identity = cti.IdentityUnclear
	}
	return w
}

func (m *model) give(key string, c content) error {
	w := m.writeBack(key, c)
	err := m.box.Accept(cti.Call{Leg: w.Leg}, w.Record.WrapUp, []cti.WriteBack{w})
	m.diary.note("accept %s %+v: %v", key, c, err)
	return err
}

func (m *model) accept(t *rapid.T) {
	key := m.key(t)
	c := m.content[key]
	c.note, c.unclear = m.note(), c.note == "" && rapid.IntRange(0, 5).Draw(t, "unclear") == 0
	c.refused = false
	m.promised(key, c, m.give(key, c))
	synctest.Wait()
}

func (m *model) promised(key string, c content, err error) {
	c.refused = c.refused || err != nil
	m.content[key] = c
}

func (m *model) plan(t *rapid.T) {
	kinds := []cti.Kind{"", cti.Invalid, cti.Auth, cti.Denied, cti.Conflict, cti.Limited, cti.Offline, cti.Uncertain, cti.Internal}
	m.crm.fails(rapid.SliceOfN(rapid.Custom(func(t *rapid.T) fault {
		f := fault{kind: rapid.SampledFrom(kinds).Draw(t, "kind"), panics: rapid.IntRange(0, 9).Draw(t, "panics") == 0}
		f.after = (f.panics || f.kind == cti.Uncertain || f.kind == cti.Internal) && rapid.Bool().Draw(t, "after")
		if (f.kind == cti.Offline || f.kind == cti.Limited) && rapid.Bool().Draw(t, "named") {
			f.retry = time.Minute
		}
		return f
	}), 1, 8).Draw(t, "plan")...)
}

// crash ends the program: by a stop or with the power; the index may have to be made anew.
func (m *model) crash(t *rapid.T) {
	m.rig.crash()
	if rapid.Bool().Draw(t, "power") {
		m.store.cut()
	}
	if rapid.IntRange(0, 5).Draw(t, "rebuild") == 0 {
		m.store.rebuild()
	}
	if rapid.IntRange(0, 3).Draw(t, "away") == 0 {
		pass(time.Duration(rapid.IntRange(1, 30).Draw(t, "hours")) * time.Hour)
	}
	m.open()
	m.look(nil) // with the power went that something was done: what comes after it has to wait again
	m.run()
}

func (m *model) some(t *rapid.T) (outbox.Item, bool) {
	items := m.unfinished()
	if len(items) == 0 {
		return outbox.Item{}, false
	}
	return rapid.SampledFrom(items).Draw(t, "item"), true
}

// retry is what a person does who has looked into the CRM first, where the words ask for that.
func (m *model) retry(t *rapid.T) {
	if it, ok := m.some(t); ok {
		m.decide(it)
		synctest.Wait()
	}
}

// decide looks at the item as it is now: what came into review meanwhile asks for a look into the CRM, and a Retry without one is the
// word of somebody who has not looked.
func (m *model) decide(it outbox.Item) {
	m.look(nil)
	key := it.WriteBack.Key
	it, err := m.box.Get(it.Seq)
	if err != nil || it.State.Final() {
		return
	}
	if it.State == outbox.Review && !it.Begun.IsZero() || it.State == outbox.Review && it.LastTry().Kind == cti.Uncertain {
		if records := m.crm.of(key); len(records) > 0 {
			if m.discarded(it) {
				m.giveUp(key)
			}
			return
		}
	}
	err = m.box.Retry(it.Seq) // refused for unclear and held ones
	m.diary.note("retry %s %+v: %v", key, it.Standing(), err)
}

func (m *model) discarded(it outbox.Item) bool {
	err := m.box.Discard(it.Seq, "not wanted, or there")
	m.diary.note("discard %s %+v: %v", it.WriteBack.Key, it.Standing(), err)
	return err == nil
}

func (m *model) giveUp(key string) {
	c := m.content[key]
	c.given = true
	m.content[key] = c
}

func (m *model) edit(t *rapid.T) {
	if it, ok := m.some(t); ok {
		c := m.content[it.WriteBack.Key]
		c.note = m.note()
		err := m.box.Edit(it.Seq, cti.WrapUp{Note: c.note})
		m.diary.note("edit %s %d %+v: %v", it.WriteBack.Key, it.Seq, c, err)
		m.promised(it.WriteBack.Key, c, err)
		synctest.Wait()
	}
}

func (m *model) attach(t *rapid.T) {
	if it, ok := m.some(t); ok {
		c := m.content[it.WriteBack.Key]
		c.customer, c.unclear = fmt.Sprint("c", rapid.IntRange(1, 3).Draw(t, "customer")), false
		err := m.box.Attach(it.Seq, c.customer)
		m.diary.note("attach %s %d %+v: %v", it.WriteBack.Key, it.Seq, c, err)
		m.promised(it.WriteBack.Key, c, err)
		synctest.Wait()
	}
}

func (m *model) discard(t *rapid.T) {
	if it, ok := m.some(t); ok && m.discarded(it) {
		m.giveUp(it.WriteBack.Key)
	}
	synctest.Wait()
}

func (m *model) disk(t *rapid.T) {
	m.store.fill(rapid.Bool().Draw(t, "full"))
	m.store.stick(rapid.Bool().Draw(t, "stuck"))
	m.store.mu.Lock()
	defer m.store.mu.Unlock()
	m.store.liar = rapid.IntRange(0, 5).Draw(t, "liar") == 0
}

func (m *model) pass(t *rapid.T) {
	pass(time.Duration(rapid.IntRange(1, 4000).Draw(t, "seconds")) * time.Second)
}

// clock sets the wall's clock. Set back between two runs, with nothing written down since, it makes a key younger and nobody can tell:
// what can be told has tests of its own.
func (m *model) clock(t *rapid.T) {
	by := rapid.SampledFrom([]time.Duration{day, -day, time.Hour, -time.Hour}).Draw(t, "by")
	if by > 0 || m.crm.kind.window == 0 {
		m.shift.Add(int64(by))
	}
}

func (m *model) wake(*rapid.T) {
	m.box.Wake()
	synctest.Wait()
}

// holdOrGo keeps attempts on their way, or lets them go.
func (m *model) holdOrGo(*rapid.T) {
	if m.letGo == nil {
		m.letGo = m.crm.holds()
		return
	}
	m.letGo()
	m.letGo = nil
	synctest.Wait()
}

// end brings everything through: the CRM answers, the disk takes, a person picks, retries, or says what is there already.
func (m *model) end() string {
	m.store.fill(false)
	m.store.stick(false)
	m.store.liar = false
	m.crm.fails()
	if m.letGo != nil {
		m.holdOrGo(nil)
	}
	pass(time.Minute)
	for _, key := range slices.Sorted(maps.Keys(m.content)) {
		c := m.content[key]
		if !c.refused && !c.unclear {
			continue
		}
		c.unclear, c.refused = false, false
		m.content[key] = c
		m.look(nil)
		if err := m.give(key, c); err != nil {
			return err.Error()
		}
	}
	for range 60 {
		for _, it := range m.unfinished() {
			m.decide(it)
		}
		pass(time.Minute)
	}
	left := m.unfinished()
	m.rig.crash()
	if m.crm.fault != "" {
		return m.crm.fault
	}
	if len(left) > 0 {
		return fmt.Sprintf("left: %+v", left)
	}
	return m.compare()
}

// compare holds what the CRM has against what was promised.
func (m *model) compare() string {
	for key, c := range m.content {
		records := m.crm.of(key)
		switch {
		case len(records) > 1:
			return fmt.Sprintf("the CRM has %s %d times", key, len(records))
		case c.given:
		case len(records) == 0:
			return fmt.Sprintf("the CRM has no %s, promised was %+v", key, c)
		case records[0].note != c.note || records[0].customer != c.customer:
			return fmt.Sprintf("the CRM has %+v, promised was %+v", records[0], c)
		}
	}
	return ""
}
