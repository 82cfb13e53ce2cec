package baresip

import (
	"context"
	"errors"
	"io"
	"net"
	"strconv"
	"sync"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/tape"
)

// The times of a connection.
const (
	replyTimeout = 3 * time.Second // reducer rule 4; a phone on this machine answers within milliseconds
	writeTimeout = 3 * time.Second // a phone that does not read is as good as gone
	sendQueue    = 16              // commands waiting to be written: one at a time plus the snapshot's two
)

// link is one connection to ctrl_tcp: it writes commands and finds the reply to each by its token, never by order.
// One goroutine reads (run), one writes; ask may be called from any.
type link struct {
	conn  net.Conn
	tape  *tape.Deck // nil: nobody can listen
	out   chan []byte
	gone  chan struct{} // closed when the connection is over
	plans *plans
	muted func(id string, on bool) // called by the reading goroutine

	mu      sync.Mutex
	token   int
	waiting map[string]func(message) // by token; nil once over
}

func newLink(conn net.Conn) *link {
	return &link{conn: conn, out: make(chan []byte, sendQueue), gone: make(chan struct{}), plans: newPlans(), waiting: map[string]func(message){}}
}

// run reads until the connection ends or ctx does, and returns after the writer has stopped. Replies go to whoever asked, before
// the next message is read; everything else goes to handle. A message that is no JSON is passed to broken and skipped.
func (l *link) run(ctx context.Context, handle func(message), broken func(error)) error {
	stop := context.AfterFunc(ctx, func() { ignoreClosed(l.conn) })
	var writer sync.WaitGroup
	writer.Go(l.write)
	defer writer.Wait()
	defer stop()
	defer l.end()

	in := newNetstrings(l.conn)
	for {
		raw, err := in.next()
		if err != nil {
			return err
		}
		l.tape.Note(false, raw)
		m, err := parse(raw)
		switch {
		case err != nil:
			broken(err)
		case m.Response:
			l.replied(m)
		default:
			handle(m)
		}
	}
}

func (l *link) write() {
	for {
		select {
		case <-l.gone:
			return
		case b := <-l.out:
			if err := l.conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
				ignoreClosed(l.conn)
				return
			}
			if _, err := l.conn.Write(b); err != nil {
				ignoreClosed(l.conn) // the reader then ends with the reason
				return
			}
		}
	}
}

// end makes everybody who waits for a reply learn that none will come.
func (l *link) end() {
	l.mu.Lock()
	l.waiting = nil
	l.mu.Unlock()
	close(l.gone)
	ignoreClosed(l.conn)
}

// ignoreClosed closes a connection of which nothing more is wanted: what Close says about it changes nothing.
func ignoreClosed(c io.Closer) { _ = c.Close() }

// send queues a command; answered is called by the reading goroutine with the reply, or never.
func (l *link) send(command, params string, answered func(message)) (token string, err error) {
	l.mu.Lock()
	if l.waiting == nil {
		l.mu.Unlock()
		return "", offline(nil)
	}
	l.token++
	token = "ringside-" + strconv.Itoa(l.token)
	l.waiting[token] = answered
	l.mu.Unlock()

	b, err := order{Command: command, Params: params, Token: token}.encode()
	if err != nil {
		l.forget(token)
		return "", cti.Errorf(cti.Internal, "encode a command", err)
	}
	select {
	case l.out <- b:
		l.tape.Note(true, b)
		return token, nil
	default: // the writer is stuck: the phone does not read
		l.forget(token)
		return "", unanswered()
	}
}

// ask sends a command and waits for its reply: replyTimeout at most, or until ctx or the connection ends.
func (l *link) ask(ctx context.Context, command, params string) (message, error) {
	return l.askAnd(ctx, command, params, func(message) {})
}

// askAnd is ask; first is called by the reading goroutine with the reply, before anything that the phone said after it is read.
func (l *link) askAnd(ctx context.Context, command, params string, first func(message)) (message, error) {
	reply := make(chan message, 1)
	token, err := l.send(command, params, func(m message) {
		first(m)
		reply <- m
	})
	if err != nil {
		return message{}, err
	}
	defer l.forget(token)
	timeout := time.NewTimer(replyTimeout)
	defer timeout.Stop()
	select {
	case m := <-reply:
		return m, nil
	case <-l.gone:
		return message{}, offline(errors.New("the connection ended before the reply"))
	case <-timeout.C:
		return message{}, unanswered()
	case <-ctx.Done():
		return message{}, cti.Errorf(cti.Offline, "the phone did not answer in time", ctx.Err())
	}
}

func (l *link) replied(m message) {
	l.mu.Lock()
	answered := l.waiting[m.Token]
	delete(l.waiting, m.Token)
	l.mu.Unlock()
	if answered != nil {
		answered(m)
	}
}

func (l *link) forget(token string) {
	l.mu.Lock()
	delete(l.waiting, token)
	l.mu.Unlock()
}

func offline(err error) error {
	return cti.Errorf(cti.Offline, "the phone is not connected", err)
}

func unanswered() error {
	return cti.Errorf(cti.Offline, "the phone did not answer", nil)
}
