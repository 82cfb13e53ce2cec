package sandbox

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"testing"
)

// client is an agent's program: it knows the wire only.
type client struct {
	t     *testing.T
	base  string
	token string
	http  *http.Client
}

type reply struct {
	status int
	header http.Header
	body   []byte
}

func begin(t *testing.T, o Options) *Server {
	t.Helper()
	s, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

func dial(t *testing.T, s *Server) *client {
	c := &client{t: t, base: s.URL(), token: DefaultToken, http: &http.Client{Transport: &http.Transport{}}}
	t.Cleanup(c.http.CloseIdleConnections)
	return c
}

func (c *client) try(method, path, body string, header ...string) (reply, error) {
	req, err := http.NewRequest(method, c.base+path, bytes.NewBufferString(body))
	if err != nil {
		return reply{}, err
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
		if header[i] == "Host" {
			req.Host = header[i+1]
		}
	}
	res, err := c.http.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	return reply{res.StatusCode, res.Header, b}, err
}

func (c *client) do(want int, method, path, body string, header ...string) reply {
	c.t.Helper()
	r, err := c.try(method, path, body, header...)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, path, err)
	}
	if r.status != want {
		c.t.Fatalf("%s %s: status %d, want %d: %s", method, path, r.status, want, r.body)
	}
	return r
}

func read[T any](t *testing.T, r reply) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(r.body, &v); err != nil {
		t.Fatalf("answer %s: %v", r.body, err)
	}
	return v
}

type refusal struct {
	Error problem `json:"error"`
}

func wantRefusal(t *testing.T, r reply, code, field string) problem {
	t.Helper()
	p := read[refusal](t, r).Error
	if p.Code != code || p.Field != field || p.Message == "" {
		t.Fatalf("refusal %s, want code %q field %q", r.body, code, field)
	}
	return p
}

func withKey(s *Server, key string) (out []Call) {
	for _, c := range s.Calls() {
		if c.ExternalKey == key {
			out = append(out, c)
		}
	}
	return out
}

const callBody = `{"direction":"in","number":"13800138000","contact_id":"c_000001","started_at":"2026-11-02T08:00:00.5+08:00","ring_ms":4000}`
