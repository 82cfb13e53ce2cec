package esl

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/tape"
)

// The times of a connection.
const (
	dialTimeout  = 5 * time.Second
	shakeTimeout = 10 * time.Second
	replyTimeout = 3 * time.Second // reducer rule 4
	listTimeout  = 10 * time.Second
	writeTimeout = 3 * time.Second
	silence      = 90 * time.Second // FreeSWITCH's heart beats every 20 s: a longer silence is a cut that nobody told of
)

// maxWaiting bounds the commands that wait for their replies.
const maxWaiting = 64

// maxBroken is how many events in a row may be unreadable before the connection is given up.
const maxBroken = 16

// frameQueue is how many events may wait to be read while a snapshot is taken or emit blocks: replies to commands must get through.
const frameQueue = 4096

// link is one connection to the event socket. One goroutine reads (run); commands may come from any. Replies carry no name and come in the
// order of their commands; what a background job came to carries the job's.
type link struct {
	conn    net.Conn
	tape    *tape.Deck
	greeted chan struct{} // closed by the request for a password
	events  chan event
	gone    chan struct{} // closed when the connection is over

	mu      sync.Mutex
	replies []chan frame // in the order of the commands; nil once over
	over    bool
	jobs    map[string]chan string // by Job-UUID
}

func newLink(conn net.Conn, deck *tape.Deck) *link {
	return &link{conn: conn, tape: deck, greeted: make(chan struct{}), events: make(chan event, frameQueue), gone: make(chan struct{}), jobs: map[string]chan string{}}
}

// run reads until the connection ends or ctx does. broken is told of an event that cannot be read; the next one may be.
func (l *link) run(ctx context.Context, broken func(error)) error {
	stop := context.AfterFunc(ctx, l.close)
	defer stop()
	defer l.end()
	in := newFrames(l.conn, l.tape)
	greeted, bad := false, 0
	for {
		if err := l.conn.SetReadDeadline(time.Now().Add(silence)); err != nil {
			return ended(err)
		}
		f, err := in.next()
		if err != nil {
			return ended(err)
		}
		switch f.kind() {
		case "auth/request":
			if !greeted {
				greeted = true
				close(l.greeted)
			}
		case "command/reply", "api/response":
			if !l.replied(f) {
				return ended(errFraming)
			}
		case "text/event-plain":
			e, err := parseEvent(f.body)
			if err != nil {
				broken(err)
				if bad++; bad == maxBroken {
					return ended(errFraming)
				}
				continue
			}
			bad = 0
			if !l.jobDone(e) {
				select {
				case l.events <- e:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
		case "text/rude-rejection":
			return cti.Errorf(cti.Denied, "the exchange refuses connections from here: allow this address in apply-inbound-acl of event_socket.conf.xml", nil)
		case "text/disconnect-notice":
			return cti.Errorf(cti.Offline, "the exchange ended the connection", nil)
		}
	}
}

// ended says why a connection is over, in words.
func ended(err error) error {
	var timeout net.Error
	switch {
	case errors.Is(err, errFraming):
		return cti.Errorf(cti.Offline, "what answers at the exchange's address is not FreeSWITCH's event socket", err)
	case errors.As(err, &timeout) && timeout.Timeout():
		return cti.Errorf(cti.Offline, "the exchange went silent", err)
	}
	return offline(err)
}

func offline(err error) error { return cti.Errorf(cti.Offline, "the exchange is not connected", err) }

func unanswered(err error) error {
	return cti.Errorf(cti.Offline, "the exchange did not answer in time", err)
}

// close ends the connection; the reader then returns. What Close says of one of which nothing more is wanted changes nothing.
func (l *link) close() { _ = l.conn.Close() }

// end makes everybody who waits learn that nothing will come.
func (l *link) end() {
	l.mu.Lock()
	l.over = true
	l.replies, l.jobs = nil, nil
	l.mu.Unlock()
	close(l.gone)
	l.close()
}

// replied passes a reply to the oldest command; false if there is none.
func (l *link) replied(f frame) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.replies) == 0 {
		return false
	}
	l.replies[0] <- f // has room for one
	l.replies = l.replies[1:]
	return true
}

