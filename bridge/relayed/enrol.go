package relayed

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"time"

	"ringside.dev/ringside/app/cti"
)

// Enrol exchanges a one-time code for a certificate and keeps it; of the options Address, Keep and Dial count. The code says whose authority the
// relay must have: there is no trust on first use, and nobody between learns the code. It gives the extension. Errors: invalid for a code that is none, auth for one that the relay
// does not take (used, ended, or guessed at too often), denied when somebody else answers in the relay's place, limited, offline.
func Enrol(ctx context.Context, o Options, code string) (extension string, err error) {
	c, err := ParseCode(code)
	if err != nil {
		return "", err
	}
	conn, err := o.dial(ctx)
	if err != nil {
		return "", cti.Errorf(cti.Offline, explain(err, o.Address), nil)
	}
	return enrol(ctx, conn, o.Address, c, hostname(), o.Keep)
}

func enrol(ctx context.Context, raw net.Conn, address string, c Code, host string, keep Keeper) (string, error) {
	defer hangUp(raw)
	stop := context.AfterFunc(ctx, func() { hangUp(raw) })
	defer stop()
	var authority []byte
	conn := tls.Client(raw, &tls.Config{MinVersion: tls.VersionTLS13, ServerName: ServerName, NextProtos: []string{ProtoEnrol},
		InsecureSkipVerify: true, //nolint:gosec // VerifyConnection checks against the fingerprint in the code
		VerifyConnection: func(s tls.ConnectionState) (err error) {
			authority, err = pinned(s.PeerCertificates, c.Pin)
			return err
		}})
	if err := raw.SetDeadline(time.Now().Add(HelloWithin)); err != nil {
		return "", cti.Errorf(cti.Offline, explain(err, address), nil)
	}
	if err := conn.HandshakeContext(ctx); err != nil {
		return "", cti.Errorf(kindOf(err), explain(err, address), nil)
	}
	key, csr, err := newKey()
	if err != nil {
		return "", err
	}
	link := NewLink(conn, MaxDown)
	if err := link.Write(Message{T: TEnrol, Enrol: &Enrolment{ID: c.ID, Proof: c.Proof, CSR: csr, Host: host}}); err != nil {
		return "", cti.Errorf(cti.Offline, explain(err, address), nil)
	}
	m, err := link.Read(HelloWithin)
	switch {
	case err != nil:
		return "", cti.Errorf(cti.Uncertain, "the relay's answer was lost: ask for a new code, this one may be used up", err)
	case m.Refusal != nil:
		return "", m.Refusal.Err()
	case m.T != TEnrolled || m.Enrolled == nil:
		return "", cti.Errorf(cti.Internal, "the relay answered with something else", nil)
	}
	id := identity{Key: key, Cert: m.Enrolled.Cert, Authority: authority, Relay: cti.Clean(m.Enrolled.Name, cti.MaxText), Grant: m.Enrolled.Grant}
	id.Grant.Can, id.Grant.Extension = known(id.Grant.Can), cti.Clean(id.Grant.Extension, cti.MaxText)
	if err := id.fits(); err != nil {
		return "", cti.Errorf(cti.Internal, "the relay gave a certificate that does not fit", err)
	}
	return id.Grant.Extension, id.save(keep)
}

var errOtherRelay = errors.New("it is not the relay that the code is of")

// pinned checks that a server's certificate is of the authority whose fingerprint the code has, and gives that authority.
func pinned(chain []*x509.Certificate, pin []byte) ([]byte, error) {
	if len(chain) != 2 || !bytes.Equal(Pin(chain[1].Raw), pin) {
		return nil, errOtherRelay
	}
	roots := x509.NewCertPool()
	roots.AddCert(chain[1])
	_, err := chain[0].Verify(x509.VerifyOptions{Roots: roots, DNSName: ServerName, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	if err != nil {
		return nil, &tls.CertificateVerificationError{UnverifiedCertificates: chain, Err: err}
	}
	return chain[1].Raw, nil
}
