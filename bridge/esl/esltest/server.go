package esltest

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// What the test server's event socket asks for.
const (
	Password = "s3cret-of-the-pbx"
	User     = "ringside@" + Domain
)

// Server is a PBX with an event socket in front of it, on this machine. It fails the test by itself when it cannot serve.
type Server struct {
	*PBX
	address string
	tls     *tls.Config

	mu       sync.Mutex
	listener net.Listener
	clients  map[*client]bool
	running  sync.WaitGroup
	joined   chan struct{} // closed when one subscribes
	asked    []string      // the commands, without the password
	more     chan struct{} // closed at every command
	denied   map[string]bool
	silent   bool
	rude     bool
	disorder bool
}

// client is one connection; what it is to be sent waits in out.
type client struct {
	conn       net.Conn
	out        chan []byte
	gone       chan struct{}
	subscribed map[string]bool // nil until it asked for events
	late       []byte          // told again after the next one
}

// maxWaiting is how many frames may wait for a client that does not read.
const maxWaiting = 20_000

// Start makes a server that ends with the test. Encrypted says with which certificate; nil: plain.
func Start(t *testing.T, encrypted *tls.Config) *Server {
	t.Helper()
	s := &Server{PBX: New(time.Now), address: "127.0.0.1:0", tls: encrypted, clients: map[*client]bool{}, joined: make(chan struct{}), more: make(chan struct{}), denied: map[string]bool{}}
	s.Listen(s.pass)
	s.Restore(t)
	t.Cleanup(func() { s.Break(t) })
	return s
}

// Address is where the server is, also while it is broken.
func (s *Server) Address() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.address
}

// Deny refuses an API command to the user, by its first word, as esl-allowed-api does.
func (s *Server) Deny(command string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.denied[command] = true
}

// Silence leaves background jobs without a result, and without effect.
func (s *Server) Silence() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.silent = true
}

// Rude refuses every connection, as apply-inbound-acl does.
func (s *Server) Rude() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rude = true
}

// Disorder tells everything twice from now on, the second time after what came next.
func (s *Server) Disorder() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.disorder = true
}

// Asked lists the commands so far, without the password.
func (s *Server) Asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

// AwaitAsked waits for a command that begins with a text.
func (s *Server) AwaitAsked(t *testing.T, start string) {
	t.Helper()
	timeout := time.NewTimer(20 * time.Second)
	defer timeout.Stop()
	for {
		s.mu.Lock()
		there, more := slices.ContainsFunc(s.asked, func(a string) bool { return strings.HasPrefix(a, start) }), s.more
		s.mu.Unlock()
		if there {
			return
		}
		select {
		case <-more:
		case <-timeout.C:
			t.Fatalf("%s: nobody asked", start)
		}
	}
}

// Break cuts all connections and takes no new ones; calls go on.
func (s *Server) Break(t *testing.T) {
	t.Helper()
	s.mu.Lock()
	listener := s.listener
	s.listener = nil
	if listener != nil {
		if err := listener.Close(); err != nil {
			t.Error(err)
		}
	}
	for c := range s.clients {
		c.close()
	}
	s.mu.Unlock()
	s.running.Wait()
}

// close ends a connection; what Close says of one that is over changes nothing.
func (c *client) close() { _ = c.conn.Close() }

// Restore lets clients connect again.
func (s *Server) Restore(t *testing.T) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	l, err := net.Listen("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	s.address = l.Addr().String()
	if s.tls != nil {
		l = tls.NewListener(l, s.tls)
	}
	s.listener = l
	s.running.Go(func() { s.accept(l) })
}

func (s *Server) accept(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		c := &client{conn: conn, out: make(chan []byte, maxWaiting), gone: make(chan struct{})}
		s.mu.Lock()
		if s.listener != l {
			s.mu.Unlock()
			c.close()
			return
		}
		s.clients[c] = true
		s.running.Go(func() { s.write(c) })
		s.running.Go(func() { s.serve(c) })
		s.mu.Unlock()
	}
}

func (s *Server) write(c *client) {
	for {
		select {
		case raw := <-c.out:
			if _, err := c.conn.Write(raw); err != nil {
				c.close()
			}
		case <-c.gone:
			return
		}
	}
}

// Raw sends bytes to every client between two frames, once there is one that listens.
func (s *Server) Raw(t *testing.T, raw []byte) {
	t.Helper()
	timeout := time.NewTimer(20 * time.Second)
	defer timeout.Stop()
	for {
		s.mu.Lock()
		n := 0
		for c := range s.clients {
			if c.subscribed != nil {
				c.out <- raw
				n++
			}
		}
		joined := s.joined
		s.mu.Unlock()
		if n > 0 {
			return
		}
		select {
		case <-joined:
		case <-timeout.C:
			t.Fatal("nobody connected to be sent garbage")
		}
	}
}

