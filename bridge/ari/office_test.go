package ari_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/ari"
	"ringside.dev/ringside/bridge/asterisktest"
	"ringside.dev/ringside/bridge/baresip/phonetest"
	"ringside.dev/ringside/bridge/sourcetest"
	"ringside.dev/ringside/bridge/tape"
)

// bound is how long any one thing may take that is waited for.
const bound = 20 * time.Second

const (
	agent     = asterisktest.AgentExtension
	colleague = asterisktest.ColleagueExtension
	outside   = asterisktest.OutsideNumber
	customer  = "13800138000"
)

// office is a real Asterisk with its phones, and an exchange that tells what the agent's and the colleague's workstations are told.
type office struct {
	*asterisktest.World
	*booked

	exchange *ari.Exchange
	line     *sourcetest.Line
	others   int
}

// booked is what an exchange told, in a ledger for each extension.
type booked struct {
	t *testing.T

	mu      sync.Mutex
	changed chan struct{} // closed at every event
	ledgers map[string]*cti.Ledger
	legs    map[string][]string // of an extension, in order
	calls   map[string]cti.Call
	states  map[string][]cti.State
	lists   map[string][]cti.Event // the snapshots of an extension
	all     map[string][]cti.Event // every event of an extension
	downs   int
	over    int // calls of the nobody that fence lets call
	frames  []tape.Frame
}

func newOffice(t *testing.T, o asterisktest.Options) *office {
	t.Helper()
	w := asterisktest.NewWorld(t, o)
	line := sourcetest.NewLine(t, w.ARI(), nil)
	x := ofReal(t, w.Asterisk, line.Address(), "", []string{"ORDER_ID", "LEVEL"})
	return &office{World: w, booked: book(t, x), exchange: x, line: line}
}

// book runs an exchange until the test ends; it is connected when book returns.
func book(t *testing.T, x *ari.Exchange) *booked {
	t.Helper()
	b := &booked{t: t, changed: make(chan struct{}), ledgers: map[string]*cti.Ledger{}, legs: map[string][]string{}, calls: map[string]cti.Call{},
		states: map[string][]cti.State{}, lists: map[string][]cti.Event{}, all: map[string][]cti.Event{}}
	ctx, cancel := context.WithCancel(context.Background())
	frames, stop := x.Tape().Listen()
	var running sync.WaitGroup
	running.Go(func() {
		for {
			select {
			case f := <-frames:
				b.mu.Lock()
				b.frames = append(b.frames, f)
				b.mu.Unlock()
			case <-ctx.Done():
				return
			}
		}
	})
	running.Go(func() {
		if err := x.Run(ctx, b.emit); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		stop()
		cancel()
		running.Wait()
		if t.Failed() {
			t.Logf("Asterisk told:\n%s", b.wire())
		}
	})
	for _, extension := range []string{agent, colleague} {
		x.Phone(extension)
		b.await("the list of "+extension, func() bool { return len(b.lists[extension]) > 0 })
	}
	return b
}

func (b *booked) emit(extension string, e cti.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer func() {
		close(b.changed)
		b.changed = make(chan struct{})
	}()
	b.all[extension] = append(b.all[extension], e)
	switch {
	case e.Type == cti.SourceDown:
		b.downs++
		return
	case e.Type == cti.SourceUp:
		return
	case e.Type == cti.Snapshot:
		b.lists[extension] = append(b.lists[extension], e)
	case e.Cause != nil && e.Remote.Raw == nobody:
		b.over++
	}
	if b.ledgers[extension] == nil {
		b.ledgers[extension] = cti.NewLedger("test")
	}
	for _, c := range b.ledgers[extension].Apply(e.Clean()) {
		leg := c.After.Leg
		if !slices.Contains(b.legs[extension], leg) {
			b.legs[extension] = append(b.legs[extension], leg)
		}
		b.calls[leg] = c.After
		b.states[leg] = append(b.states[leg], c.After.State)
	}
}

// await waits for a state of things, looking again after every event.
func (b *booked) await(what string, ready func() bool) {
	b.t.Helper()
	timeout := time.NewTimer(bound)
	defer timeout.Stop()
	for {
		b.mu.Lock()
		ok, changed := ready(), b.changed
		b.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-timeout.C:
			b.t.Fatalf("%s: not told; %s has %q, %s has %q", what, agent, b.story(agent), colleague, b.story(colleague))
		}
	}
}

// until waits until the nth call (from 0) of an extension is in a state, and gives it.
func (b *booked) until(extension string, n int, state cti.State) cti.Call {
	b.t.Helper()
	var c cti.Call
	b.await(fmt.Sprintf("call %d of %s is %s", n, extension, state), func() bool {
		if len(b.legs[extension]) <= n {
			return false
		}
		c = b.calls[b.legs[extension][n]]
		return c.State == state
	})
	return c
}

