package loopback

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/tape"
	"ringside.dev/ringside/bridge/wire"
)

// Agent is what the routes call: the running agent. All fields are required; all are called concurrently.
type Agent struct {
	Board       *Board
	Status      func() wire.Status
	Feed        func(ctx context.Context, e cti.Event) error
	Command     func(ctx context.Context, leg string, do cti.Instruction) error
	Dial        func(ctx context.Context, number string) error
	CallBack    func(ctx context.Context, leg string) error
	Pick        func(ctx context.Context, leg, customerID string) error
	Wrong       func(ctx context.Context, leg string) error
	Search      func(ctx context.Context, text string) ([]cti.Customer, error)
	Create      func(ctx context.Context, leg string, r wire.CreateRequest) error
	AttachCall  func(ctx context.Context, leg string, r wire.AttachCallRequest) error
	Tags        func(ctx context.Context, leg string, r wire.TagsRequest) error
	Presence    func(ctx context.Context, r wire.PresenceRequest) error
	SetStatus   func(ctx context.Context, leg string, r wire.StatusRequest) error
	SetTicket   func(ctx context.Context, leg string, r wire.TicketStatusRequest) error
	Options     func(ctx context.Context, kind string) ([]cti.Option, error)
	WrapUp      func(ctx context.Context, leg string, w wire.WrapUpRequest) error
	Events      func(ctx context.Context, q wire.EventQuery, each func(cti.Event) error) error
	Record      func(source string) (frames <-chan tape.Frame, stop func(), err error)
	PresenceLog func(since time.Time) ([]cti.PresenceChange, error)
	Calls       func(limit int) ([]wire.LoggedCall, error)
	Call        func(leg string) (wire.LoggedCall, error)
	Timing      func(leg string) (wire.Timing, error)
	Show        func() error // brings the window to the screen
	Look        func()       // a phone's program left something in the mailbox

	Index      func() (wire.Index, error)
	SyncIndex  func(full bool) error
	ClearIndex func() error
	Identify   func(ctx context.Context, number string) (wire.Identified, error)

	Outbox   func(q wire.OutboxQuery) ([]wire.OutboxItem, error)
	Item     func(seq uint64) (wire.OutboxItem, error)
	Retry    func(seq uint64) error
	RetryAll func() (int, error)
	Edit     func(ctx context.Context, seq uint64, e wire.EditRequest) error
	Attach   func(ctx context.Context, seq uint64, customerID string) error
	Discard  func(seq uint64, reason string) error

	Preview     func(ctx context.Context, seq uint64) ([]wire.ShownRequest, error)
	PreviewCall func(ctx context.Context, leg string) ([]wire.ShownRequest, error)
	Rebuild     func(ctx context.Context, seq uint64) error
}

// permission is the right a route asks for. Until roles come, everybody who passes the gate has all of them.
type permission string

const (
	see     permission = "see"     // calls, cards, the agent's state
	act     permission = "act"     // do what the agent at the desk does
	operate permission = "operate" // feed events, retry deliveries
)

// route has either serve, which gives one answer, or stream, which writes until the reader goes.
type route struct {
	pattern string
	needs   permission
	serve   func(a Agent, r *http.Request) (any, error)
	stream  func(s *Server, w http.ResponseWriter, r *http.Request)
}

