package crm_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
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
	asked := d.Stats().Requests
	_, err = e.Whoami(t.Context())
	if wantKind(t, err, cti.Auth); d.Stats().Requests != asked {
		t.Error("the CRM is asked with what was forgotten")
	}
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

// oauthFileWith is the connector with texts replaced, by pairs of old and new.
func oauthFileWith(t *testing.T, oldNew ...string) string {
	t.Helper()
	b, err := os.ReadFile(oauthFile)
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	for i := 0; i+1 < len(oldNew); i += 2 {
		if !strings.Contains(text, oldNew[i]) {
			t.Fatalf("the connector has no %q", oldNew[i])
		}
		text = strings.Replace(text, oldNew[i], oldNew[i+1], 1)
	}
	file := filepath.Join(t.TempDir(), "oauth.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestTheApplicationShowsItselfAsTheFileSays(t *testing.T) {
	const secret = "s&cret-of-the-app"
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("ringside:"+url.QueryEscape(secret)))
	for name, one := range map[string]struct {
		oldNew           []string
		header, id, form string
	}{
		"post":  {nil, "", "ringside", secret},
		"basic": {[]string{"client_auth: post", "client_auth: basic"}, basic, "", ""},
		"none":  {[]string{"    client_auth: post\n    client_secret: \"${param.client_secret}\"\n", ""}, "", "ringside", ""},
	} {
		t.Run(name, func(t *testing.T) {
			shown := make(chan string, 2)
			base := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if err := r.ParseForm(); err != nil {
					t.Error(err)
				}
				shown <- fmt.Sprint(r.URL.Path, r.Header.Get("Authorization"), r.PostForm.Get("client_id"), r.PostForm.Get("client_secret"))
				answer(400, "application/json", `{"error":"invalid_request"}`)(w, r)
			})
			v := newVault()
			v.kept = []byte(`{"access_token":"","refresh_token":"refresh-token-1"}`)
			e, err := crm.Open(crm.Config{Connector: oauthFileWith(t, one.oldNew...), Params: map[string]string{"base_url": base, "client_secret": secret}, Region: "GB", Tokens: v})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(e.Close)
			_, err = e.Whoami(t.Context())
			wantKind(t, err, cti.Auth)
			err = e.SignOut(t.Context())
			wantKind(t, err, cti.Denied)
			for _, path := range []string{"/oauth/token", "/oauth/revoke"} {
				if got, want := <-shown, fmt.Sprint(path, one.header, one.id, one.form); got != want {
					t.Errorf("it shows %q, want %q", got, want)
				}
			}
		})
	}
}

func TestAnApplicationWithASecretShowsItEverywhere(t *testing.T) {
	d := startOAuth(t, sandbox.Traits{ClientSecret: "s&cret-of-the-app"})
	for name, file := range map[string]string{"post": oauthFile, "basic": oauthFileWith(t, "client_auth: post", "client_auth: basic")} {
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
			v.age(t)
			before, e := d.tokensAsked(), d.open(v, file, "client_secret", "wrong-secret")
			for range 3 {
				for _, err := range lookups(t.Context(), 10, e) {
					wantKind(t, err, cti.Auth)
				}
			}
			if n := d.tokensAsked() - before; n != 1 {
				t.Errorf("a wrong secret was shown %d times, want once in half a minute", n)
			}
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

func TestAFixedPortIsTheOneOfTheFileOrInUse(t *testing.T) {
	d := startOAuth(t, sandbox.Traits{})
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	e := d.open(newVault(), oauthFileWith(t, "client_id: ringside", "client_id: ringside\n    redirect: loopback_fixed\n    port: "+port))
	err = e.SignIn(t.Context(), d.browse("auto=1"))
	wantKind(t, err, cti.Conflict)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	var back string
	err = e.SignIn(t.Context(), func(address string) error {
		u, err := url.Parse(address)
		if err != nil {
			return err
		}
		back = u.Query().Get("redirect_uri")
		return d.browse("auto=1")(address)
	})
	if err != nil || back != "http://localhost:"+port+"/callback" {
		t.Fatalf("SignIn() = %v, back to %s", err, back)
	}
	wantWhoami(t, e, "u_01")
}