// story tells the calls of an extension, each in a line.
func (b *booked) story(extension string) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := []string{}
	for _, leg := range b.legs[extension] {
		all = append(all, told(b.calls[leg], b.states[leg]))
	}
	return all
}

func told(c cti.Call, states []cti.State) string {
	var text strings.Builder
	text.WriteString(who(c.Direction, c.Remote, c.ClickToDial, c.Purpose))
	if c.Dialled != "" {
		fmt.Fprintf(&text, " for %s", c.Dialled)
	}
	if c.Queue != nil {
		fmt.Fprintf(&text, " of queue %s", c.Queue.Name)
	}
	text.WriteByte(':')
	for _, s := range slices.Compact(slices.Clone(states)) {
		fmt.Fprintf(&text, " %s", s)
	}
	if len(c.HeldBy) > 0 {
		fmt.Fprintf(&text, ", held by %v", c.HeldBy)
	}
	if len(c.Parties) > 0 {
		fmt.Fprintf(&text, ", with %v", c.Parties)
	}
	if c.Transfer != nil {
		fmt.Fprintf(&text, ", %s %s to %s", c.Transfer.Kind, c.Transfer.Role, c.Transfer.To)
	}
	if c.Cause != nil {
		fmt.Fprintf(&text, ", %s by %s", c.Cause.Code, c.Cause.By)
	}
	return text.String()
}

func who(d cti.Direction, r cti.Remote, click bool, p cti.Purpose) string {
	number := r.Raw
	if r.Withheld {
		number = "withheld"
	}
	all := []string{string(d), number, r.Name, string(p)}
	if click {
		all = append(all, "clicked")
	}
	return strings.Join(slices.DeleteFunc(all, func(s string) bool { return s == "" }), " ")
}

// wants waits until the calls of the agent and of the colleague are these, and nothing else comes of them.
func (o *office) wants(agents, colleagues []string) {
	o.t.Helper()
	want := map[string][]string{agent: append([]string{}, agents...), colleague: append([]string{}, colleagues...)}
	got := func() map[string][]string {
		all := map[string][]string{}
		for extension := range want {
			all[extension] = o.story(extension)
		}
		return all
	}
	timeout := time.NewTimer(bound)
	defer timeout.Stop()
	for !cmp.Equal(got(), want) {
		o.mu.Lock()
		changed := o.changed
		o.mu.Unlock()
		if cmp.Equal(got(), want) {
			break
		}
		select {
		case <-changed:
		case <-timeout.C:
			o.t.Fatalf("-want +got:\n%s", cmp.Diff(want, got()))
		}
	}
	o.fence()
	if diff := cmp.Diff(want, got()); diff != "" {
		o.t.Errorf("-want and +what it was some time later:\n%s", diff)
	}
}

// nobody has a number of this exchange, but no phone.
const nobody = "1099"

// fence lets somebody call in vain: what the exchange told before that is booked when it returns.
func (o *office) fence() {
	o.t.Helper()
	o.mu.Lock()
	before := o.over
	o.mu.Unlock()
	o.Call(o.t, "99900", "", nobody, nil).AwaitEnd(o.t)
	o.await("the call in vain", func() bool { return o.over > before })
}

// record gives the session so far, without the variables that nobody wants.
func (b *booked) record() []tape.Frame {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(b.frames), func(f tape.Frame) bool {
		return strings.Contains(f.Text, `"type":"ChannelVarset"`) && !slices.ContainsFunc([]string{"ORDER_ID", "LEVEL", "MIXMONITOR_FILENAME"},
			func(v string) bool {
				return strings.Contains(f.Text, `"variable":"`+v) || strings.Contains(f.Text, `"variable":"__`+v)
			})
	})
}

// seen is what the newest list of an extension says.
func (b *booked) seen(extension string) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := []string{}
	for _, e := range b.lists[extension][len(b.lists[extension])-1].Legs {
		leg := string(e.Type) + " " + who(e.Call.Direction, e.Remote, e.Call.ClickToDial, e.Call.Purpose)
		if e.Queue != nil {
			leg += " of queue " + e.Queue.Name
		}
		all = append(all, leg)
	}
	slices.Sort(all)
	return all
}

// relisted compares what a new connection is told of the calls going on.
func (o *office) relisted(agents, colleagues []string) {
	o.t.Helper()
	o.mu.Lock()
	downs, lists := o.downs, maps.Clone(o.lists)
	o.mu.Unlock()
	o.line.Cut(o.t)
	o.await("the line is cut", func() bool { return o.downs > downs })
	o.line.Restore(o.t)
	for _, extension := range []string{agent, colleague} {
		o.await("a new list of "+extension, func() bool { return len(o.lists[extension]) > len(lists[extension]) })
	}
	o.wantLists("a new connection", agents, colleagues)
}