// routes is the whole local API.
var routes = []route{
	{"GET /v1/status", see, func(a Agent, _ *http.Request) (any, error) { return a.Status(), nil }, nil},
	{"GET /v1/snapshot", see, func(a Agent, _ *http.Request) (any, error) { return a.Board.Snapshot(), nil }, nil},
	{"GET /v1/deltas", see, nil, (*Server).stream},
	{"GET /v1/events", operate, nil, (*Server).events},
	{"GET /v1/sources/{source}/frames", operate, nil, (*Server).frames},
	{"GET /v1/calls", see, listCalls, nil},
	{"GET /v1/calls/{leg}", see, func(a Agent, r *http.Request) (any, error) { return a.Call(r.PathValue("leg")) }, nil},
	{"GET /v1/calls/{leg}/timing", see, func(a Agent, r *http.Request) (any, error) { return a.Timing(r.PathValue("leg")) }, nil},
	{"POST /v1/calls/{leg}/command", act, body(func(a Agent, r *http.Request, b cti.Instruction) error {
		return a.Command(r.Context(), r.PathValue("leg"), b)
	}), nil},
	{"POST /v1/calls/{leg}/callback", act, func(a Agent, r *http.Request) (any, error) {
		return struct{}{}, a.CallBack(r.Context(), r.PathValue("leg"))
	}, nil},
	{"POST /v1/calls/{leg}/pick", act, body(func(a Agent, r *http.Request, b wire.PickRequest) error {
		return a.Pick(r.Context(), r.PathValue("leg"), b.CustomerID)
	}), nil},
	{"POST /v1/calls/{leg}/wrong", act, func(a Agent, r *http.Request) (any, error) {
		return struct{}{}, a.Wrong(r.Context(), r.PathValue("leg"))
	}, nil},
	{"POST /v1/calls/{leg}/customer", act, body(func(a Agent, r *http.Request, b wire.CreateRequest) error {
		return a.Create(r.Context(), r.PathValue("leg"), b)
	}), nil},
	{"POST /v1/calls/{leg}/attach", act, body(func(a Agent, r *http.Request, b wire.AttachCallRequest) error {
		return a.AttachCall(r.Context(), r.PathValue("leg"), b)
	}), nil},
	{"POST /v1/calls/{leg}/tags", act, body(func(a Agent, r *http.Request, b wire.TagsRequest) error {
		return a.Tags(r.Context(), r.PathValue("leg"), b)
	}), nil},
	{"POST /v1/calls/{leg}/status", act, body(func(a Agent, r *http.Request, b wire.StatusRequest) error {
		return a.SetStatus(r.Context(), r.PathValue("leg"), b)
	}), nil},
	{"POST /v1/calls/{leg}/ticket", act, body(func(a Agent, r *http.Request, b wire.TicketStatusRequest) error {
		return a.SetTicket(r.Context(), r.PathValue("leg"), b)
	}), nil},
	{"GET /v1/options/{kind}", see, func(a Agent, r *http.Request) (any, error) { return a.Options(r.Context(), r.PathValue("kind")) }, nil},
	{"POST /v1/search", see, asked(func(a Agent, r *http.Request, b wire.SearchRequest) (any, error) {
		return a.Search(r.Context(), b.Text)
	}), nil},
	{"POST /v1/calls/{leg}/wrapup", act, body(func(a Agent, r *http.Request, b wire.WrapUpRequest) error {
		return a.WrapUp(r.Context(), r.PathValue("leg"), b)
	}), nil},
	{"POST /v1/presence", act, body(func(a Agent, r *http.Request, b wire.PresenceRequest) error { return a.Presence(r.Context(), b) }), nil},
	{"GET /v1/presence/log", see, func(a Agent, r *http.Request) (any, error) {
		since, err := time.Parse(time.RFC3339, r.URL.Query().Get("since"))
		if err != nil {
			return nil, cti.Errorf(cti.Invalid, "since must be a time such as 2026-11-23T08:00:00Z", err)
		}
		return a.PresenceLog(since)
	}, nil},
	{"POST /v1/dial", act, body(func(a Agent, r *http.Request, b wire.DialRequest) error { return a.Dial(r.Context(), b.Number) }), nil},
	{"POST /v1/events", operate, body(func(a Agent, r *http.Request, e cti.Event) error { return a.Feed(r.Context(), e) }), nil},
	{"POST /v1/hook", operate, func(a Agent, _ *http.Request) (any, error) { a.Look(); return struct{}{}, nil }, nil},
	{"POST /v1/window/show", act, func(a Agent, _ *http.Request) (any, error) { return struct{}{}, a.Show() }, nil},
	{"GET /v1/index", see, func(a Agent, _ *http.Request) (any, error) { return a.Index() }, nil},
	{"POST /v1/index/sync", operate, body(func(a Agent, _ *http.Request, b wire.SyncRequest) error { return a.SyncIndex(b.Full) }), nil},
	{"POST /v1/index/clear", operate, func(a Agent, _ *http.Request) (any, error) { return struct{}{}, a.ClearIndex() }, nil},
	{"POST /v1/identify", see, asked(func(a Agent, r *http.Request, b wire.DialRequest) (any, error) {
		return a.Identify(r.Context(), b.Number)
	}), nil},
	{"GET /v1/outbox", operate, listOutbox, nil},
	{"GET /v1/outbox/export", operate, nil, (*Server).export},
	{"GET /v1/outbox/{seq}", operate, item(func(a Agent, seq uint64) (any, error) { return a.Item(seq) }), nil},
	{"GET /v1/outbox/{seq}/preview", operate, func(a Agent, r *http.Request) (any, error) {
		return item(func(a Agent, seq uint64) (any, error) { return a.Preview(r.Context(), seq) })(a, r)
	}, nil},
	{"GET /v1/calls/{leg}/preview", operate, func(a Agent, r *http.Request) (any, error) { return a.PreviewCall(r.Context(), r.PathValue("leg")) }, nil},
	{"POST /v1/outbox/{seq}/rebuild", operate, func(a Agent, r *http.Request) (any, error) {
		return item(func(a Agent, seq uint64) (any, error) { return struct{}{}, a.Rebuild(r.Context(), seq) })(a, r)
	}, nil},
	{"POST /v1/outbox/retry", operate, retryAll, nil},
	{"POST /v1/outbox/{seq}/retry", operate, item(func(a Agent, seq uint64) (any, error) { return struct{}{}, a.Retry(seq) }), nil},
	{"POST /v1/outbox/{seq}/edit", operate, change(func(ctx context.Context, a Agent, seq uint64, b wire.EditRequest) error { return a.Edit(ctx, seq, b) }), nil},
	{"POST /v1/outbox/{seq}/attach", operate, change(func(ctx context.Context, a Agent, seq uint64, b wire.AttachRequest) error {
		return a.Attach(ctx, seq, b.CustomerID)
	}), nil},
	{"POST /v1/outbox/{seq}/discard", operate, change(func(_ context.Context, a Agent, seq uint64, b wire.DiscardRequest) error {
		return a.Discard(seq, b.Reason)
	}), nil},
}

