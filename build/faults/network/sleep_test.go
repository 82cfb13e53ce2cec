//go:build unix

package network_test

import (
	"context"
	"syscall"
	"testing"
	"time"

	"ringside.dev/ringside/build/faults/hostile/rig"
)

// Fault 43: the computer sleeps in the middle of it, and wakes to connections that are gone.
func TestEverythingArrivesOnceWhenTheComputerSleeps(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	w.line.spoil(toxic{Type: "latency", Stream: "downstream", Toxicity: 1, Attributes: map[string]int{"latency": 50}}) // so that something is on its way when it falls asleep
	w.start(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Duration(soak())*2*rig.Patience)
	defer cancel()
	brought := make(chan struct{})
	go func() { defer close(brought); w.load.Run(ctx) }()
	for n := range soak() {
		before := w.crm.Stats().Writes
		rig.Wait(ctx, func() bool { return w.crm.Stats().Writes > before+20 || w.load.Accepted() >= items*soak() })
		w.agent.Signal(syscall.SIGSTOP)
		asleep := time.Now().Add(2 * time.Second)
		if n%2 == 0 { // the network went with it
			w.line.proxy.Stop()
			w.line.up()
		}
		rig.Wait(ctx, func() bool { return time.Now().After(asleep) })
		w.agent.Signal(syscall.SIGCONT)
	}
	<-brought
	w.arrived(ctx, t)
}
