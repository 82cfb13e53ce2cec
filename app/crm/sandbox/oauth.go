package sandbox

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// An OAuth 2.0 server for one client, as an agent's program needs it: the authorization code grant (RFC 6749, 4.1) with PKCE S256
// (RFC 7636) to a loopback address of any port (RFC 8252, 7.3), refresh tokens that are used once (RFC 9700, 4.14.2), and revocation
// (RFC 7009). The client is public, unless Traits.ClientSecret makes it confidential.
const oauthClient = "ringside"

// oauthError is a refusal in the words of RFC 6749, 5.2.
type oauthError struct {
	Code        string `json:"error"`
	Description string `json:"error_description"`
	status      int
}

func (e *oauthError) Error() string { return e.Code + ": " + e.Description }

func oauthProblem(code, description string) *oauthError {
	return &oauthError{code, description, http.StatusBadRequest}
}

// authorizeOAuth is GET /oauth/authorize: it shows a page that asks, or sends the browser back at once with ?auto=1 or the trait. Whose
// account it is, login_hint says: an id or e-mail; without it the first agent's. Only on this machine, because nobody is asked for a
// password.
func (s *Server) authorizeOAuth(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	back, err := loopback(q.Get("redirect_uri"))
	if err == nil {
		err = eachOnce(q)
	}
	if err == nil && q.Get("client_id") != oauthClient {
		err = oauthProblem("invalid_client", "the client_id is not "+oauthClient)
	}
	if err != nil { // never redirected: RFC 6749, 4.1.2.1
		writeJSON(w, err.status, err)
		return
	}
	answer := back.Query()
	if state := q.Get("state"); state != "" {
		answer.Set("state", state)
	}
	switch err = checkAuthorize(q); {
	case err == nil && q.Get("deny") != "":
		err = oauthProblem("access_denied", "the person said no")
	case err == nil && q.Get("auto") == "" && !s.nature.get().OAuthAuto:
		s.askConsent(w, r)
		return
	}
	user := s.agent.ID
	if hint := q.Get("login_hint"); hint != "" && err == nil {
		who, found := s.user(hint)
		if user = who.ID; !found {
			err = oauthProblem("access_denied", "there is no such user")
		}
	}
	if err != nil {
		answer.Set("error", err.Code)
		answer.Set("error_description", err.Description)
	} else {
		answer.Set("code", s.grants.newCode(code{
			user: user, redirect: q.Get("redirect_uri"), challenge: q.Get("code_challenge"), scope: q.Get("scope"), ends: time.Now().Add(codeLife),
		}))
	}
	back.RawQuery = answer.Encode()
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, back.String(), http.StatusFound) //nolint:gosec // to this machine only: loopback has checked it
}

// loopback reads a redirect address of this machine: any port and path (RFC 8252, 7.3).
func loopback(text string) (*url.URL, *oauthError) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" || u.Fragment != "" || u.User != nil || !isLoopbackHost(u.Hostname()) {
		return nil, oauthProblem("invalid_request", "redirect_uri must be http://127.0.0.1:PORT/…, http://[::1]:PORT/… or http://localhost:PORT/…")
	}
	return u, nil
}

func checkAuthorize(q url.Values) *oauthError {
	switch {
	case q.Get("response_type") != "code":
		return oauthProblem("unsupported_response_type", "response_type must be code")
	case q.Get("code_challenge_method") != "S256" || len(q.Get("code_challenge")) != base64.RawURLEncoding.EncodedLen(sha256.Size):
		return oauthProblem("invalid_request", "PKCE with S256 is needed: code_challenge and code_challenge_method")
	}
	return nil
}

func (s *Server) askConsent(w http.ResponseWriter, r *http.Request) {
	yes, no := r.URL.Query(), r.URL.Query()
	yes.Set("auto", "1")
	no.Set("deny", "1")
	p := s.newPage(r)
	p.Yes, p.No = "?"+yes.Encode(), "?"+no.Encode()
	s.render(w, http.StatusOK, "consent.html", p)
}

// tokens is the answer of the token endpoint. instance_url is where the API is, as some vendors tell it.
type tokens struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"` // seconds, rounded up
	RefreshToken string `json:"refresh_token"`
	Scope        string `json:"scope"`
	InstanceURL  string `json:"instance_url"`
}

// tokenOAuth is POST /oauth/token.
func (s *Server) tokenOAuth(w http.ResponseWriter, r *http.Request) {
	form, err := s.oauthForm(r)
	if err != nil {
		refuseOAuth(w, err)
		return
	}
	var out tokens
	life, at := lifeOf(s.nature.get().AccessMS, defaultAccess), time.Now()
	switch form.Get("grant_type") {
	case "authorization_code":
		out, err = s.grants.redeem(form, life, at)
	case "refresh_token":
		out, err = s.grants.rotate(form.Get("refresh_token"), life, at)
	default:
		err = oauthProblem("unsupported_grant_type", "grant_type must be authorization_code or refresh_token")
	}
	if err != nil {
		refuseOAuth(w, err)
		return
	}
	out.InstanceURL = "http://" + r.Host
	w.Header().Set("Pragma", "no-cache") // RFC 6749, 5.1
	writeJSON(w, http.StatusOK, out)
}

