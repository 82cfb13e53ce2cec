package ami_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/ami"
	"ringside.dev/ringside/bridge/ami/amitest"
)

// gist is what of a call must not depend on how its events came.
type gist struct {
	State     cti.State
	Direction cti.Direction
	Ending    cti.Ending
	Cause     cti.CauseCode
	By        cti.Party
	Number    string
	Dialled   string
	Queue     string
	Transfer  cti.Transfer
	Click     bool
	Purpose   cti.Purpose
	Talked    bool
	Held      bool
}

func gists(events map[string][]cti.Event) map[string][]gist {
	all := map[string][]gist{}
	for extension, told := range events {
		for _, c := range book(told) {
			g := gist{State: c.State, Direction: c.Direction, Ending: c.Ending(), Number: c.Remote.Raw, Dialled: c.Dialled, Click: c.ClickToDial,
				Purpose: c.Purpose, Talked: !c.EstablishedAt.IsZero(), Held: c.HeldFor > 0}
			if c.Cause != nil {
				g.Cause, g.By = c.Cause.Code, c.Cause.By
			}
			if c.Queue != nil {
				g.Queue = c.Queue.Name
			}
			if c.Transfer != nil {
				g.Transfer = *c.Transfer
			}
			all[extension] = append(all[extension], g)
		}
	}
	return all
}

func playedAs(t *testing.T, s amitest.Scene) *ami.Player {
	t.Helper()
	p := ami.NewPlayer(ami.Config{Channels: []string{"SIP/{ext}", "Local/{ext}@lab"}})
	play(p, s)
	return p
}

// With the fewest rights there is no VarSet and no Newexten, and the Call-ID is asked for; the calls are the same.
func TestTheSlimUserSeesTheSameCalls(t *testing.T) {
	full := playedAs(t, amitest.Load(t, "session").Scene(t, "S1"))
	slim := playedAs(t, amitest.Load(t, "session-slim").Scene(t, "S1"))
	if diff := cmp.Diff(gists(full.Events), gists(slim.Events)); diff != "" {
		t.Errorf("full and slim differ:\n%s", diff)
	}
	compare(t, "slim-S1", slim.Events)
	for _, c := range book(slim.Events["1001"]) {
		if c.Refs[cti.RefSIPCallID] != "7c79be1d4a656fd31e13f16b5fb5857e@127.0.0.1:5060" {
			t.Errorf("the Call-ID is %q, and not the phone's", c.Refs[cti.RefSIPCallID])
		}
	}
	full.Asked = slices.DeleteFunc(full.Asked, func(q string) bool { return strings.HasSuffix(q, " CALLERID(num-pres)") }) // no right shows that
	if len(full.Asked) != 0 || !slices.Contains(slim.Asked, "Getvar SIP/1001-00000022 SIPCALLID") {
		t.Errorf("asked %v with all rights, %v with few", full.Asked, slim.Asked)
	}
}

// shuffled tells everything twice, the second time a few blocks later, and swaps neighbours.
func shuffled(s amitest.Scene, r *rand.Rand) amitest.Scene {
	type place struct {
		at    float64
		block amitest.Block
	}
	var places []place
	for i, b := range s.Blocks {
		places = append(places, place{float64(i), b}, place{float64(i) + float64(r.IntN(8)) + 0.5, b})
	}
	slices.SortStableFunc(places, func(a, b place) int {
		switch {
		case a.at < b.at:
			return -1
		case a.at > b.at:
			return 1
		}
		return 0
	})
	out := amitest.Scene{Name: s.Name, CallIDs: s.CallIDs}
	last := time.Duration(0)
	for i := 0; i < len(places); i++ {
		if i+1 < len(places) && r.IntN(3) == 0 {
			places[i], places[i+1] = places[i+1], places[i]
		}
		b := places[i].block
		b.At = max(b.At, last)
		last = b.At
		out.Blocks = append(out.Blocks, b)
	}
	return out
}

func TestDuplicatedAndReorderedBlocksMakeTheSameCalls(t *testing.T) {
	session := amitest.Load(t, "session")
	for _, name := range scenes {
		want := gists(playedAs(t, session.Scene(t, name)).Events)
		for seed := range uint64(50) {
			scene := shuffled(session.Scene(t, name), rand.New(rand.NewPCG(seed, 6)))
			if diff := cmp.Diff(want, gists(playedAs(t, scene).Events)); diff != "" {
				t.Fatalf("%s, seed %d:\n%s", name, seed, diff)
			}
		}
	}
}

// Whatever blocks are lost, nothing lives for ever but what the exchange still has, and no call is told to end twice.
func TestLostBlocksLeaveNoContradiction(t *testing.T) {
	session := amitest.Load(t, "session")
	for _, name := range scenes {
		scene := session.Scene(t, name)
		for seed := range uint64(50) {
			r := rand.New(rand.NewPCG(seed, 7))
			some := amitest.Scene{CallIDs: scene.CallIDs}
			for _, b := range scene.Blocks {
				if r.IntN(5) > 0 || b.Get("Event") == "Hangup" {
					some.Blocks = append(some.Blocks, b)
				}
			}
			p := playedAs(t, some)
			ends := map[string]int{}
			for _, e := range p.Order {
				switch e.Type {
				case cti.Cleared, cti.Failed, cti.Diverted:
					ends[e.Call.Refs[ami.RefVendor]]++
				default:
				}
			}
			for id, n := range ends {
				if n > 1 {
					t.Errorf("%s, seed %d: %s ended %d times", name, seed, id, n)
				}
			}
			for extension, told := range p.Events {
				for _, c := range book(told) {
					if c.State != cti.StateClosed {
						t.Errorf("%s, seed %d: a call of %s is %s though its channel is gone", name, seed, extension, c.State)
					}
				}
			}
		}
	}
}

