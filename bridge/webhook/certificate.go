package webhook

import (
	"crypto/tls"
	"sync"
	"time"

	"ringside.dev/ringside/app/cti"
)

// lookAgain is how often the files of a certificate are read anew: it is renewed every few weeks, and nobody restarts a relay for that.
const lookAgain = time.Minute

// certificate is one that lies in two files.
type certificate struct {
	file, key string

	mu   sync.Mutex
	pair *tls.Certificate
	at   time.Time // when it was read last
}

// Certificate gives the TLS settings of a certificate and its key in PEM files. A renewed one is taken up within a minute; if that cannot
// be read, the old one stays. Errors are of kind invalid.
func Certificate(file, key string) (*tls.Config, error) {
	c := &certificate{file: file, key: key}
	if _, err := c.get(time.Now()); err != nil {
		return nil, cti.Errorf(cti.Invalid, "the webhook's certificate cannot be used: give the PEM files of a certificate with its chain, and of its key", err)
	}
	return &tls.Config{MinVersion: tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.get(time.Now()) }}, nil
}

func (c *certificate) get(now time.Time) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pair != nil && now.Sub(c.at) < lookAgain {
		return c.pair, nil
	}
	c.at = now
	pair, err := tls.LoadX509KeyPair(c.file, c.key)
	switch {
	case err == nil:
		c.pair = &pair
	case c.pair == nil:
		return nil, err
	}
	return c.pair, nil
}
