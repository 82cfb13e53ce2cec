package sourcetest

import (
	"bufio"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"
)

// maxMessage is the longest message a Line passes on.
const maxMessage = 1 << 20

// Line is a TCP connection between a source and the phone or exchange it speaks to. It can be cut: nobody listens then, and all connections are gone. It can
// also put words into the phone's mouth, and let it stammer.
type Line struct {
	target string
	split  bufio.SplitFunc

	mu       sync.Mutex
	address  string
	listener net.Listener
	conns    []net.Conn
	source   net.Conn // the connection of the source that Inject speaks on
	speaks   func(message []byte) bool
	joined   chan struct{} // closed when there is another
	again    func(message []byte) bool
	running  sync.WaitGroup
}

// NewLine makes one to the phone at target. What the phone says is passed on message by message as split has them; nil: byte by byte.
func NewLine(t *testing.T, target string, split bufio.SplitFunc) *Line {
	t.Helper()
	if split == nil {
		split = asItComes
	}
	l := &Line{target: target, split: split, address: "127.0.0.1:0", joined: make(chan struct{})}
	l.Restore(t)
	t.Cleanup(func() { l.Cut(t) })
	return l
}

func asItComes(data []byte, _ bool) (int, []byte, error) {
	if len(data) == 0 { // to a Scanner an empty message is one
		return 0, nil, nil
	}
	return len(data), data, nil
}

// Address is where the source reaches the phone.
func (l *Line) Address() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.address
}

// Restore lets the source reach the phone again.
func (l *Line) Restore(t *testing.T) {
	t.Helper()
	listener, err := net.Listen("tcp", l.Address())
	if err != nil {
		t.Fatal(err)
	}
	l.mu.Lock()
	l.address, l.listener = listener.Addr().String(), listener
	l.mu.Unlock()
	l.running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // cut
			}
			l.pass(conn)
		}
	})
}

// Cut ends all connections; there are none until Restore.
func (l *Line) Cut(t *testing.T) {
	t.Helper()
	l.mu.Lock()
	if l.listener != nil {
		if err := l.listener.Close(); err != nil {
			t.Error(err)
		}
	}
	for _, c := range l.conns {
		_ = c.Close() // may be closed already
	}
	l.listener, l.conns = nil, nil
	l.mu.Unlock()
	l.running.Wait()
}

// Disorder lets every message that is one of these come twice from now on, and once more after the next one.
func (l *Line) Disorder(of func(message []byte) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.again = of
}

// SpeakWhere makes the newest connection on which the phone said such a message the one that Inject speaks on: a source may have several.
func (l *Line) SpeakWhere(said func(message []byte) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.speaks, l.source = said, nil
}

// Inject says something to the source in the phone's place, as soon as the source is connected: on its newest connection, unless SpeakWhere says otherwise.
func (l *Line) Inject(t *testing.T, raw []byte) {
	t.Helper()
	timeout := time.NewTimer(bound)
	defer timeout.Stop()
	for {
		l.mu.Lock()
		joined := l.joined
		if l.source != nil {
			_, err := l.source.Write(raw)
			l.mu.Unlock()
			if err == nil {
				return
			}
		} else {
			l.mu.Unlock()
		}
		select {
		case <-joined:
		case <-timeout.C:
			t.Fatal("the source did not come back")
		}
	}
}

func (l *Line) pass(from net.Conn) {
	to, err := net.Dial("tcp", l.target)
	if err != nil {
		_ = from.Close() // the source sees that the phone is gone
		return
	}
	l.mu.Lock()
	l.conns = append(l.conns, from, to)
	if l.speaks == nil {
		l.speakOn(from)
	}
	l.mu.Unlock()
	done := func() {
		_ = from.Close()
		_ = to.Close()
		l.mu.Lock()
		if l.source == from {
			l.source = nil
		}
		l.mu.Unlock()
	}
	l.running.Go(func() {
		defer done()
		_, _ = io.Copy(to, from) // ends by either side, or by Cut
	})
	l.running.Go(func() {
		defer done()
		l.speak(from, to)
	})
}

// speakOn lets Inject speak on a connection; the lock is held.
func (l *Line) speakOn(source net.Conn) {
	l.source = source
	close(l.joined)
	l.joined = make(chan struct{})
}

// speak passes on what the phone says, until either side ends.
func (l *Line) speak(source net.Conn, phone io.Reader) {
	messages := bufio.NewScanner(phone)
	messages.Buffer(nil, maxMessage)
	messages.Split(l.split)
	var last []byte
	for messages.Scan() {
		said := messages.Bytes()
		l.mu.Lock() // Inject writes too
		if l.again != nil && l.again(said) {
			message := slices.Clone(said)
			said, last = slices.Concat(message, message, last), message
		}
		_, err := source.Write(said)
		if l.speaks != nil && l.speaks(messages.Bytes()) {
			l.speakOn(source)
		}
		l.mu.Unlock()
		if err != nil {
			return
		}
	}
}
