package crm_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"ringside.dev/ringside/app/crm"
	"ringside.dev/ringside/app/crm/sandbox"
)

// vault keeps tokens as the agent's store does: whoever opens it again finds what was stored last, and one at a time has the lock.
type vault struct {
	lock chan struct{}
	mu   sync.Mutex
	kept []byte
	fail error
	then func() // after a store
}

func newVault() *vault { return &vault{lock: make(chan struct{}, 1)} }

func (v *vault) Load() ([]byte, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Clone(v.kept), nil
}

func (v *vault) Store(sealed []byte) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.fail != nil {
		return v.fail
	}
	if v.kept = slices.Clone(sealed); v.then != nil {
		v.then()
	}
	return nil
}

func (v *vault) Lock(ctx context.Context) (func(), error) {
	select {
	case v.lock <- struct{}{}:
		return func() { <-v.lock }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (v *vault) failing(err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.fail = err
}

func (v *vault) after(f func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.then = f
}

// says gives a token of those kept.
func (v *vault) says(t *testing.T, name string) string {
	t.Helper()
	kept, err := v.Load()
	var all map[string]any
	if err == nil && kept != nil {
		err = json.Unmarshal(kept, &all)
	}
	if err != nil {
		t.Fatal(err)
	}
	text, _ := all[name].(string)
	return text
}

// age makes the access token one that has ended.
func (v *vault) age(t *testing.T) {
	t.Helper()
	until := v.says(t, "until")
	v.mu.Lock()
	defer v.mu.Unlock()
	v.kept = bytes.Replace(v.kept, []byte(until), []byte("2020-01-01T00:00:00Z"), 1)
}

// door is a sandbox that people sign in to with OAuth.
type door struct {
	*sandbox.Server
	t *testing.T
}

func startOAuth(t *testing.T, traits sandbox.Traits) door {
	t.Helper()
	server, err := sandbox.Start(t.Context(), sandbox.Options{Token: sandboxToken, Traits: traits, Log: slog.New(slog.DiscardHandler),
		Users: []sandbox.User{{Name: "Lea Lead", Email: "lea@ringside.example", Role: "lead", Token: "lea-token"}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Errorf("close sandbox: %v", err)
		}
	})
	return door{server, t}
}

// open opens the connector on the tokens kept; params are pairs of name and value.
func (d door) open(v *vault, connector string, params ...string) *crm.Engine {
	d.t.Helper()
	given := map[string]string{"base_url": d.URL()}
	for i := 0; i+1 < len(params); i += 2 {
		given[params[i]] = params[i+1]
	}
	c := crm.Config{Connector: connector, Params: given, Region: "GB"}
	if v != nil {
		c.Tokens = v
	}
	e, err := crm.Open(c)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(e.Close)
	return e
}

const oauthFile = "testdata/oauth.yaml"

// signedIn opens it and signs in.
func (d door) signedIn(v *vault, params ...string) *crm.Engine {
	d.t.Helper()
	e := d.open(v, oauthFile, params...)
	if err := e.SignIn(d.t.Context(), d.browse("auto=1")); err != nil {
		d.t.Fatal(err)
	}
	return e
}

// browse is a person who goes where the agent sends them, and says yes or no.
func (d door) browse(says string) func(string) error {
	return func(address string) error {
		_, err := d.get(address + "&" + says)
		return err
	}
}

func (d door) get(address string) (status int, err error) {
	r, err := http.NewRequestWithContext(d.t.Context(), http.MethodGet, address, nil)
	if err != nil {
		return 0, err
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err
	}
	return res.StatusCode, res.Body.Close()
}

// revoke ends a token in the CRM.
func (d door) revoke(token string) {
	d.t.Helper()
	r, err := http.NewRequestWithContext(d.t.Context(), http.MethodPost, d.URL()+"/oauth/revoke", strings.NewReader(url.Values{"client_id": {"ringside"}, "token": {token}}.Encode()))
	if err != nil {
		d.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		d.t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil || res.StatusCode != http.StatusOK {
		d.t.Fatalf("revoke: %d, %v", res.StatusCode, err)
	}
}

// asked is how often a route was asked.
func (d door) asked(route string) int { return len(d.AnswerTimes()[route]) }

func (d door) tokensAsked() int { return d.asked("POST /oauth/token") }

func (d door) fault(f sandbox.Fault) {
	d.t.Helper()
	if err := d.SetFault(f); err != nil {
		d.t.Fatal(err)
	}
}

// lookups asks n times at once and gives the errors.
func lookups(ctx context.Context, n int, engines ...*crm.Engine) (failed []error) {
	var mu sync.Mutex
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			if _, err := engines[i%len(engines)].Lookup(ctx, someNumber()); err != nil {
				mu.Lock()
				defer mu.Unlock()
				failed = append(failed, err)
			}
		})
	}
	all.Wait()
	return failed
}

func wantWhoami(t *testing.T, e *crm.Engine, id string) {
	t.Helper()
	if who, err := e.Whoami(t.Context()); err != nil || who.ID != id {
		t.Errorf("Whoami() = %+v, %v; want %s", who, err, id)
	}
}
