package bridge

import (
	"context"
	"slices"
	"testing"
	"time"

	"ringside.dev/ringside/app/cti"
)

// asked is a phone that answers and dials with an error, and notes that it was asked.
func asked(name string, err error, log *[]string) cti.Phone {
	return cti.Phone{Answer: func(context.Context, cti.Call) error { *log = append(*log, name); return err },
		Dial: func(context.Context, string) error { *log = append(*log, name); return err }}
}

func TestACommandGoesToTheFirstPhoneThatHasTheCall(t *testing.T) {
	offline, missing, refused := cti.Errorf(cti.Offline, "x", nil), cti.Errorf(cti.NotFound, "x", nil), cti.Errorf(cti.Conflict, "x", nil)
	for name, test := range map[string]struct {
		first, second error
		dial          bool
		asked         int
		kind          cti.Kind
	}{
		"the first does it":                                            {nil, nil, false, 1, ""},
		"the first does not have it":                                   {missing, nil, false, 2, ""},
		"the first is not there, and twice does no harm":               {offline, nil, false, 2, ""},
		"the first refuses":                                            {refused, nil, false, 1, cti.Conflict},
		"neither has it":                                               {missing, missing, false, 2, cti.NotFound},
		"one that is not there may have it":                            {missing, offline, false, 2, cti.Offline},
		"the first is not there, and the second says it has it not":    {offline, missing, false, 2, cti.Offline},
		"a dial that got no answer may be under way, so no second one": {offline, nil, true, 1, cti.Offline},
	} {
		var log []string
		both := Join(asked("first", test.first, &log), asked("second", test.second, &log))
		err := both.Answer(t.Context(), cti.Call{})
		if test.dial {
			log = nil
			err = both.Dial(t.Context(), "1002")
		}
		if len(log) != test.asked || log[0] != "first" || cti.KindOf(err) != test.kind {
			t.Errorf("%s: asked %v, %v; want %d asked and kind %q", name, log, err, test.asked, test.kind)
		}
	}
}

func TestPhonesTogetherCanWhatOneOfThemCan(t *testing.T) {
	var log []string
	plain, able := asked("first", nil, &log), cti.Phone{Hold: func(context.Context, cti.Call) error { log = append(log, "second"); return nil }, TellsHold: true, RingsFirst: true,
		Dial:     func(context.Context, string) error { return nil },
		Presence: func(context.Context, cti.AgentStatus) error { return nil },
		History:  func(context.Context, time.Time) ([]cti.Event, error) { return nil, nil }}
	able.Offers = func(c cti.Call) []cti.Command {
		if c.State == cti.Connected {
			return []cti.Command{cti.CommandHold}
		}
		return nil
	}
	both := Join(plain, able)
	if got, want := both.Abilities(), []cti.Command{cti.CommandAnswer, cti.CommandHold, cti.CommandDial, cti.CommandPresence}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if slices.Contains(both.Can(cti.Call{State: cti.Alerting}), cti.CommandHold) || !slices.Contains(both.Can(cti.Call{State: cti.Connected}), cti.CommandHold) {
		t.Error("hold is offered when the phone that can does not offer it, or not when it does")
	}
	if !both.TellsHold || both.RingsFirst || both.History != nil {
		t.Errorf("tells holds %v, rings first %v, history %v; want those of who tells and who dials, and none", both.TellsHold, both.RingsFirst, both.History != nil)
	}
	if err := both.Hold(t.Context(), cti.Call{}); err != nil || !slices.Equal(log, []string{"second"}) {
		t.Errorf("%v, asked %v: only one can hold", err, log)
	}
	if alone := Join(able); alone.History == nil || alone.Answer != nil {
		t.Error("one phone alone is not itself")
	}
}
