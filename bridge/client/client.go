// Package client speaks to the running agent over its local API; ringctl is built on it. It must not open the agent's store: only one
// process may hold that.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/loopback"
	"ringside.dev/ringside/bridge/tape"
	"ringside.dev/ringside/bridge/wire"
)

// Client is safe for concurrent use.
type Client struct {
	http *http.Client
}

// New makes a client for the agent at an endpoint; an empty name means the user's own. Nothing is connected yet.
func New(endpoint string) *Client {
	return &Client{http: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return loopback.Dial(ctx, endpoint) },
	}}}
}

// Close lets go of idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Status gives the agent's own state.
func (c *Client) Status(ctx context.Context) (wire.Status, error) {
	return get[wire.Status](ctx, c, "/v1/status")
}

// Snapshot gives all the window shows.
func (c *Client) Snapshot(ctx context.Context) (wire.Snapshot, error) {
	text, err := get[json.RawMessage](ctx, c, "/v1/snapshot")
	if err != nil {
		return wire.Snapshot{}, err
	}
	return snapshot(text)
}

// snapshot looks at the version first: what a newer Ringside writes may have another shape.
func snapshot(text []byte) (s wire.Snapshot, err error) {
	var version struct{ V int }
	if err = json.Unmarshal(text, &version); err == nil && version.V > wire.Version {
		return s, cti.Errorf(cti.Invalid, "the running Ringside is newer than this program: update it", nil)
	}
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	if err != nil {
		return s, fmt.Errorf("read the agent's answer: %w", err)
	}
	return s, nil
}

// Calls gives the newest finished calls, newest first; limit 1 to 1000.
func (c *Client) Calls(ctx context.Context, limit int) ([]wire.LoggedCall, error) {
	return get[[]wire.LoggedCall](ctx, c, "/v1/calls?limit="+strconv.Itoa(limit))
}

// Call gives one finished call; kind notfound if there is none.
func (c *Client) Call(ctx context.Context, leg string) (wire.LoggedCall, error) {
	return get[wire.LoggedCall](ctx, c, "/v1/calls/"+url.PathEscape(leg))
}

// Timing tells how fast a call's card was.
func (c *Client) Timing(ctx context.Context, leg string) (wire.Timing, error) {
	return get[wire.Timing](ctx, c, "/v1/calls/"+url.PathEscape(leg)+"/timing")
}

// Feed hands one canonical event to the agent.
func (c *Client) Feed(ctx context.Context, e cti.Event) error { return c.post(ctx, "/v1/events", e) }

// Command asks the phone to do something with a call.
func (c *Client) Command(ctx context.Context, leg string, do cti.Instruction) error {
	return c.post(ctx, "/v1/calls/"+url.PathEscape(leg)+"/command", do)
}

// Dial asks the phone to call a number.
func (c *Client) Dial(ctx context.Context, number string) error {
	return c.post(ctx, "/v1/dial", wire.DialRequest{Number: number})
}

// CallBack asks the phone to call the other party of a finished call.
func (c *Client) CallBack(ctx context.Context, leg string) error {
	return c.post(ctx, "/v1/calls/"+url.PathEscape(leg)+"/callback", struct{}{})
}

// SetPresence makes the agent ready, or not ready for a reason.
func (c *Client) SetPresence(ctx context.Context, r wire.PresenceRequest) error {
	return c.post(ctx, "/v1/presence", r)
}

// PresenceLog gives the agent's states since a time, the oldest first.
func (c *Client) PresenceLog(ctx context.Context, since time.Time) ([]cti.PresenceChange, error) {
	return get[[]cti.PresenceChange](ctx, c, "/v1/presence/log?since="+url.QueryEscape(since.UTC().Format(time.RFC3339)))
}

// Search finds customers by a number, a name, a company or an e-mail address.
func (c *Client) Search(ctx context.Context, text string) ([]cti.Customer, error) {
	return change[[]cti.Customer](ctx, c, "/v1/search", wire.SearchRequest{Text: text})
}