// jobDone passes on what a background job of ours came to.
func (l *link) jobDone(e event) bool {
	if e.get("Event-Name") != "BACKGROUND_JOB" {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if done := l.jobs[e.get("Job-UUID")]; done != nil {
		done <- e.body // has room for one
		delete(l.jobs, e.get("Job-UUID"))
	}
	return true
}

// ask sends a command and waits for its reply. The command must hold nothing that was not checked: the lines of it are the protocol.
func (l *link) ask(ctx context.Context, timeout time.Duration, lines ...string) (frame, error) {
	for _, line := range lines {
		if line == "" || strings.ContainsAny(line, "\r\n\x00") {
			return frame{}, cti.Errorf(cti.Invalid, "this cannot be told to the exchange", nil)
		}
	}
	reply := make(chan frame, 1)
	if err := l.send(strings.Join(lines, "\n")+"\n\n", reply); err != nil {
		return frame{}, err
	}
	limit := time.NewTimer(timeout)
	defer limit.Stop()
	select {
	case f := <-reply:
		return f, nil
	case <-l.gone:
		return frame{}, offline(errors.New("the connection ended before the reply"))
	case <-limit.C:
		return frame{}, unanswered(nil)
	case <-ctx.Done():
		return frame{}, unanswered(ctx.Err())
	}
}

func (l *link) send(text string, reply chan frame) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.over:
		return offline(nil)
	case len(l.replies) == maxWaiting:
		return unanswered(errors.New("it owes too many replies"))
	}
	if err := l.conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return offline(err)
	}
	if !strings.HasPrefix(text, "auth ") && !strings.HasPrefix(text, "userauth ") { // passwords are on no recording
		l.tape.Note(true, []byte(text)) // before its reply can be
	}
	if _, err := io.WriteString(l.conn, text); err != nil {
		l.close() // what part of it was written is not known
		return offline(err)
	}
	l.replies = append(l.replies, reply)
	return nil
}

// api carries out a command while the socket waits for it, and gives what it came to.
func (l *link) api(ctx context.Context, command string) (string, error) {
	f, err := l.ask(ctx, listTimeout, "api "+command)
	if err != nil {
		return "", err
	}
	if text := f.header["Reply-Text"]; text != "" { // a refusal comes as a plain reply
		return "", refusal(text)
	}
	return string(f.body), nil
}

// job carries a command out beside the socket, and waits replyTimeout at most for what it came to; with early closed, until then. A command
// that takes longer is accepted.
func (l *link) job(ctx context.Context, command string, early <-chan struct{}) error {
	id, done := uuid.NewString(), make(chan string, 1)
	l.mu.Lock()
	if l.over {
		l.mu.Unlock()
		return offline(nil)
	}
	l.jobs[id] = done
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		delete(l.jobs, id) // no-op when over
		l.mu.Unlock()
	}()
	f, err := l.ask(ctx, replyTimeout, "bgapi "+command, "Job-UUID: "+id)
	if err != nil {
		return err
	}
	if text := f.header["Reply-Text"]; !strings.HasPrefix(text, "+OK") {
		return refusal(text)
	}
	limit := time.NewTimer(replyTimeout)
	defer limit.Stop()
	select {
	case text := <-done:
		if !strings.HasPrefix(text, "+OK") {
			return refusal(text)
		}
		return nil
	case <-early:
		return nil
	case <-limit.C:
		return nil
	case <-l.gone:
		return cti.Errorf(cti.Uncertain, "the connection to the exchange ended before it said whether it could do this", nil)
	case <-ctx.Done():
		return unanswered(ctx.Err())
	}
}

// refusal says what FreeSWITCH's -ERR means here. Its text may hold a number, so it is not passed on whole.
func refusal(text string) error {
	has := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(strings.ToLower(text), w) {
				return true
			}
		}
		return false
	}
	switch {
	case has("no such channel", "cannot locate session", "no such session", "invalid uuid"):
		return notFound()
	case has("permission denied", "command not found", "not allowed"):
		return cti.Errorf(cti.Denied, "the exchange's user may not do this: allow the command in its esl-allowed-api, or load the module it is of", nil)
	case has("user_not_registered", "subscriber_absent", "user not registered"):
		return cti.Errorf(cti.Invalid, "this extension's phone is not registered at the exchange", nil)
	case has("no_answer", "originator_cancel"):
		return cti.Errorf(cti.Conflict, "the phone was not taken up", nil)
	}
	return cti.Errorf(cti.Invalid, "the exchange refuses this", nil)
}

func notFound() error {
	return cti.Errorf(cti.NotFound, "the exchange does not have this call any more", nil)
}