// pass gives an event to everybody who asked for it.
func (s *Server) pass(name string, event []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	raw := Frame(event)
	for c := range s.clients {
		if !c.subscribed[name] {
			continue
		}
		c.out <- raw
		if s.disorder {
			if c.late != nil {
				c.out <- c.late
			}
			c.late = raw
		}
	}
}

// serve serves one connection until either side ends it.
func (s *Server) serve(c *client) {
	defer func() {
		s.mu.Lock()
		delete(s.clients, c)
		s.mu.Unlock()
		close(c.gone)
		c.close()
	}()
	s.mu.Lock()
	rude := s.rude
	s.mu.Unlock()
	if rude {
		c.out <- []byte("Content-Type: text/rude-rejection\nContent-Length: 24\n\nAccess Denied, go away.\n")
		_, _ = io.Copy(io.Discard, c.conn) // until the client goes
		return
	}
	c.out <- []byte("Content-Type: auth/request\n\n")
	in := bufio.NewReader(c.conn)
	signedIn := false
	for {
		lines, err := command(in)
		if err != nil {
			return
		}
		verb, rest, _ := strings.Cut(lines[0], " ")
		switch {
		case verb == "auth" || verb == "userauth":
			signedIn = rest == Password || verb == "userauth" && rest == User+":"+Password
			if !signedIn {
				c.out <- reply("-ERR invalid")
				c.out <- []byte("Content-Type: text/disconnect-notice\nContent-Length: 67\n\nDisconnected, goodbye.\nSee you at ClueCon! http://www.cluecon.com/\n")
				continue
			}
			c.out <- reply("+OK accepted")
		case !signedIn:
			c.out <- reply("-ERR command not found")
		default:
			s.mu.Lock()
			s.asked = append(s.asked, lines[0])
			close(s.more)
			s.more = make(chan struct{})
			s.mu.Unlock()
			s.command(c, verb, rest, lines[1:])
		}
	}
}

// command reads one command: lines up to an empty one.
func command(in *bufio.Reader) ([]string, error) {
	var lines []string
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return nil, err
		}
		if line = strings.TrimRight(line, "\r\n"); line != "" {
			lines = append(lines, line)
		} else if len(lines) > 0 {
			return lines, nil
		}
	}
}

func reply(text string) []byte {
	return fmt.Appendf(nil, "Content-Type: command/reply\nReply-Text: %s\n\n", text)
}

func (s *Server) command(c *client, verb, rest string, headers []string) {
	name, arguments, _ := strings.Cut(rest, " ")
	s.mu.Lock()
	denied, silent := s.denied[name], s.silent
	s.mu.Unlock()
	switch {
	case verb == "event":
		wanted := map[string]bool{}
		for word := range strings.FieldsSeq(arguments) {
			wanted[word] = true
		}
		s.mu.Lock()
		c.subscribed = wanted
		close(s.joined)
		s.joined = make(chan struct{})
		s.mu.Unlock()
		c.out <- reply("+OK event listener enabled plain")
	case denied:
		c.out <- reply("-ERR permission denied")
	case verb == "api":
		s.locked(func() { // the answer is in its place among the events
			result := s.api(name, arguments)
			c.out <- fmt.Appendf(nil, "Content-Type: api/response\nContent-Length: %d\n\n%s", len(result), result)
		})
	case verb == "bgapi":
		job := strings.TrimPrefix(headers[0], "Job-UUID: ")
		s.locked(func() {
			c.out <- fmt.Appendf(nil, "Content-Type: command/reply\nReply-Text: +OK Job-UUID: %s\nJob-UUID: %s\n\n", job, job)
			if !silent {
				s.job(job, name, arguments)
			}
		})
	default:
		c.out <- reply("-ERR command not found")
	}
}

func (p *PBX) locked(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
}

// api answers what only asks; p.mu is held.
func (p *PBX) api(name, arguments string) string {
	switch name {
	case "show":
		return p.list()
	case "uuid_getvar":
		id, variable, _ := strings.Cut(arguments, " ")
		c := p.channels[id]
		if c == nil {
			return "-ERR No such channel!\n"
		}
		if variable == "privacy_hide_number" {
			return strconv.FormatBool(c.hides())
		}
		if value, known := c.variables[variable]; known {
			return value
		}
		return "_undef_"
	}
	return "-ERR " + name + " command not found!\n"
}