// A recorded session over the wire, with sign-in, classes and the reader's goroutines, makes the calls of the golden files.
func TestRecordedScenesOverTheWire(t *testing.T) {
	session := amitest.Load(t, "session")
	for _, name := range []string{"S1", "S2", "S4", "S6", "Q1", "Q2"} {
		t.Run(name, func(t *testing.T) {
			scene := session.Scene(t, name)
			want := gists(playedAs(t, scene).Events)
			s := amitest.Start(t, amitest.Options{Scene: &scene})
			c := config(s)
			c.Serves, c.Variables, c.RecordingVariable = nil, nil, ""
			c.Channels = []string{"SIP/{ext}", "Local/{ext}@lab"}
			w := run(t, exchange(t, c))
			w.await("all calls ended", func() bool {
				n := 0
				for _, calls := range w.calls {
					for _, c := range calls {
						if c.State == cti.StateClosed {
							n++
						}
					}
				}
				wanted := 0
				for _, calls := range want {
					wanted += len(calls)
				}
				return n == wanted
			})
			w.mu.Lock()
			events := map[string][]cti.Event{}
			for _, e := range w.events {
				if e.extension != "" {
					events[e.extension] = append(events[e.extension], e.Event)
				}
			}
			w.mu.Unlock()
			timeless := cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".Held" }, cmp.Ignore()) // it all comes in one moment
			if diff := cmp.Diff(want, gists(events), timeless); diff != "" {
				t.Errorf("differs:\n%s", diff)
			}
		})
	}
}

// A server that dies in mid-call, at any byte: nothing panics, and with the next connection what is over is cleared.
func TestAServerThatIsKilledInMidCall(t *testing.T) {
	w, s, _ := world(t, amitest.Options{}, nil)
	for n := range 3 {
		agent := s.Ring("1001", zhang)
		w.call("1001", n, cti.Alerting)
		if n == 1 {
			agent.Answer()
			w.call("1001", n, cti.Connected)
		}
		s.Raw([]byte("Event: Hangup\r\nUniqueid: 12")) // and no more of it
		s.Kill()
		w.awaitCount("", cti.SourceDown, n+1)
		s.Restore()
		c := w.call("1001", n, cti.StateClosed)
		if c.Cause.Code != cti.CauseUnknown || c.Cause.By != cti.ByUnknown {
			t.Errorf("cause %+v", c.Cause)
		}
	}
}

func FuzzReader(f *testing.F) {
	session := amitest.Load(f, "session")
	var all bytes.Buffer
	for i, b := range session.Scene(f, "Q1").Blocks {
		if i%20 == 0 {
			f.Add(b.Bytes())
		}
		all.Write(b.Bytes())
	}
	f.Add(all.Bytes())
	f.Add([]byte("Response: Success\nEvent:\n: x\n\n\r\n\r\nA: " + strings.Repeat("x", 70_000)))
	f.Fuzz(func(t *testing.T, raw []byte) {
		blocks, fields, err := ami.ReadAll(raw)
		if err == nil {
			t.Fatal("the stream never ended")
		}
		if fields > len(raw) || blocks > fields {
			t.Errorf("%d blocks of %d fields out of %d bytes", blocks, fields, len(raw))
		}
	})
}

// FuzzMachine feeds whatever a stream may hold, and then a call, which is told as always.
func FuzzMachine(f *testing.F) {
	session := amitest.Load(f, "session")
	for _, name := range scenes {
		var all bytes.Buffer
		for _, b := range session.Scene(f, name).Blocks {
			all.Write(b.Bytes())
		}
		f.Add(all.Bytes())
	}
	call := session.Scene(f, "S1")
	f.Fuzz(func(t *testing.T, raw []byte) {
		p := ami.NewPlayer(ami.Config{Variables: []string{"ORDER_ID"}, RecordingVariable: "MIXMONITOR_FILENAME"})
		p.Take(0, raw)
		p.Pass(time.Minute)
		for _, e := range p.Order {
			if e.Type != cti.AgentState && e.Type != cti.Snapshot && e.Call.Refs[ami.RefVendor] == "" {
				t.Errorf("%s without a reference", e.Type)
			}
		}
		if bytes.Contains(raw, []byte("1795411938")) || bytes.Contains(raw, []byte("callee@1001")) {
			return // it is about the very call
		}
		before := len(p.Events["1001"])
		for i := range call.Blocks {
			call.Blocks[i].At += 2 * time.Minute
		}
		play(p, call)
		for i := range call.Blocks {
			call.Blocks[i].At -= 2 * time.Minute
		}
		told := fmt.Sprint(p.Events["1001"][before:])
		for _, want := range []cti.EventType{cti.Delivered, cti.Established, cti.Cleared} {
			if !strings.Contains(told, string(want)) {
				t.Errorf("the call after it was told without %s: %s", want, told)
			}
		}
	})
}
