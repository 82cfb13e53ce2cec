package outbox_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/outbox"
)

// Who hears what became of one item may be waiting to accept the next version of another, whose news wait to be heard: neither holds up
// the other.
func TestNewsOfOneItemDoNotHoldUpTheNextVersionOfAnother(t *testing.T) {
	for name, answer := range map[string]error{"delivered": nil, "failed": cti.Errorf(cti.Offline, "not now", nil),
		"invalid": cti.Errorf(cti.Invalid, "no", nil), "held back": cti.Errorf(cti.Auth, "who?", nil)} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.sender.send = func() error {
					time.Sleep(time.Second) //nolint:forbidigo // fake time: both are on their way
					return answer
				}
				var box *outbox.Outbox
				accept := func(key, note string) {
					if err := box.Accept(cti.Call{Leg: "leg " + key}, cti.WrapUp{}, []cti.WriteBack{write(key, "lane "+key, note)}); err != nil {
						t.Error(err)
					}
				}
				others, accepted := map[string]string{"a": "b", "b": "a"}, make(chan struct{})
				first := true
				box, err := outbox.New(r.store, r.sender, func(p outbox.Progress) {
					if p.Sending || !first {
						return
					}
					first = false
					time.Sleep(time.Second) //nolint:forbidigo // fake time: the other one has its answer by now
					go func() {
						defer close(accepted)
						accept(others[p.Item.WriteBack.Key], "newer")
					}()
					select {
					case <-accepted:
					case <-time.After(time.Minute):
						t.Error("the next version waits for news that wait for it")
					}
				}, discard)
				if err != nil {
					t.Fatal(err)
				}
				accept("a", "")
				accept("b", "")
				ctx, stop := context.WithCancel(t.Context())
				ended := make(chan error, 1)
				go func() { ended <- box.Run(ctx) }()
				<-accepted
				stop()
				if err := <-ended; err != nil {
					t.Error(err)
				}
			})
		})
	}
}