func (p *PBX) list() string {
	type row = map[string]string
	rows := []row{}
	all := slices.SortedFunc(maps.Values(p.channels), func(a, b *Channel) int { return a.Made - b.Made })
	for _, c := range all {
		call := ""
		if c.callUUID != c.ID || c.peer != nil {
			call = c.callUUID
		}
		rows = append(rows, row{"uuid": c.ID, "direction": direction(c.Outbound), "name": c.Name, "state": "CS_EXECUTE", "cid_name": c.Caller,
			"cid_num": c.Number, "dest": c.Dest, "presence_id": c.Presence, "callstate": c.State, "call_uuid": call, "initial_cid_name": c.Caller,
			"initial_cid_num": c.Number, "initial_dest": c.Dest, "application": c.variables["current_application"]})
	}
	answer := map[string]any{"row_count": len(rows)}
	if len(rows) > 0 { // without channels there are no rows
		answer["rows"] = rows
	}
	b, err := json.Marshal(answer)
	if err != nil {
		panic(err) // maps of texts: a fault of this package
	}
	return string(b)
}

// job carries out a command in the background; p.mu is held.
func (p *PBX) job(job, name, arguments string) {
	words := strings.Fields(arguments)
	if len(words) < 2 && name != "uuid_kill" {
		p.finish(job, "-USAGE: "+name)
		return
	}
	switch name {
	case "originate":
		p.startOriginate(job, arguments)
		return
	case "callcenter_config":
		p.configured(job, arguments)
		return
	}
	c := p.channels[words[0]]
	if c == nil {
		p.finish(job, "-ERR No such channel!")
		return
	}
	switch name {
	case "uuid_kill":
		cause := "NORMAL_CLEARING"
		if len(words) > 1 {
			cause = words[1]
		}
		p.finish(job, "+OK")
		p.killed(c, cause)
	case "uuid_phone_event":
		p.finish(job, "+OK Success")
		if !p.Deaf {
			p.phoneEvent(c, words[1])
		}
	case "uuid_send_dtmf":
		c.digits += words[1]
		p.finish(job, "+OK")
	case "uuid_transfer":
		p.transferred(job, c, words[1:])
	default:
		p.finish(job, "-ERR "+name+" command not found!")
	}
}

// killed: a caller whose only phone was killed while it rang goes with it.
func (p *PBX) killed(c *Channel, cause string) {
	if c.Outbound && c.State == "RINGING" && c.job == "" {
		p.refuse(c, cause)
		return
	}
	p.hangup(c, cause, "send_bye")
}

func (p *PBX) phoneEvent(c *Channel, what string) {
	switch {
	case what == "talk" && c.State == "RINGING":
		p.answer(c)
	case what == "talk" && c.State == "HELD":
		p.hold(c, false)
	case what == "hold" && c.State == "ACTIVE":
		p.hold(c, true)
	}
}

func (p *PBX) transferred(job string, c *Channel, words []string) {
	if c.peer == nil || len(words) < 4 || words[0] != "-bleg" {
		p.finish(job, "-ERR No other leg")
		return
	}
	p.finish(job, "+OK")
	other := p.unbridge(c)
	p.hangup(c, "NORMAL_CLEARING", "send_bye")
	other.Dest = words[1]
	p.dial(other, "trunk/"+words[1], true)
}

func (p *PBX) startOriginate(job, arguments string) {
	variables, rest, _ := strings.Cut(strings.TrimPrefix(arguments, "{"), "}")
	words := strings.Fields(rest)
	user, is := strings.CutPrefix(words[0], "user/")
	id := ""
	for v := range strings.SplitSeq(variables, ",") {
		if name, value, _ := strings.Cut(v, "="); name == "origination_uuid" {
			id = value
		}
	}
	extension, _, _ := strings.Cut(user, "@")
	switch {
	case !is || len(words) != 4:
		p.finish(job, "-ERR syntax error")
	case extension == "1999": // whose phone is switched off
		p.finish(job, "-ERR USER_NOT_REGISTERED")
	default:
		p.originate(id, extension, words[1], job)
	}
}

func (p *PBX) configured(job, arguments string) {
	rest, is := strings.CutPrefix(arguments, "agent set status ")
	agent, status, quoted := strings.Cut(rest, " '")
	if !is || !quoted || agent == "" {
		p.finish(job, "-ERR Invalid")
		return
	}
	p.finish(job, "+OK")
	p.agentStatus(agent, strings.TrimSuffix(status, "'"))
}