// asked is a question with a body: an address may be logged, and the question may hold a number or a name.
func asked[T any](answer func(a Agent, r *http.Request, b T) (any, error)) func(a Agent, r *http.Request) (any, error) {
	return func(a Agent, r *http.Request) (out any, err error) {
		_, err = body(func(a Agent, r *http.Request, b T) (err error) {
			out, err = answer(a, r, b)
			return err
		})(a, r)
		return out, err
	}
}

func listCalls(a Agent, r *http.Request) (any, error) {
	limit, err := limitOf(r, 50)
	if err != nil {
		return nil, err
	}
	return a.Calls(limit)
}

// mostListed is how many entries one answer can hold.
const mostListed = wire.MaxOutboxPage

func limitOf(r *http.Request, usual int) (int, error) {
	text := r.URL.Query().Get("limit")
	if text == "" {
		return usual, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > mostListed {
		return 0, cti.Errorf(cti.Invalid, fmt.Sprintf("limit must be a whole number from 1 to %d", mostListed), nil)
	}
	return n, nil
}

// body decodes a request strictly: an unknown field is a mistake of the caller's and is named.
func body[T any](do func(a Agent, r *http.Request, b T) error) func(a Agent, r *http.Request) (any, error) {
	return func(a Agent, r *http.Request) (any, error) {
		var b T
		decoder := json.NewDecoder(r.Body)
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&b); err != nil {
			return nil, cti.Errorf(cti.Invalid, "the request is not what this route takes: "+mistake(err), nil)
		}
		if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
			return nil, cti.Errorf(cti.Invalid, "the request holds more than one JSON value", nil)
		}
		return struct{}{}, do(a, r, b)
	}
}

// unknownField is a field's name that may be repeated: no digits, which may be a telephone number.
var unknownField = regexp.MustCompile(`^json: unknown field ("[A-Za-z_]{1,40}")$`)

// mistake says what is wrong with a request's JSON without repeating its values: the library's own words quote them.
func mistake(err error) string {
	var tooLarge *http.MaxBytesError
	var syntax *json.SyntaxError
	var wrongType *json.UnmarshalTypeError
	var notTime *time.ParseError
	switch {
	case errors.As(err, &tooLarge):
		return "it is larger than 256 KiB"
	case errors.Is(err, io.EOF):
		return "it is empty"
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "it ends in the middle"
	case errors.As(err, &syntax):
		return fmt.Sprintf("no JSON at byte %d", syntax.Offset)
	case errors.As(err, &wrongType):
		return fmt.Sprintf("field %q cannot hold that, it is a %s", wrongType.Field, wrongType.Type)
	case errors.As(err, &notTime):
		return "a time is not in RFC 3339, such as 2026-03-02T09:30:00Z"
	}
	if name := unknownField.FindStringSubmatch(err.Error()); name != nil {
		return "unknown field " + name[1]
	}
	return "unknown field or value"
}

// httpStatus is the one table from error kinds to HTTP statuses.
var httpStatus = map[cti.Kind]int{
	cti.Invalid:   http.StatusUnprocessableEntity,
	cti.Auth:      http.StatusUnauthorized,
	cti.Denied:    http.StatusForbidden,
	cti.NotFound:  http.StatusNotFound,
	cti.Conflict:  http.StatusConflict,
	cti.Limited:   http.StatusTooManyRequests,
	cti.Offline:   http.StatusServiceUnavailable,
	cti.Uncertain: http.StatusGatewayTimeout,
	cti.Internal:  http.StatusInternalServerError,
}
