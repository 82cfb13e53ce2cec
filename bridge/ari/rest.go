package ari

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/coder/websocket"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/tape"
)

// The limits of the wire. An event of Asterisk is 2 KiB at most; a list of 1,000 channels is 700 KiB.
const (
	maxEvent      = 256 << 10
	maxList       = 16 << 20
	maxReply      = 64 << 10
	askTimeout    = 3 * time.Second // reducer rule 4
	listTimeout   = 10 * time.Second
	dialTimeout   = 5 * time.Second
	pingEvery     = 20 * time.Second // a cut that nobody tells of is found in this and pingTimeout
	pingTimeout   = 10 * time.Second
	maxIdleConns  = askers + 2
	shakeTimeout  = 10 * time.Second
	idleKeptAlive = time.Minute
)

// rest asks one Asterisk over HTTP. The password goes as a header (RFC 7617), never into a URL, which others log.
type rest struct {
	base           *url.URL
	user, password string
	app            string
	client         *http.Client
	transport      *http.Transport
	tape           *tape.Deck
}

func newRest(base *url.URL, c Config, deck *tape.Deck) *rest {
	dialer := net.Dialer{Timeout: dialTimeout}
	// No proxy from the environment: the exchange is near, and a proxy would see the password.
	t := &http.Transport{DialContext: dialer.DialContext, TLSClientConfig: c.TLS.Clone(), TLSHandshakeTimeout: shakeTimeout,
		MaxIdleConns: maxIdleConns, MaxIdleConnsPerHost: maxIdleConns, IdleConnTimeout: idleKeptAlive, ResponseHeaderTimeout: listTimeout}
	return &rest{base: base, user: c.User, password: c.Password, app: c.App, transport: t, tape: deck, client: &http.Client{Transport: t,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}} // else the password would go along
}

func (r *rest) close() { r.transport.CloseIdleConnections() }

// subscribe opens the WebSocket that events come over, all of them or those that are asked for. The application's name is the only other parameter.
func (r *rest) subscribe(ctx context.Context, all bool) (*websocket.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, shakeTimeout)
	defer cancel()
	u := r.base.JoinPath("ari", "events")
	u.RawQuery = url.Values{"app": {r.app}, "subscribeAll": {strconv.FormatBool(all)}}.Encode()
	header := http.Header{}
	header.Set("Authorization", r.authorization())
	conn, answer, err := websocket.Dial(ctx, u.String(), &websocket.DialOptions{HTTPClient: r.client, HTTPHeader: header}) //nolint:bodyclose // the library does
	if err != nil {
		if answer != nil && answer.StatusCode != http.StatusSwitchingProtocols {
			return nil, refusal(answer.StatusCode)
		}
		return nil, offline(err)
	}
	conn.SetReadLimit(maxEvent)
	return conn, nil
}

func (r *rest) authorization() string {
	req := http.Request{Header: http.Header{}}
	req.SetBasicAuth(r.user, r.password)
	return req.Header.Get("Authorization")
}

// do asks, and reads the answer into result if that is not nil. Errors are cti.Errors by HTTP status; offline if there was none.
func (r *rest) do(ctx context.Context, method string, path []string, query url.Values, body, result any) error {
	if result == nil {
		_, err := r.ask(ctx, askTimeout, method, path, query, body, maxReply)
		return err
	}
	r.tape.Note(true, []byte(method+" /ari/"+strings.Join(path, "/")))
	text, err := r.ask(ctx, listTimeout, method, path, query, body, maxList)
	if err == nil {
		err = understood(text, result)
	}
	r.note(text, err)
	return err
}

// note puts an answer, or that there was none, on the tape.
func (r *rest) note(text []byte, err error) {
	if err != nil {
		text = []byte(noAnswer + string(cti.KindOf(err)))
	}
	r.tape.Note(false, text)
}

// variable is a question about a channel: what a variable of it is, or a function of the dialplan.
type variable struct{ channel, name string }

// variable asks. It is for noted to put it on the tape.
func (r *rest) variable(ctx context.Context, v variable) (value string, text []byte, err error) {
	var answer variableAnswer
	text, err = r.ask(ctx, askTimeout, http.MethodGet, []string{"channels", url.PathEscape(v.channel), "variable"}, url.Values{"variable": {v.name}}, nil, maxReply)
	if err == nil {
		err = understood(text, &answer)
	}
	return answer.Value, text, err
}

type variableAnswer struct {
	Value string `json:"value"`
}

// noted puts a question and what came of it on the tape, beside each other: others may have been asked at the same time.
func (r *rest) noted(v variable, text []byte, err error) {
	r.tape.Note(true, []byte(http.MethodGet+" /ari/channels/"+url.PathEscape(v.channel)+"/variable?"+v.name))
	r.note(text, err)
}

// ask gives the text of an answer of at most limit bytes.
func (r *rest) ask(ctx context.Context, timeout time.Duration, method string, path []string, query url.Values, body any, limit int64) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	u := r.base.JoinPath(append([]string{"ari"}, path...)...)
	u.RawQuery = query.Encode()
	var content io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, cti.Errorf(cti.Internal, "encode a request", err)
		}
		content = bytes.NewReader(b)
		if method == http.MethodPost {
			r.tape.Note(true, append([]byte("POST /ari/"+strings.Join(path, "/")+"\n"), b...))
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), content)
	if err != nil {
		return nil, cti.Errorf(cti.Internal, "make a request", err)
	}
	req.Header.Set("Authorization", r.authorization())
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	answer, err := r.client.Do(req)
	if err != nil {
		return nil, offline(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, limit+1))
	switch {
	case err != nil:
		return nil, offline(err)
	case answer.StatusCode < 200 || answer.StatusCode > 299:
		return nil, refusal(answer.StatusCode)
	case int64(len(text)) > limit:
		return nil, cti.Errorf(cti.Offline, "the exchange's answer is too long", nil)
	}
	return text, nil
}

func understood(text []byte, result any) error {
	if err := json.Unmarshal(text, result); err != nil {
		return cti.Errorf(cti.Offline, "the exchange's answer is not Asterisk's: is the address right?", withoutText(err))
	}
	return nil
}

func offline(err error) error { return cti.Errorf(cti.Offline, "the exchange is not connected", err) }

// refusal says what an HTTP status means here.
func refusal(status int) error {
	err := fmt.Errorf("HTTP %d", status)
	switch status {
	case http.StatusUnauthorized:
		return cti.Errorf(cti.Auth, "the exchange refuses the user or the password: they must be as in its ari.conf", err)
	case http.StatusForbidden:
		return cti.Errorf(cti.Denied, "the exchange's user may only read: in ari.conf, read_only must be no for commands", err)
	case http.StatusNotFound:
		return cti.Errorf(cti.NotFound, "the exchange does not have this call any more", err)
	case http.StatusConflict, http.StatusPreconditionFailed:
		return cti.Errorf(cti.Conflict, "the call is not in a state for this", err)
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		return cti.Errorf(cti.Invalid, "the exchange refuses this", err)
	}
	if status >= 500 {
		return cti.Errorf(cti.Offline, "the exchange could not do this", err)
	}
	return cti.Errorf(cti.Invalid, "what answers at the exchange's address is not Asterisk's REST interface", err)
}
