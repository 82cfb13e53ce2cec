package recording

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"ringside.dev/ringside/app/cti"
)

// Source says where files may be fetched from. All fields but SignIn are required.
type Source struct {
	Hosts  []string               // host or host:port; without a port the scheme's own
	Ours   []string               // those of Hosts that may see the sign-in
	File   string                 // where a file is whose source gives no address, with {id}; empty: there is none
	Max    int64                  // bytes of a file
	SignIn func() (string, error) // user:password, or a token; nil: there is none
}

// SourceOf is what a profile says of the phone system's files.
func SourceOf(p cti.RecordingsProfile, secret func(name string) (string, error)) Source {
	s := Source{File: p.File, Hosts: slices.Clone(p.Hosts), Max: int64(p.MaxMB) << 20}
	if s.Max == 0 {
		s.Max = cti.DefaultRecordingMB << 20
	}
	for _, template := range []string{p.File, p.Open} {
		if u, err := url.Parse(strings.ReplaceAll(template, idMark, "1")); template != "" && err == nil {
			s.Ours = append(s.Ours, u.Host)
		}
	}
	s.Hosts = append(s.Hosts, s.Ours...)
	if len(s.Ours) == 0 {
		s.Ours = s.Hosts
	}
	if name, is := strings.CutPrefix(p.SignIn, "keychain:"); is {
		s.SignIn = func() (string, error) { return secret(name) }
	}
	return s
}

// address is where the file of a recording is fetched; "" where it may not be.
func (s Source) address(r cti.Recording) string {
	for _, address := range []string{r.URL, s.template(r.ID)} {
		if u, err := url.Parse(address); address != "" && err == nil && s.admits(u) {
			return address
		}
	}
	return ""
}

func (s Source) template(id string) string {
	if s.File == "" || stableID(id) == "" {
		return ""
	}
	return withID(s.File, id)
}

// admits is the fence: nothing is asked of another host, nor in a way that others can read.
func (s Source) admits(u *url.URL) bool { return secure(u) && among(s.Hosts, u) }

func among(hosts []string, u *url.URL) bool {
	port := map[string]string{"https": "443", "http": "80"}[u.Scheme]
	if given := u.Port(); given != "" {
		port = given
	}
	return slices.ContainsFunc(hosts, func(host string) bool {
		name, allowed, err := net.SplitHostPort(host)
		if err != nil {
			name, allowed = strings.Trim(host, "[]"), map[string]string{"https": "443", "http": "80"}[u.Scheme]
		}
		return strings.EqualFold(name, u.Hostname()) && allowed == port
	})
}

// mostRedirects is how often a phone system may send us on.
const mostRedirects = 5

// The time-outs of one request; what a piece itself needs comes on top.
const (
	connectLimit = 10 * time.Second
	answerLimit  = 30 * time.Second
	idleLimit    = 30 * time.Second
)

var errFence = errors.New("the redirect leads to a host that recordings.hosts does not name")

// client fetches. A redirect is followed within the fence alone, and takes no sign-in along to another host, nor tells it where we came from.
func (s Source) client() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy: func(r *http.Request) (*url.URL, error) {
				if loopback(r.URL.Hostname()) {
					return nil, nil
				}
				return http.ProxyFromEnvironment(r)
			},
			TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12},
			ForceAttemptHTTP2:     true,
			DisableCompression:    true, // a range of what was packed is of no use
			MaxIdleConnsPerHost:   1,
			IdleConnTimeout:       idleLimit,
			TLSHandshakeTimeout:   connectLimit,
			ResponseHeaderTimeout: answerLimit,
			DialContext:           (&net.Dialer{Timeout: connectLimit}).DialContext,
		},
		CheckRedirect: func(r *http.Request, before []*http.Request) error {
			r.Header.Del("Referer") // it would tell the credential in the address before
			switch {
			case len(before) > mostRedirects:
				return errors.New("the phone system redirects in circles")
			case !s.admits(r.URL):
				return errFence
			case r.URL.Scheme != before[0].URL.Scheme || r.URL.Host != before[0].URL.Host:
				r.Header.Del("Authorization")
				r.Header.Del("Cookie")
			}
			return nil
		},
	}
}

// sign signs in to the phone system, where that is one that may see it and the address opens nothing by itself.
func (s Source) sign(r *http.Request) error {
	if s.SignIn == nil || !among(s.Ours, r.URL) || BearsCredential(r.URL.String()) {
		return nil
	}
	secret, err := s.SignIn()
	if err != nil {
		return cti.Errorf(cti.Offline, "the sign-in of the phone system cannot be read: unlock the keychain, or store it with ringctl secret set", err)
	}
	if user, password, is := strings.Cut(secret, ":"); is {
		r.SetBasicAuth(user, password)
	} else {
		r.Header.Set("Authorization", "Bearer "+secret)
	}
	return nil
}
