// Package briatest is a Bria of ours for tests: it speaks the Desktop API's wire over TLS on this machine, as CounterPath's guide describes
// it, with callers, callees and transfers that a test moves. What was not seen on a real Bria is said where it is decided. It owns that
// behaviour; it must not know who listens, or any of the source's code.
package briatest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// name is the API's public one, for which every Bria has a certificate.
const name = "cpclientapi.softphone.com"

// Server is one Bria. Its methods may be called concurrently.
type Server struct {
	Roots       *x509.CertPool // what its certificate is trusted by
	Certificate []byte         // the same in PEM

	certificate tls.Certificate
	listen      func(address string) (net.Listener, error)
	address     string

	mu      sync.Mutex
	changed *sync.Cond
	http    *http.Server // nil while nobody can connect
	clients map[*client]struct{}
	running sync.WaitGroup

	desk // guarded by mu
}

// client is one connection.
type client struct {
	conn *websocket.Conn
	out  chan []byte
}

// Start makes a Bria of version 6.4 with a registered account, no calls, and everybody let in. Close ends it.
func Start() (*Server, error) {
	return StartOn(func(address string) (net.Listener, error) { return net.Listen("tcp", address) })
}

// StartOn is Start with listeners of the test's own; the first one's address is the next one's.
func StartOn(listen func(address string) (net.Listener, error)) (*Server, error) {
	s := &Server{listen: listen, clients: map[*client]struct{}{}, address: "127.0.0.1:0", desk: desk{version: "6.4.1", account: "connected", mayCome: true, asked: map[string]int{}}}
	s.changed = sync.NewCond(&s.mu)
	if err := s.certify(); err != nil {
		return nil, err
	}
	return s, s.Restore()
}

func (s *Server) certify() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{name}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return err
	}
	s.Certificate = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	s.Roots = x509.NewCertPool()
	s.Roots.AddCert(leaf)
	s.certificate = tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	return nil
}

// Address is host:port; it stays the same.
func (s *Server) Address() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.address
}

// Restore lets it be reached, at the beginning and after Cut.
func (s *Server) Restore() error {
	l, err := s.listen(s.Address())
	if err != nil {
		return err
	}
	handler := http.NewServeMux()
	handler.HandleFunc("/counterpath/socketapi/v1/", s.accept)
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Second, ErrorLog: log.New(io.Discard, "", 0)}
	s.mu.Lock()
	s.address, s.http = l.Addr().String(), server
	s.mu.Unlock()
	s.running.Go(func() {
		_ = server.Serve(tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{s.certificate}, MinVersion: tls.VersionTLS12})) // Cut ends it
	})
	return nil
}

// Cut ends all connections and takes no more; calls go on.
func (s *Server) Cut() {
	s.mu.Lock()
	server := s.http
	s.http = nil
	for c := range s.clients {
		_ = c.conn.CloseNow() // may be closed already
	}
	s.mu.Unlock()
	if server != nil {
		_ = server.Close() // likewise
	}
	s.running.Wait()
}

// Kill is Cut, and all calls are gone, as after a crash. Restore starts it again.
func (s *Server) Kill() {
	s.Cut()
	s.mu.Lock()
	s.calls, s.muted = nil, false
	s.mu.Unlock()
}

// Close ends it for good.
func (s *Server) Close() { s.Cut() }

func (s *Server) accept(w http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return // no WebSocket: it was told
	}
	c := &client{conn: conn, out: make(chan []byte, 4096)}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	defer conn.CloseNow() //nolint:errcheck // read says why it ended
	s.mu.Lock()
	if s.http == nil {
		s.mu.Unlock()
		return
	}
	s.running.Add(1)
	s.running.Go(func() { c.write(ctx) })
	s.clients[c] = struct{}{}
	s.changed.Broadcast()
	s.mu.Unlock()
	defer s.running.Done()
	for {
		_, raw, err := conn.Read(ctx)
		if err != nil {
			break
		}
		s.serve(raw)
	}
	s.mu.Lock()
	delete(s.clients, c)
	s.mu.Unlock()
}

func (c *client) write(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case b := <-c.out:
			if err := c.conn.Write(ctx, websocket.MessageText, b); err != nil {
				return
			}
		}
	}
}

var errNobody = errors.New("nobody is connected")

// Say sends a frame to whoever is connected, as if it were Bria's; it waits for somebody until ctx ends.
func (s *Server) Say(ctx context.Context, frame []byte) error {
	stop := context.AfterFunc(ctx, s.changed.Broadcast)
	defer stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.clients) == 0 {
		if ctx.Err() != nil {
			return errNobody
		}
		s.changed.Wait()
	}
	s.all(frame)
	return nil
}

// all sends a frame to every client: events and replies go to all alike.
func (s *Server) all(frame []byte) {
	for c := range s.clients {
		select {
		case c.out <- frame:
		default: // it does not read
		}
	}
}
