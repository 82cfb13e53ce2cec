package client_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/client"
	"ringside.dev/ringside/bridge/loopback"
	"ringside.dev/ringside/bridge/wire"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/Microsoft/go-winio.ioCompletionProcessor"))
}

// endpoint is a socket's path that is short enough.
func endpoint(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "rs")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if runtime.GOOS == "windows" {
		return `\\.\pipe\` + filepath.Base(dir)
	}
	return filepath.Join(dir, "a.sock")
}

// connect serves an agent on a real socket and gives a client of it; stop ends the agent.
func connect(t *testing.T, a loopback.Agent) (c *client.Client, stop func()) {
	t.Helper()
	path := endpoint(t)
	l, err := loopback.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- loopback.NewServer(a, slog.New(slog.DiscardHandler)).Serve(ctx, l) }()
	ended := false
	stop = func() {
		if cancel(); !ended {
			ended = true
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	}
	c = client.New(path)
	t.Cleanup(func() { c.Close(); stop() })
	return c, stop
}

// heard is what the agent was asked.
type heard struct {
	what string
	args []any
}

// recording is an agent that notes what it is asked and answers with what it was given.
func recording(asked *heard, err error) loopback.Agent {
	note := func(what string, args ...any) error { *asked = heard{what, args}; return err }
	return loopback.Agent{
		Board:  loopback.NewBoard(wire.Snapshot{Language: "en"}),
		Status: func() wire.Status { _ = note("status"); return wire.Status{Version: "1.2.3", PID: 7} },
		Feed:   func(_ context.Context, e cti.Event) error { return note("feed", e) },
		Command: func(_ context.Context, leg string, do cti.Instruction) error {
			return note("command", leg, do.Command)
		},
		Dial:   func(_ context.Context, number string) error { return note("dial", number) },
		Pick:   func(_ context.Context, leg, id string) error { return note("pick", leg, id) },
		WrapUp: func(_ context.Context, leg string, w wire.WrapUpRequest) error { return note("wrapup", leg, w) },
		Calls: func(limit int) ([]wire.LoggedCall, error) {
			return []wire.LoggedCall{{Ending: cti.EndAnswered, RingMS: 5}}, note("calls", limit)
		},
		Call:   func(leg string) (wire.LoggedCall, error) { return wire.LoggedCall{TalkMS: 9}, note("call", leg) },
		Timing: func(leg string) (wire.Timing, error) { return wire.Timing{ShownMS: 1.5}, note("timing", leg) },

		Outbox: func(q wire.OutboxQuery) ([]wire.OutboxItem, error) {
			if q.After == 3 {
				return nil, note("outbox", q)
			}
			return []wire.OutboxItem{{Seq: 3}}, note("outbox", q)
		},
		Item: func(seq uint64) (wire.OutboxItem, error) {
			return wire.OutboxItem{Seq: seq, Name: "陈"}, note("item", seq)
		},
		Retry:    func(seq uint64) error { return note("retry", seq) },
		RetryAll: func() (int, error) { return 17, note("retry all") },
		Edit:     func(_ context.Context, seq uint64, e wire.EditRequest) error { return note("edit", seq, e) },
		Attach:   func(_ context.Context, seq uint64, id string) error { return note("attach", seq, id) },
		Discard:  func(seq uint64, reason string) error { return note("discard", seq, reason) },

		Tags: func(_ context.Context, leg string, r wire.TagsRequest) error { return note("tags", leg, r) },
		SetStatus: func(_ context.Context, leg string, r wire.StatusRequest) error {
			return note("status", leg, r)
		},
		SetTicket: func(_ context.Context, leg string, r wire.TicketStatusRequest) error {
			return note("ticket", leg, r)
		},
		Presence: func(_ context.Context, r wire.PresenceRequest) error { return note("presence", r) },
		PresenceLog: func(since time.Time) ([]cti.PresenceChange, error) {
			return []cti.PresenceChange{{State: cti.Ready}}, note("presence log", since)
		},
		Options: func(_ context.Context, kind string) ([]cti.Option, error) {
			return []cti.Option{{ID: "open"}}, note("options", kind)
		},
		Preview: func(_ context.Context, seq uint64) ([]wire.ShownRequest, error) {
			return []wire.ShownRequest{{Method: "PUT"}}, note("preview", seq)
		},
		PreviewCall: func(_ context.Context, leg string) ([]wire.ShownRequest, error) {
			return []wire.ShownRequest{{Method: "POST"}}, note("preview call", leg)
		},
		Rebuild: func(_ context.Context, seq uint64) error { return note("rebuild", seq) },
	}
}

// A leg that would be another route if it were not escaped.
const oddLeg = "a/b ?#%2F中"

var (
	anEvent = cti.Event{V: 1, Type: cti.Delivered, At: time.Date(2026, 3, 2, 9, 30, 0, 5e6, time.UTC), Side: cti.SideLocal,
		Source: cti.Source{Adapter: "sim", Instance: "sim", Confidence: cti.Signalled},
		Call:   cti.CallRef{Refs: map[string]string{"id": "1"}}, Remote: cti.Remote{Number: cti.Number{Raw: "13800138000"}, Name: "陈"}}
	aQuery  = wire.OutboxQuery{State: wire.WriteReconciling, Limit: 7, After: 1 << 63}
	anEdit  = wire.EditRequest{Outcome: "Sold", Note: "<b>\nsecond"}
	aWrapUp = wire.WrapUpRequest{Outcome: "Sold", Note: "<b>\"quoted\"</b>\nsecond line", Draft: true}
)

// export gives its answer a value: what it asks changes nothing.
func export(err error) (any, error) { return "written", err }

// methods is every method but Watch: what it asks and what it gives.
var methods = []struct {
	name string
	call func(ctx context.Context, c *client.Client) (any, error)
	asks heard
	want any
}{
	{"Status", func(ctx context.Context, c *client.Client) (any, error) { return c.Status(ctx) }, heard{"status", nil},
		wire.Status{Version: "1.2.3", PID: 7}},
	{"Snapshot", func(ctx context.Context, c *client.Client) (any, error) { return c.Snapshot(ctx) }, heard{},
		wire.Snapshot{V: wire.Version, Language: "en", Storage: wire.Storage{State: wire.StorageOK}, Presence: wire.Presence{Reasons: []string{}}, Cards: []wire.Card{}}},
	{"Calls", func(ctx context.Context, c *client.Client) (any, error) { return c.Calls(ctx, 1000) }, heard{"calls", []any{1000}},
		[]wire.LoggedCall{{Ending: cti.EndAnswered, RingMS: 5}}},
	{"Call", func(ctx context.Context, c *client.Client) (any, error) { return c.Call(ctx, oddLeg) }, heard{"call", []any{oddLeg}},
		wire.LoggedCall{TalkMS: 9}},
	{"Timing", func(ctx context.Context, c *client.Client) (any, error) { return c.Timing(ctx, oddLeg) }, heard{"timing", []any{oddLeg}},
		wire.Timing{ShownMS: 1.5}},
	{"Outbox", func(ctx context.Context, c *client.Client) (any, error) { return c.Outbox(ctx, wire.OutboxQuery{}) },
		heard{"outbox", []any{wire.OutboxQuery{Limit: 200}}}, []wire.OutboxItem{{Seq: 3}}},
	{"OutboxPage", func(ctx context.Context, c *client.Client) (any, error) { return c.Outbox(ctx, aQuery) }, heard{"outbox", []any{aQuery}},
		[]wire.OutboxItem{{Seq: 3}}},
	{"Item", func(ctx context.Context, c *client.Client) (any, error) { return c.Item(ctx, 1<<63) }, heard{"item", []any{uint64(1 << 63)}},
		wire.OutboxItem{Seq: 1 << 63, Name: "陈"}},
	{"RetryAll", func(ctx context.Context, c *client.Client) (any, error) { return c.RetryAll(ctx) }, heard{"retry all", nil}, 17},
	{"Edit", func(ctx context.Context, c *client.Client) (any, error) { return nil, c.Edit(ctx, 5, anEdit) }, heard{"edit", []any{uint64(5), anEdit}}, nil},
	{"Attach", func(ctx context.Context, c *client.Client) (any, error) { return nil, c.Attach(ctx, 5, "c/1 ?#") },
		heard{"attach", []any{uint64(5), "c/1 ?#"}}, nil},
	{"Discard", func(ctx context.Context, c *client.Client) (any, error) { return nil, c.Discard(ctx, 5, "试打") },
		heard{"discard", []any{uint64(5), "试打"}}, nil},
	{"Tags", func(ctx context.Context, c *client.Client) (any, error) {
		return nil, c.Tags(ctx, oddLeg, wire.TagsRequest{Add: []string{"VIP"}})
	}, heard{"tags", []any{oddLeg, wire.TagsRequest{Add: []string{"VIP"}}}}, nil},
	{"SetStatus", func(ctx context.Context, c *client.Client) (any, error) {
		return nil, c.SetStatus(ctx, oddLeg, wire.StatusRequest{Status: "open"})
	}, heard{"status", []any{oddLeg, wire.StatusRequest{Status: "open"}}}, nil},
	{"SetTicket", func(ctx context.Context, c *client.Client) (any, error) {
		return nil, c.SetTicket(ctx, oddLeg, wire.TicketStatusRequest{Ticket: "t", Status: "open"})
	}, heard{"ticket", []any{oddLeg, wire.TicketStatusRequest{Ticket: "t", Status: "open"}}}, nil},
	{"SetPresence", func(ctx context.Context, c *client.Client) (any, error) {
		return nil, c.SetPresence(ctx, wire.PresenceRequest{State: cti.NotReady, Reason: "Lunch"})
	}, heard{"presence", []any{wire.PresenceRequest{State: cti.NotReady, Reason: "Lunch"}}}, nil},
	{"PresenceLog", func(ctx context.Context, c *client.Client) (any, error) { return c.PresenceLog(ctx, time.Unix(1e9, 0)) },
		heard{"presence log", []any{time.Unix(1e9, 0).UTC()}}, []cti.PresenceChange{{State: cti.Ready}}},
	{"Options", func(ctx context.Context, c *client.Client) (any, error) { return c.Options(ctx, "a/b") }, heard{"options", []any{"a/b"}},
		[]cti.Option{{ID: "open"}}},
	{"Preview", func(ctx context.Context, c *client.Client) (any, error) { return c.Preview(ctx, 5) }, heard{"preview", []any{uint64(5)}},
		[]wire.ShownRequest{{Method: "PUT"}}},
	{"PreviewCall", func(ctx context.Context, c *client.Client) (any, error) { return c.PreviewCall(ctx, oddLeg) },
		heard{"preview call", []any{oddLeg}}, []wire.ShownRequest{{Method: "POST"}}},
	{"Rebuild", func(ctx context.Context, c *client.Client) (any, error) { return nil, c.Rebuild(ctx, 5) }, heard{"rebuild", []any{uint64(5)}}, nil},
	{"Export", func(ctx context.Context, c *client.Client) (any, error) {
		return export(c.Export(ctx, wire.JSON, io.Discard))
	}, heard{"outbox", []any{wire.OutboxQuery{Limit: 1000, After: 3}}}, "written"},
	{"Retry", func(ctx context.Context, c *client.Client) (any, error) { return nil, c.Retry(ctx, 1<<63) }, heard{"retry", []any{uint64(1 << 63)}}, nil},
	{"Feed", func(ctx context.Context, c *client.Client) (any, error) { return nil, c.Feed(ctx, anEvent) }, heard{"feed", []any{anEvent}}, nil},
	{"Command", func(ctx context.Context, c *client.Client) (any, error) {
		return nil, c.Command(ctx, oddLeg, cti.Instruction{Command: cti.CommandHangup})
	},
		heard{"command", []any{oddLeg, cti.CommandHangup}}, nil},
	{"Dial", func(ctx context.Context, c *client.Client) (any, error) { return nil, c.Dial(ctx, "+442079460123") },
		heard{"dial", []any{"+442079460123"}}, nil},
	{"Pick", func(ctx context.Context, c *client.Client) (any, error) { return nil, c.Pick(ctx, oddLeg, "c/1") },
		heard{"pick", []any{oddLeg, "c/1"}}, nil},
	{"WrapUp", func(ctx context.Context, c *client.Client) (any, error) { return nil, c.WrapUp(ctx, oddLeg, aWrapUp) },
		heard{"wrapup", []any{oddLeg, aWrapUp}}, nil},
}

func TestEveryMethodReachesTheAgentAndBringsItsAnswer(t *testing.T) {
	for _, m := range methods {
		t.Run(m.name, func(t *testing.T) {
			var asked heard
			c, _ := connect(t, recording(&asked, nil))
			got, err := m.call(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(m.want, got); diff != "" {
				t.Errorf("the answer differs (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(m.asks, asked, cmp.AllowUnexported(heard{})); diff != "" {
				t.Errorf("the agent heard something else (-want +got):\n%s", diff)
			}
		})
	}
}

func TestErrorsKeepKindMessageAndTime(t *testing.T) {
	refusal := &cti.Error{Kind: cti.Limited, Msg: "too many: wait a little", RetryAfter: 1500 * time.Millisecond}
	for _, m := range methods {
		if m.name == "Status" || m.name == "Snapshot" {
			continue // these cannot fail
		}
		t.Run(m.name, func(t *testing.T) {
			var asked heard
			c, _ := connect(t, recording(&asked, refusal))
			_, err := m.call(t.Context(), c)
			if cti.KindOf(err) != refusal.Kind || cti.MessageOf(err) != refusal.Msg || cti.RetryAfter(err) != refusal.RetryAfter {
				t.Errorf("the error is %v (%s, %v)", err, cti.KindOf(err), cti.RetryAfter(err))
			}
		})
	}
}

func TestAKindThisProgramDoesNotKnowIsInternal(t *testing.T) {
	for name, body := range map[string]string{"newer": `{"kind":"later","message":"of a newer Ringside"}`, "no problem": `{}`, "no JSON": `<html>`} {
		t.Run(name, func(t *testing.T) {
			c := client.New(answering(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusTeapot)
				_, _ = w.Write([]byte(body)) // the client will tell
			}))
			defer c.Close()
			_, err := c.Status(t.Context())
			if cti.KindOf(err) != cti.Internal || !strings.Contains(err.Error(), "418") {
				t.Errorf("the error is %v (%s)", err, cti.KindOf(err))
			}
		})
	}
}

// answering is an agent of another make.
func answering(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	path := endpoint(t)
	l, err := loopback.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: h, ReadHeaderTimeout: time.Second}
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Serve(l) }() // closed below
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		<-done
	})
	return path
}

func TestWithoutAnAgentEveryMethodIsOfflineAndSaysWhatToDo(t *testing.T) {
	path := endpoint(t)
	c := client.New(path)
	defer c.Close()
	wantOffline := func(name string, err error) {
		if cti.KindOf(err) != cti.Offline || !strings.Contains(cti.MessageOf(err), "no running Ringside was found at "+path+": start it, or name its --socket") {
			t.Errorf("%s gives %v", name, err)
		}
	}
	for _, m := range methods {
		_, err := m.call(t.Context(), c)
		wantOffline(m.name, err)
	}
	wantOffline("Watch", c.Watch(t.Context(), nil, nil))
}

// Whether the agent acted before it went nobody knows: a person must look, nothing may be repeated blindly.
func TestALostAnswerIsUncertainForWhatChangesAndOfflineForWhatReads(t *testing.T) {
	c := client.New(answering(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	defer c.Close()
	for _, m := range methods {
		want := cti.Offline
		if m.want == nil || m.name == "RetryAll" {
			want = cti.Uncertain
		}
		if _, err := m.call(t.Context(), c); cti.KindOf(err) != want {
			t.Errorf("%s gives %v (%s), want %s", m.name, err, cti.KindOf(err), want)
		}
	}
}

// watching runs Watch and hands over what it brings.
type watching struct {
	first  chan wire.Snapshot
	deltas chan wire.Delta
	err    chan error
}

func watch(ctx context.Context, c *client.Client) watching {
	w := watching{make(chan wire.Snapshot, 1), make(chan wire.Delta), make(chan error, 1)}
	go func() {
		w.err <- c.Watch(ctx, func(s wire.Snapshot) error { w.first <- s; return nil }, func(d wire.Delta) error { w.deltas <- d; return nil })
	}()
	return w
}

func TestWatchGivesSnapshotThenDeltasAndEndsWithItsContext(t *testing.T) {
	a := recording(new(heard), nil)
	a.Board.Publish(wire.Delta{Card: &wire.Card{Leg: "before"}})
	c, _ := connect(t, a)
	ctx, cancel := context.WithCancel(t.Context())
	w := watch(ctx, c)
	if s := <-w.first; s.Seq != 1 || len(s.Cards) != 1 || s.Cards[0].Leg != "before" {
		t.Errorf("the snapshot is %+v", s)
	}
	for seq := uint64(2); seq < 50; seq++ {
		a.Board.Publish(wire.Delta{Drop: "leg"})
		if d := <-w.deltas; d.Seq != seq || d.Drop != "leg" {
			t.Errorf("delta %d is %+v", seq, d)
		}
	}
	cancel()
	if err := <-w.err; err != nil {
		t.Errorf("Watch ends with %v", err)
	}
	if err := c.Watch(ctx, nil, nil); err != nil {
		t.Errorf("with a context that ended before, Watch gives %v", err)
	}
}

func TestWatchIsOfflineWhenTheAgentGoes(t *testing.T) {
	c, stop := connect(t, recording(new(heard), nil))
	w := watch(t.Context(), c)
	<-w.first
	stop()
	if err := <-w.err; cti.KindOf(err) != cti.Offline || !strings.Contains(err.Error(), "the connection to Ringside ended") {
		t.Errorf("Watch ends with %v", err)
	}
}

func TestWatchEndsWithTheReadersError(t *testing.T) {
	a := recording(new(heard), nil)
	c, _ := connect(t, a)
	enough := errors.New("enough")
	if err := c.Watch(t.Context(), func(wire.Snapshot) error { return enough }, nil); !errors.Is(err, enough) {
		t.Errorf("after the snapshot: %v", err)
	}
	err := c.Watch(t.Context(), func(wire.Snapshot) error { a.Board.Publish(wire.Delta{}); return nil }, func(wire.Delta) error { return enough })
	if !errors.Is(err, enough) {
		t.Errorf("after a delta: %v", err)
	}
}

func TestANewerAgentIsRefusedWhateverItsMessagesLookLike(t *testing.T) {
	for name, text := range map[string]string{"same shape": `{"v":2,"seq":1,"cards":[]}`, "other shape": `{"v":2,"seq":"one","cards":{}}`} {
		t.Run(name, func(t *testing.T) {
			c := client.New(answering(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(text)) })) // the client will tell
			defer c.Close()
			_, snapshot := c.Snapshot(t.Context())
			watch := c.Watch(t.Context(), func(wire.Snapshot) error { t.Error("the snapshot was handed on"); return nil }, nil)
			for what, err := range map[string]error{"Snapshot": snapshot, "Watch": watch} {
				if cti.KindOf(err) != cti.Invalid || !strings.Contains(cti.MessageOf(err), "newer than this program: update it") {
					t.Errorf("%s gives %v", what, err)
				}
			}
		})
	}
}

func TestAnAgentThatDoesNotAnswerIsGivenUp(t *testing.T) {
	path := endpoint(t)
	l, err := loopback.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		conn, err := l.Accept()
		if err == nil {
			defer func() { _ = conn.Close() }()
			_, _ = conn.Read(make([]byte, 1)) // the request is there
		}
		cancel()
	}()
	c := client.New(path)
	defer c.Close()
	if _, err := c.Status(ctx); cti.KindOf(err) != cti.Offline {
		t.Errorf("Status gives %v", err)
	}
}
