package relay

import (
	"crypto/sha256"
	"crypto/subtle"
	"sync"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/relayed"
)

// The life of a one-time code, and what is done against guessing: a code is burnt after maxWrong wrong secrets, one address may be wrong
// perAddress times a minute, and all together perMinute times. The right secret, of 80 bits, is taken also while others guess: nobody keeps
// anybody from enrolling.
const (
	CodeFor    = 15 * time.Minute
	maxWrong   = 5
	perAddress = 10
	perMinute  = 60
	maxCodes   = 1000
)

// codes are the one-time codes that were given out and not used. They are kept in memory only, as hashes: a relay that starts anew forgets
// them. It is safe for concurrent use.
type codes struct {
	mu    sync.Mutex
	open  map[string]*code // by id
	tries map[string]int   // in this minute, by address
	all   int              // in this minute
	since time.Time        // when this minute began
}

type code struct {
	extension string
	proof     [sha256.Size]byte
	until     time.Time
	wrong     int
}

func newCodes() *codes { return &codes{open: map[string]*code{}, tries: map[string]int{}} }

// issue makes a code for an extension.
func (c *codes) issue(extension string, authority []byte, now time.Time) (relayed.Code, error) {
	made := relayed.NewCode(authority)
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, old := range c.open {
		if now.After(old.until) {
			delete(c.open, id)
		}
	}
	if len(c.open) >= maxCodes {
		return relayed.Code{}, cti.Errorf(cti.Limited, "a thousand codes are open: wait until they have ended", nil)
	}
	if c.open[string(made.ID)] != nil {
		return relayed.Code{}, cti.Errorf(cti.Conflict, "this code is given out already: try again", nil) // one in 16 million
	}
	c.open[string(made.ID)] = &code{extension: extension, proof: sha256.Sum256(made.Proof), until: now.Add(CodeFor)}
	return made, nil
}

// errCode tells nothing of what was wrong with a code.
var errCode = cti.Errorf(cti.Auth, "the relay does not take this code: it was used, it ended after 15 minutes, or the relay was started anew; make another with ringctl relay enrol", nil)

// redeem uses a code up and gives its extension.
func (c *codes) redeem(id, proof []byte, address string, now time.Time) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Sub(c.since) >= time.Minute || now.Before(c.since) {
		c.since, c.all = now, 0
		clear(c.tries)
	}
	one := c.open[string(id)]
	if one != nil && now.After(one.until) {
		one = nil
	}
	if one != nil && one.shownBy(proof) {
		delete(c.open, string(id))
		return one.extension, nil
	}
	if c.all >= perMinute || c.tries[address] >= perAddress {
		return "", &cti.Error{Kind: cti.Limited, Msg: "too many codes were tried: wait a minute", RetryAfter: time.Minute}
	}
	c.all++
	c.tries[address]++
	if one != nil {
		if one.wrong++; one.wrong >= maxWrong {
			delete(c.open, string(id))
		}
	}
	return "", errCode
}

func (c *code) shownBy(proof []byte) bool {
	given := sha256.Sum256(proof)
	return subtle.ConstantTimeCompare(given[:], c.proof[:]) == 1
}

// forget takes back the open codes of an extension.
func (c *codes) forget(extension string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, one := range c.open {
		if one.extension == extension {
			delete(c.open, id)
		}
	}
}
