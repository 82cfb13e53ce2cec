package bria

import (
	"context"
	"crypto/rand"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/coder/websocket"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/tape"
)

// The times of a connection.
const (
	replyTimeout = 3 * time.Second // reducer rule 4; a phone on this machine answers within milliseconds
	writeTimeout = 3 * time.Second // a phone that does not read is as good as gone
	sendQueue    = 64              // requests waiting to be written
	maxWaiting   = 256             // requests without a reply yet
)

// maxStrange is how many messages in a row may be none of Bria's before the connection is given up.
const maxStrange = 20

var errStrange = errors.New("what answers at this address does not speak Bria's interface")

// link is one connection: it writes requests and finds the reply to each by its transaction, never by order. One goroutine has run; send and
// ask may be called from any.
type link struct {
	conn *websocket.Conn
	tape *tape.Deck
	out  chan []byte
	gone chan struct{} // closed when the connection is over

	// prefix begins the transactions of this connection: Bria sends every reply to all its clients, and another Ringside may be one.
	prefix string

	mu      sync.Mutex
	last    int
	waiting map[string]func(message) // by transaction; nil once over
}

func newLink(conn *websocket.Conn, deck *tape.Deck) *link {
	conn.SetReadLimit(maxFrame)
	return &link{conn: conn, tape: deck, out: make(chan []byte, sendQueue), gone: make(chan struct{}),
		prefix: "ringside-" + rand.Text()[:8] + "-", waiting: map[string]func(message){}}
}

// run reads until the connection ends, ctx does, or tick says an error; it returns after everything it started has stopped. Replies go to
// whoever asked, before the next message is read, notices to handle; tick is called each time d has passed. All three are called by the
// goroutine that has run. A message that is none is passed to broken.
func (l *link) run(ctx context.Context, handle func(message), broken func(error), d time.Duration, tick func() error) error {
	ctx, cancel := context.WithCancel(ctx)
	frames, failed := make(chan []byte), make(chan error, 1)
	var helpers sync.WaitGroup
	helpers.Go(func() { failed <- l.read(ctx, frames) })
	helpers.Go(func() { l.write(ctx) })
	defer helpers.Wait()
	defer cancel()
	defer l.end()
	ticker := time.NewTicker(d)
	defer ticker.Stop()
	strange := 0
	for {
		select {
		case err := <-failed:
			return err
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
			if err := tick(); err != nil {
				return err
			}
		case raw := <-frames:
			m, err := parse(raw)
			if err != nil {
				if strange++; strange > maxStrange {
					return errStrange
				}
				broken(err)
				continue
			}
			strange = 0
			if m.status == 0 {
				handle(m)
			} else {
				l.replied(m)
			}
		}
	}
}

func (l *link) read(ctx context.Context, frames chan<- []byte) error {
	for {
		_, raw, err := l.conn.Read(ctx)
		if err != nil {
			return err
		}
		l.tape.Note(false, raw)
		select {
		case frames <- raw:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (l *link) write(ctx context.Context) {
	for {
		select {
		case <-l.gone:
			return
		case b := <-l.out:
			limited, cancel := context.WithTimeout(ctx, writeTimeout)
			err := l.conn.Write(limited, websocket.MessageText, b)
			cancel()
			if err != nil {
				l.close() // the reader then ends with the reason
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
	l.close()
}

// close ends the connection at once: the phone need not be told, and what CloseNow says changes nothing.
func (l *link) close() { _ = l.conn.CloseNow() }

// send queues a request; answered is called by the goroutine that has run, or never.
func (l *link) send(path string, body element, answered func(message)) (transaction string, err error) {
	l.mu.Lock()
	switch {
	case l.waiting == nil:
		l.mu.Unlock()
		return "", offline(nil)
	case len(l.waiting) >= maxWaiting:
		l.mu.Unlock()
		return "", unanswered()
	}
	l.last++
	transaction = l.prefix + strconv.Itoa(l.last)
	l.waiting[transaction] = answered
	l.mu.Unlock()
	b := request(path, transaction, body)
	select {
	case l.out <- b:
		l.tape.Note(true, b)
		return transaction, nil
	default: // the writer is stuck: the phone does not read
		l.forget(transaction)
		return "", unanswered()
	}
}

// ask sends a request and waits for its reply: replyTimeout at most, or until ctx or the connection ends. A reply that is no yes is an error.
func (l *link) ask(ctx context.Context, path string, body element) (doc, error) {
	reply := make(chan message, 1)
	transaction, err := l.send(path, body, func(m message) { reply <- m })
	if err != nil {
		return doc{}, err
	}
	defer l.forget(transaction)
	timeout := time.NewTimer(replyTimeout)
	defer timeout.Stop()
	select {
	case m := <-reply:
		return m.doc, refusal(m)
	case <-l.gone:
		return doc{}, offline(errors.New("the connection ended before the reply"))
	case <-timeout.C:
		return doc{}, unanswered()
	case <-ctx.Done():
		return doc{}, cti.Errorf(cti.Offline, "the phone did not answer in time", ctx.Err())
	}
}

func (l *link) replied(m message) {
	l.mu.Lock()
	answered := l.waiting[m.transaction]
	delete(l.waiting, m.transaction)
	l.mu.Unlock()
	if answered != nil {
		answered(m)
	}
}

func (l *link) forget(transaction string) {
	l.mu.Lock()
	delete(l.waiting, transaction)
	l.mu.Unlock()
}

func offline(err error) error { return cti.Errorf(cti.Offline, "the phone is not connected", err) }

func unanswered() error { return cti.Errorf(cti.Offline, "the phone did not answer", nil) }

// refusal gives the error of a reply that says no, nil for a yes.
func refusal(m message) error {
	switch {
	case m.status < 300:
		return nil
	case m.status == notReady:
		return cti.Errorf(cti.Offline, "Bria is not ready, or does not let Ringside in: click Allow Access for Ringside in Bria's notifications", nil)
	}
	return cti.Errorf(cti.Invalid, "Bria refused the command", errors.New("status "+strconv.Itoa(m.status)))
}

// notReady is the status of a phone that is not ready, and of a user who has not let us in.
const notReady = 503
