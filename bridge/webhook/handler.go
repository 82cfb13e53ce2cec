package webhook

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"ringside.dev/ringside/app/cti"
)

// logEvery is how often pushes without proof are logged: anybody may send them.
const logEvery = time.Minute

// errBusy: the events could not be handed on in time; the vendor pushes again.
var errBusy = errors.New("the events could not be handed on")

// handler is the gate: address, method, size, proof, age, in this order; only then is anything read of what the push tells, but for a body
// that holds its own proof. Who has no proof learns nothing but 401, whatever is wrong with it.
func (x *Exchange) handler(ctx context.Context, emit func(string, cti.Event)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if r.URL.Path != x.vendor.path {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		if !slices.Contains(x.vendor.methods, r.Method) {
			w.Header().Set("Allow", strings.Join(x.vendor.methods, ", "))
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		var large *http.MaxBytesError
		switch {
		case errors.As(err, &large):
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			return
		case err != nil:
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		x.reply(w, x.receive(ctx, emit, r, raw))
	})
}

// outcome is what became of a push.
type outcome int

const (
	handedOn outcome = iota
	refused          // no proof
	garbled          // proven, but not what the file says
	again            // to be pushed again
)

func (x *Exchange) reply(w http.ResponseWriter, o outcome) {
	switch o {
	case refused:
		w.WriteHeader(http.StatusUnauthorized)
	case garbled:
		w.WriteHeader(http.StatusBadRequest)
	case again:
		w.Header().Set("Retry-After", "5")
		w.WriteHeader(http.StatusServiceUnavailable)
	case handedOn:
		if x.vendor.answer.body != "" {
			w.Header().Set("Content-Type", x.vendor.answer.kind)
		}
		if _, err := io.WriteString(w, x.vendor.answer.body); err != nil {
			x.log.Debug("answer not sent", "error", err) // the vendor pushes again, which changes nothing
		}
	}
}

func (x *Exchange) receive(ctx context.Context, emit func(string, cti.Event), r *http.Request, raw []byte) outcome {
	m := &message{method: r.Method, path: r.URL.Path, header: r.Header, query: r.URL.Query(), raw: raw}
	parse := func() (err error) { m.body, err = x.vendor.content.parse(raw, m.query); return err }
	var parseErr error
	if x.vendor.sign.readsBody() {
		parseErr = parse()
	}
	now := time.Now().UTC()
	if !x.vendor.sign.proves(m, x.secret) || !x.vendor.sign.fresh(m, now) {
		x.unproven()
		return refused
	}
	if !x.vendor.sign.readsBody() {
		parseErr = parse()
	}
	if parseErr != nil || !x.fits(r.Header.Get("Content-Type")) {
		x.log.Warn("push not understood", "bytes", len(raw), "content_type", cti.Clean(r.Header.Get("Content-Type"), 80))
		return garbled
	}
	patience, cancel := context.WithTimeout(ctx, handTimeout)
	defer cancel()
	select {
	case x.turn <- struct{}{}:
		defer func() { <-x.turn }()
	case <-patience.Done():
		return again
	}
	nonce := m.text(x.vendor.sign.nonce, nil)
	if x.vendor.sign.nonce.known() && (nonce == "" || x.nonces.has(nonce, now)) {
		x.unproven()
		return refused
	}
	x.note(r, raw)
	switch err := x.book(ctx, emit, m, now); {
	case errors.Is(err, errBody):
		x.log.Warn("push not understood", "bytes", len(raw))
		return garbled
	case err != nil:
		return again
	}
	if nonce != "" {
		x.nonces.add(nonce, now)
	}
	return handedOn
}

// fits tells whether a request's own word of its content agrees with the file. Vendors that send none are believed.
func (x *Exchange) fits(contentType string) bool {
	if contentType == "" || x.vendor.content == queryBody {
		return true
	}
	kind, _, err := mime.ParseMediaType(contentType)
	isForm := kind == "application/x-www-form-urlencoded"
	return err == nil && isForm == (x.vendor.content == formBody)
}

func (x *Exchange) unproven() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.refused++
	if now := time.Now(); now.Sub(x.logged) >= logEvery {
		x.log.Warn("pushes refused: no valid proof, too old, or seen before", "count", x.refused)
		x.logged, x.refused = now, 0
	}
}

// book hands a push's events on and then remembers them, event by event, so that what is cut off between two is told when it is pushed
// again. The caller has the turn.
func (x *Exchange) book(ctx context.Context, emit func(string, cti.Event), m *message, now time.Time) error {
	list, err := eventsIn(m.body, x.vendor.list)
	if err != nil {
		return err
	}
	for _, event := range list {
		id := x.vendor.fields.id.of(m, event, false)
		if id != "" && x.ids.has(id, now) {
			continue
		}
		for _, one := range x.vendor.interpret(m, event, &x.clock, now) {
			if !x.hand(ctx, emit, one) {
				return errBusy
			}
		}
		if id != "" {
			x.ids.add(id, now)
		}
	}
	return nil
}

// hand passes one event on, unless it tells nothing new; false if it may not have arrived.
func (x *Exchange) hand(ctx context.Context, emit func(string, cti.Event), one told) bool {
	e := one.event
	e.Source = x.source
	e = e.Clean()
	extension := e.Local.Extension
	if extension == "" {
		return true // nobody's: a customer in a menu or a queue
	}
	if e.Type == cti.AgentState {
		return x.handState(ctx, emit, e)
	}
	g := x.calls.find(extension, e.Call.Refs)
	if len(e.Call.Refs) == 0 {
		if g = x.calls.current(extension); one.current == "" || g == nil {
			return true // about no call that is known
		}
		e.Call.Refs = g.call.Refs
	}
	if one.current == currentRinging && !g.rings() {
		return true
	}
	if ends(e) {
		e = ending(e, g)
	}
	if g == nil && !opens(e.Type) {
		if e.Type == cti.Info && ctx.Err() == nil { // the receiver may know the call from before this program's start
			emit(extension, e)
		}
		return ctx.Err() == nil
	}
	after, news := x.calls.take(e, g)
	if !news {
		return true
	}
	if ctx.Err() != nil {
		return false
	}
	emit(extension, e)
	if ctx.Err() != nil {
		return false
	}
	x.calls.keep(e, g, after)
	return true
}

func (x *Exchange) handState(ctx context.Context, emit func(string, cti.Event), e cti.Event) bool {
	extension := e.Local.Extension
	if x.states[extension] == *e.Agent {
		return true
	}
	if ctx.Err() != nil {
		return false
	}
	emit(extension, e)
	if ctx.Err() != nil {
		return false
	}
	if len(x.states) > maxLegs {
		clear(x.states)
	}
	x.states[extension] = *e.Agent
	return true
}

// opens tells which events may begin a call, as the ledger has it: facts about a call nobody knows say nothing.
func opens(t cti.EventType) bool {
	switch t {
	case cti.Originated, cti.Delivered, cti.Established, cti.Queued, cti.Failed, cti.Cleared, cti.Diverted, cti.Held, cti.Conferenced:
		return true
	default:
		return false
	}
}
