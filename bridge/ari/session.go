package ari

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/coder/websocket"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/running"
)

// tick is how often it is looked whether something is due: a conference, a snapshot for an extension that is new.
const tick = 100 * time.Millisecond

// maxBroken is how many events in a row may be unreadable before the connection is given up.
const maxBroken = 16

// connect serves one connection from its beginning to its end, and tells how long it was up and why it ended.
func (s *session) connect(ctx context.Context) (time.Duration, error) {
	ctx, cancel := context.WithCancel(ctx)
	all, err := s.readsOnly(ctx)
	if err != nil {
		cancel()
		return 0, err
	}
	conn, err := s.exchange.rest.subscribe(ctx, all)
	if err != nil {
		cancel()
		return 0, err
	}
	raw := make(chan []byte)
	var running sync.WaitGroup
	defer running.Wait()
	defer conn.CloseNow() //nolint:errcheck // what Close says of a connection that is over changes nothing
	defer cancel()
	ended := make(chan error, 2)
	running.Go(func() { ended <- read(ctx, conn, raw) })
	running.Go(func() { ended <- keepAlive(ctx, conn) })

	if !all {
		if err := s.want(ctx); err != nil {
			return 0, err
		}
	}
	if err := s.begin(ctx); err != nil {
		return 0, err
	}
	defer s.exchange.use(false)
	began := time.Now()
	questions, answers := make(chan string, maxOpen), make(chan answer) // as many as the interpreter has open: to ask never blocks
	for range askers {
		running.Go(func() { s.answer(ctx, questions, answers) })
	}
	err = s.serve(ctx, raw, questions, answers, ended)
	return time.Since(began), err
}

// want asks for the events of all channels and bridges, and of nothing else. All events there are would include the states of devices, and Asterisk 22.10
// comes to a standstill when one changes while the connection that is told of them breaks (observed; none of its applications is served any more).
func (s *session) want(ctx context.Context) error {
	x := s.exchange
	return x.rest.do(ctx, http.MethodPost, []string{"applications", x.config.App, "subscription"}, url.Values{"eventSource": {"channel:,bridge:"}}, nil, nil)
}

// readsOnly tells whether the user may only read: they cannot ask for events, and must take all. What Asterisk says else of an application that is not
// connected does not matter.
func (s *session) readsOnly(ctx context.Context) (bool, error) {
	err := s.want(ctx)
	switch cti.KindOf(err) {
	case cti.Denied:
		return true, nil
	case cti.Offline, cti.Auth:
		return false, err
	default:
		return false, nil
	}
}

// begin makes the connection one of which commands can be given: filter, snapshot, and the word that it is up. Events that come meanwhile wait.
func (s *session) begin(ctx context.Context) error {
	x := s.exchange
	if err := s.filter(ctx); err != nil {
		return err
	}
	var channels []channelSnap
	var bridges []bridgeSnap
	if err := x.rest.do(ctx, http.MethodGet, []string{"channels"}, nil, nil, &channels); err != nil {
		return err
	}
	if err := x.rest.do(ctx, http.MethodGet, []string{"bridges"}, nil, nil, &bridges); err != nil {
		return err
	}
	at := time.Now().UTC()
	x.mu.Lock()
	strangers := x.in.reconcile(channels, bridges, at)
	x.mu.Unlock()
	s.linkedIDs(ctx, strangers)
	known := s.presentations(ctx, at)
	s.said = ""
	x.log.Info("exchange connected", "channels", len(channels))
	x.mu.Lock()
	x.connected, x.fresh = true, nil // before it is told: whoever hears of it may give a command at once
	lists := x.in.snapshots(at)
	x.mu.Unlock()
	s.push(ctx, "", s.about(cti.SourceUp, nil))
	s.pushAll(ctx, known)
	s.pushAll(ctx, lists)
	return nil
}

// filter asks Asterisk (from 16.3 on) to leave out what is most of its events and says nothing here. A user who may only read cannot ask
// for it, and gets them.
func (s *session) filter(ctx context.Context) error {
	type event struct {
		Type string `json:"type"`
	}
	unwanted := []event{{"ChannelDialplan"}, {"ChannelDtmfReceived"}, {"DeviceStateChanged"}, {"PeerStatusChange"}, {"ContactStatusChange"}}
	if s.exchange.in.wanted.none() {
		unwanted = append(unwanted, event{"ChannelVarset"})
	}
	x := s.exchange
	err := x.rest.do(ctx, http.MethodPut, []string{"applications", x.config.App, "eventFilter"}, nil,
		map[string][]event{"disallowed": unwanted}, nil)
	switch cti.KindOf(err) {
	case "":
	case cti.Offline, cti.Auth:
		return err
	default:
		x.log.Info("exchange sends all events: it cannot filter them, or not for this user", "error", err)
	}
	return nil
}

