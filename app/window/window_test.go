package window_test

import (
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"ringside.dev/ringside/app/cti"
)

// prose is what the agent types while calls come in: long enough for several pops.
var prose = strings.Repeat("the order of tuesday is on its way and arrives by noon ", 12)

// type starts typing at the pace of a fast writer and tells when it is over.
func (d *desktop) typing(text string) <-chan error {
	done := make(chan error, 1)
	cmd := exec.CommandContext(d.t.Context(), "xdotool", "type", "--delay", "8", text)
	go func() { done <- cmd.Run() }()
	return done
}

// TestThePopTakesNoKeystroke: behaviour.md, pops that steal the keyboard (linphone-desktop #853, skype4pidgin #158).
func TestThePopTakesNoKeystroke(t *testing.T) {
	d := openDesktop(t, "en")
	work, typed := d.typist()
	done := d.typing(prose)
	pops := 0
	for running := true; running; pops++ {
		id := strconv.Itoa(pops)
		d.ring(id)
		d.until("the pop is on the screen", func() bool { return d.visible() != "" })
		if now := d.active(); now != work {
			t.Errorf("pop %d: the focus went from %s to %s", pops, work, now)
		}
		d.abandon(id)
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			running = false
		default:
		}
	}
	d.until("all that was typed has arrived", func() bool { return len(typed()) >= len(prose) })
	if got := typed(); got != prose {
		t.Errorf("typed %q, arrived %q", prose, got)
	}
	if pops < 3 {
		t.Errorf("only %d pops came up while %d keys were typed: that proves little", pops, len(prose))
	}
	s, err := d.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range s.Cards {
		if c.WrapUp.Note != "" || c.State != cti.StateClosed || c.Ending != cti.EndAbandoned {
			t.Errorf("a key reached the pop: note %q, ending %s", c.WrapUp.Note, c.Ending)
		}
	}
	t.Logf("%d keys typed, %d pops, none lost, none taken", len(prose), pops)
}

// The check above must be able to fail: a pop that does take the focus loses keystrokes, and it sees them missing.
func TestAPopThatTakesTheFocusIsSeen(t *testing.T) {
	d := openDesktop(t, "en")
	work, typed := d.typist()
	done := d.typing(prose)
	d.ring("1")
	d.until("the pop is on the screen", func() bool { return d.visible() != "" })
	d.do("xdotool", "windowactivate", "--sync", d.visible())
	if d.active() == work {
		t.Fatal("the pop could not be given the focus: the control shows nothing")
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	d.do("xdotool", "windowactivate", "--sync", work)
	d.do("xdotool", "type", "#") // once this has arrived, whatever else was to come has come
	d.until("the mark has arrived", func() bool { return strings.HasSuffix(typed(), "#") })
	if strings.TrimSuffix(typed(), "#") == prose {
		t.Error("every key arrived although the pop had the focus: the check is blind")
	}
}

func TestThePopStandsLowerRightAndOnTop(t *testing.T) {
	d := openDesktop(t, "zh-CN")
	work, _ := d.typist()
	if d.visible() != "" {
		t.Error("the window is on the screen before any call")
	}
	d.ring("1")
	d.until("the pop is on the screen", func() bool { return d.visible() != "" })
	pop := d.visible()
	// The terminal is raised and grown over the whole screen: the pop stays above it.
	d.do("xdotool", "windowsize", "--sync", work, "1270", "780")
	d.do("xdotool", "windowraise", work)
	stack := strings.Fields(strings.ReplaceAll(d.ask("xprop", "-root", "_NET_CLIENT_LIST_STACKING"), ",", " "))
	id, err := strconv.Atoi(pop)
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("%#x", id); len(stack) == 0 || stack[len(stack)-1] != want {
		t.Errorf("the pop %s is not on top of %v", want, stack)
	}
	// xwininfo, not xdotool: that one counts a frame twice.
	place, screen := d.geometry("-id", pop), d.geometry("-root")
	right, bottom := screen.width-place.x-place.width, screen.height-place.y-place.height
	if right < 0 || right > 24 || bottom < 0 || bottom > 24 {
		t.Errorf("the pop is %d from the right and %d from the bottom of %+v: %+v", right, bottom, screen, place)
	}
}

// With the focus given to it on purpose, the pop is worked by keys.
func TestAKeyAnswersOnceTheAgentHasTurnedToThePop(t *testing.T) {
	d := openDesktop(t, "en")
	leg := d.ring("1")
	d.until("the pop is on the screen", func() bool { return d.visible() != "" })
	d.do("xdotool", "windowactivate", "--sync", d.visible())
	d.until("Alt+A answers", func() bool {
		d.do("xdotool", "key", "--clearmodifiers", "alt+a")
		s, err := d.Snapshot(t.Context())
		return err == nil && len(s.Cards) == 1 && s.Cards[0].Leg == leg && s.Cards[0].State == cti.Connected
	})
}

// A hidden window is reached by starting the program again: the one that runs shows its window, the new one ends.
func TestStartingTwiceShowsTheOneThatRuns(t *testing.T) {
	d := openDesktop(t, "en")
	if out, err := d.start().CombinedOutput(); err != nil {
		t.Fatalf("the second start failed: %v\n%s", err, out)
	}
	d.until("the window is on the screen", func() bool { return d.visible() != "" })
}
