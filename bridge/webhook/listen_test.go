package webhook

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"ringside.dev/ringside/app/cti"
)

// serverTLS makes a certificate for 127.0.0.1 that lasts an hour.
func serverTLS(t *testing.T) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}

// listening is an exchange that runs until the test ends.
type listening struct {
	*Exchange
	recorder

	address string
	stop    func()
}

func listen(t *testing.T, x *Exchange) *listening {
	t.Helper()
	l := &listening{Exchange: x}
	addresses := make(chan net.Addr, 1)
	x.opened = func(a net.Addr) { addresses <- a }
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := x.Run(ctx, l.emit); err != nil {
			t.Error(err)
		}
	})
	l.stop = func() { cancel(); running.Wait() }
	t.Cleanup(l.stop)
	l.address = (<-addresses).String()
	return l
}

func TestPushesOverTLSAreTakenAndOldTLSIsNot(t *testing.T) {
	config := serverTLS(t)
	config.MinVersion = tls.VersionTLS10
	x, err := New(Options{Vendor: load(t, "udesk"), Listen: "127.0.0.1:0", Secret: fixed(testSecret), TLS: config})
	if err != nil {
		t.Fatal(err)
	}
	l := listen(t, x)
	pool := x509.NewCertPool()
	leaf, err := x509.ParseCertificate(config.Certificates[0].Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	pool.AddCert(leaf)
	push := func(c *tls.Config) (int, error) {
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: c, DisableKeepAlives: true}, Timeout: 10 * time.Second}
		r, err := client.Post("https://"+l.address+"/udesk?token="+testSecret, "application/json", strings.NewReader(udeskRing))
		if err != nil {
			return 0, err
		}
		return r.StatusCode, r.Body.Close()
	}
	if code, err := push(&tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}); err != nil || code != http.StatusOK {
		t.Errorf("%d, %v", code, err)
	}
	if _, err := push(&tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("TLS 1.1 is taken")
	}
	if r, err := http.Post("http://"+l.address+"/udesk", "application/json", nil); err == nil {
		if r.Body.Close(); r.StatusCode == http.StatusOK {
			t.Error("a push without TLS is taken")
		}
	}
	l.stop()
	if got := l.types(); got != "source.up call.delivered" {
		t.Errorf("events %q", got)
	}
	if config.MinVersion != tls.VersionTLS10 {
		t.Error("the caller's TLS settings were changed")
	}
}

// The vendor is not kept waiting for ever, but Run is: nothing is handed on after it returned.
func TestRunWaitsForTheEventThatIsBeingHandedOn(t *testing.T) {
	x := open(t, load(t, "udesk"))
	addresses, inside, release := make(chan net.Addr, 1), make(chan struct{}), make(chan struct{})
	x.opened = func(a net.Addr) { addresses <- a }
	ctx, cancel := context.WithCancel(t.Context())
	returned := make(chan error, 1)
	go func() {
		returned <- x.Run(ctx, func(extension string, _ cti.Event) {
			if extension != "" {
				close(inside)
				<-release
			}
		})
	}()
	pushed := make(chan error, 1)
	go func() {
		r, err := http.Post("http://"+(<-addresses).String()+"/udesk?token="+testSecret, "application/json", strings.NewReader(udeskRing))
		if err == nil {
			err = r.Body.Close()
		}
		pushed <- err
	}()
	<-inside
	cancel()
	if err := <-pushed; err == nil {
		t.Error("a push that is not handed on was answered")
	}
	select {
	case err := <-returned:
		close(release)
		t.Fatalf("Run returned with %v while emit was at work", err)
	case <-time.After(200 * time.Millisecond): // that something does not happen has no signal; the connection is closed already
	}
	close(release)
	if err := <-returned; err != nil {
		t.Error(err)
	}
}

const udeskRing = `{"call_id":"c","conversation_id":1,"customer_phone":"138","workflow":"in","agent_id":7,"agent_ring_at":"2026-11-23 13:32:18 +0800"}`

func TestAnAddressInUseIsDownAndTriedAgain(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	x, err := New(Options{Vendor: load(t, "udesk"), Listen: taken.Addr().String(), Secret: fixed(testSecret)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	events := make(chan cti.Event, 10)
	var running sync.WaitGroup
	running.Go(func() {
		if err := x.Run(ctx, func(extension string, e cti.Event) {
			if extension != "" {
				t.Errorf("%s is for %q, want all", e.Type, extension)
			}
			events <- e
		}); err != nil {
			t.Error(err)
		}
	})
	if e := <-events; e.Type != cti.SourceDown || e.Cause == nil || e.Cause.Raw == "" {
		t.Errorf("%s, cause %+v; want source.down and why", e.Type, e.Cause)
	}
	if err := x.Run(ctx, nil); cti.KindOf(err) != cti.Conflict {
		t.Errorf("a second Run: %v, want kind conflict", err)
	}
	if err := taken.Close(); err != nil {
		t.Error(err)
	}
	if e := <-events; e.Type != cti.SourceUp {
		t.Errorf("%s, want source.up once the address is free", e.Type)
	}
	cancel()
	running.Wait()
}

func TestOnlySoManyConnectionsAreTaken(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := limited(inner, 1)
	accepted := make(chan net.Conn, 2)
	var accepting sync.WaitGroup
	accepting.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	})
	for range 2 {
		c, err := net.Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
	}
	first := <-accepted
	select {
	case <-accepted:
		t.Error("a second connection is taken beside the first")
	default:
	}
	_ = first.Close()
	_ = first.Close() // twice frees one place only
	second := <-accepted
	if err := l.Close(); err != nil { // while Accept waits for a place
		t.Error(err)
	}
	accepting.Wait()
	_ = second.Close()
}
