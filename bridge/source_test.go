package bridge

import (
	"errors"
	"strings"
	"testing"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/baresip"
	"ringside.dev/ringside/bridge/bria"
	"ringside.dev/ringside/bridge/hook"
	"ringside.dev/ringside/bridge/relayed"
	"ringside.dev/ringside/bridge/sim"
)

var (
	_ Source = (*sim.Source)(nil)
	_ Source = (*baresip.Source)(nil)
	_ Source = (*bria.Source)(nil)
	_ Source = (*hook.Source)(nil)
	_ Source = (*relayed.Source)(nil)
)

// unenrolled is a computer without a certificate.
type unenrolled struct{}

func (unenrolled) Load() ([]byte, error) { return nil, nil }
func (unenrolled) Store([]byte) error    { return nil }

func nobody(string) relayed.Keeper { return unenrolled{} }

func TestARelayedSourceOpensBeforeItIsEnrolled(t *testing.T) {
	p := cti.Profile{Phone: cti.PhoneProfile{Source: "relayed", Address: "relay.example.com:8470", Extension: "1001"}}
	s, err := Open(p, p.Phone.Sources()[0], Place{Enrolled: nobody})
	if err != nil || s.Phone().Answer == nil || len(s.Phone().Can(cti.Call{})) != 0 {
		t.Errorf("%v, %v; want one that can be asked once it is enrolled, and offers nothing yet", s, err)
	}
	p.Phone.Address = "relay.example.com"
	if s, err := Open(p, p.Phone.Sources()[0], Place{Enrolled: nobody}); s != nil || cti.KindOf(err) != cti.Invalid {
		t.Errorf("without a port: %v, %v", s, err)
	}
}

// What a relay file refuses a profile is refused as well, also where the policy lets it name an exchange.
func TestAnExchangeWithoutARelayIsSpokenEncryptedToo(t *testing.T) {
	open := func(of cti.PhoneSource, secret func(string) (string, error)) (Source, error) {
		of.Exchange.User, of.Exchange.Password = "ringside", "keychain:pbx"
		return Open(cti.Profile{Phone: cti.PhoneProfile{Extension: "1001"}}, of, Place{Secret: secret})
	}
	for _, of := range []cti.PhoneSource{{Source: "ami", Address: "tls://pbx.example.com:5039"}, {Source: "ami", Address: "127.0.0.1:5038"}, {Source: "ari", Address: "https://pbx.example.com:8089"}} {
		for what, secret := range map[string]func(string) (string, error){"checked": nil, "opened": func(string) (string, error) { return "s3cret", nil }} {
			s, err := open(of, secret)
			if err != nil || s.Phone().Hangup == nil {
				t.Errorf("%s at %s %s: %v", of.Source, of.Address, what, err)
			}
			if taped, is := s.(Taped); !is || taped.Tape() == nil {
				t.Errorf("%s cannot be recorded", of.Source)
			}
		}
	}
	for _, of := range []cti.PhoneSource{{Source: "ami", Address: "pbx.example.com:5038"}, {Source: "ari", Address: "http://pbx.example.com:8088"}, {Source: "webhook", Address: "0.0.0.0:8443",
		Exchange: cti.ExchangeAccess{Params: map[string]string{"vendor": "udesk"}}}} {
		if s, err := open(of, nil); s != nil || cti.KindOf(err) != cti.Invalid {
			t.Errorf("%s at %s: %v, want it refused", of.Source, of.Address, err)
		}
	}
	missing := func(string) (string, error) { return "", errors.New("not there") }
	if s, err := open(cti.PhoneSource{Source: "ami", Address: "127.0.0.1:5038"}, missing); s != nil || cti.KindOf(err) != cti.Auth || !strings.Contains(cti.MessageOf(err), "the secret pbx") {
		t.Errorf("without its secret: %v", err)
	}
}

func TestOpenKnowsItsSourcesAndNamesThemWhenAskedForAnother(t *testing.T) {
	for _, p := range []cti.PhoneProfile{{Source: "sim"}, {Source: "baresip", Address: "127.0.0.1:4444"}, {Source: "bria"}, {Source: "bria", Address: "127.0.0.1:9003"}, {Source: "hook", Program: "twinkle"}} {
		s, err := Open(cti.Profile{Phone: p}, p.Sources()[0], Place{Enrolled: nobody})
		if err != nil || len(s.Phone().Abilities()) < 4 {
			t.Errorf("%s: %v, %v", p.Source, s, err)
		}
	}
	for _, p := range []cti.PhoneProfile{{}, {Source: "phone"}, {Source: "baresip", Address: "10.0.0.1:4444"}, {Source: "bria", Address: "10.0.0.1:9002"}, {Source: "hook", Program: "nothing"}} {
		s, err := Open(cti.Profile{Phone: p}, p.Sources()[0], Place{Enrolled: nobody})
		if s != nil || cti.KindOf(err) != cti.Invalid {
			t.Errorf("%+v: %v, %v; want no source and kind invalid", p, s, err)
		}
		if p.Address == "" && p.Program == "" && !strings.Contains(cti.MessageOf(err), "sim, baresip, bria, hook or relayed") {
			t.Errorf("%q does not name the sources", cti.MessageOf(err))
		}
		if p.Address != "" && !strings.Contains(cti.MessageOf(err), map[string]string{"baresip": "ctrl_tcp_listen 127.0.0.1:4444", "bria": "127.0.0.1:9002"}[p.Source]) {
			t.Errorf("%q does not say what to do", cti.MessageOf(err))
		}
	}
}
