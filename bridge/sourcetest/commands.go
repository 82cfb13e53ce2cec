package sourcetest

import (
	"context"
	"maps"
	"testing"
	"time"

	"ringside.dev/ringside/app/cti"
)

// commands lists what a phone can do; transfers go to number.
func commands(p cti.Phone, c cti.Call, number string) map[cti.Command]func(context.Context) error {
	list := map[cti.Command]func(context.Context) error{}
	for name, f := range map[cti.Command]func(context.Context, cti.Call) error{
		cti.CommandAnswer: p.Answer, cti.CommandReject: p.Reject, cti.CommandHangup: p.Hangup, cti.CommandHold: p.Hold,
		cti.CommandResume: p.Resume, cti.CommandComplete: p.Complete} {
		if f != nil {
			list[name] = func(ctx context.Context) error { return f(ctx, c) }
		}
	}
	for name, f := range map[cti.Command]func(context.Context, cti.Call, string) error{
		cti.CommandDTMF: p.DTMF, cti.CommandTransfer: p.Transfer, cti.CommandConsult: p.Consult} {
		if f != nil {
			list[name] = func(ctx context.Context) error { return f(ctx, c, number) }
		}
	}
	if p.Mute != nil {
		list[cti.CommandMute] = func(ctx context.Context) error { return p.Mute(ctx, c, true) }
	}
	if p.Presence != nil {
		list[cti.CommandPresence] = func(ctx context.Context) error { return p.Presence(ctx, cti.AgentStatus{State: cti.Ready}) }
	}
	if p.Dial != nil {
		list[cti.CommandDial] = func(ctx context.Context) error { return p.Dial(ctx, number) }
	}
	return list
}

func wantKind(t *testing.T, kind cti.Kind, commands map[cti.Command]func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	defer cancel()
	for name, command := range commands {
		if err := command(ctx); cti.KindOf(err) != kind || cti.MessageOf(err) == "" {
			t.Errorf("%s: %v of kind %q, want kind %s and a message for people", name, err, cti.KindOf(err), kind)
		}
	}
}

func unknownCall(t *testing.T, rig Rig) {
	w, _, live := connected(t, rig) // while there is a call: a phone must not take the unknown one for its current one
	nobody := cti.Call{Leg: "nobody", Refs: maps.Clone(live.Refs)}
	for name := range nobody.Refs {
		nobody.Refs[name] = "nobody"
	}
	all := commands(rig.Source.Phone(), nobody, "123")
	delete(all, cti.CommandDial)
	delete(all, cti.CommandPresence)
	wantKind(t, cti.NotFound, all)
	w.hangup(live)
	w.wantStates(w.awaitCall(0, cti.StateClosed), cti.Alerting, cti.Connected, cti.StateClosed)
	wantKind(t, cti.NotFound, all) // and also when the phone has no call at all
}

func commandsOffline(t *testing.T, rig Rig) {
	nobody := cti.Call{Refs: map[string]string{cti.RefSIPCallID: "nobody"}}
	wantKind(t, cti.Offline, commands(rig.Source.Phone(), nobody, "123"))
	start(t, rig).stop()
	wantKind(t, cti.Offline, commands(rig.Source.Phone(), nobody, "123"))
	if history := rig.Source.Phone().History; history != nil {
		if _, err := history(t.Context(), time.Time{}); cti.KindOf(err) != cti.Offline {
			t.Errorf("the history after Run gave %v, want kind offline", err)
		}
	}
}

func commandsDisconnected(t *testing.T, rig Rig) {
	breakable(t, rig)
	w, _, c := connected(t, rig)
	rig.Break(t)
	w.awaitEvent(cti.SourceDown, 1)
	wantKind(t, cti.Offline, commands(rig.Source.Phone(), c, "123"))
	rig.Restore(t)
	w.awaitEvent(cti.SourceUp, 2)
	w.hangup(c)
	w.awaitCall(0, cti.StateClosed)
}

// emitBlocks: the loop that takes the events may be the one that gives the command.
func emitBlocks(t *testing.T, rig Rig) {
	w := start(t, rig)
	rig.Ring(t, "Zhang San")
	c := w.awaitCall(0, cti.Alerting)
	open := make(chan struct{})
	w.mu.Lock()
	w.hold = open
	w.mu.Unlock()
	w.answer(c)
	w.mu.Lock()
	w.hold = nil
	w.mu.Unlock()
	close(open)
	w.awaitCall(0, cti.Connected)
}

func runAgain(t *testing.T, rig Rig) {
	w, caller, before := connected(t, rig)
	w.stop()
	ups, snapshots := w.count(cti.SourceUp), w.count(cti.Snapshot) // not before: the first Run's own may be late
	w.run()
	w.awaitEvent(cti.SourceUp, ups+1)
	if !rig.NoSnapshot {
		w.awaitEvent(cti.Snapshot, snapshots+1)
	}
	caller.Hangup(t)
	c := w.awaitCall(0, cti.StateClosed)
	if c.Leg != before.Leg || w.legs() != 1 {
		t.Errorf("the call of the first Run became another in the second: %d calls", w.legs())
	}
}

func runTwice(t *testing.T, rig Rig) {
	start(t, rig)
	err := rig.Source.Run(t.Context(), func(cti.Event) { t.Error("the second Run emitted") })
	if cti.KindOf(err) != cti.Conflict {
		t.Errorf("a second Run: %v, want kind conflict", err)
	}
}
