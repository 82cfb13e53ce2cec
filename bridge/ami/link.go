package ami

import (
	"context"
	"crypto/md5" //nolint:gosec // what the protocol's challenge is made of
	"encoding/hex"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/tape"
)

// The times of a connection.
const (
	dialTimeout  = 5 * time.Second
	loginTimeout = 10 * time.Second
	replyTimeout = 5 * time.Second
	writeTimeout = 5 * time.Second
	pingEvery    = 20 * time.Second
	silence      = 3 * pingEvery // after which the exchange is taken for gone: pings at least are answered
	sendQueue    = 4096          // actions waiting to be written: a snapshot asks several questions for each call
)

// link is one signed-in connection: it writes actions and finds the reply to each by its ActionID.
type link struct {
	conn net.Conn
	tape *tape.Deck
	in   *reader
	out  chan []byte
	gone chan struct{} // closed when the connection is over

	mu      sync.Mutex
	last    int
	waiting map[string]func(block) // commands, by ActionID; nil once over
}

func newLink(conn net.Conn, deck *tape.Deck) *link {
	return &link{conn: conn, tape: deck, in: newReader(conn), out: make(chan []byte, sendQueue), gone: make(chan struct{}), waiting: map[string]func(block){}}
}

// login reads the greeting and signs in by challenge (MD5), so that the secret is not on the wire; it gives the version of the interface.
func (l *link) login(user, secret, mask string) (string, error) {
	if err := l.conn.SetDeadline(time.Now().Add(loginTimeout)); err != nil {
		return "", err
	}
	version, err := l.in.banner()
	if err != nil {
		return "", err
	}
	reply, err := l.exchange(action{{"Action", "Challenge"}, {"AuthType", "MD5"}})
	if err != nil {
		return "", err
	}
	challenge := reply.get("Challenge")
	if challenge == "" {
		return "", cti.Errorf(cti.Auth, "the exchange offers no sign-in by challenge", nil)
	}
	sum := md5.Sum([]byte(challenge + secret)) //nolint:gosec // as the protocol asks
	reply, err = l.exchange(action{{"Action", "Login"}, {"AuthType", "MD5"}, {"Username", user}, {"Key", hex.EncodeToString(sum[:])}, {"Events", mask}})
	if err != nil {
		return "", err
	}
	if !strings.EqualFold(reply.get("Response"), "Success") {
		return "", cti.Errorf(cti.Auth, "the exchange refused the sign-in: check the manager user, its secret, and its permit lines in manager.conf", nil)
	}
	return version, l.conn.SetDeadline(time.Time{})
}

// exchange sends an action and reads to its reply, before anything else is sent.
func (l *link) exchange(a action) (block, error) {
	l.last++
	id := ourIDs + strconv.Itoa(l.last)
	raw, err := a.encode(id)
	if err != nil {
		return nil, err
	}
	if _, err := l.conn.Write(raw); err != nil {
		return nil, err
	}
	for {
		b, err := l.in.next()
		if err != nil {
			return nil, err
		}
		if b.get("Response") != "" && b.get("ActionID") == id {
			return b, nil
		}
	}
}

// run reads until the connection ends or ctx does, and returns after the writer has stopped. Replies to commands go to whoever gave them, before
// the next block is read; everything else goes to handle.
func (l *link) run(ctx context.Context, handle func(block)) error {
	stop := context.AfterFunc(ctx, func() { ignoreClosed(l.conn) })
	var writer sync.WaitGroup
	writer.Go(l.write)
	defer writer.Wait()
	defer stop()
	defer l.end()
	var quiet time.Time
	for {
		if now := time.Now(); now.After(quiet) { // once a second is enough
			if err := l.conn.SetReadDeadline(now.Add(silence)); err != nil {
				return err
			}
			quiet = now.Add(time.Second)
		}
		b, err := l.in.next()
		if err != nil {
			return err
		}
		if l.tape.Listened() {
			l.tape.Note(false, b.bytes())
		}
		if !l.replied(b) {
			handle(b)
		}
	}
}

func (l *link) replied(b block) bool {
	if b.get("Response") == "" || b.get("Event") != "" {
		return false
	}
	id := b.get("ActionID")
	l.mu.Lock()
	answered := l.waiting[id]
	delete(l.waiting, id)
	l.mu.Unlock()
	if answered == nil {
		return false
	}
	answered(b)
	return true
}

func (l *link) write() {
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	for {
		var raw []byte
		select {
		case <-l.gone:
			return
		case raw = <-l.out:
		case <-ping.C:
			raw = []byte("Action: Ping\r\n\r\n")
		}
		err := l.conn.SetWriteDeadline(time.Now().Add(writeTimeout))
		if err == nil {
			_, err = l.conn.Write(raw)
		}
		if err != nil {
			ignoreClosed(l.conn) // the reader then ends with the reason
			return
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

// send queues an action and gives its ActionID, "" when it cannot be sent. answered may be nil; it is called by the reading goroutine, or never.
func (l *link) send(a action, answered func(block)) (string, error) {
	l.mu.Lock()
	if l.waiting == nil {
		l.mu.Unlock()
		return "", offline(nil)
	}
	l.last++
	id := a.id()
	if id == "" {
		id = ourIDs + strconv.Itoa(l.last)
	}
	if answered != nil {
		l.waiting[id] = answered
	}
	l.mu.Unlock()
	raw, err := a.encode(id)
	if err != nil {
		l.forget(id)
		return "", cti.Errorf(cti.Invalid, "this cannot be told to the exchange", err)
	}
	l.tape.Note(true, raw) // before its reply can be
	select {
	case l.out <- raw:
		return id, nil
	default: // the exchange does not read
		l.forget(id)
		return "", unanswered()
	}
}

// ask sends an action and waits for its reply: replyTimeout at most, or until ctx or the connection ends.
func (l *link) ask(ctx context.Context, a action) (block, error) {
	reply := make(chan block, 1)
	id, err := l.send(a, func(b block) { reply <- b })
	if err != nil {
		return nil, err
	}
	defer l.forget(id)
	timeout := time.NewTimer(replyTimeout)
	defer timeout.Stop()
	select {
	case b := <-reply:
		return b, nil
	case <-l.gone:
		return nil, offline(errors.New("the connection ended before the reply"))
	case <-timeout.C:
		return nil, unanswered()
	case <-ctx.Done():
		return nil, cti.Errorf(cti.Offline, "the exchange did not answer in time", ctx.Err())
	}
}

func (l *link) forget(id string) {
	l.mu.Lock()
	delete(l.waiting, id)
	l.mu.Unlock()
}

func offline(err error) error { return cti.Errorf(cti.Offline, "the exchange is not connected", err) }

func unanswered() error { return cti.Errorf(cti.Offline, "the exchange did not answer", nil) }
