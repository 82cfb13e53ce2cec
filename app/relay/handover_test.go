package relay_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/relay"
	"ringside.dev/ringside/app/settings"
	"ringside.dev/ringside/bridge/relayed"
)

// An extension changes hands: who has it next learns nothing of the calls of who had it before.
func TestAWorkstationIsToldNothingFromBeforeItWasEnrolled(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, w *world, p *pipes) {
		s := w.station(w.piped(p, w.enrolPiped(p)))
		s.awaitEvents(cti.Snapshot, 1)
		ended := func(number string) {
			must(t, w.exchange.Extension("1001").Abandon(w.exchange.Extension("1001").Ring(number, "")))
			synctest.Wait()
		}
		ended("13800138000")
		s.awaitCall("13800138000", cti.StateClosed)
		pass(time.Minute)
		beside := w.station(w.piped(p, w.enrolPiped(p))) // a second computer for it
		beside.awaitEvents(cti.Snapshot, 1)
		if _, err := w.relay.Revoke("1001"); err != nil {
			t.Fatal(err)
		}
		pass(time.Minute)
		ended("13900139000") // nobody's
		pass(time.Minute)
		next := w.station(w.piped(p, w.enrolPiped(p)))
		next.awaitEvents(cti.Snapshot, 1)
		ended("13700137000")
		next.awaitCall("13700137000", cti.StateClosed)
		past, err := next.source.Phone().History(t.Context(), time.Time{})
		if err != nil || len(past) == 0 {
			t.Errorf("its own calls are not told: %v, %v", past, err)
		}
		for _, e := range append(past, append(next.events, beside.events...)...) {
			if e.Remote.Raw != "" && e.Remote.Raw != "13700137000" {
				t.Errorf("told of a call from before: %s %s", e.Type, e.Remote.Raw)
			}
		}
	})
}

// Who guesses codes keeps nobody from enrolling, not even from the same address.
func TestARightCodeIsTakenWhileOthersGuess(t *testing.T) {
	w := newWorld(t, full())
	text, err := w.relay.Enrol("1001")
	must(t, err)
	guess, err := relayed.ParseCode(text)
	must(t, err)
	guess.ID = []byte{guess.ID[0] ^ 1, guess.ID[1], guess.ID[2]}
	limited := 0
	for range 20 {
		_, err := relayed.Enrol(t.Context(), relayed.Options{Address: w.address, Keep: &memory{}}, guess.String())
		switch cti.KindOf(err) {
		case cti.Limited:
			limited++
		case cti.Auth:
		default:
			t.Errorf("a guess: %v", err)
		}
	}
	if limited != 10 {
		t.Errorf("%d of 20 guesses were limited, want 10", limited)
	}
	if _, err := relayed.Enrol(t.Context(), relayed.Options{Address: w.address, Keep: &memory{}}, text); err != nil {
		t.Errorf("the right code: %v", err)
	}
}

func TestAWorkstationThatShoutsIsHungUpOn(t *testing.T) {
	w := newWorld(t, full())
	keep := w.enrol("1001")
	a, err := w.attack(keep.steal(t).pair(t))
	must(t, err)
	shout := relayed.Message{T: relayed.TBeat, CSR: make([]byte, 40<<10)}
	for n := 0; err == nil; n++ {
		if n > 1000 {
			t.Fatal("a thousand times 54 KiB, and nobody hung up")
		}
		err = a.link.Write(shout)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	must(t, err)
	a, err = w.attack(keep.steal(t).pair(t)) // it may come back, and be modest
	must(t, err)
	if err := a.asks(relayed.Message{T: relayed.TRenew, ID: 1, CSR: csr}, nil); cti.KindOf(err) != cti.Conflict {
		t.Errorf("a certificate for nothing: %v", err)
	}
	if list := w.relay.List(); len(list[0].Certs) != 1 {
		t.Errorf("%d certificates were given", len(list[0].Certs))
	}
}

// A state folder is closed to everybody else: never one that is others' too.
func TestAFolderOfOthersIsNoStateFolder(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "passwd"), nil, 0o600))
	must(t, os.Chmod(dir, 0o755))
	s := full()
	s.State = dir
	_, err := relay.New(relay.Config{Settings: s, Log: logger(t)})
	if cti.KindOf(err) != cti.Invalid || !strings.Contains(cti.MessageOf(err), "holds other things (passwd)") {
		t.Errorf("%v", err)
	}
	if info, err := os.Stat(dir); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o755 {
		t.Errorf("the folder is now %v, %v", info.Mode(), err)
	}
}

// What is not spoken encrypted is not opened, whoever made the settings.
func TestARelayOpensNoExchangeUnencrypted(t *testing.T) {
	s := full()
	s.State = filepath.Join(t.TempDir(), "state")
	s.Exchanges = []settings.RelayExchange{{Kind: "ami", Name: "hq", Address: "pbx.example.com:5038", User: "ringside", Extensions: settings.Extensions{"*"}}}
	if _, err := relay.New(relay.Config{Settings: s, Log: logger(t)}); cti.KindOf(err) != cti.Invalid || !strings.Contains(cti.MessageOf(err), "unencrypted") {
		t.Errorf("%v", err)
	}
}
