package sandbox

import (
	"crypto/subtle"
	"net/http"
	"strings"
	"time"
)

// authorize checks the bearer token and counts its use.
func (n *nature) authorize(r *http.Request) *problem {
	n.mu.Lock()
	defer n.mu.Unlock()
	token, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !bearer || subtle.ConstantTimeCompare([]byte(token), []byte(n.token)) != 1 {
		return &problem{Status: http.StatusUnauthorized, Code: "unauthorized", Message: "a valid bearer token is needed"}
	}
	t := n.traits
	if t.TokenRequests > 0 && n.used >= t.TokenRequests || t.TokenMS > 0 && time.Since(n.renewed).Milliseconds() >= t.TokenMS {
		return &problem{Status: http.StatusUnauthorized, Code: "token_expired", Message: "the token has expired: get a new one"}
	}
	n.used++
	return nil
}
