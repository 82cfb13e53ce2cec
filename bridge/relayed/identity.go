package relayed

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"ringside.dev/ringside/app/cti"
)

// Keeper keeps a workstation's identity, sealed. Load gives nil when there is none; Store has it on the disk when it returns.
type Keeper interface {
	Load() ([]byte, error)
	Store(text []byte) error
}

// identity is what a workstation is to its relay.
type identity struct {
	Key       []byte `json:"key"`       // PKCS #8
	Cert      []byte `json:"cert"`      // ours
	Authority []byte `json:"authority"` // the relay's: it alone is trusted
	Relay     string `json:"relay"`     // the relay's name
	Grant     Grant  `json:"grant"`     // as it was told last
}

// errNotEnrolled says what to do; the address stands in the words around it.
func notEnrolled(address string) error {
	return cti.Errorf(cti.Auth, "this computer is not enrolled at the relay "+address+": get a code there with ringctl relay enrol, then run here: ringctl phone enrol "+address+" CODE", nil)
}

// load gives the identity for an address.
func load(k Keeper, address string) (identity, error) {
	text, err := k.Load()
	if err != nil {
		return identity{}, cti.Errorf(cti.Auth, "this computer's certificate for the relay cannot be read: enrol it again with ringctl phone enrol", err)
	}
	if text == nil {
		return identity{}, notEnrolled(address)
	}
	var id identity
	if err := json.Unmarshal(text, &id); err != nil {
		return identity{}, cti.Errorf(cti.Auth, "this computer's certificate for the relay is damaged: enrol it again with ringctl phone enrol", nil)
	}
	return id, nil
}

func (id identity) save(k Keeper) error {
	text, err := json.Marshal(id)
	if err == nil {
		err = k.Store(text)
	}
	if err != nil {
		return fmt.Errorf("keep this computer's certificate for the relay: %w", err)
	}
	return nil
}

// newKey makes a key pair (P-256, which every TLS knows) and asks for a certificate for it. The relay alone decides what stands in it.
func newKey() (key, csr []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("make a key: %w", err)
	}
	csr, err = x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, private)
	if err != nil {
		return nil, nil, fmt.Errorf("ask for a certificate: %w", err)
	}
	key, err = x509.MarshalPKCS8PrivateKey(private)
	return key, csr, err
}

// fits tells whether a certificate is for a key and of the authority.
func (id identity) fits() error {
	pair, err := id.pair()
	if err != nil {
		return err
	}
	roots, err := id.roots()
	if err != nil {
		return err
	}
	_, err = pair.Leaf.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, CurrentTime: pair.Leaf.NotAfter})
	return err
}

func (id identity) pair() (tls.Certificate, error) {
	key, err := x509.ParsePKCS8PrivateKey(id.Key)
	if err != nil {
		return tls.Certificate{}, err
	}
	leaf, err := x509.ParseCertificate(id.Cert)
	if err != nil {
		return tls.Certificate{}, err
	}
	private, ok := key.(*ecdsa.PrivateKey)
	if !ok || !private.PublicKey.Equal(leaf.PublicKey) {
		return tls.Certificate{}, errors.New("the certificate is not of this computer's key")
	}
	return tls.Certificate{Certificate: [][]byte{id.Cert}, PrivateKey: private, Leaf: leaf}, nil
}

func (id identity) roots() (*x509.CertPool, error) {
	authority, err := x509.ParseCertificate(id.Authority)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AddCert(authority)
	return roots, nil
}

// config is how a connection to the relay is made: its authority alone is trusted, and no name of a host matters, since nobody else can have
// a certificate of it.
func (id identity) config() (*tls.Config, error) {
	pair, err := id.pair()
	if err != nil {
		return nil, cti.Errorf(cti.Auth, "this computer's certificate for the relay is damaged: enrol it again with ringctl phone enrol", err)
	}
	roots, err := id.roots()
	if err != nil {
		return nil, cti.Errorf(cti.Auth, "this computer's certificate for the relay is damaged: enrol it again with ringctl phone enrol", err)
	}
	return &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: roots, ServerName: ServerName, NextProtos: []string{ProtoRelay},
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }}, nil
}

// due tells whether the certificate should be renewed.
func (id identity) due(now time.Time) bool {
	leaf, err := x509.ParseCertificate(id.Cert)
	return err == nil && now.After(leaf.NotAfter.Add(-RenewBefore))
}
