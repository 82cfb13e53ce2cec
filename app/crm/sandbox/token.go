package sandbox

import (
	"crypto/subtle"
	"net/http"
	"strings"
	"time"
)

var (
	errNoToken = &problem{Status: http.StatusUnauthorized, Code: "unauthorized", Message: "a valid bearer token is needed"}
	errExpired = &problem{Status: http.StatusUnauthorized, Code: "token_expired", Message: "the token has expired: get a new one"}
)

// authorize tells who sends the request: by the first agent's token, another user's, or one that a session or OAuth gave.
func (s *Server) authorize(r *http.Request) (person, *problem) {
	token, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !bearer {
		return person{}, errNoToken
	}
	id := s.agent.ID
	if first, p := s.nature.use(token); p != nil {
		return person{}, p
	} else if !first {
		var p *problem
		if id, p = s.grants.holder(token, time.Now()); p != nil {
			return person{}, p
		}
	}
	who, found := s.user(id)
	if !found {
		return person{}, errNoToken
	}
	return who, nil
}

// use tells whether it is the first agent's token, and counts its use.
func (n *nature) use(token string) (bool, *problem) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if subtle.ConstantTimeCompare([]byte(token), []byte(n.token)) != 1 {
		return false, nil
	}
	t := n.traits
	if t.TokenRequests > 0 && n.used >= t.TokenRequests || t.TokenMS > 0 && time.Since(n.renewed).Milliseconds() >= t.TokenMS {
		return true, errExpired
	}
	n.used++
	return true, nil
}

func (n *nature) bearer() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.token
}
