package relayed

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/tape"
)

// The wire: TLS 1.3, in it messages, each a length in four bytes, big-endian, and that much JSON. A connection has one of two protocols,
// named by ALPN (RFC 7301): ProtoRelay, for which the workstation must show a certificate of the relay's own authority, and ProtoEnrol,
// by which it gets one for a one-time code.
//
//	workstation                          relay
//	hello (what it has)         ─▶
//	                            ◀─       welcome, or refuse and the end
//	                            ◀─       event seq 41, 42 … what is not acknowledged, a snapshot (seq 0), then what happens
//	beat (ack 42)               ─▶       the relay forgets 41 and 42
//	command id 1                ─▶
//	                            ◀─       reply id 1
//	history id 2                ─▶
//	                            ◀─       past id 2 …, reply id 2
//	renew id 3                  ─▶       before the certificate ends
//	                            ◀─       reply id 3, with the next one
//	both send a beat when there was nothing else for BeatEvery

// The protocols, and the name the relay's certificate has. Workstations know the relay by its authority, so that it may move.
const (
	ProtoRelay = "ringside-relay/1"
	ProtoEnrol = "ringside-enrol/1"
	ServerName = "ringside-relay"
)

// Version is that of the messages.
const Version = 1

// The limits of the wire.
const (
	MaxUp   = 64 << 10 // bytes of a message of a workstation
	MaxDown = 1 << 20  // bytes of a message of the relay
	// Window is how many events the relay sends ahead of the acknowledgement.
	Window = 512
)

// The times of the wire.
const (
	BeatEvery      = 10 * time.Second
	SilentFor      = 30 * time.Second // a side of which nothing came for so long is gone
	HelloWithin    = 10 * time.Second // the handshake and the first message
	WriteWithin    = 5 * time.Second  // a side that does not read is gone
	CommandWithin  = 3 * time.Second  // reducer rule 4
	PartingWithin  = 500 * time.Millisecond
	CertificateFor = 90 * 24 * time.Hour // a workstation's certificate
	RenewBefore    = 30 * 24 * time.Hour // renewed so long before its end
	Backdated      = 24 * time.Hour      // certificates begin so long ago, since clocks differ
)

// Message is one message; T tells which, and which of the fields mean something.
type Message struct {
	T string `json:"t"`

	Hello   *Hello   `json:"hello,omitempty"`
	Welcome *Welcome `json:"welcome,omitempty"`
	Refusal *Refusal `json:"refusal,omitempty"`

	Seq   uint64        `json:"seq,omitempty"` // of an event; 0 for what is not kept: the snapshot after a connection, and past calls
	Event *cti.Event    `json:"event,omitempty"`
	Can   []cti.Command `json:"can,omitzero"`  // what can be done with the event's call
	Ack   uint64        `json:"ack,omitempty"` // events up to here have arrived for good

	ID      uint64    `json:"id,omitempty"` // of a question, and of its answer
	Command *Command  `json:"command,omitempty"`
	Since   time.Time `json:"since,omitzero"`    // history
	CSR     []byte    `json:"csr,omitempty"`     // renew, enrol: PKCS #10
	Cert    []byte    `json:"cert,omitempty"`    // the answer to it: X.509
	Problem *Refusal  `json:"problem,omitempty"` // of a reply; nil: done

	Enrol    *Enrolment `json:"enrol,omitempty"`
	Enrolled *Enrolled  `json:"enrolled,omitempty"`
}

// The kinds of message.
const (
	THello    = "hello"
	TWelcome  = "welcome"
	TRefuse   = "refuse"
	TEvent    = "event"
	TBeat     = "beat"
	TCommand  = "command"
	TReply    = "reply"
	THistory  = "history"
	TPast     = "past"
	TRenew    = "renew"
	TEnrol    = "enrol"
	TEnrolled = "enrolled"
)

// Hello is what a workstation begins with.
type Hello struct {
	Version int    `json:"version"`
	Host    string `json:"host"`            // the computer's name, for the relay's list
	Stream  string `json:"stream"`          // which events the number After counts
	After   uint64 `json:"after"`           // what it has; 0: it does not know, the relay does
	Probe   bool   `json:"probe,omitempty"` // it only wants the welcome, to see whether all is well
}

// Welcome is the relay's answer.
type Welcome struct {
	Version int       `json:"version"`
	Name    string    `json:"name"` // the relay's
	Stream  string    `json:"stream"`
	Head    uint64    `json:"head"` // the number of the newest event
	Up      bool      `json:"up"`   // the exchange is connected
	At      time.Time `json:"at"`   // the relay's clock
	Grant
}

// Grant is what the extension is given.
type Grant struct {
	Extension  string        `json:"extension"`
	Can        []cti.Command `json:"can"`
	TellsHold  bool          `json:"tells_hold"`
	RingsFirst bool          `json:"rings_first"`
}