// Create makes a customer of a call's caller.
func (c *Client) Create(ctx context.Context, leg string, r wire.CreateRequest) error {
	return c.post(ctx, "/v1/calls/"+url.PathEscape(leg)+"/customer", r)
}

// AttachCall says whom a call is with, and may add the caller's number to theirs.
func (c *Client) AttachCall(ctx context.Context, leg string, r wire.AttachCallRequest) error {
	return c.post(ctx, "/v1/calls/"+url.PathEscape(leg)+"/attach", r)
}

// Tags adds tags to those of a call's customer and removes others.
func (c *Client) Tags(ctx context.Context, leg string, r wire.TagsRequest) error {
	return c.post(ctx, "/v1/calls/"+url.PathEscape(leg)+"/tags", r)
}

// SetStatus sets the follow-up status of a call's customer.
func (c *Client) SetStatus(ctx context.Context, leg string, r wire.StatusRequest) error {
	return c.post(ctx, "/v1/calls/"+url.PathEscape(leg)+"/status", r)
}

// SetTicket sets the status of a ticket on a call's card.
func (c *Client) SetTicket(ctx context.Context, leg string, r wire.TicketStatusRequest) error {
	return c.post(ctx, "/v1/calls/"+url.PathEscape(leg)+"/ticket", r)
}

// Options gives the choices of a kind as the CRM has them.
func (c *Client) Options(ctx context.Context, kind string) ([]cti.Option, error) {
	return get[[]cti.Option](ctx, c, "/v1/options/"+url.PathEscape(kind))
}

// Wrong takes back whom a call is with.
func (c *Client) Wrong(ctx context.Context, leg string) error {
	return c.post(ctx, "/v1/calls/"+url.PathEscape(leg)+"/wrong", struct{}{})
}

// Pick says which of several customers a call is from.
func (c *Client) Pick(ctx context.Context, leg, customerID string) error {
	return c.post(ctx, "/v1/calls/"+url.PathEscape(leg)+"/pick", wire.PickRequest{CustomerID: customerID})
}

// WrapUp saves outcome and note of a call.
func (c *Client) WrapUp(ctx context.Context, leg string, w wire.WrapUpRequest) error {
	return c.post(ctx, "/v1/calls/"+url.PathEscape(leg)+"/wrapup", w)
}

// Show brings the agent's window to the screen; kind notfound when it runs without one.
func (c *Client) Show(ctx context.Context) error { return c.post(ctx, "/v1/window/show", struct{}{}) }

// Watch calls first with the snapshot and then each with every delta, until ctx ends (nil), each gives an error (that error), or the
// agent goes away or the reader fell behind (kind offline: begin anew).
func (c *Client) Watch(ctx context.Context, first func(wire.Snapshot) error, each func(wire.Delta) error) error {
	res, err := c.send(ctx, http.MethodGet, "/v1/deltas", nil)
	if ctx.Err() != nil {
		if err == nil {
			closeBody(res)
		}
		return nil
	}
	if err != nil {
		return err
	}
	defer closeBody(res)
	decoder := json.NewDecoder(res.Body)
	var text json.RawMessage
	if err := decoder.Decode(&text); err != nil {
		return ended(ctx, err)
	}
	s, err := snapshot(text)
	if err != nil {
		return err
	}
	if err := first(s); err != nil {
		return err
	}
	for {
		var d wire.Delta
		if err := decoder.Decode(&d); err != nil {
			return ended(ctx, err)
		}
		if err := each(d); err != nil {
			return err
		}
	}
}

// Events gives canonical events to each until they end, ctx ends or each fails; the first two are no errors.
func (c *Client) Events(ctx context.Context, q wire.EventQuery, each func(cti.Event) error) error {
	query := url.Values{}
	for name, set := range map[string]bool{"follow": q.Follow, "mask": q.Mask} {
		if set {
			query.Set(name, "")
		}
	}
	return stream(ctx, c, "/v1/events?"+query.Encode(), each)
}

