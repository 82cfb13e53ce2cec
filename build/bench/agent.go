package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"ringside.dev/ringside/app/crm/sandbox"
	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/secret"
	"ringside.dev/ringside/bridge/client"
	"ringside.dev/ringside/bridge/wire"
)

type timing = wire.Timing

// agent is a running Ringside with its training CRM.
type agent struct {
	crm    *sandbox.Server
	client *client.Client
	cmd    *exec.Cmd
	log    bytes.Buffer
	dir    string
	calls  int
}

// startAgent runs a program, with or without a window, until its phone and its CRM are there.
func startAgent(ctx context.Context, program string, args ...string) (*agent, error) {
	return startAgentAt(ctx, `{source: sim, extension: "1001"}`, program, args...)
}

// startAgentAt is startAgent at a phone, as the profile names it.
func startAgentAt(ctx context.Context, phone, program string, args ...string) (*agent, error) {
	dir, err := os.MkdirTemp("", "ringside-bench-")
	if err != nil {
		return nil, err
	}
	a := &agent{dir: dir}
	keys, err := secret.NewRing()
	if err != nil {
		return nil, err
	}
	if a.crm, err = sandbox.Start(ctx, sandbox.Options{}); err != nil {
		return nil, err
	}
	profile, socket := filepath.Join(dir, "profile.yaml"), filepath.Join(dir, "a.sock")
	text := fmt.Sprintf("version: 1\nagent: {name: Lin Yue, email: lin.yue@ringside.example}\nphone: %s\n"+
		"region: CN\ncrm: {connector: sandbox, params: {base_url: %q, token: \"keychain:crm\"}}\nwrapup: {outcomes: [Done]}\n", phone, a.crm.URL())
	if err := os.WriteFile(profile, []byte(text), 0o600); err != nil {
		return nil, err
	}
	a.cmd = exec.CommandContext(ctx, program, append(args, "--profile", profile, "--state", filepath.Join(dir, "state"), "--socket", socket)...) //nolint:gosec // a program that make built
	a.cmd.Env = append(os.Environ(), "RINGSIDE_KEYCHAIN=env", "RINGSIDE_SECRET_CRM="+sandbox.DefaultToken, "RINGSIDE_SECRET_STORE_KEY="+keys.Text())
	a.cmd.Stderr = &a.log
	if err := a.cmd.Start(); err != nil {
		return nil, err
	}
	a.client = client.New(socket)
	withWindow := len(args) == 0
	err = until(ctx, "the agent is ready", func() (bool, error) {
		s, err := a.client.Status(ctx)
		return err == nil && s.CRM.State == wire.LinkUp && s.Phone.State == wire.LinkUp && s.Window == withWindow, err
	})
	if err != nil {
		a.stop()
		return nil, fmt.Errorf("%w\n%s", err, a.log.String())
	}
	return a, nil
}

func (a *agent) stop() {
	a.client.Close()
	if err := a.cmd.Process.Signal(os.Interrupt); err != nil {
		fmt.Fprintln(os.Stderr, "bench: the agent had ended:", err, a.log.String())
	}
	if err := a.cmd.Wait(); err != nil {
		fmt.Fprintln(os.Stderr, "bench: the agent:", err, a.log.String())
	}
	if err := a.crm.Close(); err != nil {
		fmt.Fprintln(os.Stderr, "bench: the sandbox:", err)
	}
	if err := os.RemoveAll(a.dir); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
	}
}

// ring begins the next call and gives its leg.
func (a *agent) ring(ctx context.Context, number string) (string, error) {
	a.calls++
	err := a.feed(ctx, cti.Event{Type: cti.Delivered, Side: cti.SideLocal, Remote: cti.Remote{Number: cti.Number{Raw: number}}})
	if err != nil {
		return "", err
	}
	var leg string
	return leg, until(ctx, "the card is there", func() (bool, error) {
		s, err := a.client.Snapshot(ctx)
		if err != nil || len(s.Cards) == 0 || s.Cards[0].State == cti.StateClosed {
			return false, err
		}
		leg = s.Cards[0].Leg
		return true, nil
	})
}

// feed hands an event of the current call to the agent.
func (a *agent) feed(ctx context.Context, e cti.Event) error {
	e.Call = cti.CallRef{Direction: cti.In, Refs: map[string]string{"id": strconv.Itoa(a.calls)}}
	return a.client.Feed(ctx, e)
}

// numbers gives the first number of n customers who share it with nobody, and who may be taken for certain: inactive ones must be chosen.
func (a *agent) numbers(ctx context.Context, n int) ([]string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.crm.URL()+"/api/contacts?limit=500", nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+sandbox.DefaultToken)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }() // read whole
	var list struct {
		Items []struct {
			Status string
			Phones []struct{ Number string }
		}
	}
	if err := json.NewDecoder(res.Body).Decode(&list); err != nil {
		return nil, err
	}
	holders := map[string]int{}
	for _, c := range list.Items {
		for _, p := range c.Phones {
			holders[p.Number]++
		}
	}
	var numbers []string
	for _, c := range list.Items {
		if len(numbers) < n && c.Status != "inactive" && len(c.Phones) > 0 && holders[c.Phones[0].Number] == 1 {
			numbers = append(numbers, c.Phones[0].Number)
		}
	}
	return numbers, nil
}

// until asks again and again; a bench may.
func until(ctx context.Context, what string, done func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for {
		ok, err := done()
		if ok {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("20 s went by and not: %s", what), err)
		case <-time.After(20 * time.Millisecond): // asking more often would be measured too
		}
	}
}
