package hook_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"ringside.dev/ringside/bridge/hook"
	"ringside.dev/ringside/bridge/hook/leave"
	"ringside.dev/ringside/bridge/sourcetest"
)

// twinkle plays the phone Twinkle as bridge/hook/phones_test.go knows it: lines, commands, and the environment of its scripts.
type twinkle struct {
	t      *testing.T
	source *hook.Source

	mu       sync.Mutex
	n        int
	front    string                  // the line commands mean
	lines    map[string]*twinkleCall // by line
	dials    chan *twinkleCall
	disorder bool
	last     func()   // tells the newest event again
	heard    []string // tones
}

type twinkleCall struct {
	line, id, number, header string
	out, answered            bool
}

// newTwinkle makes the phone and a source that listens to it.
func newTwinkle(t *testing.T) *twinkle {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("RINGSIDE_HOOKS", dir)
	t.Setenv("RINGSIDE_SOCKET", filepath.Join(dir, "nobody"))
	s, err := hook.New("twinkle", "", "1001", nil)
	if err != nil {
		t.Fatal(err)
	}
	w := &twinkle{t: t, source: s, front: "1", lines: map[string]*twinkleCall{}, dials: make(chan *twinkleCall, 1)}
	s.SetRun(w.run)
	return w
}

// tell runs the script of a trigger.
func (w *twinkle) tell(c *twinkleCall, trigger string, more ...string) {
	env := map[string]string{"TWINKLE_TRIGGER": trigger, "TWINKLE_LINE": c.line, "SIP_CALL_ID": c.id}
	party := "FROM"
	if c.out {
		party = "TO"
	}
	env["SIP_"+party], env["SIP_"+party+"_USER"] = c.header, c.number
	for i := 0; i < len(more); i += 2 {
		env[more[i]] = more[i+1]
	}
	say := func() {
		var stdout, stderr bytes.Buffer
		if code := leave.Main([]string{"--twinkle"}, func(name string) string { return env[name] }, &stdout, &stderr); code != 0 || stderr.Len() > 0 {
			w.t.Errorf("%s: exit %d, %s", trigger, code, stderr.String())
		}
		if (trigger == "in_call") != (stdout.String() == "action=continue\nend\n") {
			w.t.Errorf("%s: Twinkle was told %q", trigger, stdout.String())
		}
	}
	say()
	if w.disorder {
		say()
		if w.last != nil {
			w.last() // the event before it comes once more, after it
		}
	}
	w.last = say
	w.source.Look()
}

func (w *twinkle) ring(name, number string) *twinkleCall {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.n++
	c := &twinkleCall{id: fmt.Sprintf("call-%d@phone", w.n), number: number,
		header: `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name) + `" <sip:caller@127.0.0.1:5071>;tag=1`}
	w.place(c)
	w.tell(c, "in_call", "SIP_TO_USER", "600")
	return c
}

func (w *twinkle) place(c *twinkleCall) {
	for _, line := range []string{"1", "2"} {
		if w.lines[line] == nil {
			c.line, w.lines[line] = line, c
			return
		}
	}
	w.t.Error("Twinkle has two lines")
}

// end frees the line and tells why.
func (w *twinkle) end(c *twinkleCall, trigger string, more ...string) {
	delete(w.lines, c.line)
	w.tell(c, trigger, more...)
}

// farHangup lets the other party end the call, or give up.
func (w *twinkle) farHangup(c *twinkleCall) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !c.answered {
		w.end(c, "in_call_failed", "SIPSTATUS_CODE", "487", "SIPSTATUS_REASON", "Request Terminated")
		return
	}
	w.end(c, "remote_release")
}

// run is Twinkle's command line.
func (w *twinkle) run(_ context.Context, _ string, args []string, _ bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(args) != 3 || args[0] != "--immediate" {
		return fmt.Errorf("twinkle does not know %q", args)
	}
	if args[1] == "--call" {
		w.n++
		c := &twinkleCall{id: fmt.Sprintf("call-%d@phone", w.n), number: args[2], header: "<sip:" + args[2] + "@127.0.0.1>", out: true}
		w.place(c)
		w.front = c.line
		w.tell(c, "out_call")
		w.dials <- c
		return nil
	}
	return w.command(strings.Fields(args[2]))
}

