package outbox_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"ringside.dev/ringside/app/cti"
)

func file(key, number string) cti.WriteBack {
	w := write(key, number, "")
	w.Op = cti.UploadRecording
	return w
}

// A file may take an hour: no other write-back of its number waits for it.
func TestAFileHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.answer(&cti.Error{Kind: cti.Internal, RetryAfter: time.Hour})
		r.acceptWrite(file("file", "1"))
		r.run()
		r.answer(nil)
		r.accept("call", "1")
		if got := r.sentKeys(); !slices.Equal(got, []string{"file", "call"}) {
			t.Errorf("sent %v, want the call behind the file that waits", got)
		}
	})
}

// What waits for its time is sent when there is news for it, and nothing else is.
func TestWhatThereIsNewsForIsDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.answer(&cti.Error{Kind: cti.Internal, RetryAfter: time.Hour})
		r.acceptWrite(file("file", "1"))
		r.acceptWrite(file("another", "2"))
		r.run()
		r.answer(nil)
		if r.box.Busy() {
			t.Error("busy while all wait for their time")
		}
		leg := file("file", "1").Leg
		for range 2 {
			if err := r.box.Due(leg, "file"); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		if got := r.sentKeys(); !slices.Equal(got[2:], []string{"file"}) {
			t.Errorf("sent %v", got)
		}
		if err := r.box.Due(leg, "nobody's"); err != nil {
			t.Errorf("what there is not: %v", err)
		}
	})
}

func TestBusyWhileSomethingIsSentOrCouldBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.accept("call", "1")
		if !r.box.Busy() {
			t.Error("not busy though something is due")
		}
		r.sender.hold = make(chan struct{})
		r.run()
		if !r.box.Busy() {
			t.Error("not busy while something is sent")
		}
		close(r.sender.hold)
		r.settled()
		if r.box.Busy() {
			t.Error("busy after all was sent")
		}
		r.answer(fail(cti.Auth))
		r.accept("held back", "2")
		synctest.Wait()
		if r.box.Busy() {
			t.Error("busy while nothing may be sent")
		}
	})
}
