package asterisktest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// bound is how long any one thing may take that is waited for.
const bound = 20 * time.Second

// Caller is somebody outside, who calls over SIP (RFC 3261). It says whatever it is told to say, so that it may be hostile, and knows just enough of
// SIP for one call over loopback: nothing is sent twice.
type Caller struct {
	signalling, media *net.UDPConn
	to, from, callID  string // header values
	uri, branch       string
	headers           string

	mu       sync.Mutex
	changed  chan struct{} // closed at every change
	rang     bool
	answered bool
	ended    bool
	status   string // of the answer that ended it
	cseq     int
	digits   string    // heard
	lastTone []byte    // the time stamp of the tone that was heard last
	sounds   time.Time // when something audible came last
}

// Call lets somebody outside dial a number of the exchange. The headers are sent as they are, without line breaks.
func (a *Asterisk) Call(t *testing.T, number, name, dialled string, headers map[string]string) *Caller {
	t.Helper()
	server, err := net.ResolveUDPAddr("udp", a.SIP())
	if err != nil {
		t.Fatal(err)
	}
	signalling, err := net.DialUDP("udp", nil, server)
	if err != nil {
		t.Fatal(err)
	}
	media, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	c := &Caller{signalling: signalling, media: media, changed: make(chan struct{}), callID: rand.Text(), branch: rand.Text(), cseq: 1,
		uri: a.URI(dialled), to: "<" + a.URI(dialled) + ">",
		from: fmt.Sprintf("%s <sip:%s@%s>;tag=%s", quoted(oneLine(name)), url.PathEscape(oneLine(number)), signalling.LocalAddr(), rand.Text())}
	for header, value := range headers {
		if name := oneLine(header); !strings.ContainsAny(name, ": \u202e") {
			c.headers += name + ": " + oneLine(value) + "\r\n"
		}
	}
	var ends sync.WaitGroup
	ends.Go(c.listen)
	ends.Go(c.hear)
	t.Cleanup(func() {
		c.mu.Lock()
		over := c.ended
		c.mu.Unlock()
		if !over {
			c.give(c.bye())
		}
		_ = c.signalling.Close() // nothing more is wanted of it
		_ = c.media.Close()      // nor of this
		ends.Wait()
	})
	c.give(c.request("INVITE", c.branch, c.headers+"Content-Type: application/sdp\r\n", c.session()))
	return c
}

// oneLine leaves out what would end a line of SIP.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\r' || r == '\n' || r == 0 {
			return -1
		}
		return r
	}, s)
}

// quoted is a display name as RFC 3261 has it.
func quoted(s string) string { return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"` }

func (c *Caller) session() string {
	return fmt.Sprintf("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio %s RTP/AVP 0 101\r\n"+
		"a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n", port(c.media))
}

func port(conn *net.UDPConn) string {
	_, port, _ := net.SplitHostPort(conn.LocalAddr().String())
	return port
}

func (c *Caller) request(method, branch, headers, body string) string {
	return fmt.Sprintf("%s %s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%s;rport\r\nFrom: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %d %s\r\n"+
		"Contact: <sip:caller@%s>\r\nMax-Forwards: 70\r\n%sContent-Length: %d\r\n\r\n%s",
		method, c.uri, c.signalling.LocalAddr(), branch, c.from, c.to, c.callID, c.cseq, method, c.signalling.LocalAddr(), headers, len(body), body)
}

func (c *Caller) give(message string) {
	_, _ = c.signalling.Write([]byte(message)) // lost as UDP may be; who waits for what follows says so
}

// bye ends the call, or gives it up.
func (c *Caller) bye() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.answered {
		return c.request("CANCEL", c.branch, "", "")
	}
	c.cseq++
	return c.request("BYE", rand.Text(), "", "")
}

// Hangup ends the call, or gives it up, and waits until the exchange knows.
func (c *Caller) Hangup(t *testing.T) {
	t.Helper()
	c.await(t, "it rings", func() bool { return c.rang || c.answered || c.ended })
	c.give(c.bye())
	c.await(t, "the exchange lets the caller go", func() bool { return c.ended })
}

// AwaitAnswer waits until the exchange answers the call.
func (c *Caller) AwaitAnswer(t *testing.T) {
	t.Helper()
	c.await(t, "the call is answered", func() bool { return c.answered })
}

// AwaitEnd waits until the call is over.
func (c *Caller) AwaitEnd(t *testing.T) {
	t.Helper()
	c.await(t, "the call is over", func() bool { return c.ended })
}

// Heard waits until the caller heard these digits since it was asked last, and nothing else.
func (c *Caller) Heard(t *testing.T, digits string) {
	t.Helper()
	c.await(t, "the caller hears "+digits, func() bool { return c.digits == digits || !strings.HasPrefix(digits, c.digits) })
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.digits != digits {
		t.Errorf("the caller heard %q, want %q", c.digits, digits)
	}
	c.digits = ""
}

