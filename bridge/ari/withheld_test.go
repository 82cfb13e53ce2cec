package ari

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/ari/aritest"
	"ringside.dev/ringside/bridge/tape"
)

// hiding is a customer who withholds the number, which the exchange knows.
func hiding(server *aritest.Server) *aritest.Channel {
	c := server.Incoming("13800138000", "Zhang San", "600", nil)
	server.Withhold(c)
	return c
}

// of gives what one extension was told.
func (h *heard) of(extension string) []cti.Event {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []cti.Event
	for _, e := range h.all {
		if e.extension == extension {
			all = append(all, e.event)
		}
	}
	return all
}

// lines tells events, each in a line: its type and who is at the far end.
func (h *heard) lines(extension string) []string {
	var all []string
	for _, e := range h.of(extension) {
		if e.Type != cti.Snapshot {
			all = append(all, line(e))
		}
	}
	return all
}

func line(e cti.Event) string {
	if e.Remote == withheldRemote {
		return string(e.Type) + " withheld"
	}
	return fmt.Sprint(e.Type, " ", e.Remote.Raw, " ", e.Remote.Name)
}

// asked counts the questions about callers.
func asked(server *aritest.Server) int {
	n := 0
	for _, a := range server.Asked() {
		if strings.Contains(a, "num-pres") {
			n++
		}
	}
	return n
}

// discreet fails if what was told names a caller who is withheld.
func discreet(t *testing.T, what string, told any) {
	t.Helper()
	text, err := json.Marshal(told)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "13800138000") || strings.Contains(string(text), "Zhang San") {
		t.Errorf("%s: %s", what, text)
	}
}

func TestACallerWhoIsWithheldIsAskedAboutOnceAndTellsNobody(t *testing.T) {
	server := aritest.Start(t)
	h := start(t, exchange(t, server, nil))
	h.awaitType(cti.SourceUp)
	c := hiding(server)
	server.Queue(c, "support")
	legs := server.Dial(c, "PJSIP/1001", "PJSIP/1002", "Local/1003@agents")
	for _, extension := range []string{"1001", "1002", "1003"} {
		h.awaitOf(extension, cti.Delivered)
	}
	server.Connected(legs[0], "13800138000", "Zhang San")
	server.Answer(legs[0])
	h.awaitOf("1001", cti.Established)
	server.Connected(legs[0], "+8613800138000", "Zhang San") // as another trunk writes it
	server.Hangup(c)
	h.awaitOf("1001", cti.Cleared)
	for _, extension := range []string{"1001", "1002", "1003"} {
		discreet(t, extension, h.of(extension))
	}
	if diff := cmp.Diff([]string{"call.delivered withheld", "call.established withheld", "call.cleared withheld"}, h.lines("1001")); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if n := asked(server); n != 1 {
		t.Errorf("asked %d times, want once", n)
	}
}

func TestEventsWaitForTheAnswerInTheirOrder(t *testing.T) {
	for value, want := range map[string]string{"prohib": "withheld", "unavailable": "withheld", "allowed": "13800138000 Zhang San", "": "13800138000 Zhang San"} {
		i := constructed()
		at := ring(t, i, stamp("2026-11-26T05:32:00.000+0000"), func(p *aritest.PBX, caller, leg *aritest.Channel) {
			p.Answer(leg)
			p.Hangup(caller) // it is gone before the answer comes
		})
		lines := []string{}
		for _, e := range i.presented(i.unasked()[0], value, at) {
			lines = append(lines, line(e.event))
		}
		if diff := cmp.Diff([]string{"call.delivered " + want, "call.established " + want, "call.cleared " + want}, lines); diff != "" {
			t.Errorf("%q: -want +got:\n%s", value, diff)
		}
		if len(i.held)+len(i.open) != 0 {
			t.Errorf("%d legs and %d questions are kept", len(i.held), len(i.open))
		}
	}
}

