package loopback

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/wire"
)

// usualItems is how many items a list has when no limit is asked for.
const usualItems = 200

func listOutbox(a Agent, r *http.Request) (any, error) {
	limit, err := limitOf(r, usualItems)
	if err != nil {
		return nil, err
	}
	q := wire.OutboxQuery{State: wire.WriteState(r.URL.Query().Get("state")), Limit: limit}
	if q.State != "" && !slices.Contains(wire.OutboxListStates, q.State) {
		return nil, cti.Errorf(cti.Invalid, fmt.Sprintf("state must be one of %v", wire.OutboxListStates), nil)
	}
	if text := r.URL.Query().Get("after"); text != "" {
		if q.After, err = strconv.ParseUint(text, 10, 64); err != nil {
			return nil, cti.Errorf(cti.Invalid, "after must be the number of an item", nil)
		}
	}
	return a.Outbox(q)
}

func retryAll(a Agent, _ *http.Request) (any, error) {
	n, err := a.RetryAll()
	return wire.Retried{Items: n}, err
}

// item reads the number of the item that a path names.
func item(do func(a Agent, seq uint64) (any, error)) func(a Agent, r *http.Request) (any, error) {
	return func(a Agent, r *http.Request) (any, error) {
		seq, err := strconv.ParseUint(r.PathValue("seq"), 10, 64)
		if err != nil {
			return nil, cti.Errorf(cti.Invalid, "the item is named by its number: see ringctl outbox list", nil)
		}
		return do(a, seq)
	}
}

// change is a request with a body about an item.
func change[T any](do func(ctx context.Context, a Agent, seq uint64, b T) error) func(a Agent, r *http.Request) (any, error) {
	return func(a Agent, r *http.Request) (any, error) {
		return item(func(a Agent, seq uint64) (any, error) {
			return body(func(a Agent, r *http.Request, b T) error { return do(r.Context(), a, seq, b) })(a, r)
		})(a, r)
	}
}

// exported is the content type of each format.
var exported = map[wire.Format]string{wire.CSV: "text/csv; charset=utf-8", wire.JSON: "application/json"}

// export writes the whole outbox while it reads it. A list that broke off is not ended, so that the reader sees that it is not whole.
func (s *Server) export(w http.ResponseWriter, r *http.Request) {
	format := wire.Format(r.URL.Query().Get("format"))
	if format == "" {
		format = wire.CSV
	}
	w.Header().Set("Content-Type", exported[format])
	out := &paced{w: w, control: http.NewResponseController(w)}
	err := wire.ExportOutbox(out, format, func(q wire.OutboxQuery) ([]wire.OutboxItem, error) {
		if err := r.Context().Err(); err != nil {
			return nil, err
		}
		return s.agent.Outbox(q)
	})
	switch {
	case err == nil:
	case out.begun:
		s.log.Error("export broke off", "err", err)
		_ = out.control.Flush()     // the reader shall see that something came, and not the end
		panic(http.ErrAbortHandler) // the one way to tell net/http to cut the connection
	default:
		s.refuse(w, r, err)
	}
}

// paced gives the reader time for each piece, not for the whole, and knows whether anything went out.
type paced struct {
	w       http.ResponseWriter
	control *http.ResponseController
	begun   bool
}

func (p *paced) Write(b []byte) (int, error) {
	p.begun = true
	if err := p.control.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil && !errors.Is(err, http.ErrNotSupported) { // a test's writer
		return 0, err
	}
	return p.w.Write(b)
}
