package flow_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/flow"
)

// deaf is a phone that accepts everything and does nothing.
func deaf() cti.Phone {
	do := func(context.Context, cti.Call) error { return nil }
	return cti.Phone{Answer: do, Reject: do, Hangup: do, Dial: func(context.Context, string) error { return nil }}
}

func hold(id string) cti.Event { return event(cti.Held, id) }

func TestCommandsFitTheStateAndThePhone(t *testing.T) {
	answerOnly := cti.Phone{Answer: deaf().Answer}
	for _, test := range []struct {
		name   string
		events []cti.Event
		phone  cti.Phone
		want   []cti.Command
	}{
		{"ringing", []cti.Event{ring("a")}, deaf(), []cti.Command{cti.CommandAnswer, cti.CommandReject}},
		{"ringing, no reject", []cti.Event{ring("a")}, answerOnly, []cti.Command{cti.CommandAnswer}},
		{"ringing, deskphone", []cti.Event{ring("a")}, cti.Phone{}, nil},
		{"dialling", []cti.Event{dialled("a")}, deaf(), []cti.Command{cti.CommandHangup}},
		{"talking", []cti.Event{ring("a"), answer("a")}, deaf(), []cti.Command{cti.CommandHangup}},
		{"talking, no hang-up", []cti.Event{ring("a"), answer("a")}, answerOnly, nil},
		{"on hold", []cti.Event{ring("a"), hold("a")}, deaf(), []cti.Command{cti.CommandHangup}},
		{"over", []cti.Event{ring("a"), hangup("a")}, deaf(), nil},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			r.phone = test.phone
			r.start().tell(test.events...)
			if got := r.card().Commands; !slices.Equal(got, test.want) {
				t.Errorf("%s: %v, want %v", test.name, got, test.want)
			}
			for _, cmd := range []cti.Command{cti.CommandAnswer, cti.CommandReject, cti.CommandHangup, cti.CommandDial} {
				if err := r.flow.Command(t.Context(), "a", cti.Instruction{Command: cmd}); (err == nil) != slices.Contains(test.want, cmd) {
					t.Errorf("%s: %s gave %v", test.name, cmd, err)
				}
			}
		})
	}
}

func TestRule4CommandsChangeNothingByThemselves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.phone = deaf()
		var told cti.Call
		r.phone.Answer = func(_ context.Context, c cti.Call) error { told = c; return nil }
		r.start().tell(ring("a"))
		must(t, r.flow.Command(t.Context(), "a", cti.Instruction{Command: cti.CommandAnswer}))
		if told.Leg != "a" || r.card().Call.State != cti.Alerting {
			t.Errorf("the phone was told of %q, the card says %s; want a, alerting until the phone says so", told.Leg, r.card().Call.State)
		}
	})
}

func TestRule4ASilentPhoneIsSaidAfterThreeSeconds(t *testing.T) {
	for _, test := range []struct {
		name  string
		then  []cti.Event
		after flow.Notice
	}{
		{"nothing follows", nil, flow.PhoneSilent},
		{"only information follows", []cti.Event{better("a", "+442079460123")}, flow.PhoneSilent},
		{"answered", []cti.Event{answer("a")}, ""},
		{"over", []cti.Event{hangup("a")}, ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			r.phone = deaf()
			r.start().tell(ring("a"))
			must(t, r.flow.Command(t.Context(), "a", cti.Instruction{Command: cti.CommandAnswer}))
			pass(3*time.Second - time.Millisecond)
			if n := r.card().Notice; n != "" {
				t.Errorf("%s: notice %q before 3 s", test.name, n)
			}
			r.tell(test.then...)
			pass(time.Millisecond)
			if n := r.card().Notice; n != test.after {
				t.Errorf("%s: notice %q, want %q", test.name, n, test.after)
			}
		})
	}
}

func TestAPhoneThatFollowsLateTakesItsNoticeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.phone = deaf()
		r.start().tell(ring("a"))
		must(t, r.flow.Command(t.Context(), "a", cti.Instruction{Command: cti.CommandAnswer}))
		pass(4 * time.Second)
		r.tell(answer("a"))
		if n := r.card().Notice; n != "" {
			t.Errorf("notice %q after the call was answered", n)
		}
	})
}

func TestEachCommandHasThreeSecondsOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.phone = deaf()
		r.start().tell(ring("a"))
		must(t, r.flow.Command(t.Context(), "a", cti.Instruction{Command: cti.CommandAnswer}))
		pass(2 * time.Second)
		must(t, r.flow.Command(t.Context(), "a", cti.Instruction{Command: cti.CommandAnswer}))
		pass(2 * time.Second)
		if n := r.card().Notice; n != "" {
			t.Errorf("notice %q two seconds after the second command", n)
		}
		pass(time.Second)
		if n := r.card().Notice; n != flow.PhoneSilent {
			t.Errorf("notice %q three seconds after it", n)
		}
	})
}

func TestARefusedCommandIsSaid(t *testing.T) {
	for kind, notice := range map[cti.Kind]flow.Notice{cti.Offline: flow.PhoneOffline, cti.Conflict: flow.PhoneRefused} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			refusal := cti.Errorf(kind, "no", nil)
			r.phone = deaf()
			r.phone.Answer = func(context.Context, cti.Call) error { return refusal }
			r.start().tell(ring("a"))
			err := r.flow.Command(t.Context(), "a", cti.Instruction{Command: cti.CommandAnswer})
			synctest.Wait()
			if n := r.card().Notice; err != refusal || n != notice { //nolint:errorlint // the very same
				t.Errorf("%s: error %v, notice %q; want the phone's own and %q", kind, err, n, notice)
			}
			pass(4 * time.Second)
			if n := r.card().Notice; n != notice {
				t.Errorf("%s: then %q", kind, n)
			}
		})
	}
}

func TestARefusalAfterTheCallMovedOnIsNotOnTheCard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.full.Store(true)
		gone := make(chan struct{})
		r.phone = deaf()
		r.phone.Answer = func(context.Context, cti.Call) error { <-gone; return cti.Errorf(cti.Conflict, "no such call", nil) }
		r.start().tell(ring("a"))
		ended := make(chan error, 1)
		go func() {
			ended <- r.flow.Command(context.Background(), "a", cti.Instruction{Command: cti.CommandAnswer})
		}()
		synctest.Wait()
		r.tell(hangup("a"))
		close(gone)
		if err := <-ended; err == nil {
			t.Error("the caller was not told")
		}
		synctest.Wait()
		if n := r.card().Notice; n != flow.NotSaved {
			t.Errorf("notice %q, want that the call is not saved", n)
		}
	})
}

func TestDialWaitsForTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.phone = deaf()
		r.start()
		ended := make(chan error, 1)
		go func() { ended <- r.flow.Dial(context.Background(), "600") }()
		pass(time.Second)
		r.tell(ring("in")) // an incoming call is not it
		select {
		case err := <-ended:
			t.Fatalf("Dial returned before the call appeared: %v", err)
		default:
		}
		r.tell(dialled("out"))
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestTwoDialsGetACallEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.phone = deaf()
		r.phone.Dial = func(context.Context, string) error { time.Sleep(time.Second); return nil } //nolint:forbidigo // fake time: slow to accept
		r.start()
		ended := make(chan error, 2)
		for range 2 {
			go func() { ended <- r.flow.Dial(context.Background(), "600") }()
		}
		synctest.Wait()
		r.tell(dialled("one"), dialled("two"), dialled("of somebody else"))
		for range 2 {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	})
}

func TestDialSaysThatThePhoneDidNotAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.phone = deaf()
		r.start()
		began := time.Now()
		if err := r.flow.Dial(t.Context(), "600"); cti.KindOf(err) != cti.Offline || time.Since(began) != 3*time.Second {
			t.Errorf("got %v after %v, want offline after 3 s", err, time.Since(began))
		}
		// The one that gave up does not take the next one's call.
		ended := make(chan error, 1)
		go func() { ended <- r.flow.Dial(context.Background(), "601") }()
		synctest.Wait()
		r.tell(dialled("out"))
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestDialThatCannotBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t).start()
		if err := r.flow.Dial(t.Context(), "600"); cti.KindOf(err) != cti.Invalid {
			t.Errorf("without the ability: %v", err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.phone.Dial = func(context.Context, string) error { return cti.Errorf(cti.Offline, "not connected", nil) }
		r.start()
		if err := r.flow.Dial(t.Context(), "600"); cti.MessageOf(err) != "not connected" {
			t.Errorf("refused: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := r.flow.Dial(ctx, "600"); err == nil {
			t.Error("cancelled: no error")
		}
	})
}
