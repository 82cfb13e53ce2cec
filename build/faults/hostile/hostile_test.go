// Package hostile_test has the whole agent deliver to a CRM that goes wrong in every way, while the agent is killed again and again.
package hostile_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"ringside.dev/ringside/app/crm/sandbox"
	"ringside.dev/ringside/build/faults/hostile/rig"
)

func TestMain(m *testing.M) { rig.Main(m) }

// storm is a CRM that loses every sixth request, half of them after the change was made. It meets what asks about calls and what writes
// them; look-ups of customers are left alone, else most calls would be nobody's.
func storm(seed uint64) sandbox.Chaos {
	return sandbox.Chaos{Seed: seed, Match: "/api/calls", HangMS: 700, RetryAfter: 1, Rates: map[sandbox.Trouble]float64{
		sandbox.ResetBefore: .03, sandbox.ResetAfter: .03, sandbox.HalfBody: .03, sandbox.Err500Before: .01, sandbox.Err500After: .02,
		sandbox.Err502Before: .01, sandbox.Err502After: .01, sandbox.Err503Before: .01, sandbox.Err503After: .01, sandbox.HangBefore: .01, sandbox.HangAfter: .01,
		sandbox.Err429: .002, sandbox.Err429Wait: .002, sandbox.Err429Date: .002, sandbox.Err401: .002,
	}}
}

// late is how often a request of the first calls takes effect long after the agent has given up on it. Only of those: what comes so late
// that a person has edited the call since would undo the edit, whoever sends it.
const late = .03

// campaign is one run against one kind of CRM.
type campaign struct {
	strategy     rig.Strategy
	traits       sandbox.Traits
	items, kills int
	chance       *rand.Rand
	crm          *sandbox.Server
	agent        *rig.Agent
	load         *rig.Load
	killed       atomic.Int64
	edited       atomic.Bool // calls are edited by now
}

// Fault 30: resets and refusals before the CRM acted.
// Fault 31: answers that are lost after it did.
// Fault 34: the token ends in the middle, and a new one holds after the next start.
// Fault 38: the key is still being worked on.
// Fault 40: the search lags behind.
// Fault 50: ends of calls that are told twice.
func TestEverythingArrivesOnceThroughAHostileCRMAndKills(t *testing.T) {
	for strategy, traits := range map[rig.Strategy]sandbox.Traits{
		rig.Upsert:    {},
		rig.Header:    {PlainPosts: true},
		rig.Uncertain: {PlainPosts: true, Idempotency: sandbox.IgnoreKeys, SearchLagMS: 100},
	} {
		t.Run(string(strategy), func(t *testing.T) {
			t.Parallel()
			v := begin(t, &campaign{strategy: strategy, traits: traits, items: 2000 * soak(), kills: 60 * soak()}).run(t)
			t.Log(v)
			if !v.Good() {
				t.Errorf("not as it must be: %v", v.Problems)
			}
		})
	}
}

// The check above must be able to fail: a CRM that ignores the keys its connector relies on gets duplicates, and they are counted.
func TestAConnectorThatLiesAboutKeysIsSeen(t *testing.T) {
	t.Parallel()
	v := begin(t, &campaign{strategy: rig.Header, traits: sandbox.Traits{PlainPosts: true, Idempotency: sandbox.IgnoreKeys}, items: 300, kills: 6}).run(t)
	t.Logf("of %d items there are %d duplicates, as there must be", v.Items, v.Duplicates) // not as a fault run: these are no losses of ours
	if v.Duplicates == 0 {
		t.Error("no duplicates: the check is blind")
	}
	if v.Lost > 0 {
		t.Errorf("%d are lost: %v", v.Lost, v.Problems)
	}
}

// soak is how many times as much "make soak" does.
func soak() int {
	if os.Getenv("RINGSIDE_SOAK") != "" {
		return 10
	}
	return 1
}

