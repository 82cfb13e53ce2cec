package baresip

import (
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/running"
)

func TestReconnectsSlowerAndSlowerHoweverTheConnectionFails(t *testing.T) {
	for name, f := range map[string]*fake{
		"nobody listens":       {refuse: true},
		"evicted at once":      {serve: func(*fake, net.Conn) {}},
		"evicted after 9 s":    {serve: func(_ *fake, c net.Conn) { drain(c, 9*time.Second) }},
		"garbage":              {serve: func(_ *fake, c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n") }},
		"too long a netstring": {serve: func(_ *fake, c net.Conn) { _, _ = io.WriteString(c, "70000:") }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				play(t, f, time.Minute, nil)
				lived := time.Duration(0)
				if strings.Contains(name, "9 s") {
					lived = 9 * time.Second
				}
				if n := len(f.dials); n > 10 || n < 3 {
					t.Errorf("%d attempts in a minute: %v", n, f.dials)
				}
				last := time.Duration(0)
				for n := 1; n < len(f.dials); n++ {
					gap := f.dials[n] - f.dials[n-1] - lived
					if gap < backoff.First || gap > backoff.Most || gap <= last && last < backoff.Most*3/4 {
						t.Errorf("pause %d was %v after %v", n, gap, last)
					}
					last = gap
				}
			})
		})
	}
}

// drain reads and drops what comes, for a time.
func drain(c net.Conn, d time.Duration) {
	if c.SetReadDeadline(time.Now().Add(d)) == nil {
		_, _ = io.Copy(io.Discard, c)
	}
}

func TestAConnectionThatLivedTenSecondsBeginsTheBackoffAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		f := &fake{serve: func(_ *fake, c net.Conn) {
			if n++; n == 5 {
				drain(c, backoff.Proven)
			}
		}}
		play(t, f, time.Minute, nil)
		if before, after := f.dials[4]-f.dials[3], f.dials[5]-f.dials[4]-backoff.Proven; before < 2*time.Second || after != backoff.First {
			t.Errorf("pause %v before the connection that lived, %v after it; want long, then %v", before, after, backoff.First)
		}
	})
}

func TestUpAndDownAreSaidOncePerChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{answer: works}
		play(t, f, time.Minute, func(ctx context.Context, _ cti.Phone) {
			f.mu.Lock()
			f.refuse = true
			f.mu.Unlock()
			_ = f.conn.Close() // evicted
			running.Sleep(ctx, 20*time.Second)
			f.mu.Lock()
			f.refuse = false
			f.mu.Unlock()
			running.Sleep(ctx, 20*time.Second)
		})
		want := []cti.EventType{cti.SourceUp, cti.Snapshot, cti.SourceDown, cti.SourceUp, cti.Snapshot}
		if diff := cmp.Diff(want, f.types()); diff != "" {
			t.Errorf("want - got +:\n%s", diff)
		}
	})
}

func TestRepliesAreFoundByTokenAndCommandsAreNotInterleaved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{answer: func(f *fake, o order) []string {
			stray := o
			stray.Token = "ringside-999" // as if of another command: the next one's reply comes before
			texts := []string{reply(stray, false, "Invalid argument"), msg("CALL_RTCP", "incoming", "")}
			return append(texts, works(f, o)...)
		}}
		play(t, f, time.Minute, func(ctx context.Context, p cti.Phone) {
			var all sync.WaitGroup
			for n := range 8 {
				all.Go(func() {
					if err := p.Answer(ctx, call(fmt.Sprint("id", n))); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
		})
		for n := 0; n < len(f.orders); n++ {
			if strings.HasPrefix(f.orders[n], "callfind") {
				if n++; n == len(f.orders) || f.orders[n] != "accept" {
					t.Fatalf("orders %v: a callfind is not followed by its accept", f.orders)
				}
			}
		}
		if got := len(slices.DeleteFunc(slices.Clone(f.orders), func(o string) bool { return o != "accept" })); got != 8 {
			t.Errorf("%d accepts, want 8", got)
		}
		if len(f.types()) != 2 || f.types()[1] != cti.Snapshot {
			t.Errorf("events %v: a reply was turned into one", f.types())
		}
	})
}