// Record gives what a source's phone sends and is sent from now on to each, until ctx ends, which is no error, or each fails.
func (c *Client) Record(ctx context.Context, source string, each func(tape.Frame) error) error {
	return stream(ctx, c, "/v1/sources/"+url.PathEscape(source)+"/frames", each)
}

// stream reads one value a line.
func stream[T any](ctx context.Context, c *Client, path string, each func(T) error) error {
	res, err := c.send(ctx, http.MethodGet, path, nil)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil
	case err != nil:
		return err
	}
	defer closeBody(res)
	for decoder := json.NewDecoder(res.Body); ; {
		var v T
		switch err := decoder.Decode(&v); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return ended(ctx, err)
		}
		if err := each(v); err != nil {
			return err
		}
	}
}

func ended(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return cti.Errorf(cti.Offline, "the connection to Ringside ended", err)
	}
	return nil
}

// requestTimeout is longer than the phone's three seconds, which a command may take.
const requestTimeout = 10 * time.Second

func get[T any](ctx context.Context, c *Client, path string) (T, error) {
	var answer T
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	res, err := c.send(ctx, http.MethodGet, path, nil)
	if err != nil {
		return answer, err
	}
	defer closeBody(res)
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		return answer, fmt.Errorf("read the agent's answer: %w", err)
	}
	return answer, nil
}

// post asks for a change whose answer says nothing but that it was taken.
func (c *Client) post(ctx context.Context, path string, body any) error {
	_, err := change[struct{}](ctx, c, path, body)
	return err
}

func change[T any](ctx context.Context, c *Client, path string, body any) (T, error) {
	var answer T
	text, err := json.Marshal(body)
	if err != nil {
		return answer, fmt.Errorf("write the request: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	res, err := c.send(ctx, http.MethodPost, path, bytes.NewReader(text))
	if err != nil {
		return answer, err
	}
	defer closeBody(res)
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		return answer, unanswered(http.MethodPost, err)
	}
	return answer, nil
}

// send makes a request; any status but 200 is the error it describes.
func (c *Client) send(ctx context.Context, method, path string, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+loopback.Host+path, body)
	if err != nil {
		return nil, err
	}
	res, err := c.http.Do(req)
	if err != nil {
		var known *cti.Error
		if errors.As(err, &known) {
			return nil, known
		}
		return nil, unanswered(method, err)
	}
	if res.StatusCode == http.StatusOK {
		return res, nil
	}
	defer closeBody(res)
	var p wire.Problem
	if err := json.NewDecoder(res.Body).Decode(&p); err != nil || !slices.Contains(kinds, p.Kind) {
		return nil, cti.Errorf(cti.Internal, "the running Ringside answered "+res.Status, err)
	}
	return nil, &cti.Error{Kind: p.Kind, Msg: p.Message, RetryAfter: time.Duration(p.RetryAfterMS) * time.Millisecond}
}

// kinds are those this program can act upon; a newer Ringside may have more.
var kinds = []cti.Kind{cti.Invalid, cti.Auth, cti.Denied, cti.NotFound, cti.Conflict, cti.Limited, cti.Offline, cti.Uncertain, cti.Internal}

// unanswered: what only reads changed nothing, anything else may have been done before the answer was lost. The address is taken off
// the error: it is none of the user's.
func unanswered(method string, err error) error {
	var outer *url.Error
	if errors.As(err, &outer) {
		err = outer.Err
	}
	if method == http.MethodGet {
		return cti.Errorf(cti.Offline, "the running Ringside did not answer", err)
	}
	return cti.Errorf(cti.Uncertain, "the running Ringside did not answer: look whether it was done before you repeat it", err)
}

// closeBody: all that is wanted was read, so an error on closing says nothing.
func closeBody(res *http.Response) { _ = res.Body.Close() }
