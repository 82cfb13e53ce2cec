package relayed

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"ringside.dev/ringside/app/cti"
)

// kept is an identity in memory.
type kept struct{ text []byte }

func (k *kept) Load() ([]byte, error)   { return k.text, nil }
func (k *kept) Store(text []byte) error { k.text = text; return nil }

// certify makes a certificate; with no parent it is an authority.
func certify(t *testing.T, c *x509.Certificate, parent *tls.Certificate) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c.SerialNumber, c.BasicConstraintsValid = big.NewInt(time.Now().UnixNano()), true
	signer, by := key, c
	if parent != nil {
		private, is := parent.PrivateKey.(*ecdsa.PrivateKey)
		if !is {
			t.Fatal("the authority's key is another")
		}
		signer, by = private, parent.Leaf
	}
	raw, err := x509.CreateCertificate(rand.Reader, c, by, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key, Leaf: leaf}
}

// relay is a server whose certificate begins and ends at these times, and the identity of a workstation that knows its authority.
func relay(t *testing.T, from, until time.Time) (address string, keep *kept) {
	t.Helper()
	now := time.Now()
	authority := certify(t, &x509.Certificate{NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour), IsCA: true, KeyUsage: x509.KeyUsageCertSign}, nil)
	server := certify(t, &x509.Certificate{Subject: pkix.Name{CommonName: ServerName}, DNSNames: []string{ServerName}, NotBefore: from, NotAfter: until,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}, &authority)
	own := certify(t, &x509.Certificate{NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}, &authority)
	key, err := x509.MarshalPKCS8PrivateKey(own.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(identity{Key: key, Cert: own.Certificate[0], Authority: authority.Certificate[0]})
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{server}, NextProtos: []string{ProtoRelay}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() }) // the test is over
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Read(make([]byte, 1)) // the handshake fails
			_ = c.Close()
		}
	}()
	return l.Addr().String(), &kept{text}
}

// A clock that is wrong by more than a day shows first in the certificate's time: the words are about clocks, not about certificates.
func TestAClockThatIsFarOffIsSaid(t *testing.T) {
	now := time.Now()
	for name, times := range map[string][2]time.Time{
		"this computer's clock is behind, or the relay's ahead": {now.Add(48 * time.Hour), now.Add(365 * 24 * time.Hour)},
		"this computer's clock is ahead, or the relay's behind": {now.Add(-400 * 24 * time.Hour), now.Add(-35 * 24 * time.Hour)},
	} {
		address, keep := relay(t, times[0], times[1])
		_, err := Try(t.Context(), Options{Address: address, Extension: "1001", Keep: keep})
		if cti.KindOf(err) != cti.Denied || !strings.Contains(cti.MessageOf(err), "this computer's clock says "+now.UTC().Format("2006-01-02")) ||
			!strings.Contains(cti.MessageOf(err), "set the clock") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Nothing a relay says of the time makes an event that is in the future, or one that cannot be written down.
func TestTimesThatNobodyCanHaveMeantAreNone(t *testing.T) {
	s := &Source{Options: Options{}, log: nil}
	now := time.Now()
	far := time.Date(9999, 12, 31, 23, 59, 59, 0, time.FixedZone("", -23*3600))
	for name, at := range map[string]time.Time{"year 10000": far, "year 1": {}, "tomorrow": now.Add(24 * time.Hour)} {
		e := s.timed(cti.Event{At: at, Legs: []cti.Event{{At: at}}})
		for _, one := range append([]cti.Event{e}, e.Legs...) {
			if at.IsZero() && one.At.IsZero() {
				continue // a leg without a time stays one
			}
			if one.At.After(time.Now()) || time.Since(one.At) > time.Minute {
				t.Errorf("%s: told at %v", name, one.At)
			}
		}
		if _, err := json.Marshal(e); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	ago := now.Add(-time.Hour).UTC()
	if e := s.timed(cti.Event{At: ago}); !e.At.Equal(ago) || !e.SourceAt.Equal(ago) {
		t.Errorf("an hour ago became %v, %v", e.At, e.SourceAt)
	}
}

func TestTheDifferenceOfTheClocksIsTakenOff(t *testing.T) {
	s, err := New(Options{Address: "relay.example.com:8470", Extension: "1001", Keep: &kept{}})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	r := &run{source: s}
	r.measure(now, now, now.Add(10*time.Minute))
	told := now.Add(9 * time.Minute)
	if e := s.timed(cti.Event{At: told}); e.At.Sub(now.Add(-time.Minute)).Abs() > time.Millisecond || !e.SourceAt.Equal(told) {
		t.Errorf("a minute ago by a clock that is ten minutes ahead: %v, %v", e.At.Sub(now), e.SourceAt)
	}
	r.measure(now, now, time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC))
	if s.offset != 0 {
		t.Errorf("a clock that cannot be meant: %v", s.offset)
	}
}

func TestDialErrorsAreSaidInWords(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	address, keep := relay(t, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	dead := func(context.Context) (net.Conn, error) { return nil, context.DeadlineExceeded }
	_, err := Try(ctx, Options{Address: address, Extension: "1001", Keep: keep, Dial: dead})
	if cti.KindOf(err) != cti.Offline || !strings.Contains(cti.MessageOf(err), "does not answer: check the network and the firewall") {
		t.Errorf("a network that swallows: %v", err)
	}
}
