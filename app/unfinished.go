package app

import (
	"maps"
	"slices"
	"time"

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
func (a *App) unfinishedCalls(owing *cti.PresenceChange) ([]flow.Unfinished, error) {
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
	if owing != nil {
		a.addOwing(newest, owing.Leg)
	}
	if err := a.addChanges(newest); err != nil {
		return nil, err
	}
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

// addChanges adds what agents changed of customers and the CRM does not have, or did not want; the oldest first.
func (a *App) addChanges(unfinished map[string]flow.Unfinished) error {
	items, err := a.outbox.List(outbox.Filter{Limit: newestCards, Newest: true})
	if err != nil {
		return err
	}
	slices.SortFunc(items, func(x, y outbox.Item) int { return int(x.Seq) - int(y.Seq) }) //nolint:gosec // never so many
	for _, it := range items {
		w := it.WriteBack
		if !w.Op.Changes() {
			continue
		}
		u, there := unfinished[w.Leg]
		if !there {
			record, err := a.store.Latest(w.Leg, cti.WriteKey(a.cfg.Profile.Tenant, w.Leg, cti.LogCall, 0))
			logged, callErr := a.store.Call(w.Leg)
			if err != nil || callErr != nil || record.Seq == 0 {
				continue // the call is not over, or long ago: the outbox's own list has the change
			}
			u = flow.Unfinished{Call: logged.Call, WrapUp: logged.WrapUp, WriteBack: record.WriteBack, Write: writeOf(record, false)}
		}
		u.Changes = append(u.Changes, changeOf(it, false))
		unfinished[w.Leg] = u
	}
	return nil
}

// owing gives the after-call work that the agent was in when Ringside ended, if it was asked to end with an outcome; nil: there was none.
func (a *App) owing(now time.Time) *cti.PresenceChange {
	changes, err := a.states.journal.Since(now.Add(-owedFor))
	if err != nil {
		a.cfg.Log.Error("the agent's last state not read", "err", err)
	}
	if len(changes) == 0 || !a.cfg.Profile.WrapUp.Required {
		return nil
	}
	if last := changes[len(changes)-1]; last.State == cti.AfterCall && last.Leg != "" {
		return &last
	}
	return nil
}

// owedFor is how long ago after-call work may have begun that goes on after a start: nobody remembers yesterday's call.
const owedFor = 12 * time.Hour

// addOwing adds the call whose outcome is owed, also when its record was delivered.
func (a *App) addOwing(unfinished map[string]flow.Unfinished, leg string) {
	if _, there := unfinished[leg]; there {
		return
	}
	logged, err := a.store.Call(leg)
	if err == nil {
		var newest outbox.Item
		if newest, err = a.store.Latest(leg, cti.WriteKey(a.cfg.Profile.Tenant, leg, cti.LogCall, 0)); err == nil && newest.Seq != 0 {
			unfinished[leg] = flow.Unfinished{Call: logged.Call, WrapUp: logged.WrapUp, WriteBack: newest.WriteBack, Write: writeOf(newest, false)}
		}
	}
	if err != nil { // no reason not to start: the outcome is not asked for
		a.cfg.Log.Error("call whose outcome is owed not read", "leg", leg, "err", err)
	}
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
