package app_test

import (
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ringside.dev/ringside/app"
	"ringside.dev/ringside/app/crm/sandbox"
	"ringside.dev/ringside/app/cti"
)

// Whoever signs in from the folder of the connector file signs in for the agent, which knows the file by its whole path.
func TestASignInIsTheSameFromEveryFolder(t *testing.T) {
	w := newWorld(t)
	text, err := os.ReadFile("crm/testdata/oauth.yaml")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "oauth.yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	twice := w.config()
	twice.Profile.CRM = cti.CRMProfile{Connector: file, Params: map[string]string{"base_url": w.url},
		Also: []cti.CRMTarget{{Connector: file, Params: map[string]string{"base_url": w.url}, Operations: []string{"log_call"}}}}
	if c, err := app.OpenConnection(twice); cti.KindOf(err) != cti.Invalid || !strings.Contains(err.Error(), "crm.also[1]") {
		t.Errorf("one sign-in for two systems: %v, %v", c, err)
	}
	open := func(connector string) *app.Connection {
		cfg := w.config()
		cfg.Profile.CRM = cti.CRMProfile{Connector: connector, Params: map[string]string{"base_url": w.url}}
		c, err := app.OpenConnection(cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		return c
	}
	other, err := sandbox.Start(t.Context(), sandbox.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := other.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Chdir(filepath.Dir(file))
	for _, connector := range []string{"oauth.yaml", "./oauth.yaml"} {
		err := open(connector).Systems[0].Engine.SignIn(t.Context(), func(address string) error {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address+"&auto=1", nil)
			if err != nil {
				return err
			}
			res, err := http.DefaultClient.Do(r)
			if err != nil {
				return err
			}
			return res.Body.Close()
		})
		if err != nil {
			t.Fatal(err)
		}
		agent := open(file)
		if who, err := agent.Whoami(t.Context()); err != nil || who.Name == "" {
			t.Errorf("signed in as %s, but the agent is %q, %v", connector, who.Name, err)
		}
		// Moved to another server, what this one gave is not shown there.
		elsewhere := w.config()
		elsewhere.Profile.CRM = cti.CRMProfile{Connector: file, Params: map[string]string{"base_url": other.URL()}}
		moved, err := app.OpenConnection(elsewhere)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := moved.Whoami(t.Context()); cti.KindOf(err) != cti.Auth {
			t.Errorf("at another server: %v", err)
		}
		if moved.Close(); other.Stats().Unauthorized != 0 {
			t.Error("another server was shown the token")
		}
		if err := agent.Systems[0].Engine.SignOut(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}
