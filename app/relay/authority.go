package relay

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"path/filepath"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/secret"
	"ringside.dev/ringside/bridge/relayed"
)

// The lives of the relay's own certificates. Workstations know the authority, so the server's may change at any time.
const (
	authorityFor = 20 * 365 * 24 * time.Hour
	serverFor    = 365 * 24 * time.Hour
	serverRenew  = 30 * 24 * time.Hour
)

// authorityFile holds the authority's key, sealed; the seal is bound to its name.
const authorityFile = "authority.sealed"

// authority is the relay's own small certificate authority: it certifies the relay to the workstations and the workstations to the relay,
// and nobody else.
type authority struct {
	cert   *x509.Certificate
	key    *ecdsa.PrivateKey
	server tls.Certificate
}

// keptAuthority is what lies on the disk. The server's certificate is made anew at each start.
type keptAuthority struct {
	Cert []byte `json:"cert"`
	Key  []byte `json:"key"`
}

// openAuthority reads the authority, or makes it at the first start.
func openAuthority(dir, name string, keys secret.Ring, now time.Time) (*authority, error) {
	path := filepath.Join(dir, authorityFile)
	sealed, err := readFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return newAuthority(path, name, keys, now)
	case err != nil:
		return nil, fmt.Errorf("read the relay's keys: %w", err)
	}
	plain, err := keys.Open(sealed, []byte(authorityFile))
	if err != nil {
		return nil, cti.Errorf(cti.Auth, "the relay's keys in "+path+" were sealed with another key: name the one they were made with (key: in the relay file); "+
			"if it is lost, move the folder away, start anew and enrol all workstations again", err)
	}
	var kept keptAuthority
	a := &authority{}
	err = json.Unmarshal(plain, &kept)
	if err == nil {
		a.cert, err = x509.ParseCertificate(kept.Cert)
	}
	if err == nil {
		a.key, err = x509.ParseECPrivateKey(kept.Key)
	}
	if err != nil {
		return nil, fmt.Errorf("read the relay's keys: %w", err)
	}
	return a, a.renewServer(now)
}

func newAuthority(path, name string, keys secret.Ring, now time.Time) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the relay's keys: %w", err)
	}
	template := &x509.Certificate{SerialNumber: serial(), Subject: pkix.Name{CommonName: "Ringside relay " + name},
		NotBefore: now.Add(-relayed.Backdated), NotAfter: now.Add(authorityFor), IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("make the relay's keys: %w", err)
	}
	a := &authority{key: key}
	if a.cert, err = x509.ParseCertificate(raw); err != nil {
		return nil, fmt.Errorf("make the relay's keys: %w", err)
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("make the relay's keys: %w", err)
	}
	plain, err := json.Marshal(keptAuthority{raw, private})
	if err != nil {
		return nil, fmt.Errorf("make the relay's keys: %w", err)
	}
	if err := writeFile(path, keys.Seal(plain, []byte(authorityFile))); err != nil {
		return nil, fmt.Errorf("keep the relay's keys: %w", err)
	}
	return a, a.renewServer(now)
}

// renewServer makes the server's certificate, when there is none or it ends soon.
func (a *authority) renewServer(now time.Time) error {
	if leaf := a.server.Leaf; leaf != nil && now.Before(leaf.NotAfter.Add(-serverRenew)) {
		return nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("make the relay's certificate: %w", err)
	}
	raw, err := a.sign(&x509.Certificate{Subject: pkix.Name{CommonName: relayed.ServerName}, DNSNames: []string{relayed.ServerName},
		NotBefore: now.Add(-relayed.Backdated), NotAfter: now.Add(serverFor), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}, &key.PublicKey)
	if err != nil {
		return fmt.Errorf("make the relay's certificate: %w", err)
	}
	leaf, err := x509.ParseCertificate(raw)
	if err != nil {
		return fmt.Errorf("make the relay's certificate: %w", err)
	}
	a.server = tls.Certificate{Certificate: [][]byte{raw, a.cert.Raw}, PrivateKey: key, Leaf: leaf}
	return nil
}

func (a *authority) sign(template *x509.Certificate, public any) ([]byte, error) {
	if template.SerialNumber == nil {
		template.SerialNumber = serial()
	}
	template.KeyUsage, template.BasicConstraintsValid = x509.KeyUsageDigitalSignature, true
	return x509.CreateCertificate(rand.Reader, template, a.cert, public, a.key)
}

// certify gives a workstation its certificate. Of the request only the key counts, and that its owner made the request.
func (a *authority) certify(csr []byte, extension string, now time.Time) (*x509.Certificate, error) {
	request, err := checkRequest(csr)
	if err != nil {
		return nil, err
	}
	raw, err := a.sign(&x509.Certificate{Subject: pkix.Name{CommonName: extension}, NotBefore: now.Add(-relayed.Backdated),
		NotAfter: now.Add(relayed.CertificateFor), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}, request.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("certify a workstation: %w", err)
	}
	return x509.ParseCertificate(raw)
}

func checkRequest(csr []byte) (*x509.CertificateRequest, error) {
	request, err := x509.ParseCertificateRequest(csr)
	if err == nil {
		err = request.CheckSignature()
	}
	if key, ok := publicKey(request); err != nil || !ok || key.Curve != elliptic.P256() {
		return nil, cti.Errorf(cti.Invalid, "the request for a certificate is none", err)
	}
	return request, nil
}

func publicKey(r *x509.CertificateRequest) (*ecdsa.PublicKey, bool) {
	if r == nil {
		return nil, false
	}
	key, ok := r.PublicKey.(*ecdsa.PublicKey)
	return key, ok
}

// genuine checks within the handshake that a certificate is one of ours for a workstation: until then nothing is read from the other side.
// Whether its time has come or is over is told in words afterwards.
func (a *authority) genuine(s tls.ConnectionState) error {
	if len(s.PeerCertificates) == 0 {
		return errors.New("no certificate")
	}
	leaf := s.PeerCertificates[0]
	roots := x509.NewCertPool()
	roots.AddCert(a.cert)
	_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, CurrentTime: leaf.NotBefore})
	return err
}

// serial is a random number of 127 bits, as RFC 5280 (4.1.2.2) wants it positive and of at most 20 bytes.
func serial() *big.Int {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails
	b[0] = b[0]&0x7F | 0x40
	return new(big.Int).SetBytes(b)
}