// revokeOAuth is POST /oauth/revoke (RFC 7009): an unknown token is revoked already. With a refresh token all of its sign-in ends.
func (s *Server) revokeOAuth(w http.ResponseWriter, r *http.Request) {
	form, err := s.oauthForm(r)
	if err != nil {
		refuseOAuth(w, err)
		return
	}
	if form.Get("token") == "" {
		refuseOAuth(w, oauthProblem("invalid_request", "token is missing"))
		return
	}
	s.grants.revoke(form.Get("token"))
	writeJSON(w, http.StatusOK, struct{}{})
}

func refuseOAuth(w http.ResponseWriter, e *oauthError) {
	if e.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Basic realm="ringside"`)
	}
	writeJSON(w, e.status, e)
}

// oauthForm reads a form and checks the client: by its id alone, or with the secret, in the form or as basic authentication.
func (s *Server) oauthForm(r *http.Request) (url.Values, *oauthError) {
	raw, err := readBody(r)
	if err != nil || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		return nil, oauthProblem("invalid_request", "send application/x-www-form-urlencoded")
	}
	form, err := url.ParseQuery(string(raw))
	if err != nil {
		return nil, oauthProblem("invalid_request", "the form cannot be read")
	}
	if err := eachOnce(form); err != nil {
		return nil, err
	}
	id, secret, basic := r.BasicAuth()
	if !basic {
		id, secret = form.Get("client_id"), form.Get("client_secret")
	} else if id, err = url.QueryUnescape(id); err == nil { // RFC 6749, 2.3.1
		secret, err = url.QueryUnescape(secret)
	}
	want := s.nature.get().ClientSecret
	if err != nil || id != oauthClient || want != "" && subtle.ConstantTimeCompare([]byte(secret), []byte(want)) != 1 {
		return nil, &oauthError{"invalid_client", "client_id or client_secret is wrong", http.StatusUnauthorized}
	}
	return form, nil
}

// eachOnce: no parameter may come twice (RFC 6749, 3.1 and 3.2).
func eachOnce(q url.Values) *oauthError {
	for name, values := range q {
		if len(values) > 1 {
			return oauthProblem("invalid_request", name+" comes more than once")
		}
	}
	return nil
}

func (g *grants) newCode(c code) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	text := "code_" + rand.Text()
	g.codes[hashOf(text)] = &c
	return text
}

// redeem turns a code into tokens. The second time it ends those of the first (RFC 6749, 4.1.2).
func (g *grants) redeem(form url.Values, life time.Duration, now time.Time) (tokens, *oauthError) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c := g.codes[hashOf(form.Get("code"))]
	switch {
	case form.Get("code") == "":
		return tokens{}, oauthProblem("invalid_request", "code is missing")
	case c == nil:
		return tokens{}, oauthProblem("invalid_grant", "the code is unknown")
	case c.family != "":
		g.endFamily(c.family)
		return tokens{}, oauthProblem("invalid_grant", "the code was used before: what it gave is revoked")
	case !now.Before(c.ends):
		return tokens{}, oauthProblem("invalid_grant", "the code has expired")
	case form.Get("redirect_uri") != c.redirect:
		return tokens{}, oauthProblem("invalid_grant", "redirect_uri is not that of the authorization")
	case !verified(form.Get("code_verifier"), c.challenge):
		return tokens{}, oauthProblem("invalid_grant", "code_verifier does not fit code_challenge")
	}
	c.family = rand.Text()
	return g.pair(refresh{user: c.user, family: c.family, scope: c.scope}, life, now), nil
}

const unreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"

// verified: RFC 7636, 4.1 and 4.6.
func verified(verifier, challenge string) bool {
	foreign := strings.ContainsFunc(verifier, func(c rune) bool { return !strings.ContainsRune(unreserved, c) })
	sum := sha256.Sum256([]byte(verifier))
	want := base64.RawURLEncoding.EncodeToString(sum[:])
	return len(verifier) >= 43 && len(verifier) <= 128 && !foreign && subtle.ConstantTimeCompare([]byte(want), []byte(challenge)) == 1
}

// rotate turns a refresh token into new tokens. One that was used before was stolen, or its answer lost: all of the sign-in ends.
func (g *grants) rotate(token string, life time.Duration, now time.Time) (tokens, *oauthError) {
	g.mu.Lock()
	defer g.mu.Unlock()
	old := g.refreshes[hashOf(token)]
	switch {
	case token == "":
		return tokens{}, oauthProblem("invalid_request", "refresh_token is missing")
	case old == nil:
		return tokens{}, oauthProblem("invalid_grant", "the refresh token is unknown or revoked")
	case old.used:
		g.endFamily(old.family)
		return tokens{}, oauthProblem("invalid_grant", "the refresh token was used before: sign in again")
	}
	old.used = true
	return g.pair(refresh{user: old.user, family: old.family, scope: old.scope}, life, now), nil
}

func (g *grants) pair(r refresh, life time.Duration, now time.Time) tokens {
	out := tokens{TokenType: "Bearer", ExpiresIn: wholeSeconds(life), Scope: r.scope, RefreshToken: "ref_" + rand.Text()}
	out.AccessToken = g.issueLocked("acc_", grant{user: r.user, family: r.family}, life, now)
	g.refreshes[hashOf(out.RefreshToken)] = &r
	return out
}

func (g *grants) revoke(token string) {
	g.forget(token)
	g.mu.Lock()
	defer g.mu.Unlock()
	if r := g.refreshes[hashOf(token)]; r != nil {
		g.endFamily(r.family)
	}
}
