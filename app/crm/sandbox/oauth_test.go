package sandbox

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

const (
	redirect = "http://127.0.0.1:49152/callback"
	verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk" // RFC 7636, appendix B
)

func challenge(of string) string {
	sum := sha256.Sum256([]byte(of))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// with gives the parameters changed by pairs of name and value; an empty value drops a name.
func with(v url.Values, pairs ...string) url.Values {
	out := url.Values{}
	for name := range v {
		out.Set(name, v.Get(name))
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		if out.Set(pairs[i], pairs[i+1]); pairs[i+1] == "" {
			out.Del(pairs[i])
		}
	}
	return out
}

func asked(pairs ...string) url.Values {
	return with(url.Values{
		"response_type": {"code"}, "client_id": {"ringside"}, "redirect_uri": {redirect}, "state": {"a state"}, "scope": {"calls"},
		"code_challenge": {challenge(verifier)}, "code_challenge_method": {"S256"}, "auto": {"1"},
	}, pairs...)
}

// browser follows nothing and has no token.
func browser(t *testing.T, s *Server) *client {
	c := dial(t, s)
	c.token = ""
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c
}

// sentBack is the query that the browser brings back.
func sentBack(c *client, query url.Values) url.Values {
	c.t.Helper()
	r := c.do(http.StatusFound, "GET", "/oauth/authorize?"+query.Encode(), "")
	to, err := url.Parse(r.header.Get("Location"))
	want, more, _ := strings.Cut(query.Get("redirect_uri"), "?")
	if err != nil || !strings.HasPrefix(to.String(), want+"?") || !strings.Contains(to.RawQuery, more) {
		c.t.Fatalf("it goes to %q", r.header.Get("Location"))
	}
	return to.Query()
}

func post(c *client, want int, path string, form url.Values, header ...string) reply {
	c.t.Helper()
	return c.do(want, "POST", path, form.Encode(), append([]string{"Content-Type", formType}, header...)...)
}

func exchange(code string, pairs ...string) url.Values {
	return with(url.Values{"grant_type": {"authorization_code"}, "client_id": {"ringside"}, "code": {code}, "redirect_uri": {redirect}, "code_verifier": {verifier}}, pairs...)
}

func refreshWith(token string) url.Values {
	return url.Values{"grant_type": {"refresh_token"}, "client_id": {"ringside"}, "refresh_token": {token}}
}

func signedInBy(c *client) tokens {
	c.t.Helper()
	return read[tokens](c.t, post(c, http.StatusOK, "/oauth/token", exchange(sentBack(c, asked()).Get("code"))))
}

func wantOAuth(t *testing.T, r reply, code string) {
	t.Helper()
	if got := read[oauthError](t, r); got.Code != code || got.Description == "" {
		t.Errorf("the refusal is %s, want %s", r.body, code)
	}
}

// may tells the status that an access token meets.
func may(c *client, token string) int {
	c.t.Helper()
	was := c.token
	defer func() { c.token = was }()
	c.token = token
	r, err := c.try("GET", "/api/whoami", "")
	if err != nil {
		c.t.Fatal(err)
	}
	return r.status
}

func TestACodeBecomesTokensThatWork(t *testing.T) {
	s := begin(t, Options{Users: []User{{Name: "Ann", Email: "ann@ringside.example", Role: roleLead, Token: "ann"}}})
	c := browser(t, s)
	for hint, want := range map[string]string{"": "u_01", "ann@ringside.example": "u_06"} {
		for _, back := range []string{redirect, "http://127.0.0.1:1/", "http://[::1]:49152/callback?x=1", "http://localhost:8080/a"} {
			got := sentBack(c, asked("redirect_uri", back, "login_hint", hint))
			if got.Get("state") != "a state" || got.Get("code") == "" || got.Get("error") != "" {
				t.Fatalf("it is sent back with %v", got)
			}
			r := post(c, http.StatusOK, "/oauth/token", exchange(got.Get("code"), "redirect_uri", back))
			in := read[tokens](t, r)
			if in.TokenType != "Bearer" || in.ExpiresIn != 3600 || in.Scope != "calls" || in.InstanceURL != s.URL() || in.RefreshToken == "" ||
				r.header.Get("Cache-Control") != "no-store" || r.header.Get("Pragma") != "no-cache" {
				t.Errorf("the answer is %s with %v", r.body, r.header)
			}
			c.token = in.AccessToken
			if got := read[whoamiView](t, c.do(http.StatusOK, "GET", "/api/whoami", "")); got.ID != want {
				t.Errorf("it is %+v, want %s", got, want)
			}
			c.token = ""
		}
	}
}

func TestAnAuthorizationThatCannotBeIsRefused(t *testing.T) {
	c := browser(t, begin(t, Options{}))
	for name, one := range map[string]struct {
		pair [2]string
		code string
	}{
		"no challenge":       {[2]string{"code_challenge", ""}, "invalid_request"},
		"a short challenge":  {[2]string{"code_challenge", "abc"}, "invalid_request"},
		"a plain challenge":  {[2]string{"code_challenge_method", "plain"}, "invalid_request"},
		"no method":          {[2]string{"code_challenge_method", ""}, "invalid_request"},
		"another response":   {[2]string{"response_type", "token"}, "unsupported_response_type"},
		"an unknown user":    {[2]string{"login_hint", "nobody@ringside.example"}, "access_denied"},
		"the person says no": {[2]string{"deny", "1"}, "access_denied"},
	} {
		if got := sentBack(c, asked(one.pair[0], one.pair[1])); got.Get("error") != one.code || got.Get("state") != "a state" || got.Has("code") {
			t.Errorf("%s: it is sent back with %v, want %s", name, got, one.code)
		}
	}
	// Never sent there: who asked is unknown, or where to send is no place of this computer.
	for _, pair := range [][2]string{{"client_id", "other"}, {"client_id", ""}} {
		wantOAuth(t, c.do(http.StatusBadRequest, "GET", "/oauth/authorize?"+asked(pair[0], pair[1]).Encode(), ""), "invalid_client")
	}
	for _, to := range []string{"https://evil.example/", "http://evil.example/", "https://127.0.0.1/", "http://127.0.0.1@evil.example/", "http://127.0.0.1/#a", "/callback", "ringside://callback", "", "http://127.0.0.1.evil.example/"} {
		wantOAuth(t, c.do(http.StatusBadRequest, "GET", "/oauth/authorize?"+asked("redirect_uri", to).Encode(), ""), "invalid_request")
	}
	wantOAuth(t, c.do(http.StatusBadRequest, "GET", "/oauth/authorize?"+asked().Encode()+"&state=two", ""), "invalid_request")
	wantRefusal(t, c.do(http.StatusForbidden, "GET", "/oauth/authorize?"+asked().Encode(), "", "Host", "rebound.example"), "forbidden", "")
}

func TestThePersonIsAskedUnlessToldOtherwise(t *testing.T) {
	s := begin(t, Options{})
	c := browser(t, s)
	r := c.do(http.StatusOK, "GET", "/oauth/authorize?"+asked("auto", "").Encode(), "", "Accept-Language", "zh-CN")
	if page := string(r.body); !strings.Contains(page, "允许") || !strings.Contains(page, "auto=1") || !strings.Contains(page, "deny=1") || r.header.Get("X-Frame-Options") != "DENY" {
		t.Errorf("the page is %s", page)
	}
	setTraits(t, s, Traits{OAuthAuto: true})
	if got := sentBack(c, asked("auto", "")); got.Get("code") == "" {
		t.Errorf("it is sent back with %v", got)
	}
}

func TestACodeIsGoodForItsOwnProofAndAddressOnly(t *testing.T) {
	c := browser(t, begin(t, Options{}))
	code := sentBack(c, asked()).Get("code")
	for name, wrong := range map[string][]string{
		"another verifier": {"code_verifier", strings.Repeat("a", 43)}, "no verifier": {"code_verifier", ""}, "the challenge itself": {"code_verifier", challenge(verifier)},
		"another port": {"redirect_uri", "http://127.0.0.1:49153/callback"}, "no address": {"redirect_uri", ""}, "another code": {"code", "code_x"},
	} {
		t.Run(name, func(t *testing.T) {
			wantOAuth(t, post(c, http.StatusBadRequest, "/oauth/token", exchange(code, wrong...)), "invalid_grant")
		})
	}
	wantOAuth(t, post(c, http.StatusBadRequest, "/oauth/token", exchange("")), "invalid_request")
	wantOAuth(t, post(c, http.StatusBadRequest, "/oauth/token", exchange(code, "grant_type", "password")), "unsupported_grant_type")
	wantOAuth(t, post(c, http.StatusUnauthorized, "/oauth/token", exchange(code, "client_id", "other")), "invalid_client")
	wantOAuth(t, c.do(http.StatusBadRequest, "POST", "/oauth/token", `{"grant_type":"authorization_code"}`, "Content-Type", "application/json"), "invalid_request")
	wantOAuth(t, c.do(http.StatusBadRequest, "POST", "/oauth/token", exchange(code).Encode()+"&code=x", "Content-Type", formType), "invalid_request")
	post(c, http.StatusOK, "/oauth/token", exchange(code)) // none of them used it up
}

func TestAVerifierHasTheLengthAndLettersOfTheRFC(t *testing.T) {
	for text, want := range map[string]bool{
		verifier: true, strings.Repeat("~", 43): true, strings.Repeat("a", 128): true,
		strings.Repeat("a", 42): false, strings.Repeat("a", 129): false, strings.Repeat("a", 42) + "+": false, strings.Repeat("a", 42) + "é": false,
	} {
		if got := verified(text, challenge(text)); got != want {
			t.Errorf("%q: %t, want %t", text, got, want)
		}
	}
}

func TestACodeThatIsUsedTwiceEndsWhatItGave(t *testing.T) {
	c := browser(t, begin(t, Options{}))
	code := sentBack(c, asked()).Get("code")
	in := read[tokens](t, post(c, http.StatusOK, "/oauth/token", exchange(code)))
	next := read[tokens](t, post(c, http.StatusOK, "/oauth/token", refreshWith(in.RefreshToken)))
	other := signedInBy(c)
	wantOAuth(t, post(c, http.StatusBadRequest, "/oauth/token", exchange(code)), "invalid_grant")
	if may(c, in.AccessToken) != http.StatusUnauthorized || may(c, next.AccessToken) != http.StatusUnauthorized || may(c, other.AccessToken) != http.StatusOK {
		t.Error("the tokens of the sign-in, and no others, must end")
	}
	wantOAuth(t, post(c, http.StatusBadRequest, "/oauth/token", refreshWith(next.RefreshToken)), "invalid_grant")
}

func TestACodeEndsAfterAMinute(t *testing.T) {
	g, at := newGrants(), time.Now()
	fresh := func() string {
		return g.newCode(code{user: "u_01", redirect: redirect, challenge: challenge(verifier), ends: at.Add(codeLife)})
	}
	if _, err := g.redeem(exchange(fresh()), time.Hour, at.Add(codeLife)); err == nil || err.Code != "invalid_grant" {
		t.Errorf("late it gives %v", err)
	}
	if _, err := g.redeem(exchange(fresh()), time.Hour, at.Add(codeLife-1)); err != nil {
		t.Errorf("in time it gives %v", err)
	}
}

func TestARefreshTokenIsUsedOnceAndTheSecondUseEndsTheSignIn(t *testing.T) {
	c := browser(t, begin(t, Options{}))
	first, other := signedInBy(c), signedInBy(c)
	second := read[tokens](t, post(c, http.StatusOK, "/oauth/token", refreshWith(first.RefreshToken)))
	if second.RefreshToken == first.RefreshToken || second.AccessToken == first.AccessToken || second.Scope != "calls" {
		t.Errorf("refreshed it is %+v", second)
	}
	third := read[tokens](t, post(c, http.StatusOK, "/oauth/token", refreshWith(second.RefreshToken)))
	for _, token := range []string{first.AccessToken, second.AccessToken, third.AccessToken} {
		if may(c, token) != http.StatusOK {
			t.Error("an access token ends with its refresh")
		}
	}
	wantOAuth(t, post(c, http.StatusBadRequest, "/oauth/token", refreshWith(first.RefreshToken)), "invalid_grant")
	for _, token := range []string{first.AccessToken, second.AccessToken, third.AccessToken} {
		if may(c, token) != http.StatusUnauthorized {
			t.Error("an access token of the family works after the theft was noticed")
		}
	}
	wantOAuth(t, post(c, http.StatusBadRequest, "/oauth/token", refreshWith(third.RefreshToken)), "invalid_grant")
	wantOAuth(t, post(c, http.StatusBadRequest, "/oauth/token", refreshWith("")), "invalid_request")
	if may(c, other.AccessToken) != http.StatusOK {
		t.Error("another sign-in ended with it")
	}
}

func TestAnAccessTokenEndsAndTheRefreshTokenDoesNot(t *testing.T) {
	s := begin(t, Options{Traits: Traits{AccessMS: 1}})
	c := browser(t, s)
	in := signedInBy(c)
	if in.ExpiresIn != 1 {
		t.Errorf("it says %d seconds, want them rounded up", in.ExpiresIn)
	}
	for made := time.Now(); time.Since(made) <= time.Millisecond; { // the shortest life there is passes
	}
	c.token = in.AccessToken
	wantRefusal(t, c.do(http.StatusUnauthorized, "GET", "/api/whoami", ""), "token_expired", "")
	c.token = ""
	setTraits(t, s, Traits{})
	next := read[tokens](t, post(c, http.StatusOK, "/oauth/token", refreshWith(in.RefreshToken)))
	if may(c, next.AccessToken) != http.StatusOK {
		t.Error("the refreshed token does not work")
	}
}

func TestRevokingEndsATokenOrTheWholeSignIn(t *testing.T) {
	c := browser(t, begin(t, Options{}))
	revoke := func(token string) {
		t.Helper()
		post(c, http.StatusOK, "/oauth/revoke", url.Values{"client_id": {"ringside"}, "token": {token}})
	}
	in := signedInBy(c)
	revoke(in.AccessToken)
	if may(c, in.AccessToken) != http.StatusUnauthorized {
		t.Error("a revoked access token works")
	}
	in = read[tokens](t, post(c, http.StatusOK, "/oauth/token", refreshWith(in.RefreshToken))) // the refresh token stays
	revoke(in.RefreshToken)
	if may(c, in.AccessToken) != http.StatusUnauthorized {
		t.Error("the access token outlives its sign-in")
	}
	wantOAuth(t, post(c, http.StatusBadRequest, "/oauth/token", refreshWith(in.RefreshToken)), "invalid_grant")
	revoke("unknown")
	wantOAuth(t, post(c, http.StatusBadRequest, "/oauth/revoke", url.Values{"client_id": {"ringside"}}), "invalid_request")
	revoke(DefaultToken)
	if may(c, DefaultToken) != http.StatusOK {
		t.Error("the agent's own token is revoked as if OAuth had given it")
	}
}

func TestAConfidentialClientShowsItsSecret(t *testing.T) {
	s := begin(t, Options{Traits: Traits{ClientSecret: "s&cret"}})
	c := browser(t, s)
	basic := func(id, secret string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id)+":"+url.QueryEscape(secret)))
	}
	for name, wrong := range map[string]struct {
		form   url.Values
		header []string
	}{
		"none": {exchange("x"), nil}, "a wrong one": {exchange("x", "client_secret", "secret"), nil},
		"a wrong one, basic": {exchange("x", "client_id", ""), []string{"Authorization", basic("ringside", "secret")}},
		"another client":     {exchange("x", "client_id", ""), []string{"Authorization", basic("other", "s&cret")}},
	} {
		r := post(c, http.StatusUnauthorized, "/oauth/token", wrong.form, wrong.header...)
		if wantOAuth(t, r, "invalid_client"); r.header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: no WWW-Authenticate", name)
		}
	}
	wantOAuth(t, post(c, http.StatusUnauthorized, "/oauth/revoke", url.Values{"client_id": {"ringside"}, "token": {"x"}}), "invalid_client")
	post(c, http.StatusOK, "/oauth/token", exchange(sentBack(c, asked()).Get("code"), "client_secret", "s&cret"))
	post(c, http.StatusOK, "/oauth/token", exchange(sentBack(c, asked()).Get("code"), "client_id", ""), "Authorization", basic("ringside", "s&cret"))
}

func TestFaultsReachTheTokenEndpointWhereTheyMatch(t *testing.T) {
	s := begin(t, Options{})
	c := browser(t, s)
	in := signedInBy(c)
	steer(t, s, Fault{Status: http.StatusServiceUnavailable, Count: 1})
	in = read[tokens](t, post(c, http.StatusOK, "/oauth/token", refreshWith(in.RefreshToken))) // a fault is the API's if it does not say
	steer(t, s, Fault{Status: http.StatusServiceUnavailable, Count: 1, Match: "/oauth"})
	post(c, http.StatusServiceUnavailable, "/oauth/token", refreshWith(in.RefreshToken))
	in = read[tokens](t, post(c, http.StatusOK, "/oauth/token", refreshWith(in.RefreshToken)))
	steer(t, s, Fault{DropAnswer: true, Count: 1, Match: "/oauth"})
	if r, err := c.try("POST", "/oauth/token", refreshWith(in.RefreshToken).Encode(), "Content-Type", formType); err == nil {
		t.Errorf("the dropped answer is %s", r.body)
	}
	wantOAuth(t, post(c, http.StatusBadRequest, "/oauth/token", refreshWith(in.RefreshToken)), "invalid_grant") // it was used
}
