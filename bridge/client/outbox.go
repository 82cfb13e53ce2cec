package client

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/wire"
)

// Outbox lists the write-backs that have not reached the CRM, by Seq. A limit of 0 is the agent's own.
func (c *Client) Outbox(ctx context.Context, q wire.OutboxQuery) ([]wire.OutboxItem, error) {
	values := url.Values{}
	if q.State != "" {
		values.Set("state", string(q.State))
	}
	if q.Limit != 0 {
		values.Set("limit", strconv.Itoa(q.Limit))
	}
	if q.After != 0 {
		values.Set("after", strconv.FormatUint(q.After, 10))
	}
	return get[[]wire.OutboxItem](ctx, c, "/v1/outbox?"+values.Encode())
}

// Item gives one item of the outbox with all that is known about it; kind notfound if there is none.
func (c *Client) Item(ctx context.Context, seq uint64) (wire.OutboxItem, error) {
	return get[wire.OutboxItem](ctx, c, itemPath(seq, ""))
}

// Retry makes an item of the outbox due now.
func (c *Client) Retry(ctx context.Context, seq uint64) error {
	return c.post(ctx, itemPath(seq, "/retry"), struct{}{})
}

// RetryAll makes all items due that can be sent without a person, and tells how many.
func (c *Client) RetryAll(ctx context.Context) (int, error) {
	answer, err := change[wire.Retried](ctx, c, "/v1/outbox/retry", struct{}{})
	return answer.Items, err
}

// Edit replaces outcome and note of an item.
func (c *Client) Edit(ctx context.Context, seq uint64, e wire.EditRequest) error {
	return c.post(ctx, itemPath(seq, "/edit"), e)
}

// Attach says whom an item is for.
func (c *Client) Attach(ctx context.Context, seq uint64, customerID string) error {
	return c.post(ctx, itemPath(seq, "/attach"), wire.AttachRequest{CustomerID: customerID})
}

// Discard takes an item out of the outbox: the CRM will not have it.
func (c *Client) Discard(ctx context.Context, seq uint64, reason string) error {
	return c.post(ctx, itemPath(seq, "/discard"), wire.DiscardRequest{Reason: reason})
}

// Preview shows the requests that an item would make under the site's mapping as it is now; nothing is sent.
func (c *Client) Preview(ctx context.Context, seq uint64) ([]wire.ShownRequest, error) {
	return get[[]wire.ShownRequest](ctx, c, itemPath(seq, "/preview"))
}

// PreviewCall is Preview for the record of a finished call.
func (c *Client) PreviewCall(ctx context.Context, leg string) ([]wire.ShownRequest, error) {
	return get[[]wire.ShownRequest](ctx, c, "/v1/calls/"+url.PathEscape(leg)+"/preview")
}

// Rebuild sends an item anew under the site's mapping as it is now: one that was delivered changes its record.
func (c *Client) Rebuild(ctx context.Context, seq uint64) error {
	return c.post(ctx, itemPath(seq, "/rebuild"), struct{}{})
}

// Export writes the whole outbox to w, however long that takes. After an error w does not hold all of it.
func (c *Client) Export(ctx context.Context, f wire.Format, w io.Writer) error {
	res, err := c.send(ctx, http.MethodGet, "/v1/outbox/export?format="+url.QueryEscape(string(f)), nil)
	if err != nil {
		return err
	}
	defer closeBody(res)
	out := &receiving{w: w}
	_, err = io.Copy(out, res.Body)
	switch {
	case err == nil, out.failed != nil: // w's own error, which says what is wrong with the file
		return out.failed
	default:
		return cti.Errorf(cti.Offline, "the list broke off: it is not whole", err)
	}
}

// receiving tells the writer's errors from the connection's.
type receiving struct {
	w      io.Writer
	failed error
}

func (r *receiving) Write(b []byte) (int, error) {
	n, err := r.w.Write(b)
	r.failed = err
	return n, err
}

func itemPath(seq uint64, verb string) string {
	return "/v1/outbox/" + strconv.FormatUint(seq, 10) + verb
}
