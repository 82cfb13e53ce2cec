package bridge

import (
	"strings"
	"testing"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/baresip"
	"ringside.dev/ringside/bridge/sim"
)

var (
	_ Source = (*sim.Source)(nil)
	_ Source = (*baresip.Source)(nil)
)

func TestOpenKnowsItsSourcesAndNamesThemWhenAskedForAnother(t *testing.T) {
	for _, p := range []cti.PhoneProfile{{Source: "sim"}, {Source: "baresip", Address: "127.0.0.1:4444"}} {
		s, err := Open(cti.Profile{Phone: p}, p.Sources()[0], nil)
		if err != nil || len(s.Phone().Abilities()) < 4 {
			t.Errorf("%s: %v, %v", p.Source, s, err)
		}
	}
	for _, p := range []cti.PhoneProfile{{}, {Source: "bria"}, {Source: "baresip", Address: "10.0.0.1:4444"}} {
		s, err := Open(cti.Profile{Phone: p}, p.Sources()[0], nil)
		if s != nil || cti.KindOf(err) != cti.Invalid {
			t.Errorf("%+v: %v, %v; want no source and kind invalid", p, s, err)
		}
		if p.Address == "" && !strings.Contains(cti.MessageOf(err), "sim or baresip") {
			t.Errorf("%q does not name the sources", cti.MessageOf(err))
		}
		if p.Address != "" && !strings.Contains(cti.MessageOf(err), "ctrl_tcp_listen 127.0.0.1:4444") {
			t.Errorf("%q does not say what to do", cti.MessageOf(err))
		}
	}
}
