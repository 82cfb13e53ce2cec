package bria

import (
	"context"
	"crypto/x509"
	"net"
)

// Trust lets a test's own certificate be the phone's.
func (s *Source) Trust(roots *x509.CertPool) { s.roots = roots }

// DialWith lets a test say how the phone is reached.
func (s *Source) DialWith(dial func(ctx context.Context) (net.Conn, error)) { s.dial = dial }

// Waiting counts the requests without a reply yet.
func (s *Source) Waiting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.link.mu.Lock()
	defer s.link.mu.Unlock()
	return len(s.link.waiting)
}