func TestAnAnswerThatComesLateIsToldAllTheSame(t *testing.T) {
	server := aritest.Start(t)
	h := start(t, exchange(t, server, nil))
	h.awaitType(cti.SourceUp)
	release := make(chan struct{})
	server.OnVariable(func() int { <-release; return http.StatusOK })
	began := time.Now()
	leg := server.Dial(hiding(server), "PJSIP/1001")[0]
	if e := h.awaitOf("1001", cti.Delivered).event; e.Remote.Raw != "13800138000" || time.Since(began) < waitPresented {
		t.Errorf("%s after %v, want it as the exchange has it, and not before %v", line(e), time.Since(began), waitPresented)
	}
	close(release)
	h.awaitOf("1001", cti.Info)
	server.Connected(leg, "+8613800138000", "Zhang San")
	server.Answer(leg)
	h.awaitOf("1001", cti.Established)
	if diff := cmp.Diff([]string{"call.delivered 13800138000 Zhang San", "call.info withheld", "call.established withheld"}, h.lines("1001")); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestARefusedQuestionShowsTheCallAndIsLoggedOnce(t *testing.T) {
	server := aritest.Start(t)
	var log logged
	h := start(t, exchange(t, server, func(c *Config) {
		c.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}))
	h.awaitType(cti.SourceUp)
	server.OnVariable(func() int { return http.StatusInternalServerError })
	for n := range 3 {
		c := server.Incoming(fmt.Sprint("1380013800", n), "Li Si", "600", nil)
		began := time.Now()
		server.Dial(c, "PJSIP/1001")
		h.await("the ring", func(e told) bool { return e.extension == "1001" && e.event.Remote.Raw == fmt.Sprint("1380013800", n) })
		if took := time.Since(began); took >= waitPresented {
			t.Errorf("a refusal was waited for %v", took)
		}
	}
	if n := strings.Count(log.String(), "withholds"); n != 1 || strings.Contains(log.String(), "138001380") {
		t.Errorf("%d lines, or numbers, in the log: %s", n, log.String())
	}
}

func TestACallerFromBeforeTheConnectionIsWithheld(t *testing.T) {
	server := aritest.Start(t)
	talks, rings := hiding(server), hiding(server)
	server.Answer(server.Dial(talks, "PJSIP/1001")[0])
	server.Queue(rings, "support")
	server.Dial(rings, "Local/1002@agents")
	x := exchange(t, server, nil)
	h := start(t, x)
	for extension, want := range map[string]string{"1001": "call.established withheld", "1002": "call.delivered withheld"} {
		if list := h.awaitOf(extension, cti.Snapshot).event.Legs; len(list) != 1 || line(list[0]) != want {
			t.Errorf("%s has %+v, want %s", extension, list, want)
		}
	}
	before := asked(server)
	server.Break(t)
	h.awaitType(cti.SourceDown)
	server.Restore(t)
	h.await("a second list", func(told) bool { return count(h.all, cti.Snapshot) == 2 })
	server.Hangup(talks)
	h.awaitOf("1001", cti.Cleared)
	discreet(t, "1001", h.of("1001"))
	discreet(t, "1002", h.of("1002"))
	if n := asked(server); n != before {
		t.Errorf("asked %d times, and %d after a break: want no more", before, n)
	}
}

// A list that is made while it is waited for the word leaves out what was not told yet: its events come soon.
func TestAListWaitsForTheWordToo(t *testing.T) {
	i := constructed()
	at := stamp("2026-11-26T05:32:00.000+0000")
	at = ring(t, i, at, nil)
	if list := i.snapshot("1001", at); len(list.event.Legs) != 0 {
		t.Errorf("%+v is listed before it is known whether the caller is withheld", list.event.Legs)
	}
	var lines []string
	for _, e := range i.presented(i.unasked()[0], "prohib_passed_screen", at) {
		lines = append(lines, e.extension+" "+line(e.event))
	}
	if list := i.snapshot("1001", at); len(list.event.Legs) != 1 || line(list.event.Legs[0]) != "call.delivered withheld" {
		t.Errorf("%+v, want the leg, withheld", list.event.Legs)
	}
	if diff := cmp.Diff([]string{"1001 call.delivered withheld"}, lines); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// ring lets somebody ring 1001, and what then happens, as far as an interpreter is told, and gives the time it is then. What it tells of 1001 at once is an error.
func ring(t *testing.T, i *interpreter, at time.Time, then func(p *aritest.PBX, caller, leg *aritest.Channel)) time.Time {
	t.Helper()
	p := aritest.New(func() time.Time { at = at.Add(time.Millisecond); return at })
	p.Listen(func(event []byte) {
		m, err := parse(event)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range i.events(m, at) {
			if e.extension == "1001" {
				t.Errorf("%s was told before the answer", line(e.event))
			}
		}
	})
	caller := p.Incoming("13800138000", "Zhang San", "600", nil)
	leg := p.Dial(caller, "PJSIP/1001")[0]
	if then != nil {
		then(p, caller, leg)
	}
	return at
}

func TestAfterABreakWhatWasOpenIsAskedAgain(t *testing.T) {
	i := constructed()
	at := ring(t, i, stamp("2026-11-26T05:32:00.000+0000"), nil)
	if first := i.unasked(); len(first) != 1 {
		t.Fatalf("asked about %v, want the caller", first)
	}
	var lists []channelSnap
	for _, c := range i.channels {
		lists = append(lists, channelSnap{ID: c.id, Name: c.name, State: c.state, Caller: c.caller, Connected: c.connected, Dialplan: dialplan{App: c.app}})
	}
	i.reconcile(lists, nil, at)
	i.inquire(at)
	again := i.unasked()
	if len(again) != 1 {
		t.Fatalf("asked about %v, want the caller again", again)
	}
	all := append(i.presented(again[0], "prohib", at), i.snapshots(at)...)
	for _, e := range all {
		discreet(t, e.extension, e.event)
		if e.extension == "1001" && (e.event.Type != cti.Snapshot || len(e.event.Legs) != 1) {
			t.Errorf("%+v, want the list alone, with the leg", e)
		}
	}
}

// Whatever happens to a call: with every caller withheld, nothing that is told names one.
func TestNothingEverNamesACallerWhoIsWithheld(t *testing.T) {
	all := sessions(t)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		sent := all[name]
		var twice [][]byte
		for n, one := range sent {
			twice = append(twice, one)
			if n > 0 {
				twice = append(twice, sent[n-1])
			}
		}
		for _, order := range [][][]byte{sent, twice} {
			got := interpretedOf(t, constructed(), order, func(string) string { return "prohib_not_screened" })
			for _, e := range got.Events {
				discreet(t, name, e.Event.Remote)
				discreet(t, name, e.Event.Transfer)
			}
		}
	}
}

func TestQuestionsAndWhatWaitsForThemAreBounded(t *testing.T) {
	i := constructed()
	at := stamp("2026-11-26T05:32:00.000+0000")
	events := func(n int, state string) int {
		caller := channelSnap{ID: fmt.Sprint("caller", n), Name: fmt.Sprintf("IAX2/t-%d", n), State: "Ring", Caller: party{Number: "13800138000"}}
		leg := channelSnap{ID: fmt.Sprint("leg", n), Name: fmt.Sprintf("PJSIP/1001-%d", n), State: state, Dialplan: dialplan{App: "AppDial"}}
		told := i.events(message{Type: "Dial", Caller: &caller, Peer: &leg}, at)
		return len(append(told, i.events(message{Type: "ChannelStateChange", Channel: &leg}, at)...))
	}
	told := 0
	for n := range maxOpen + 10 {
		told += events(n, "Ringing")
	}
	if len(i.open) != maxOpen || len(i.held) != maxHeld || told != maxOpen+10-maxHeld {
		t.Errorf("%d questions open, %d legs wait, %d were told", len(i.open), len(i.held), told)
	}
	leg := i.channels["leg0"]
	for n := range 2 * maxHeldEvents {
		told += len(i.events(message{Type: "ChannelConnectedLine", Channel: &channelSnap{ID: leg.id, Name: leg.name, State: "Ringing",
			Connected: party{Number: fmt.Sprint("1390013", n)}}}, at))
	}
	if i.held["leg0"] != nil || told < maxHeldEvents {
		t.Error("a leg of which very much comes waits all the same")
	}
	i.due(at.Add(waitPresented))
	if len(i.held) != 0 {
		t.Errorf("%d legs wait for ever", len(i.held))
	}
}

// What is recorded replays to the same, with answers that came in time and late, and of calls from before.
func TestARecordingOfCallersWhoAreWithheldReplaysToTheSame(t *testing.T) {
	server := aritest.Start(t)
	server.Answer(server.Dial(hiding(server), "PJSIP/1001")[0])
	x := exchange(t, server, nil)
	frames, stop := x.Tape().Listen()
	defer stop()
	h := start(t, x)
	h.awaitOf("1001", cti.Snapshot)
	next := func(n int, typ cti.EventType) {
		t.Helper()
		h.await(fmt.Sprint(n, " × ", typ), func(told) bool { return count(h.all, typ) == n })
	}
	c := hiding(server)
	leg := server.Dial(c, "PJSIP/1001")[0]
	next(1, cti.Delivered)
	server.Answer(leg)
	server.Hangup(c)
	next(1, cti.Cleared)
	release := make(chan struct{})
	server.OnVariable(func() int { <-release; return http.StatusOK })
	c = hiding(server)
	server.Dial(c, "PJSIP/1001")
	next(2, cti.Delivered)
	close(release)
	next(1, cti.Info)
	server.OnVariable(func() int { return http.StatusInternalServerError })
	server.Dial(hiding(server), "PJSIP/1001")
	next(3, cti.Delivered)
	var recording []tape.Frame
	for len(frames) > 0 {
		recording = append(recording, <-frames)
	}
	replayed, err := Replay(recording, "1001")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(retold(h.of("1001")), retold(replayed)); diff != "" {
		t.Errorf("live - and replayed +:\n%s", diff)
	}
}

func count(all []told, typ cti.EventType) int {
	n := 0
	for _, e := range all {
		if e.extension == "1001" && e.event.Type == typ {
			n++
		}
	}
	return n
}

// A recording of an earlier version, which did not ask, is told all the same.
func TestARecordingWithoutAnswersReplays(t *testing.T) {
	for name, frames := range recorded(t) {
		old := slices.DeleteFunc(slices.Clone(frames), func(f tape.Frame) bool {
			return strings.Contains(f.Text, presentation) || strings.HasPrefix(f.Text, `{"value":`) || strings.HasPrefix(f.Text, noAnswer)
		})
		for _, extension := range []string{"1001", "1002"} {
			want, err := Replay(frames, extension)
			if err != nil {
				t.Fatal(err)
			}
			got, err := Replay(old, extension)
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(name, "withheld") {
				continue // which an earlier version showed
			}
			a, b := booked(want), booked(got)
			for _, calls := range [][]cti.Call{a, b} { // of two calls the first may have waited
				slices.SortFunc(calls, func(x, y cti.Call) int { return strings.Compare(x.Refs[refChannel], y.Refs[refChannel]) })
			}
			if len(a) != len(b) {
				t.Errorf("%s, %s: %d calls, want %d", name, extension, len(b), len(a))
				continue
			}
			for n := range a {
				if a[n].Remote != b[n].Remote || a[n].State != b[n].State || a[n].DeliveredAt != b[n].DeliveredAt || a[n].EstablishedAt != b[n].EstablishedAt {
					t.Errorf("%s, %s: %+v, want %+v", name, extension, b[n], a[n])
				}
			}
		}
	}
}