func TestASilentPhoneIsAnErrorAfterThreeSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{answer: func(f *fake, o order) []string {
			if o.Command == "accept" {
				return nil
			}
			return works(f, o)
		}}
		play(t, f, time.Minute, func(ctx context.Context, p cti.Phone) {
			asked := time.Now()
			err := p.Answer(ctx, call("a"))
			if cti.KindOf(err) != cti.Offline || cti.MessageOf(err) != "the phone did not answer" || time.Since(asked) != replyTimeout {
				t.Errorf("%v of kind %s after %v", err, cti.KindOf(err), time.Since(asked))
			}
			if err := p.Hangup(ctx, call("a")); err != nil { // the next command is not held up
				t.Error(err)
			}
		})
	})
}

func TestAnEvictedCommandIsOfflineAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{answer: func(f *fake, o order) []string {
			if o.Command == "callfind" {
				_ = f.conn.Close()
				return nil
			}
			return works(f, o)
		}}
		play(t, f, time.Minute, func(ctx context.Context, p cti.Phone) {
			asked := time.Now()
			if err := p.Hangup(ctx, call("a")); cti.KindOf(err) != cti.Offline || time.Since(asked) != 0 {
				t.Errorf("%v after %v, want kind offline at once", err, time.Since(asked))
			}
		})
	})
}

// No command may ever reach another call than the one meant, so that a callfind that is not confirmed must not be followed by one.
func TestUnconfirmedCallfindIsNotFollowedByTheCommand(t *testing.T) {
	for text, ok := range map[string]bool{
		"call not found (id=a)\n": true, "setting current call: ab\n": true, "": true, "command not found (callfind)\n": false,
	} {
		synctest.Test(t, func(t *testing.T) {
			f := &fake{answer: func(f *fake, o order) []string {
				if o.Command == "callfind" {
					return []string{reply(o, ok, text)}
				}
				return works(f, o)
			}}
			play(t, f, time.Minute, func(ctx context.Context, p cti.Phone) {
				if err := p.Hangup(ctx, call("a")); cti.KindOf(err) != cti.NotFound {
					t.Errorf("%q: %v, want kind notfound", text, err)
				}
				if err := p.Hangup(ctx, call("a\nhangup")); cti.KindOf(err) != cti.Conflict {
					t.Errorf("an id with a line break: %v, want kind conflict", err)
				}
				if err := p.Hangup(ctx, cti.Call{}); cti.KindOf(err) != cti.NotFound {
					t.Errorf("no id: %v, want kind notfound", err)
				}
			})
			if slices.Contains(f.orders, "hangup") {
				t.Errorf("%q: %v", text, f.orders)
			}
		})
	}
}

func TestRefusalsHaveKinds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{answer: func(f *fake, o order) []string {
			switch o.Command {
			case "accept", "dial":
				return []string{reply(o, false, "Invalid argument")}
			case "hangup":
				return []string{reply(o, false, "command not found (hangup)\n")}
			}
			return works(f, o)
		}}
		play(t, f, time.Minute, func(ctx context.Context, p cti.Phone) {
			for want, err := range map[cti.Kind]error{cti.Invalid: p.Answer(ctx, call("a")), cti.NotFound: p.Reject(ctx, call("a"))} {
				if cti.KindOf(err) != want {
					t.Errorf("%v, want kind %s", err, want)
				}
			}
			if err := p.Dial(ctx, "600"); cti.KindOf(err) != cti.Invalid || strings.Contains(err.Error(), "600") {
				t.Errorf("%v, want kind invalid and no number", err)
			}
		})
	})
}

