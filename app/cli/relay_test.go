package cli_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/relay"
	"ringside.dev/ringside/bridge/ami/amitest"
	"ringside.dev/ringside/bridge/asterisktest"
	"ringside.dev/ringside/bridge/baresip/phonetest"
	"ringside.dev/ringside/bridge/sourcetest"
	"ringside.dev/ringside/bridge/wire"
)

// TestRelayScripts runs testdata/relay: as TestScripts, with an address for a relay ($RELAY), a folder for its state ($STATE), whose name is
// short enough for a socket, a second workstation's socket ($SOCK2), and a small Asterisk ($PBX).
func TestRelayScripts(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the scripts end the relay by a signal")
	}
	relayScripts(t, testscript.Params{Dir: filepath.Join("testdata", "relay")}, func() exchange {
		return &small{Server: amitest.Start(t, amitest.Options{Technology: "PJSIP"})}
	})
}

// The same with a real Asterisk and real phones.
func TestARelayAtARealAsterisk(t *testing.T) {
	w := asterisktest.NewWorld(t, asterisktest.Options{Secret: amitest.Secret})
	relayScripts(t, testscript.Params{Files: []string{filepath.Join("testdata", "relay", "asterisk.txtar")}}, func() exchange {
		return &whole{World: w, t: t, line: sourcetest.NewLine(t, w.AMI(), nil)}
	})
}

func relayScripts(t *testing.T, p testscript.Params, pbxOf func() exchange) {
	t.Helper()
	testscript.Run(t, testscript.Params{
		Dir: p.Dir, Files: p.Files,
		Setup: func(e *testscript.Env) error {
			if err := surround(e); err != nil {
				return err
			}
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			e.Setenv("RELAY", l.Addr().String())
			short := filepath.Dir(e.Getenv("SOCK"))
			e.Setenv("STATE", filepath.Join(short, "relay"))
			e.Setenv("SOCK1", e.Getenv("SOCK"))
			e.Setenv("SOCK2", filepath.Join(short, "b.sock"))
			asterisk := pbxOf()
			e.Setenv("PBX", asterisk.Address())
			e.Values[pbxKey{}] = asterisk
			return l.Close()
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits": exits, "ready": ready, "card": card, "let": let, "field": field, "shape": shape, "place": place, "relayed": relayed, "phone": phone, "mode": mode,
			"workstation": workstation, "pbx": pbx, "live": live,
		},
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}

// place FILE…: replaces $CRM, $RELAY, $STATE, $WORK, $PBX and $BRIA in files.
func place(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args {
		text := ts.ReadFile(name)
		for _, variable := range []string{"CRM", "RELAY", "STATE", "WORK", "PBX", "BRIA"} {
			text = strings.ReplaceAll(text, "$"+variable, ts.Getenv(variable))
		}
		ts.Check(os.WriteFile(ts.MkAbs(name), []byte(text), 0o600))
	}
}

// mode MODE FILE: chmod.
func mode(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(os.Chmod(ts.MkAbs(args[1]), map[string]os.FileMode{"600": 0o600, "644": 0o644}[args[0]]))
}

// workstation N: what follows is about the agent on that workstation.
func workstation(ts *testscript.TestScript, _ bool, args []string) {
	ts.Setenv("SOCK", ts.Getenv("SOCK"+args[0]))
	ts.Setenv("RINGSIDE_SOCKET", ts.Getenv("SOCK"))
}

type pbxKey struct{}

// exchange is the Asterisk of a script, with its newest call.
type exchange interface {
	Address() string
	ring(extension, number string)
	answer()
	hangup() // the customer does
	cut()    // its manager interface cannot be reached until restore
	restore()
}

// pbx ring EXTENSION NUMBER | answer | hangup | cut | restore: what happens there, to the newest call.
func pbx(ts *testscript.TestScript, _ bool, args []string) {
	x, is := ts.Value(pbxKey{}).(exchange)
	if !is {
		ts.Fatalf("there is no Asterisk")
	}
	switch args[0] {
	case "ring":
		x.ring(args[1], args[2])
	case "answer":
		x.answer()
	case "hangup":
		x.hangup()
	case "cut":
		x.cut()
	case "restore":
		x.restore()
	default:
		ts.Fatalf("an Asterisk does not %s", args[0])
	}
}

// small is the Asterisk of our own.
type small struct {
	*amitest.Server
	leg *amitest.Channel
}

func (s *small) ring(extension, number string) {
	s.leg = s.Ring(extension, amitest.Caller{Number: number, Name: "Zhang San", Vars: map[string]string{"ORDER_ID": "A-17"}})
}
func (s *small) answer()  { s.leg.Answer() }
func (s *small) hangup()  { s.leg.Peer().Hangup() }
func (s *small) cut()     { s.Cut() }
func (s *small) restore() { s.Restore() }

// whole is a real one.
type whole struct {
	*asterisktest.World
	t      *testing.T
	line   *sourcetest.Line
	caller *asterisktest.Caller
	phone  *phonetest.Running
}

func (w *whole) Address() string { return w.line.Address() }

func (w *whole) ring(extension, number string) {
	w.phone = map[string]*phonetest.Running{asterisktest.AgentExtension: w.Agent, asterisktest.ColleagueExtension: w.Colleague}[extension]
	w.caller = w.Call(w.t, number, "Zhang San", extension, map[string]string{"X-Order-Id": "A-17"})
}

func (w *whole) answer() {
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	if err := w.phone.Answer(ctx); err != nil {
		w.t.Error(err)
	}
}

func (w *whole) hangup()  { w.caller.Hangup(w.t) }
func (w *whole) cut()     { w.line.Cut(w.t) }
func (w *whole) restore() { w.line.Restore(w.t) }

// live NAME: waits for the one call that is not over on the agent's screen, and puts its leg into a variable.
func live(ts *testscript.TestScript, _ bool, args []string) {
	watch(ts, func(s wire.Snapshot) bool {
		calls := slices.DeleteFunc(slices.Clone(s.Cards), func(c wire.Card) bool { return c.State == cti.StateClosed })
		if len(calls) == 0 {
			return false
		}
		ts.Setenv(args[0], calls[len(calls)-1].Leg)
		return true
	})
}

// relayed STATE: the relay in the background takes orders, and a workstation is connected (or, with "empty", none is).
func relayed(ts *testscript.TestScript, _ bool, args []string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	again := time.NewTicker(10 * time.Millisecond) // nothing tells when another process begins to listen
	defer again.Stop()
	for {
		report, err := relay.Ask(ctx, ts.Getenv("STATE"), relay.Order{Verb: "list"})
		connected := slices.ContainsFunc(report.Devices, func(d relay.Device) bool { return d.Connected })
		if err == nil && (args[0] == "connected") == connected {
			return
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			ts.Fatalf("the relay did not get there: %+v", errors.Join(err, ctx.Err()))
		}
	}
}

// phone STATE: waits until the agent's phone is in that state.
func phone(ts *testscript.TestScript, _ bool, args []string) {
	watch(ts, func(s wire.Snapshot) bool { return string(s.Phone.State) == args[0] })
}
