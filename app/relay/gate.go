package relay

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"slices"
	"sync"
	"time"

	"ringside.dev/ringside/bridge/relayed"
)

// The limits at the door. A workstation has one connection; what is above them is turned away before any cryptography. The door is from the
// first byte until a workstation is known, or an enrolment done: one address may not fill it, so that nobody keeps all others out.
const (
	maxConns    = 4000
	maxOrders   = 16 // of this computer's administrator, who is heard whatever goes on outside
	maxDoor     = 256
	maxDoorOne  = 64 // a terminal server has many workstations
	acceptAgain = 100 * time.Millisecond
)

// door counts who is at the door, by address.
type door struct {
	mu   sync.Mutex
	all  int
	from map[string]int
}

// enter lets somebody stand at the door; leave may be called more than once.
func (d *door) enter(address string) (leave func(), ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.all >= maxDoor || d.from[address] >= maxDoorOne {
		return nil, false
	}
	d.all++
	d.from[address]++
	return sync.OnceFunc(func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.all--
		if d.from[address]--; d.from[address] == 0 {
			delete(d.from, address)
		}
	}), true
}

// accept serves connections until ctx ends, at most so many at a time, and returns after all of them have ended.
func (r *Relay) accept(ctx context.Context, l net.Listener, most int, serve func(ctx context.Context, c net.Conn)) error {
	in := make(chan struct{}, most)
	stop := context.AfterFunc(ctx, func() { _ = l.Close() }) // Accept then returns
	defer stop()
	var serving sync.WaitGroup
	defer serving.Wait()
	for {
		c, err := l.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				hangUp(c)
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return err
		case err != nil: // too many open files, say
			r.log.Warn("connection not accepted", "err", err)
			wait(ctx, acceptAgain)
			continue
		}
		select {
		case in <- struct{}{}:
			serving.Go(func() {
				defer func() { <-in }()
				defer hangUp(c)
				stop := context.AfterFunc(ctx, func() { hangUp(c) })
				defer stop()
				serve(ctx, c)
			})
		default:
			hangUp(c)
		}
	}
}

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// hangUp closes a connection of which nothing more is wanted: what Close says about it changes nothing.
func hangUp(c net.Conn) { _ = c.Close() }

// serve lets a connection in: the handshake first, which only a certificate of ours passes, or one who says that it has a code.
func (r *Relay) serve(ctx context.Context, raw net.Conn) {
	leave, ok := r.door.enter(host(raw.RemoteAddr()))
	if !ok {
		return
	}
	defer leave()
	conn, err := r.handshake(ctx, raw)
	if err != nil {
		r.log.Info("connection refused", "from", raw.RemoteAddr(), "err", err)
		return
	}
	link := relayed.NewLink(conn, relayed.MaxUp)
	if conn.ConnectionState().NegotiatedProtocol == relayed.ProtoEnrol {
		r.enrolling(link, raw.RemoteAddr())
		return
	}
	r.workstation(ctx, link, conn.ConnectionState().PeerCertificates[0], raw.RemoteAddr(), leave)
}

func (r *Relay) handshake(ctx context.Context, raw net.Conn) (*tls.Conn, error) {
	if err := raw.SetDeadline(time.Now().Add(relayed.HelloWithin)); err != nil {
		return nil, err
	}
	conn := tls.Server(raw, r.config())
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	if conn.ConnectionState().NegotiatedProtocol == "" {
		return nil, errors.New("no protocol of ours was asked for")
	}
	return conn, nil
}

// config: TLS 1.3 alone. Sessions are not resumed, since a certificate may be revoked between.
func (r *Relay) config() *tls.Config {
	r.mu.Lock()
	server := r.authority.server
	r.mu.Unlock()
	enrol := &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{server}, NextProtos: []string{relayed.ProtoEnrol}, SessionTicketsDisabled: true}
	relay := enrol.Clone()
	relay.NextProtos = []string{relayed.ProtoRelay}
	relay.ClientAuth = tls.RequireAnyClientCert // and genuine judges it
	relay.VerifyConnection = r.authority.genuine
	return &tls.Config{MinVersion: tls.VersionTLS13, GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		if slices.Contains(h.SupportedProtos, relayed.ProtoEnrol) {
			return enrol, nil
		}
		return relay, nil
	}}
}
