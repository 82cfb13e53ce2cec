package hook_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/hook"
	"ringside.dev/ringside/bridge/hook/mailbox"
)

// told has the phone's program replaced: it remembers its arguments and gives fail.
type told struct {
	args  []string // each run's, joined
	stays bool
	fail  error
}

func (o *told) run(_ context.Context, _ string, args []string, stays bool) error {
	o.args, o.stays = append(o.args, strings.Join(args, "|")), stays
	return o.fail
}

// withPhone runs f with a phone of a preset.
func withPhone(t *testing.T, program string, f func(d *desk, o *told)) {
	t.Helper()
	atDesk(t, func(d *desk) {
		s, err := hook.New(program, d.box.Dir(), "1001", nil)
		if err != nil {
			d.t.Fatal(err)
		}
		o := &told{}
		s.SetRun(o.run)
		d.source = s
		d.start()
		f(d, o)
	})
}

// call is what the agent would say of the call that an event began.
func call(e cti.Event) cti.Call { return cti.Call{Refs: e.Call.Refs} }

func TestMicroSIPIsToldByItsCommandLine(t *testing.T) {
	withPhone(t, "microsip", func(d *desk, o *told) {
		c := call(d.tell(aRing)[0])
		p := d.source.Phone()
		if p.Hold != nil || p.Resume != nil || p.Transfer != nil || p.Consult != nil || p.DTMF != nil || p.Mute != nil || p.TellsHold {
			t.Errorf("it has abilities that its command line has not: %v", p.Abilities())
		}
		for _, do := range []func() error{
			func() error { return p.Answer(d.t.Context(), c) }, func() error { return p.Reject(d.t.Context(), c) },
			func() error { return p.Hangup(d.t.Context(), c) }, func() error { return p.Dial(d.t.Context(), "+8613800138000") },
		} {
			if err := do(); err != nil {
				t.Error(err)
			}
		}
		if want := []string{"/answer", "/hangupall", "/hangupall", "+8613800138000"}; !slices.Equal(o.args, want) || !o.stays {
			t.Errorf("told %q, %v; want %q", o.args, o.stays, want)
		}
	})
}

func TestACommandThatWouldMeanAnotherCallTooIsRefused(t *testing.T) {
	withPhone(t, "microsip", func(d *desk, o *told) {
		c := call(d.tell(aRing)[0])
		d.tell(mailbox.Event{Event: "ring", Number: "2"})
		for _, do := range []func(context.Context, cti.Call) error{d.source.Phone().Answer, d.source.Phone().Reject, d.source.Phone().Hangup} {
			if err := do(d.t.Context(), c); cti.KindOf(err) != cti.Conflict || len(o.args) > 0 {
				t.Errorf("%v, told %q", err, o.args)
			}
		}
		d.tell(mailbox.Event{Event: "end", Number: "2"})
		if err := d.source.Phone().Answer(d.t.Context(), c); err != nil {
			t.Error(err)
		}
	})
}

func TestARejectionThatThePhoneCannotTellIsTheAgents(t *testing.T) {
	withPhone(t, "microsip", func(d *desk, o *told) {
		c := call(d.tell(aRing)[0])
		o.fail = errors.New("no")
		if err := d.source.Phone().Reject(d.t.Context(), c); cti.KindOf(err) != cti.Offline {
			t.Errorf("%v", err)
		}
		if end := d.tell(anEnd)[0]; end.Cause.Code != cti.CauseUnknown || end.Cause.By != cti.ByUnknown {
			t.Errorf("what the phone did not do: %+v", end.Cause)
		}
		o.fail = nil
		c = call(d.tell(aRing)[0])
		if err := d.source.Phone().Reject(d.t.Context(), c); err != nil {
			t.Fatal(err)
		}
		if end := d.tell(anEnd)[0]; end.Cause.Code != cti.CauseRejected || end.Cause.By != cti.ByLocal {
			t.Errorf("what it did: %+v", end.Cause)
		}
	})
}