// AwaitMuted waits until nothing is heard of the agent for some packets' time, or something again.
func (c *Caller) AwaitMuted(t *testing.T, muted bool) {
	t.Helper()
	const long = 200 * time.Millisecond
	tick := time.NewTicker(long / 4)
	defer tick.Stop()
	late := time.After(bound)
	for asked := time.Now(); ; {
		c.mu.Lock()
		last := c.sounds
		c.mu.Unlock()
		if !muted && last.After(asked) || muted && time.Since(asked) > long && time.Since(last) > long {
			return
		}
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("the caller did not find the agent muted (%v) within %v", muted, bound)
		}
	}
}

func (c *Caller) await(t *testing.T, what string, is func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	defer cancel()
	for {
		c.mu.Lock()
		ok, changed := is(), c.changed
		c.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatalf("%s: did not happen within %v (rang %v, answered %v, ended %v %s)", what, bound, c.rang, c.answered, c.ended, c.status)
		}
	}
}

// listen answers what the exchange says.
func (c *Caller) listen() {
	buffer := make([]byte, 65536)
	for {
		n, err := c.signalling.Read(buffer)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // refused by an exchange that was killed
		}
		c.mu.Lock()
		c.take(string(buffer[:n]))
		close(c.changed)
		c.changed = make(chan struct{})
		c.mu.Unlock()
	}
}

// take is one message; the lock is held.
func (c *Caller) take(message string) {
	first, _, _ := strings.Cut(message, "\r\n")
	method, rest, _ := strings.Cut(first, " ")
	if method != "SIP/2.0" {
		body, kind := "", ""
		switch method {
		case "ACK":
			return
		case "BYE":
			c.ended = true
		case "INVITE":
			body, kind = c.session(), "Content-Type: application/sdp\r\n"
		}
		c.give(fmt.Sprintf("SIP/2.0 200 OK\r\n%sContact: <sip:caller@%s>\r\n%sContent-Length: %d\r\n\r\n%s",
			copied(message, "via", "from", "to", "call-id", "cseq"), c.signalling.LocalAddr(), kind, len(body), body))
		return
	}
	asked := header(message, "cseq")
	switch {
	case rest[0] == '1':
		c.rang = c.rang || strings.HasPrefix(rest, "180") || strings.HasPrefix(rest, "183")
	case strings.HasSuffix(asked, " INVITE"):
		c.to = header(message, "to")
		branch := c.branch
		if rest[0] == '2' {
			c.answered, branch = true, rand.Text()
		} else {
			c.ended, c.status = true, rest
		}
		c.give(c.request("ACK", branch, "", ""))
	case strings.HasSuffix(asked, " BYE"):
		c.ended = true
	}
}

// header gives the value of a header, named in lower case.
func header(message, name string) string {
	for line := range strings.SplitSeq(message, "\r\n") {
		if key, value, is := strings.Cut(line, ":"); is && strings.EqualFold(key, name) {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// copied gives these headers as they came.
func copied(message string, names ...string) string {
	var all strings.Builder
	for line := range strings.SplitSeq(message, "\r\n") {
		if key, _, is := strings.Cut(line, ":"); is && slices.Contains(names, strings.ToLower(key)) {
			all.WriteString(line + "\r\n")
		}
	}
	return all.String()
}

const (
	rtpHeader  = 12
	toneType   = 101 // as session offers it
	toneDigits = "0123456789*#ABCD"
	toneEnds   = 0x80
	quiet      = 0x70 // of a sample of G.711 µ-law without its sign, inverted: below it is a whisper
)

// hear notes the tones (RFC 4733) and whether there is any sound.
func (c *Caller) hear() {
	buffer := make([]byte, 2048)
	for {
		n, err := c.media.Read(buffer)
		if errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrDeadlineExceeded) {
			return
		}
		if err != nil || n <= rtpHeader {
			continue
		}
		kind, stamp, payload := buffer[1]&0x7f, buffer[4:8], buffer[rtpHeader:n]
		c.mu.Lock()
		switch {
		case kind == toneType && len(payload) >= 4 && payload[1]&toneEnds != 0 && !slices.Equal(c.lastTone, stamp) && int(payload[0]) < len(toneDigits):
			c.lastTone = slices.Clone(stamp) // the end of a tone is said three times
			c.digits += toneDigits[payload[0] : payload[0]+1]
			close(c.changed)
			c.changed = make(chan struct{})
		case kind == 0 && slices.ContainsFunc(payload, func(sample byte) bool { return sample&0x7f < quiet }):
			c.sounds = time.Now()
		}
		c.mu.Unlock()
	}
}
