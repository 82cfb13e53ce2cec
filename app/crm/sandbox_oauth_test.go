package crm_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ringside.dev/ringside/app/crm"
	"ringside.dev/ringside/app/crm/sandbox"
	"ringside.dev/ringside/app/cti"
)

func TestWhoeverSignsInWithTheBrowserIsWhoWrites(t *testing.T) {
	d := startOAuth(t, sandbox.Traits{})
	e := d.signedIn(newVault(), "login_hint", "lea@ringside.example")
	wantWhoami(t, e, "u_06")
	receipt, err := e.Write(t.Context(), someWrite())
	if err != nil || receipt.ID == "" {
		t.Errorf("Write() = %+v, %v", receipt, err)
	}
	calls := d.Calls()
	if last := calls[len(calls)-1]; last.Agent.ID != "u_06" || last.ExternalKey != someWrite().Key {
		t.Errorf("the call is %+v", last)
	}
	if n := d.tokensAsked(); n != 1 {
		t.Errorf("the token endpoint was asked %d times, want once", n)
	}
}

func TestNobodySignedInIsToldSoWithoutAskingTheCRM(t *testing.T) {
	d := startOAuth(t, sandbox.Traits{})
	for name, e := range map[string]*crm.Engine{"an empty store": d.open(newVault(), oauthFile), "no store": d.open(nil, oauthFile)} {
		for _, err := range lookups(t.Context(), 5, e) {
			wantKind(t, err, cti.Auth)
			if !strings.Contains(err.Error(), "ringctl crm login") {
				t.Errorf("%s: the error says not what to do: %v", name, err)
			}
		}
	}
	if n := d.Stats().Requests; n != 0 {
		t.Errorf("%d requests were made", n)
	}
}

func TestASignInThatIsRefusedOrNotOursLeavesNothing(t *testing.T) {
	d := startOAuth(t, sandbox.Traits{})
	v := newVault()
	e := d.open(v, oauthFile)
	err := e.SignIn(t.Context(), d.browse("deny=1"))
	wantKind(t, err, cti.Auth)
	if err == nil || !strings.Contains(err.Error(), "access_denied") {
		t.Errorf("the error is %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err = e.SignIn(ctx, func(address string) error {
		defer cancel() // nobody comes any more
		u, err := url.Parse(address)
		if err != nil {
			return err
		}
		for _, forged := range []string{"?code=stolen", "?code=stolen&state=guessed", "/other?code=stolen&state=" + u.Query().Get("state")} {
			if status, err := d.get(u.Query().Get("redirect_uri") + forged); err != nil || status != http.StatusBadRequest {
				t.Errorf("%s: the agent answers %d, %v", forged, status, err)
			}
		}
		return nil
	})
	wantKind(t, err, cti.Auth)
	err = e.SignIn(t.Context(), func(string) error { return errors.New("no browser") })
	wantKind(t, err, cti.Internal)
	if v.says(t, "access_token") != "" || d.tokensAsked() != 0 {
		t.Error("something is kept, or a code was exchanged")
	}
}

func TestSigningOutForgetsAndRevokes(t *testing.T) {
	d := startOAuth(t, sandbox.Traits{})
	v := newVault()
	e := d.signedIn(v)
	wantWhoami(t, e, "u_01")
	copied, err := v.Load() // by a thief
	if err != nil {
		t.Fatal(err)
	}
	if err := e.SignOut(t.Context()); err != nil {
		t.Fatal(err)
	}
	if kept, err := v.Load(); err != nil || kept != nil {
		t.Errorf("kept is %s, %v", kept, err)
	}
	_, err = e.Whoami(t.Context())
	wantKind(t, err, cti.Auth)
	v.kept = copied
	_, err = d.open(v, oauthFile).Whoami(t.Context())
	wantKind(t, err, cti.Auth)
	if err == nil || !strings.Contains(err.Error(), "invalid_grant") {
		t.Errorf("the CRM did not end it: %v", err)
	}
	if err := d.open(newVault(), oauthFile).SignOut(t.Context()); err != nil {
		t.Errorf("nobody signs out with %v", err)
	}
}

func TestSigningOutForgetsEvenWhenTheCRMCannotBeTold(t *testing.T) {
	d := startOAuth(t, sandbox.Traits{})
	v := newVault()
	e := d.signedIn(v)
	d.fault(sandbox.Fault{Refuse: true})
	err := e.SignOut(t.Context())
	wantKind(t, err, cti.Offline)
	if kept, loaded := v.Load(); loaded != nil || kept != nil || err == nil || !strings.Contains(err.Error(), "it is forgotten here") {
		t.Errorf("kept is %s, the error %v", kept, err)
	}
}

// withBasic is the connector that shows its secret as basic authentication.
func withBasic(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(oauthFile)
	if err != nil || !strings.Contains(string(text), "client_auth: post") {
		t.Fatal("the connector has no client_auth: post", err)
	}
	file := filepath.Join(t.TempDir(), "basic.yaml")
	if err := os.WriteFile(file, []byte(strings.Replace(string(text), "client_auth: post", "client_auth: basic", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestAnApplicationWithASecretShowsItEverywhere(t *testing.T) {
	d := startOAuth(t, sandbox.Traits{ClientSecret: "s&cret-of-the-app"})
	for name, file := range map[string]string{"post": oauthFile, "basic": withBasic(t)} {
		t.Run(name, func(t *testing.T) {
			v := newVault()
			e := d.open(v, file, "client_secret", "wrong-secret")
			err := e.SignIn(t.Context(), d.browse("auto=1"))
			wantKind(t, err, cti.Auth)
			if err == nil || !strings.Contains(err.Error(), "check client_id and client_secret") || strings.Contains(err.Error(), "wrong-secret") {
				t.Errorf("the error is %v", err)
			}
			e = d.open(v, file, "client_secret", "s&cret-of-the-app")
			if err := e.SignIn(t.Context(), d.browse("auto=1")); err != nil {
				t.Fatal(err)
			}
			v.kept = []byte(strings.Replace(string(v.kept), v.says(t, "access_token"), "ended", 1))
			e = d.open(v, file, "client_secret", "s&cret-of-the-app")
			wantWhoami(t, e, "u_01")
			if err := e.SignOut(t.Context()); err != nil {
				t.Errorf("SignOut() = %v", err)
			}
		})
	}
}

func TestPagesAreWhereTheStoredTokenSays(t *testing.T) {
	d := startOAuth(t, sandbox.Traits{})
	v := newVault()
	d.signedIn(v)
	page, err := d.open(v, oauthFile).Features().DeepLink("contact", "c_000001") // nothing was asked yet
	if err != nil || page != d.URL()+"/contacts/c_000001" {
		t.Errorf("the page is %q, %v", page, err)
	}
}