func TestNothingButANumberReachesAPhonesCommandLine(t *testing.T) {
	for _, program := range []string{"twinkle", "microsip", "zoiper"} {
		withPhone(t, program, func(d *desk, o *told) {
			c := call(d.tell(mailbox.Event{Event: "ring", Number: "1", Line: "1 ; quit"})[0])
			p := d.source.Phone()
			for _, to := range []string{"", "+", "-1", "/hangupall", "--cmd", "1 2", "1;2", "1\n2", "%PATH%", "sip:1@evil", "１２", strings.Repeat("1", 65), "$(id)", "1|2", "1,2"} {
				for _, do := range []func(context.Context, string) error{
					p.Dial,
					func(ctx context.Context, to string) error { return aboutCall(ctx, p.Transfer, c, to) },
					func(ctx context.Context, to string) error { return aboutCall(ctx, p.Consult, c, to) },
					func(ctx context.Context, to string) error { return aboutCall(ctx, p.DTMF, c, to) },
				} {
					if err := do(d.t.Context(), to); cti.KindOf(err) != cti.Invalid || len(to) > 3 && strings.Contains(cti.MessageOf(err), to) {
						t.Errorf("%s: %q: %v", program, to, err)
					}
				}
			}
			if len(o.args) > 0 {
				t.Errorf("%s was told %q", program, o.args)
			}
		})
	}
}

// aboutCall carries out what the phone can; what it cannot is as good as refused.
func aboutCall(ctx context.Context, do func(context.Context, cti.Call, string) error, c cti.Call, to string) error {
	if do == nil {
		return cti.Errorf(cti.Invalid, "cannot", nil)
	}
	return do(ctx, c, to)
}

func TestALineThatIsNoneIsNotTaken(t *testing.T) {
	withPhone(t, "twinkle", func(d *desk, o *told) {
		for i, line := range []string{"1 ; quit", "", "0", "-1", "123"} {
			c := call(d.tell(mailbox.Event{Event: "ring", SIPCallID: strings.Repeat("x", i+1), Line: line})[0])
			if err := d.source.Phone().Answer(d.t.Context(), c); err != nil {
				t.Error(err)
			}
		}
		if slices.ContainsFunc(o.args, func(args string) bool { return args != "--immediate|--cmd|answer" }) || len(o.args) != 5 {
			t.Errorf("told %q", o.args)
		}
		c := call(d.tell(mailbox.Event{Event: "ring", SIPCallID: "y", Line: "2"})[0])
		if err := d.source.Phone().Answer(d.t.Context(), c); err != nil || !slices.Equal(o.args[5:], []string{"--immediate|--cmd|line 2", "--immediate|--cmd|answer"}) {
			t.Errorf("told %q, %v", o.args[5:], err)
		}
	})
}

func TestAPhoneWithoutACommandLineIsReachedByTheSystemsLinks(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the program that opens links is the system's")
	}
	t.Setenv("HOME", t.TempDir())
	t.Setenv("XDG_CONFIG_HOME", "")
	for _, program := range []string{"zoiper", "3cx", "other"} {
		withPhone(t, program, func(d *desk, o *told) {
			p := d.source.Phone()
			if a := p.Abilities(); !slices.Equal(a, []cti.Command{cti.CommandDial}) {
				t.Errorf("%s can %v", program, a)
			}
			if err := p.Dial(d.t.Context(), "138"); err != nil || !slices.Equal(o.args, []string{"tel:138"}) || !o.stays {
				t.Errorf("%s was told %q, %v", program, o.args, err)
			}
			o.fail = errors.New("no")
			if err := p.Dial(d.t.Context(), "138"); cti.KindOf(err) != cti.Offline {
				t.Errorf("%s: %v", program, err)
			}
		})
	}
}

func TestAPhoneThatIsNotThereSaysWhatToDo(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	t.Setenv("LOCALAPPDATA", "")
	t.Setenv("ProgramFiles", "")
	atDesk(t, func(d *desk) {
		c := call(cti.Event{})
		if err := d.source.Phone().Dial(d.t.Context(), "138"); cti.KindOf(err) != cti.Offline || !strings.Contains(cti.MessageOf(err), "not listened to") {
			t.Errorf("before Run: %v", err)
		}
		d.start()
		if err := d.source.Phone().Dial(d.t.Context(), "138"); cti.KindOf(err) != cti.Offline || !strings.Contains(cti.MessageOf(err), "MicroSIP was not found on this computer") {
			t.Errorf("%v", err)
		}
		if err := d.source.Phone().Answer(d.t.Context(), c); cti.KindOf(err) != cti.NotFound {
			t.Errorf("a call nobody knows: %v", err)
		}
	})
}

func TestAPhoneThatDoesNotAnswerIsWaitedForThreeSeconds(t *testing.T) {
	withPhone(t, "twinkle", func(d *desk, _ *told) {
		d.source.SetRun(func(ctx context.Context, _ string, _ []string, _ bool) error { <-ctx.Done(); return ctx.Err() })
		began := time.Now()
		if err := d.source.Phone().Dial(d.t.Context(), "138"); cti.KindOf(err) != cti.Offline || time.Since(began) != 3*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		synctest.Wait()
	})
}