// Refusal is an error on the wire. At is the refusing side's clock.
type Refusal struct {
	Kind cti.Kind  `json:"kind"`
	Msg  string    `json:"msg"`
	At   time.Time `json:"at,omitzero"`
}

// Refuse makes an error fit for the wire: an internal one says nothing but that.
func Refuse(err error) *Refusal {
	if err == nil {
		return nil
	}
	msg := cti.MessageOf(err)
	if msg == "" {
		msg = "something went wrong inside the relay: see its log"
	}
	return &Refusal{Kind: cti.KindOf(err), Msg: msg, At: time.Now().UTC()}
}

// refusals are the kinds that a relay may answer with; any other is internal.
var refusals = map[cti.Kind]bool{cti.Invalid: true, cti.Auth: true, cti.Denied: true, cti.NotFound: true, cti.Conflict: true, cti.Limited: true,
	cti.Offline: true, cti.Uncertain: true, cti.Internal: true}

// Err gives the error back; nil for nil.
func (r *Refusal) Err() error {
	if r == nil {
		return nil
	}
	if !refusals[r.Kind] {
		return cti.Errorf(cti.Internal, "the relay refused with an unknown kind", nil)
	}
	return cti.Errorf(r.Kind, cti.Clean(r.Msg, cti.MaxURI), nil)
}

// Command is an instruction about a call, by its references, or Dial and Presence about none.
type Command struct {
	cti.Instruction

	Refs   map[string]string `json:"refs,omitempty"`
	Leg    string            `json:"leg,omitempty"` // what the workstation calls it: a consultation says with it what it is about
	Status *cti.AgentStatus  `json:"status,omitempty"`
}

// Enrolment asks for a certificate.
type Enrolment struct {
	ID    []byte `json:"id"`    // which code
	Proof []byte `json:"proof"` // that it is known
	CSR   []byte `json:"csr"`
	Host  string `json:"host"`
}

// Enrolled gives it.
type Enrolled struct {
	Name string `json:"name"`
	Cert []byte `json:"cert"`
	Grant
}

// Link sends and receives messages over a TLS connection. Write is safe for concurrent use; Read is for one goroutine.
type Link struct {
	conn  *tls.Conn
	limit int
	size  int
	tape  *tape.Deck // nil: nobody can listen
	mu    sync.Mutex
}

// NewLink makes a link that receives messages of at most limit bytes.
func NewLink(conn *tls.Conn, limit int) *Link { return &Link{conn: conn, limit: limit} }

// errTooLong ends the connection: whoever announces such a message is no relay and no workstation.
var errTooLong = errors.New("a message is longer than allowed")

// Read gives the next message, which must come within the time.
func (l *Link) Read(within time.Duration) (Message, error) {
	if err := l.conn.SetReadDeadline(time.Now().Add(within)); err != nil {
		return Message{}, err
	}
	var head [4]byte
	if _, err := io.ReadFull(l.conn, head[:]); err != nil {
		return Message{}, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > uint32(l.limit) { //nolint:gosec // a constant
		return Message{}, fmt.Errorf("%w: %d bytes", errTooLong, n)
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(l.conn, body); err != nil {
		return Message{}, err
	}
	l.size = len(head) + len(body)
	l.tape.Note(false, body)
	var m Message
	if err := json.Unmarshal(body, &m); err != nil {
		return Message{}, errors.New("a message is no JSON of ours") // the library's words would quote it
	}
	return m, nil
}

// Size is how many bytes the message had that Read gave last.
func (l *Link) Size() int { return l.size }

// Encode gives a message as it is sent.
func Encode(m Message) ([]byte, error) {
	b := bytes.NewBuffer(make([]byte, 4, 512))
	encoder := json.NewEncoder(b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(m); err != nil {
		return nil, fmt.Errorf("encode a message: %w", err)
	}
	binary.BigEndian.PutUint32(b.Bytes(), uint32(b.Len()-4)) //nolint:gosec // far below 4 GiB
	return b.Bytes(), nil
}

// Write sends a message.
func (l *Link) Write(m Message) error {
	b, err := Encode(m)
	if err != nil {
		return err
	}
	return l.Send(b)
}

// Send sends what Encode gave.
func (l *Link) Send(b []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.conn.SetWriteDeadline(time.Now().Add(WriteWithin)); err != nil {
		return err
	}
	l.tape.Note(true, b[4:])
	_, err := l.conn.Write(b)
	return err
}

// Close ends the connection, also for a Read or Write under way.
func (l *Link) Close() { hangUp(l.conn.NetConn()) }

// hangUp closes a connection of which nothing more is wanted: what Close says about it changes nothing.
func hangUp(c net.Conn) { _ = c.Close() }
