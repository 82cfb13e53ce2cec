package sandbox

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"maps"
	"net/http"
	"sync"
	"time"
)

const (
	defaultAccess  = time.Hour
	defaultSession = time.Hour
	codeLife       = time.Minute // RFC 6749, 4.1.2: ten minutes at most
	keepExpired    = time.Hour   // an expired token is told from an unknown one for so long
)

var errTokenTaken = errors.New("the token is somebody else's")

// hash is what is kept of a token.
type hash [sha256.Size]byte

// grant is a bearer token.
type grant struct {
	user   string
	ends   time.Time // zero: never
	family string    // of the sign-in it came from, "" for none
}

// refresh is a refresh token. A used one is kept, so that its second use is noticed.
type refresh struct {
	user, family, scope string
	used                bool
}

// code is an authorization code. A used one is kept as well.
type code struct {
	user, redirect, challenge, scope string
	family                           string // of the tokens it became
	ends                             time.Time
}

// grants are the tokens other than the first agent's. They are kept in memory only.
type grants struct {
	mu        sync.Mutex
	tokens    map[hash]grant
	refreshes map[hash]*refresh
	codes     map[hash]*code
	passwords map[string]hash // by user id
	personal  map[string]hash // each user's own token
}

func newGrants() *grants {
	return &grants{
		tokens: map[hash]grant{}, refreshes: map[hash]*refresh{}, codes: map[hash]*code{},
		passwords: map[string]hash{}, personal: map[string]hash{},
	}
}

func hashOf(token string) hash { return sha256.Sum256([]byte(token)) }

// admit makes a user's token and password valid, and the token before it invalid.
func (g *grants) admit(user string, u User) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	token := hashOf(u.Token)
	if old, taken := g.tokens[token]; taken && old.user != user {
		return errTokenTaken
	}
	delete(g.tokens, g.personal[user])
	g.tokens[token], g.personal[user], g.passwords[user] = grant{user: user}, token, token
	if u.Password != "" {
		g.passwords[user] = hashOf(u.Password)
	}
	return nil
}

// knows tells whether the password is the user's.
func (g *grants) knows(user, password string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	want, has := g.passwords[user]
	given := hashOf(password)
	return has && subtle.ConstantTimeCompare(given[:], want[:]) == 1
}

// holder gives the id of the user whose token it is.
func (g *grants) holder(token string, now time.Time) (string, *problem) {
	g.mu.Lock()
	defer g.mu.Unlock()
	t, known := g.tokens[hashOf(token)]
	switch {
	case !known:
		return "", errNoToken
	case !t.ends.IsZero() && !now.Before(t.ends):
		return "", errExpired
	}
	return t.user, nil
}

// issue makes a bearer token that lasts so long.
func (g *grants) issue(prefix string, t grant, life time.Duration, now time.Time) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.issueLocked(prefix, t, life, now)
}

func (g *grants) issueLocked(prefix string, t grant, life time.Duration, now time.Time) string {
	maps.DeleteFunc(g.tokens, func(_ hash, old grant) bool { return !old.ends.IsZero() && now.Sub(old.ends) > keepExpired })
	token := prefix + rand.Text()
	t.ends = now.Add(life)
	g.tokens[hashOf(token)] = t
	return token
}

// forget ends one bearer token. A user's own stays.
func (g *grants) forget(token string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if h := hashOf(token); !g.tokens[h].ends.IsZero() {
		delete(g.tokens, h)
	}
}

// endFamily makes everything that came from one sign-in invalid.
func (g *grants) endFamily(family string) {
	if family == "" {
		return
	}
	maps.DeleteFunc(g.tokens, func(_ hash, t grant) bool { return t.family == family })
	maps.DeleteFunc(g.refreshes, func(_ hash, t *refresh) bool { return t.family == family })
}

// bearerOf gives the token of a request that passed the gate.
func bearerOf(r *http.Request) string { return r.Header.Get("Authorization")[len("Bearer "):] }