// listed is relisted and strange.
func (o *office) listed(agents, colleagues []string) {
	o.t.Helper()
	o.relisted(agents, colleagues)
	o.strange(agents, colleagues)
}

// strange compares what another exchange is told that knows nothing of before.
func (o *office) strange(agents, colleagues []string) {
	o.t.Helper()
	o.others++
	stranger := book(o.t, ofReal(o.t, o.Asterisk, o.ARI(), fmt.Sprintf("other-%d", o.others), []string{"ORDER_ID", "LEVEL"}))
	stranger.wantLists("another exchange", agents, colleagues)
}

func (b *booked) wantLists(whose string, agents, colleagues []string) {
	b.t.Helper()
	want := map[string][]string{agent: append([]string{}, agents...), colleague: append([]string{}, colleagues...)}
	if diff := cmp.Diff(want, map[string][]string{agent: b.seen(agent), colleague: b.seen(colleague)}); diff != "" {
		b.t.Errorf("%s: -want +got:\n%s", whose, diff)
	}
}

// do lets somebody do something at their phone.
func (o *office) do(what string, command func(context.Context) error) {
	o.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	defer cancel()
	if err := command(ctx); err != nil {
		o.t.Fatalf("%s: %v", what, err)
	}
}

func (o *office) dial(p *phonetest.Running, number string) {
	o.t.Helper()
	o.do("dial "+number, func(ctx context.Context) error { return p.Dial(ctx, o.URI(number)) })
}

func (o *office) tones(p *phonetest.Running, digits string) {
	o.t.Helper()
	o.do("send "+digits, func(ctx context.Context) error { return p.Tones(ctx, digits) })
}

// connected is a customer's call that the agent answered.
func (o *office) connected() *asterisktest.Caller {
	o.t.Helper()
	c := o.Call(o.t, customer, "Zhang San", agent, nil)
	o.do("answer", o.Agent.Answer)
	o.until(agent, 0, cti.Connected)
	return c
}

// hiding is a call of a customer who withholds the number, over a carrier that asserts it.
func (o *office) hiding(dialled string) *asterisktest.Caller {
	o.t.Helper()
	return o.Call(o.t, "anonymous", "Anonymous", dialled,
		map[string]string{"Privacy": "id", "P-Asserted-Identity": `"Zhang San" <sip:` + customer + `@carrier.example>`})
}

// discreet checks that no extension was told the number or the name of a customer who withholds them.
func (o *office) discreet() {
	o.t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, extension := range []string{agent, colleague} {
		for _, e := range o.all[extension] {
			text, err := json.Marshal(e)
			if err != nil {
				o.t.Fatal(err)
			}
			if strings.Contains(string(text), customer) || strings.Contains(string(text), "Zhang San") {
				o.t.Errorf("%s is told %s", extension, text)
			}
		}
	}
}

// told tells whether an extension was told such an event. The lock is held.
func (b *booked) told(extension string, typ cti.EventType) bool {
	return slices.ContainsFunc(b.all[extension], func(e cti.Event) bool { return e.Type == typ })
}

// click lets the agent dial by a command.
func (o *office) click(number string) {
	o.t.Helper()
	o.do("click", func(ctx context.Context) error { return o.exchange.Phone(agent).Dial(ctx, number) })
}

// wire is what the exchange sent, an event in a line, for who must find out why a story went wrong.
func (b *booked) wire() string {
	type channel struct {
		Name, State       string
		Caller, Connected struct{ Name, Number string }
		Dialplan          struct {
			Exten   string `json:"exten"`
			App     string `json:"app_name"`
			AppData string `json:"app_data"`
		}
	}
	var text strings.Builder
	for _, f := range b.record() {
		var e map[string]json.RawMessage
		if json.Unmarshal([]byte(f.Text), &e) != nil {
			fmt.Fprintf(&text, "%s %.200s\n", f.At.Format("05.000"), f.Text)
			continue
		}
		fmt.Fprintf(&text, "%s %s", f.At.Format("05.000"), e["type"])
		for _, name := range slices.Sorted(maps.Keys(e)) {
			var c channel
			switch {
			case slices.Contains([]string{"type", "timestamp", "application", "asterisk_id"}, name):
			case json.Unmarshal(e[name], &c) == nil && c.Name != "":
				fmt.Fprintf(&text, " %s=%+v", name, c)
			default:
				fmt.Fprintf(&text, " %s=%.300s", name, e[name])
			}
		}
		text.WriteByte('\n')
	}
	return text.String()
}