func TestAnAttemptWithoutAnIDCanBeHungUpWhileItIsInFront(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{answer: func(f *fake, o order) []string {
			if o.Command == "callstat" {
				return []string{reply(o, true, callstat("OUTGOING", "x", "Outgoing"))}
			}
			return works(f, o)
		}}
		play(t, f, time.Minute, func(ctx context.Context, p cti.Phone) {
			c := cti.Call{Refs: map[string]string{refDial: "dial-1"}, Remote: cti.Remote{URI: "sip:600@pbx"}}
			if err := p.Hangup(ctx, c); err != nil {
				t.Error(err)
			}
			c.Remote.URI = "sip:601@pbx"
			if err := p.Hangup(ctx, c); cti.KindOf(err) != cti.Conflict {
				t.Errorf("another call in front: %v, want kind conflict", err)
			}
		})
		if n := len(slices.DeleteFunc(slices.Clone(f.orders), func(o string) bool { return o != "hangup" })); n != 1 {
			t.Errorf("%v: %d hang-ups, want 1", f.orders, n)
		}
	})
}

func callstat(state, id, direction string) string {
	return fmt.Sprintf("\n===== Call debug (%s) =====\n local_uri: A <sip:agent@pbx>\n peer_uri:   <sip:600@pbx>\n af=AF_INET id=%s\n direction: %s\n", state, id, direction)
}

func TestSnapshotIsOwedWhileThereAreTwoCallsAndAskedAgainWhenCallsMove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		active, moved := 2, 0
		f := &fake{}
		f.answer = func(f *fake, o order) []string {
			f.mu.Lock()
			defer f.mu.Unlock()
			switch o.Command {
			case "listcalls":
				texts := []string{reply(o, true, fmt.Sprintf("--- Active calls (%d) ---", active))}
				if active == 1 && moved < 2 { // between the two replies
					moved++
					texts = append(texts, msg("CALL_INCOMING", "incoming", ""))
				}
				return texts
			case "callstat":
				return []string{reply(o, true, callstat("ESTABLISHED", "b", "Incoming"))}
			}
			return works(f, o)
		}
		play(t, f, time.Minute, func(context.Context, cti.Phone) {
			synctest.Wait()
			if got := f.types(); !slices.Equal(got, []cti.EventType{cti.SourceUp}) {
				t.Errorf("with two calls: %v, want no snapshot", got)
			}
			f.mu.Lock()
			active = 1
			f.mu.Unlock()
			for _, text := range []string{`no json`, `{"type":"CALL_CLOSED","id":7}`, msg("CALL_CLOSED", "incoming", "")} {
				if err := f.say(text); err != nil {
					t.Error(err)
				}
			}
			synctest.Wait()
		})
		if got := f.types(); !slices.Equal(got, []cti.EventType{cti.SourceUp, cti.Cleared, cti.Delivered, cti.Delivered, cti.Snapshot, cti.Retrieved}) {
			t.Fatalf("events %v", got)
		}
		legs := f.events[4].Legs
		if len(legs) != 1 || legs[0].Type != cti.Established || legs[0].Call.Refs[cti.RefSIPCallID] != "b" || moved != 2 {
			t.Errorf("snapshot %+v after %d moves", legs, moved)
		}
	})
}

func TestRepliesGetThroughAndRunWaitsWhileEmitBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := New("127.0.0.1:4444", "1001", nil)
		if err != nil {
			t.Fatal(err)
		}
		f := &fake{began: time.Now(), answer: func(f *fake, o order) []string {
			if o.Command != "accept" {
				return works(f, o)
			}
			var texts []string
			for n := range 100 { // many events before the reply
				texts = append(texts, strings.Replace(msg("CALL_INCOMING", "incoming", ""), `"id":"a"`, fmt.Sprintf(`"id":"%d"`, n), 1))
			}
			return append(texts, reply(o, true, ""))
		}}
		s.dial = f.dial
		ctx, cancel := context.WithCancel(t.Context())
		inside, open, returned := make(chan struct{}, 1000), make(chan struct{}), make(chan error, 1)
		go func() {
			returned <- s.Run(ctx, func(cti.Event) {
				inside <- struct{}{}
				<-open
			})
		}()
		<-inside
		if err := s.Phone().Answer(ctx, call("a")); err != nil {
			t.Errorf("an answer while emit blocks: %v", err)
		}
		cancel()
		synctest.Wait()
		if len(returned) != 0 {
			t.Error("Run returned while emit was at work")
		}
		close(open)
		if err := <-returned; err != nil || len(inside) != 0 {
			t.Errorf("Run: %v, and %d events after the end of its context", err, len(inside))
		}
	})
}
