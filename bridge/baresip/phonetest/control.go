package phonetest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"
)

// commandTimeout bounds one command and its reply.
const commandTimeout = 5 * time.Second

// Dial lets this phone call a SIP address, and returns when the phone accepted that.
func (r *Running) Dial(ctx context.Context, uri string) error {
	return r.control.do(ctx, "dial", uri)
}

// Hangup ends this phone's current call, or refuses the one that rings: the caller then sees "486 Rejected".
func (r *Running) Hangup(ctx context.Context) error {
	return r.control.do(ctx, "hangup", "")
}

// Answer accepts the call that rings at this phone, and waits for one until ctx ends.
func (r *Running) Answer(ctx context.Context) error {
	if err := r.AwaitRing(ctx); err != nil {
		return err
	}
	return r.control.do(ctx, "accept", "")
}

// AwaitRing waits until a call rings at this phone, or ctx ends.
func (r *Running) AwaitRing(ctx context.Context) error {
	return r.control.with(ctx, func(s *session) error {
		data, err := s.command(ctx, "listcalls", "")
		if err != nil || strings.Contains(data, "INCOMING") {
			return err
		}
		return s.until(ctx, func(m message) bool { return m.Type == "CALL_INCOMING" })
	})
}

// Calls is how this phone shows its calls, with the addresses of who is at the other end.
func (r *Running) Calls(ctx context.Context) (shown string, err error) {
	err = r.control.with(ctx, func(s *session) error {
		shown, err = s.command(ctx, "listcalls", "")
		return err
	})
	return shown, err
}

// Select makes the call with this SIP Call-ID the one that the other commands are about.
func (r *Running) Select(ctx context.Context, callID string) error {
	return r.control.do(ctx, "callfind", callID)
}

// Hold makes this phone hold its current call; Resume ends that.
func (r *Running) Hold(ctx context.Context) error { return r.control.do(ctx, "hold", "") }

// Resume ends a Hold.
func (r *Running) Resume(ctx context.Context) error { return r.control.do(ctx, "resume", "") }

// Tones sends digits in this phone's current call.
func (r *Running) Tones(ctx context.Context, digits string) error {
	return r.control.do(ctx, "sndcode", digits)
}

// Transfer gives this phone's current call away (REFER, RFC 3515).
func (r *Running) Transfer(ctx context.Context, uri string) error {
	return r.control.do(ctx, "transfer", uri)
}

// AwaitDigits waits until this phone heard these digits, and fails when it heard others. What was heard is forgotten then.
func (r *Running) AwaitDigits(ctx context.Context, digits string) error {
	return r.control.with(ctx, func(s *session) error {
		for s.heard != digits {
			if !strings.HasPrefix(digits, s.heard) {
				return fmt.Errorf("heard %q, want %q", s.heard, digits)
			}
			if err := s.until(ctx, func(m message) bool { return m.Type == digitHeard }); err != nil {
				return fmt.Errorf("heard %q, want %q: %w", s.heard, digits, err)
			}
		}
		s.heard = ""
		return nil
	})
}

// AwaitHold waits until the far end of this phone's current call sends no sound any more, or does again.
func (r *Running) AwaitHold(ctx context.Context, held bool) error {
	want := "audio dir=sendrecv"
	if held {
		want = "audio dir=recvonly"
	}
	return r.control.with(ctx, func(s *session) error {
		for {
			before := s.renewed
			data, err := s.command(ctx, "audio_debug", "")
			if err != nil || strings.Contains(data, want) {
				return err
			}
			if s.renewed == before {
				if err := s.until(ctx, func(m message) bool { return m.Type == mediaRenewed }); err != nil {
					return fmt.Errorf("no %q: %w", want, err)
				}
			}
		}
	})
}

// quiet is between silence, which G.711 carries at -84 dBov, and the hum of these phones, at -10.
const quiet = -50.0

