package app

import (
	"maps"
	"slices"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/flow"
	"ringside.dev/ringside/app/outbox"
)

// The calls whose cards are put back at the start.
const (
	// newestCards is how many of the newest items are looked at; reviewCards how many of those that need a person. After a long outage
	// there may be a hundred thousand, and the outbox's own list shows them all.
	newestCards = 200
	reviewCards = 200
	// lately is among how many of the newest calls a draft is looked for: as many as there are cards.
	lately = 50
)

// unfinishedCalls are those of earlier runs whose records have not reached the CRM, each with its newest write-back, the oldest first.
func (a *App) unfinishedCalls() ([]flow.Unfinished, error) {
	newest := map[string]flow.Unfinished{}
	for _, f := range []outbox.Filter{{Limit: newestCards, Newest: true}, {Limit: reviewCards, Newest: true, States: []outbox.State{outbox.Review}}} {
		items, err := a.outbox.List(f)
		if err != nil {
			return nil, err
		}
		slices.SortFunc(items, func(x, y outbox.Item) int { return int(x.Seq) - int(y.Seq) }) //nolint:gosec // never so many
		for _, it := range items {
			a.addCard(newest, it)
		}
	}
	a.addDrafts(newest)
	return slices.SortedFunc(maps.Values(newest), func(x, y flow.Unfinished) int { return x.Call.ClearedAt.Compare(y.Call.ClearedAt) }), nil
}

func (a *App) addCard(newest map[string]flow.Unfinished, it outbox.Item) {
	if it.WriteBack.Op != cti.LogCall {
		return
	}
	logged, err := a.store.Call(it.WriteBack.Leg)
	if err != nil { // no reason not to start: the item is delivered without a card
		a.cfg.Log.Error("call of an unfinished item not read", "seq", it.Seq, "err", err)
		return
	}
	newest[it.WriteBack.Leg] = flow.Unfinished{Call: logged.Call, WrapUp: logged.WrapUp, WriteBack: it.WriteBack, Write: writeOf(it, false)}
}

// addDrafts adds calls whose record was delivered, and for which more was typed that was never saved.
func (a *App) addDrafts(unfinished map[string]flow.Unfinished) {
	calls, err := a.store.Calls(lately)
	if err != nil {
		a.cfg.Log.Error("drafts not looked for", "err", err)
		return
	}
	for _, logged := range calls {
		leg := logged.Call.Leg
		newest, err := a.store.Latest(leg, cti.WriteKey(a.cfg.Profile.Tenant, leg, cti.LogCall, 0))
		if err != nil {
			a.cfg.Log.Error("draft not looked for", "leg", leg, "err", err)
			continue
		}
		if _, there := unfinished[leg]; !there && newest.Seq != 0 && newest.WriteBack.Record.WrapUp != logged.WrapUp {
			unfinished[leg] = flow.Unfinished{Call: logged.Call, WrapUp: logged.WrapUp, WriteBack: newest.WriteBack, Write: writeOf(newest, false)}
		}
	}
}
