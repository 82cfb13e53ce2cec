package baresip

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ringside.dev/ringside/app/cti"
)

// fake is a ctrl_tcp server at the end of a pipe, in virtual time. answer gives what to send for a command; nil is silence.
type fake struct {
	source *Source
	answer func(f *fake, o order) []string
	serve  func(f *fake, conn net.Conn) // instead of answering commands
	refuse bool                         // no connection at all

	mu     sync.Mutex
	began  time.Time
	dials  []time.Duration // when, since the start
	orders []string        // commands as they came
	conn   net.Conn
	events []cti.Event
}

var errRefused = errors.New("connection refused")

// play runs a source against a fake phone for some virtual time, with do running beside it.
func play(t *testing.T, f *fake, d time.Duration, do func(ctx context.Context, p cti.Phone)) {
	t.Helper()
	s, err := New("127.0.0.1:4444", "1001", nil)
	if err != nil {
		t.Fatal(err)
	}
	f.source, f.began = s, time.Now()
	s.dial = f.dial
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	var running sync.WaitGroup
	running.Go(func() {
		if err := s.Run(ctx, func(e cti.Event) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.events = append(f.events, e)
		}); err != nil {
			t.Error(err)
		}
	})
	synctest.Wait()
	if do != nil {
		do(ctx, s.Phone())
		cancel()
	}
	running.Wait()
}

func (f *fake) dial(context.Context) (net.Conn, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dials = append(f.dials, time.Since(f.began))
	if f.refuse {
		return nil, errRefused
	}
	ours, theirs := net.Pipe()
	f.conn = ours
	go func() {
		defer ours.Close()
		if f.serve != nil {
			f.serve(f, ours)
			return
		}
		f.obey(ours)
	}()
	return theirs, nil
}

func (f *fake) obey(conn net.Conn) {
	in := newNetstrings(conn)
	for {
		raw, err := in.next()
		if err != nil {
			return
		}
		var o order
		if json.Unmarshal(raw, &o) != nil {
			return
		}
		f.mu.Lock()
		f.orders = append(f.orders, strings.TrimSpace(o.Command+" "+o.Params))
		f.mu.Unlock()
		for _, text := range f.answer(f, o) {
			if f.say(text) != nil {
				return
			}
		}
	}
}

func (f *fake) say(text string) error {
	_, err := f.conn.Write(netstring([]byte(text)))
	return err
}

func reply(o order, ok bool, data string) string {
	return fmt.Sprintf(`{"response":true,"ok":%v,"data":%q,"token":%q}`, ok, data, o.Token)
}

// works is a phone that does as it is told and has no calls.
func works(_ *fake, o order) []string {
	switch o.Command {
	case "callfind":
		return []string{reply(o, true, "setting current call: "+o.Params+"\n")}
	case "reginfo":
		return []string{reply(o, true, "\n--- User Agents (1) ---\n> sip:agent@pbx\n\n")}
	case "listcalls":
		return []string{reply(o, true, "\n--- Active calls (0) ---\n\n")}
	}
	return []string{reply(o, true, "")}
}

func (f *fake) types() []cti.EventType {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []cti.EventType
	for _, e := range f.events {
		all = append(all, e.Type)
	}
	return all
}

func call(id string) cti.Call { return cti.Call{Refs: map[string]string{cti.RefSIPCallID: id}} }