// AwaitMuted waits until this phone, which must have a Meter, hears silence, or sound.
func (r *Running) AwaitMuted(ctx context.Context, muted bool) error {
	return r.control.with(ctx, func(s *session) error {
		return s.until(ctx, func(m message) bool {
			level, err := strconv.ParseFloat(m.Param, 64)
			return m.Type == "VU_RX_REPORT" && err == nil && (level < quiet) == muted
		})
	})
}

// control keeps one connection to the phone, made when it is first needed: every further one would evict it.
type control struct {
	address string
	mu      sync.Mutex
	s       *session
}

func (c *control) do(ctx context.Context, command, params string) error {
	return c.with(ctx, func(s *session) error {
		_, err := s.command(ctx, command, params)
		return err
	})
}

func (c *control) with(ctx context.Context, f func(*session) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.s == nil {
		var d net.Dialer
		conn, err := d.DialContext(ctx, "tcp", c.address)
		if err != nil {
			return fmt.Errorf("phonetest: %w", err)
		}
		c.s = newSession(conn)
	}
	if err := f(c.s); err != nil {
		c.s.close()
		c.s = nil
		return fmt.Errorf("phonetest: %w", err)
	}
	return nil
}

func (c *control) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.s != nil {
		c.s.close()
		c.s = nil
	}
}

// session is one connection; it is used by one goroutine at a time.
type session struct {
	conn    net.Conn
	in      *bufio.Reader
	token   int
	heard   string // digits since they were asked for last
	renewed int    // how often media were exchanged with a far end
}

// The events that a session counts.
const (
	digitHeard   = "CALL_DTMF_START"
	mediaRenewed = "CALL_REMOTE_SDP"
)

type message struct {
	Type     string `json:"type"`
	Param    string `json:"param"`
	Response bool   `json:"response"`
	OK       bool   `json:"ok"`
	Data     string `json:"data"`
	Token    string `json:"token"`
}

func newSession(conn net.Conn) *session { return &session{conn: conn, in: bufio.NewReader(conn)} }

func (s *session) close() { _ = s.conn.Close() } // nothing more is wanted of it

func (s *session) command(ctx context.Context, command, params string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	s.token++
	token := strconv.Itoa(s.token)
	b, err := json.Marshal(map[string]string{"command": command, "params": params, "token": token})
	if err != nil {
		return "", err
	}
	if _, err := fmt.Fprintf(s.conn, "%d:%s,", len(b), b); err != nil {
		return "", err
	}
	var reply message
	err = s.until(ctx, func(m message) bool {
		reply = m
		return m.Response && m.Token == token
	})
	if err != nil {
		return "", fmt.Errorf("%s: %w", command, err)
	}
	if !reply.OK {
		return "", fmt.Errorf("%s: the phone refused: %s", command, strings.TrimSpace(reply.Data))
	}
	return reply.Data, nil
}

// until reads messages up to the wanted one; it closes the connection when ctx ends first.
func (s *session) until(ctx context.Context, wanted func(message) bool) error {
	defer context.AfterFunc(ctx, s.close)()
	for {
		m, err := s.read()
		if err != nil {
			return errors.Join(ctx.Err(), err)
		}
		if wanted(m) {
			return nil
		}
	}
}

func (s *session) read() (message, error) {
	var m message
	head, err := s.in.ReadString(':')
	if err != nil {
		return m, err
	}
	size, err := strconv.Atoi(strings.TrimSuffix(head, ":"))
	if err != nil || size < 0 || size > 1<<20 {
		return m, fmt.Errorf("no netstring: %q", head)
	}
	b := make([]byte, size+1)
	if _, err := io.ReadFull(s.in, b); err != nil {
		return m, err
	}
	err = json.Unmarshal(b[:size], &m)
	switch m.Type {
	case digitHeard:
		s.heard += m.Param
	case mediaRenewed:
		s.renewed++
	}
	return m, err
}
