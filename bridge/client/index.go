package client

import (
	"context"

	"ringside.dev/ringside/bridge/wire"
)

// Index tells how many customers are kept on that computer.
func (c *Client) Index(ctx context.Context) (wire.Index, error) {
	return get[wire.Index](ctx, c, "/v1/index")
}

// SyncIndex starts a synchronisation, of what changed or of everybody; Index tells how far it is.
func (c *Client) SyncIndex(ctx context.Context, full bool) error {
	return c.post(ctx, "/v1/index/sync", wire.SyncRequest{Full: full})
}

// ClearIndex forgets all customers there.
func (c *Client) ClearIndex(ctx context.Context) error {
	return c.post(ctx, "/v1/index/clear", struct{}{})
}

// Identify finds the customers behind a number.
func (c *Client) Identify(ctx context.Context, number string) (wire.Identified, error) {
	return change[wire.Identified](ctx, c, "/v1/identify", wire.DialRequest{Number: number})
}
