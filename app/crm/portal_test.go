package crm_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"ringside.dev/ringside/app/crm"
	"ringside.dev/ringside/app/cti"
)

func TestCaptivePortalIsNoSuccess(t *testing.T) {
	base := serve(t, answer(200, "text/html; charset=utf-8", "<html>please sign in</html>"))
	e := open(t, base)
	_, err := e.Whoami(t.Context())
	wantKind(t, err, cti.Offline)
	_, err = e.Lookup(t.Context(), someNumber())
	wantKind(t, err, cti.Offline)
	_, err = e.Write(t.Context(), someWrite())
	wantKind(t, err, cti.Uncertain)
	if !strings.Contains(cti.MessageOf(err), "web page") {
		t.Errorf("the message does not say what came: %v", err)
	}
}

func TestJSONThatIsNoneIsNoSuccess(t *testing.T) {
	for _, body := range []string{`{"name":`, `<html>`, `{} {}`} {
		_, err := open(t, serve(t, answer(200, "application/json", body))).Whoami(t.Context())
		wantKind(t, err, cti.Offline)
	}
}

func TestRefusedConnectionIsOfflineEvenForWrites(t *testing.T) {
	s := httptest.NewServer(nil)
	s.Close()
	e := open(t, s.URL)
	_, err := e.Write(t.Context(), someWrite())
	wantKind(t, err, cti.Offline)
	_, err = e.Lookup(t.Context(), someNumber())
	wantKind(t, err, cti.Offline)
}

func TestUnknownHostIsOfflineEvenForWrites(t *testing.T) {
	e := open(t, "https://crm.invalid")
	_, err := e.Write(t.Context(), someWrite())
	wantKind(t, err, cti.Offline)
}

func TestUntrustedCertificateIsOfflineAndNamed(t *testing.T) {
	var reached atomic.Int32
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reached.Add(1)
		answer(200, "application/json", `{"name":"Ada"}`)(w, r)
	}))
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	t.Cleanup(s.Close)
	for _, err := range both(t, open(t, s.URL)) {
		wantKind(t, err, cti.Offline)
		if !strings.Contains(cti.MessageOf(err), "certificate") {
			t.Errorf("the message does not name the certificate: %v", err)
		}
	}
	if reached.Load() != 0 {
		t.Error("a request went through")
	}
}

func TestWrongContentTypeIsNoSuccess(t *testing.T) {
	for _, kind := range []string{"text/html", "text/plain", "application/octet-stream", "application/xml", "", "not a type"} {
		e := open(t, serve(t, answer(200, kind, `{"id":1,"name":"Ada","items":[]}`)))
		_, err := e.Lookup(t.Context(), someNumber())
		wantKind(t, err, cti.Offline)
		errs := both(t, e)
		wantKind(t, errs[0], cti.Offline)
		wantKind(t, errs[1], cti.Uncertain)
	}
}

func TestProxyThatWantsASignInIsOfflineAndNamed(t *testing.T) {
	refuse := answer(http.StatusProxyAuthRequired, "text/html", "sign in", "Proxy-Authenticate", "Basic")
	proxy, err := url.Parse(serve(t, refuse))
	if err != nil {
		t.Fatal(err)
	}
	answered := open(t, serve(t, refuse)) // as a proxy for plain http does it
	tunnel, err := crm.Open(crm.Config{Connector: "sandbox", Params: map[string]string{"base_url": "https://crm.example", "token": testToken}, Region: "GB",
		HTTP: &http.Client{Transport: crm.TransportVia(proxy)}}) // and for https
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tunnel.Close)
	for _, e := range []*crm.Engine{answered, tunnel} {
		for _, err := range both(t, e) {
			wantKind(t, err, cti.Offline)
			if !strings.Contains(cti.MessageOf(err), "proxy wants a sign-in") {
				t.Errorf("the message does not name the proxy: %v", err)
			}
		}
	}
}
