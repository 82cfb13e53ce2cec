package window

import (
	"testing"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/wire"
)

func TestACardGetsTheWindowOnceAndOnceMoreWhenItAsksAgain(t *testing.T) {
	popped := map[string]popping{}
	ring, talk := wire.Card{Leg: "a", State: cti.Alerting, Pop: true}, wire.Card{Leg: "a", State: cti.Connected, Pop: true}
	again := talk
	again.Again = true
	over, quiet := again, wire.Card{Leg: "b", State: cti.Alerting, Again: true}
	over.State = cti.StateClosed
	for i, step := range []struct {
		card *wire.Card
		want bool
	}{{nil, false}, {&ring, true}, {&ring, false}, {&talk, false}, {&again, true}, {&again, false}, {&over, false}, {&quiet, false}} {
		if got := pops(step.card, popped); got != step.want {
			t.Errorf("step %d: %v, want %v", i, got, step.want)
		}
	}
}