func (w *twinkle) command(words []string) error {
	c := w.lines[w.front]
	if words[0] == "line" {
		w.front = words[1]
		return nil
	}
	if c == nil {
		return fmt.Errorf("no call on line %s", w.front)
	}
	switch words[0] {
	case "answer":
		c.answered = true
		w.tell(c, "in_call_answered", "SIPSTATUS_CODE", "200")
	case "reject":
		w.end(c, "in_call_failed", "SIPSTATUS_CODE", "486", "SIPSTATUS_REASON", "Busy Here")
	case "bye":
		if c.out && !c.answered {
			w.end(c, "out_call_failed", "SIPSTATUS_CODE", "487", "SIPSTATUS_REASON", "Request Terminated")
			return nil
		}
		w.end(c, "local_release")
	case "dtmf":
		w.heard = append(w.heard, words[2])
	case "transfer":
		if words[1] != "-c" {
			w.dials <- c
			return nil
		}
		w.n++
		aside := &twinkleCall{id: fmt.Sprintf("call-%d@phone", w.n), number: words[2], header: "<sip:" + words[2] + "@127.0.0.1>", out: true}
		w.place(aside)
		w.front = aside.line
		w.tell(aside, "out_call")
		w.dials <- aside
	case "hold", "retrieve", "mute":
	default:
		return fmt.Errorf("twinkle does not know %q", words)
	}
	return nil
}

func (w *twinkle) caller(c *twinkleCall) sourcetest.Caller {
	return sourcetest.Caller{Number: c.number, Hangup: func(*testing.T) { w.farHangup(c) },
		FarEnd: sourcetest.FarEnd{Heard: func(t *testing.T, digits string) {
			t.Helper()
			w.mu.Lock()
			defer w.mu.Unlock()
			if !slices.Equal(w.heard, []string{digits}) {
				t.Errorf("heard %q, want %q", w.heard, digits)
			}
			w.heard = nil
		}}}
}

// reachable is whom the phone calls, or gives a call to.
func (w *twinkle) reachable(*testing.T) sourcetest.Callee {
	var c *twinkleCall
	return sourcetest.Callee{Target: "600", Number: "600",
		Answer: func(*testing.T) {
			c = <-w.dials
			w.mu.Lock()
			defer w.mu.Unlock()
			if c.out {
				c.answered = true
				w.tell(c, "out_call_answered", "SIPSTATUS_CODE", "200")
				return
			}
			w.end(c, "local_release") // the transfer's target answered
		},
		Refuse: func(*testing.T) {
			c = <-w.dials
			w.mu.Lock()
			defer w.mu.Unlock()
			w.end(c, "out_call_failed", "SIPSTATUS_CODE", "486", "SIPSTATUS_REASON", "Busy Here")
		},
		Hangup: func(*testing.T) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.end(c, "remote_release")
		}}
}

func (w *twinkle) rig() sourcetest.Rig {
	return sourcetest.Rig{Source: w.source, NoSnapshot: true, Reachable: w.reachable,
		Ring:     func(_ *testing.T, name string) sourcetest.Caller { return w.caller(w.ring(name, "13800138000")) },
		RingWith: w.ringWith,
		Garbage: func(t *testing.T, raw []byte) {
			t.Helper()
			w.mu.Lock()
			defer w.mu.Unlock()
			w.n++
			name := filepath.Join(os.Getenv("RINGSIDE_HOOKS"), fmt.Sprintf("%019d-x.json", w.n))
			if err := os.WriteFile(name, raw, 0o600); err != nil {
				t.Fatal(err)
			}
			w.source.Look()
		},
		Disorder: func(*testing.T) { w.disorder = true },
	}
}

// ringWith is a caller of a phone that tells its events by options.
func (w *twinkle) ringWith(t *testing.T, r sourcetest.Ringer) sourcetest.Caller {
	t.Helper()
	arg := func(s string) string { return strings.ReplaceAll(s, "\x00", "") } // no argument can hold a zero
	w.mu.Lock()
	w.n++
	id := fmt.Sprintf("call-%d@phone", w.n)
	w.mu.Unlock()
	hook := func(args ...string) {
		args = append([]string{"--source", "other", "--call-id", id}, args...)
		if code := leave.Main(args, func(string) string { return "" }, io.Discard, t.Output()); code != 0 {
			t.Errorf("exit %d", code)
		}
		w.source.Look()
	}
	args := []string{"--event", "ring", "--number", arg(r.Number), "--name", arg(r.Name)}
	for _, name := range slices.Sorted(maps.Keys(r.Data)) {
		args = append(args, "--data", arg(name+"="+r.Data[name]))
	}
	hook(args...)
	return sourcetest.Caller{Number: arg(r.Number), Data: map[string]string{"order_id": r.Data["X-Order-Id"], "level": r.Data["X-Level"]},
		Hangup: func(*testing.T) { hook("--event", "end", "--cause", "abandoned", "--by", "remote") }}
}

func TestASimulatedTwinkleConforms(t *testing.T) {
	sourcetest.Run(t, func(t *testing.T) sourcetest.Rig { return newTwinkle(t).rig() })
}
