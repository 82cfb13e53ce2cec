package briatest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// desk is the phone itself: what a list of calls is made of.
type desk struct {
	calls     []*call
	history   []item
	transfers []transfer
	digits    string
	muted     bool

	version string
	account string        // accountStatus
	fills   bool          // dialling only fills in the number
	mayCome bool          // the user clicked Allow Access
	silent  bool          // commands are accepted, and nothing follows
	lingers bool          // ended calls stay in the list until the next change
	repeats bool          // everything is said several times
	mute    bool          // no notices
	hangs   bool          // no replies
	refuses string        // the path whose requests are refused
	delay   time.Duration // between a request and its reply, which is as things were at the request

	asked      map[string]int // how often for each status
	suppressed string         // suppressMainWindow of the last attempt
}

type call struct {
	id, hold string
	parties  []caller
	begun    time.Time
	answered time.Time
	out      bool
}

type caller struct{ number, name, state string }

type item struct {
	id, kind, number, name string
	begun                  time.Time
	talk                   time.Duration
}

type transfer struct{ id, to string }

// The states and holds in Bria's words.
const (
	ringing    = "ringing"
	connecting = "connecting"
	connected  = "connected"
	failed     = "failed"
	ended      = "ended"

	offHold    = "offHold"
	localHold  = "localHold"
	remoteHold = "remoteHold"
)

