package bridge

import (
	"strings"
	"testing"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/baresip"
	"ringside.dev/ringside/bridge/relayed"
	"ringside.dev/ringside/bridge/sim"
)

var (
	_ Source = (*sim.Source)(nil)
	_ Source = (*baresip.Source)(nil)
	_ Source = (*relayed.Source)(nil)
)

// unenrolled is a computer without a certificate.
type unenrolled struct{}

func (unenrolled) Load() ([]byte, error) { return nil, nil }
func (unenrolled) Store([]byte) error    { return nil }

func nobody(string) relayed.Keeper { return unenrolled{} }

func TestARelayedSourceOpensBeforeItIsEnrolled(t *testing.T) {
	p := cti.Profile{Phone: cti.PhoneProfile{Source: "relayed", Address: "relay.example.com:8470", Extension: "1001"}}
	s, err := Open(p, p.Phone.Sources()[0], nobody, nil)
	if err != nil || s.Phone().Answer == nil || len(s.Phone().Can(cti.Call{})) != 0 {
		t.Errorf("%v, %v; want one that can be asked once it is enrolled, and offers nothing yet", s, err)
	}
	p.Phone.Address = "relay.example.com"
	if s, err := Open(p, p.Phone.Sources()[0], nobody, nil); s != nil || cti.KindOf(err) != cti.Invalid {
		t.Errorf("without a port: %v, %v", s, err)
	}
}

func TestOpenKnowsItsSourcesAndNamesThemWhenAskedForAnother(t *testing.T) {
	for _, p := range []cti.PhoneProfile{{Source: "sim"}, {Source: "baresip", Address: "127.0.0.1:4444"}} {
		s, err := Open(cti.Profile{Phone: p}, p.Sources()[0], nobody, nil)
		if err != nil || len(s.Phone().Abilities()) < 4 {
			t.Errorf("%s: %v, %v", p.Source, s, err)
		}
	}
	for _, p := range []cti.PhoneProfile{{}, {Source: "bria"}, {Source: "baresip", Address: "10.0.0.1:4444"}} {
		s, err := Open(cti.Profile{Phone: p}, p.Sources()[0], nobody, nil)
		if s != nil || cti.KindOf(err) != cti.Invalid {
			t.Errorf("%+v: %v, %v; want no source and kind invalid", p, s, err)
		}
		if p.Address == "" && !strings.Contains(cti.MessageOf(err), "sim, baresip or relayed") {
			t.Errorf("%q does not name the sources", cti.MessageOf(err))
		}
		if p.Address != "" && !strings.Contains(cti.MessageOf(err), "ctrl_tcp_listen 127.0.0.1:4444") {
			t.Errorf("%q does not say what to do", cti.MessageOf(err))
		}
	}
}
