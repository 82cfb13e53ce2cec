package crm

import (
	"context"
	"encoding/json"
	"time"

	"golang.org/x/oauth2"

	"ringside.dev/ringside/app/cti"
)

// Tokens keeps what signing in with OAuth 2 gives, sealed, for one connector. Its methods may be called concurrently.
type Tokens interface {
	// Load gives what was stored last; nil when nothing was.
	Load() ([]byte, error)
	// Store replaces it; when it returns nil it is on the disk. Nil forgets it.
	Store(sealed []byte) error
	// Lock keeps other processes of this user from refreshing meanwhile: a CRM that rotates refresh tokens takes one that is used twice
	// for stolen, and locks the agent out.
	Lock(ctx context.Context) (unlock func(), err error)
}

// grant is the token in use, as it is stored.
type grant struct {
	Access  string            `json:"access_token"`
	Refresh string            `json:"refresh_token,omitempty"`
	Until   time.Time         `json:"until,omitzero"` // then it is refreshed, a while before its end; zero: when the CRM refuses it
	Fields  map[string]string `json:"fields,omitempty"`
}

// unsaved is what a refresh gave and could not be stored: it is the only one the CRM still takes. Of is the refresh token it came from.
type unsaved struct {
	grant grant
	of    string
}

func (t grant) fresh() bool {
	return t.Access != "" && (t.Until.IsZero() || time.Now().Before(t.Until))
}

func (t grant) vars() vars {
	out := vars{"access_token": t.Access}
	for name, value := range t.Fields {
		out[name] = value
	}
	return out
}

// granted reads a token. What it does not say stays as before; of the refresh token the library sees to that.
func (o *oauth) granted(got *oauth2.Token, before grant) grant {
	t := grant{Access: got.AccessToken, Refresh: got.RefreshToken, Fields: map[string]string{}}
	if !got.Expiry.IsZero() {
		life := time.Until(got.Expiry)
		t.Until = got.Expiry.Add(-min(refreshBefore, life/2)).UTC().Round(0)
	}
	for name, theirs := range o.spec.TokenFields {
		if t.Fields[name] = textOf(got.Extra(theirs)); t.Fields[name] == "" {
			t.Fields[name] = before.Fields[name]
		}
	}
	o.hide(t)
	return t
}

// hide keeps a grant's secrets out of errors.
func (o *oauth) hide(t grant) {
	o.e.redact.learn(t.Access)
	o.e.redact.learn(t.Refresh)
}

// keep stores a new token and uses it. One that could not be stored is stored with the next attempt, instead of a refresh.
func (o *oauth) keep(t grant, of string) (badge, error) {
	text, err := json.Marshal(t) //nolint:gosec // Tokens seals it
	if err == nil {
		err = o.e.tokens.Store(text)
	}
	o.mu.Lock()
	if o.unsaved = nil; err != nil {
		o.unsaved = &unsaved{t, of}
	}
	o.mu.Unlock()
	if err != nil {
		return badge{}, cti.Errorf(cti.Offline, o.e.doing("sign-in")+": the new token could not be stored", err)
	}
	return o.use(t, time.Now().Add(refusedFor)), nil
}

func (o *oauth) load() (grant, error) {
	text, err := o.e.tokens.Load()
	if err != nil {
		return grant{}, cti.Errorf(cti.Offline, o.e.doing("sign-in")+": the stored sign-in cannot be read", err)
	}
	var t grant
	if len(text) == 0 {
		return t, nil
	}
	if err := json.Unmarshal(text, &t); err != nil {
		return grant{}, cti.Errorf(cti.Auth, o.e.doing("sign-in")+": the stored sign-in is damaged: run ringctl crm login", nil)
	}
	o.hide(t)
	return t, nil
}