func (s *Server) notify(what string) {
	notices := []string{what}
	if s.mute {
		notices = nil
	} else if s.repeats {
		notices = []string{"presence", what, what, "callHistory", "call", what}
	}
	for _, n := range notices {
		body := "<?xml version=\"1.0\" encoding=\"utf-8\" ?>\r\n<event type=\"" + n + "\"></event>"
		s.all(fmt.Appendf(nil, "POST /statusChange\r\nUser-Agent: Bria 6\r\nContent-Type: application/xml\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
	}
	s.changed.Broadcast()
}

func (s *Server) find(id string) *call {
	if at := slices.IndexFunc(s.calls, func(c *call) bool { return c.id == id }); at >= 0 && s.calls[at].parties[0].state != ended && s.calls[at].parties[0].state != failed {
		return s.calls[at]
	}
	return nil
}

func newID() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

func (s *Server) begin(number, name, state string) *call {
	s.sweep()
	c := &call{id: newID(), hold: offHold, begun: time.Now(), out: state == connecting, parties: []caller{{number, name, state}}}
	s.calls = append(s.calls, c)
	s.notify("call")
	return c
}

// sweep drops what lingered.
func (s *Server) sweep() {
	s.calls = slices.DeleteFunc(s.calls, func(c *call) bool { return c.parties[0].state == ended || c.parties[0].state == failed })
}

func (s *Server) end(c *call, state string, missed bool) {
	s.sweep()
	for i := range c.parties {
		c.parties[i].state = state
	}
	kind := map[bool]string{true: "dialed", false: "received"}[c.out]
	if missed {
		kind = "missed"
	}
	it := item{id: c.id, kind: kind, number: c.parties[0].number, name: c.parties[0].name, begun: c.begun}
	if !c.answered.IsZero() {
		it.talk = time.Since(c.answered)
	}
	s.history = append([]item{it}, s.history...)
	if !s.lingers && state == ended {
		s.sweep()
	}
	s.notify("call")
	s.notify("callHistory")
	if missed {
		s.notify("missedCall")
	}
}

func (s *Server) connect(c *call) {
	for _, o := range s.calls {
		if o != c && o.hold == offHold && o.parties[0].state == connected {
			o.hold = localHold // one call is heard at a time
		}
	}
	c.parties[0].state, c.answered = connected, time.Now()
	s.notify("call")
}

// ErrNoCall says that there is no such call.
var ErrNoCall = errors.New("no such call at this Bria")

// Ring lets somebody call, and gives the call's id.
func (s *Server) Ring(number, name string) (id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.begin(number, name, ringing).id
}

// with does something to a live call.
func (s *Server) with(id string, do func(c *call)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.find(id)
	if c == nil {
		return ErrNoCall
	}
	do(c)
	return nil
}

// FarHangsUp lets the other party of a call hang up, or give up.
func (s *Server) FarHangsUp(id string) error {
	return s.with(id, func(c *call) { s.end(c, ended, !c.out && c.answered.IsZero()) })
}

// AgentAnswers lets the agent answer in Bria's own window.
func (s *Server) AgentAnswers(id string) error { return s.with(id, s.connect) }

// FarHolds lets the other party hold the agent, or stop that.
func (s *Server) FarHolds(id string, held bool) error {
	return s.with(id, func(c *call) {
		c.hold = map[bool]string{true: remoteHold, false: offHold}[held]
		s.notify("call")
	})
}

// Joins lets a third party into a call: a conference of Bria's.
func (s *Server) Joins(id, number, name string) error {
	return s.with(id, func(c *call) {
		c.parties = append(c.parties, caller{number, name, connected})
		s.notify("call")
	})
}

// Returns brings a call back that ended, under its id: a transfer that failed late. Concluded from the guide, which says that such a call
// comes back, and not how.
func (s *Server) Returns(id, number, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, &call{id: id, hold: offHold, begun: time.Now(), answered: time.Now(), parties: []caller{{number, name, connected}}})
	s.notify("call")
}

// Answers lets whoever has a number answer: the agent's attempt, or a transfer to them. It waits until it rings there.
func (s *Server) Answers(ctx context.Context, number string) error {
	return s.reached(ctx, number, s.connect, func(c *call) { s.end(c, ended, false) })
}

// Refuses lets them refuse. A transfer that was refused leaves the call as it was, not held.
func (s *Server) Refuses(ctx context.Context, number string) error {
	return s.reached(ctx, number, func(c *call) { s.end(c, failed, false) }, func(c *call) {
		c.hold = offHold
		s.notify("call")
	})
}

func (s *Server) reached(ctx context.Context, number string, attempt, given func(*call)) error {
	stop := context.AfterFunc(ctx, s.changed.Broadcast)
	defer stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	for ctx.Err() == nil {
		for _, c := range s.calls {
			if c.parties[0].number == number && c.parties[0].state == connecting {
				attempt(c)
				return nil
			}
		}
		if at := slices.IndexFunc(s.transfers, func(t transfer) bool { return t.to == number }); at >= 0 {
			c := s.find(s.transfers[at].id)
			s.transfers = slices.Delete(s.transfers, at, at+1)
			if c != nil {
				given(c)
				return nil
			}
		}
		s.changed.Wait()
	}
	return fmt.Errorf("nobody called %s: %w", number, ctx.Err())
}

// Find gives the id of the live call with a number.
func (s *Server) Find(number string) (id string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.calls {
		if c.parties[0].number == number && s.find(c.id) != nil {
			return c.id, nil
		}
	}
	return "", ErrNoCall
}

// Await waits until a call with an id is, or is not, held by the agent.
func (s *Server) Await(ctx context.Context, id string, held bool) error {
	return s.until(ctx, func() bool { c := s.find(id); return c != nil && (c.hold == localHold) == held })
}

// AwaitMuted waits until the microphone is off, or on.
func (s *Server) AwaitMuted(ctx context.Context, muted bool) error {
	return s.until(ctx, func() bool { return s.muted == muted })
}

// Heard waits until these digits, and no others, were played since it was asked last.
func (s *Server) Heard(ctx context.Context, digits string) error {
	err := s.until(ctx, func() bool { return len(s.digits) >= len(digits) })
	s.mu.Lock()
	defer s.mu.Unlock()
	heard := s.digits
	s.digits = ""
	if heard != digits {
		return errors.Join(err, fmt.Errorf("heard %q, want %q", heard, digits))
	}
	return nil
}

func (s *Server) until(ctx context.Context, ready func() bool) error {
	stop := context.AfterFunc(ctx, s.changed.Broadcast)
	defer stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	for !ready() {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		s.changed.Wait()
	}
	return nil
}

// escape writes a text as Bria does: the five characters of XML, and nothing else, whatever a caller sent.
func escape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&apos;").Replace(strings.ToValidUTF8(s, "?"))
}

// order is the body of any request.
type order struct {
	XMLName      xml.Name
	Type         string `xml:"type"`
	CallID       string `xml:"callId"`
	Number       string `xml:"number"`
	Target       string `xml:"target"`
	TargetNumber string `xml:"targetNumber"`
	TargetCallID string `xml:"targetCallId"`
	Suppress     string `xml:"suppressMainWindow"`
	Mute         string `xml:"mute"`
	Count        int    `xml:"count"`
	EntryType    string `xml:"entryType"`
	Tone         struct {
		Digit string `xml:"digit,attr"`
		Text  string `xml:",chardata"`
	} `xml:"tone"`
}