// linkedIDs asks for the journeys of calls that began before this connection. What cannot be told stays unknown.
func (s *session) linkedIDs(ctx context.Context, channels []string) {
	for _, id := range channels[:min(len(channels), maxMembers)] {
		v := variable{id, linkedID}
		journey, text, err := s.exchange.rest.variable(ctx, v)
		s.exchange.rest.noted(v, text, err)
		if err != nil {
			s.exchange.log.Debug("journey of a call not told", "channel", id, "error", err)
			continue
		}
		s.exchange.mu.Lock()
		s.exchange.in.linked(id, journey)
		s.exchange.mu.Unlock()
	}
}

// linkedID is the dialplan's function that tells the journey of a channel.
const linkedID = "CHANNEL(linkedid)"

// presentations asks about the callers of the calls that began before this connection; what is not answered in askTimeout is not waited for.
func (s *session) presentations(ctx context.Context, at time.Time) []told {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	x := s.exchange
	var all []told
	for {
		x.mu.Lock()
		x.in.inquire(at)
		unasked := x.in.unasked()
		x.mu.Unlock()
		if len(unasked) == 0 {
			return all
		}
		for _, id := range unasked {
			a := s.ask(ctx, id)
			x.mu.Lock()
			all = append(all, s.take(a, at)...)
			x.mu.Unlock()
		}
	}
}

// answer is what came of a question about the caller of a channel.
type answer struct {
	channel, presentation string
	text                  []byte
	err                   error
}

// askers is how many questions about callers are asked at once.
const askers = 4

// answer asks what is to be asked until the connection ends.
func (s *session) answer(ctx context.Context, questions <-chan string, answers chan<- answer) {
	for {
		select {
		case id := <-questions:
			select {
			case answers <- s.ask(ctx, id):
			case <-ctx.Done():
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

func (s *session) ask(ctx context.Context, channel string) answer {
	value, text, err := s.exchange.rest.variable(ctx, variable{channel, presentation})
	return answer{channel, value, text, err}
}

// take gives an answer to the interpreter, whose lock is held.
func (s *session) take(a answer, at time.Time) []told {
	x := s.exchange
	x.rest.noted(variable{a.channel, presentation}, a.text, a.err)
	switch cti.KindOf(a.err) {
	case "", cti.NotFound: // the caller hung up meanwhile
	default:
		if !s.mute {
			x.log.Warn("exchange does not say whether a caller withholds the number: those are shown as it has them", "error", a.err)
		}
		s.mute = true
	}
	return x.in.presented(a.channel, a.presentation, at)
}

func (x *Exchange) use(connected bool) {
	x.mu.Lock()
	x.connected = connected
	x.mu.Unlock()
}

// serve interprets events until the connection ends.
func (s *session) serve(ctx context.Context, raw <-chan []byte, questions chan<- string, answers <-chan answer, ended <-chan error) error {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	broken := 0
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-ended:
			return err
		case <-ticker.C:
			s.step(ctx, questions, s.exchange.due)
		case a := <-answers:
			s.step(ctx, questions, func(at time.Time) []told { return s.take(a, at) })
		case text := <-raw:
			s.exchange.tape.Note(false, text)
			m, err := parse(text)
			if err != nil {
				s.exchange.log.Warn("event of the exchange skipped", "error", err)
				if broken++; broken == maxBroken {
					return cti.Errorf(cti.Offline, "what the exchange sends is not Asterisk's events: is the address right?", err)
				}
				continue
			}
			broken = 0
			if m.Type == "ApplicationReplaced" {
				return cti.Errorf(cti.Conflict, "another program took the application's name on the exchange: give each relay an app name of its own", nil)
			}
			s.step(ctx, questions, func(at time.Time) []told { return s.exchange.in.events(m, at) })
		}
	}
}

// step tells what something means, and asks what it leaves open.
func (s *session) step(ctx context.Context, questions chan<- string, means func(at time.Time) []told) {
	x := s.exchange
	x.mu.Lock()
	all, unasked := means(time.Now().UTC()), x.in.unasked()
	x.mu.Unlock()
	for _, id := range unasked {
		questions <- id
	}
	s.pushAll(ctx, all)
}

// due gives what has become due, and the snapshots that are owed to extensions asked for since the last time. The lock is held.
func (x *Exchange) due(now time.Time) []told {
	all := x.in.due(now)
	for _, extension := range x.fresh {
		all = append(all, x.in.snapshot(extension, now))
	}
	x.fresh = nil
	return all
}

// asked notes that an extension's events are wanted, so that it gets snapshots.
func (x *Exchange) asked(extension string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.in.watch(extension) {
		return
	}
	if x.connected && !slices.Contains(x.fresh, extension) {
		x.fresh = append(x.fresh, extension)
	}
}

// read passes on what comes over the WebSocket.
func read(ctx context.Context, conn *websocket.Conn, raw chan<- []byte) error {
	for {
		_, text, err := conn.Read(ctx)
		if err != nil {
			return offline(err)
		}
		select {
		case raw <- text:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// keepAlive ends with an error once the exchange does not answer any more.
func keepAlive(ctx context.Context, conn *websocket.Conn) error {
	for {
		if !running.Sleep(ctx, pingEvery) {
			return ctx.Err()
		}
		one, cancel := context.WithTimeout(ctx, pingTimeout)
		err := conn.Ping(one)
		cancel()
		if err != nil {
			return offline(err)
		}
	}
}