func begin(t *testing.T, c *campaign) *campaign {
	t.Helper()
	seed := rand.Uint64()
	c.chance = rand.New(rand.NewPCG(seed, 99))
	t.Logf("seed %d", seed)
	var err error
	if c.crm, err = sandbox.Start(context.Background(), sandbox.Options{Traits: c.traits, Log: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.crm.Close(); err != nil {
			t.Error(err)
		}
	})
	c.load = &rig.Load{Lanes: 24, Note: 60, Seed: seed,
		More:  func(accepted int) bool { return accepted < c.items || int(c.killed.Load()) < c.kills },
		Edits: c.edited.Load}
	c.load.Customers(t, c.crm)
	c.agent = rig.Start(t, rig.Connector(t, c.strategy), map[string]string{"base_url": c.crm.URL(), "token": sandbox.DefaultToken})
	c.load.Agent = c.agent
	c.weather(t, storm(seed), late)
	return c
}

func (c *campaign) weather(t *testing.T, chaos sandbox.Chaos, late float64) {
	t.Helper()
	if chaos.Rates != nil {
		chaos.Rates[sandbox.LateCommit] = late
	}
	if err := c.crm.SetChaos(chaos); err != nil {
		t.Error(err)
	}
}

// run brings the load while it kills, waits until the agent says that everything has arrived, and gives the verdict.
func (c *campaign) run(t *testing.T) rig.Verdict {
	ctx, cancel := context.WithTimeout(t.Context(), time.Duration(soak())*4*rig.Patience)
	defer cancel()
	brought := make(chan struct{})
	go func() { defer close(brought); c.load.Run(ctx) }()
	for n := 1; n <= c.kills && ctx.Err() == nil; n++ {
		if n == c.kills/6 { // everything so far may still come late; what is edited from now on must not
			c.weather(t, storm(c.load.Seed+1), 0)
			rig.Wait(ctx, func() bool { return c.crm.Stats().Late == 0 })
			c.edited.Store(true)
		}
		c.someTimePasses(ctx)
		if n%12 == 0 {
			c.newToken(ctx)
		}
		c.agent.Kill()
		c.killed.Add(1)
		c.agent.Launch()
	}
	c.weather(t, sandbox.Chaos{}, 0)
	c.agent.Kill() // who starts anew does not wait until a CRM that failed is asked again
	c.agent.Launch()
	<-brought
	began := time.Now()
	c.agent.Emptied(ctx)
	if ctx.Err() != nil {
		t.Fatal("it took too long")
	}
	v := c.load.Judge(c.crm)
	stats := c.crm.Stats()
	t.Logf("%d kills, %d requests, troubles %v, %d refused sign-ins, %d repeats answered from memory, last %s", c.killed.Load(), stats.Requests, stats.Troubles,
		stats.Unauthorized, stats.Replayed, time.Since(began).Round(time.Millisecond))
	return v
}

// someTimePasses: now and then the agent is killed while it starts, else once some more writes have arrived, or nothing has for a while
// because the CRM is left alone.
func (c *campaign) someTimePasses(ctx context.Context) {
	if c.chance.IntN(6) == 0 {
		later(ctx, time.Duration(c.chance.IntN(150))*time.Millisecond)
		return
	}
	soon, cancel := context.WithTimeout(ctx, 1500*time.Millisecond)
	defer cancel()
	enough := c.crm.Stats().Writes + 5 + c.chance.Int64N(36)
	rig.Wait(soon, func() bool { return c.crm.Stats().Writes >= enough })
	later(ctx, time.Duration(c.chance.IntN(20))*time.Millisecond)
}

// newToken ends the token in the middle; the agent is refused before it is killed, and starts with the new one.
func (c *campaign) newToken(ctx context.Context) {
	refused := c.crm.Stats().Unauthorized
	token := c.crm.RenewToken(fmt.Sprintf("token after %d kills", c.killed.Load()))
	soon, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	rig.Wait(soon, func() bool { return c.crm.Stats().Unauthorized > refused })
	c.agent.Params = map[string]string{"base_url": c.crm.URL(), "token": token}
}

func later(ctx context.Context, d time.Duration) {
	end := time.Now().Add(d)
	rig.Wait(ctx, func() bool { return time.Now().After(end) })
}
