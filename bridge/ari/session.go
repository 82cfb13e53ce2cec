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
	"ringside.dev/ringside/bridge/tape"
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
	running.Go(func() { ended <- read(ctx, conn, &s.exchange.tape, raw) })
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
	err = s.serve(ctx, raw, ended)
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
	s.said = ""
	x.log.Info("exchange connected", "channels", len(channels))
	x.mu.Lock()
	x.connected, x.fresh = true, nil // before it is told: whoever hears of it may give a command at once
	lists := x.in.snapshots(at)
	x.mu.Unlock()
	s.push(ctx, "", s.about(cti.SourceUp, nil))
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
		var answer struct {
			Value string `json:"value"`
		}
		err := s.exchange.rest.do(ctx, http.MethodGet, []string{"channels", url.PathEscape(id), "variable"},
			url.Values{"variable": {"CHANNEL(linkedid)"}}, nil, &answer)
		if err != nil {
			s.exchange.log.Debug("journey of a call not told", "channel", id, "error", err)
			continue
		}
		s.exchange.mu.Lock()
		s.exchange.in.linked(id, answer.Value)
		s.exchange.mu.Unlock()
	}
}

func (x *Exchange) use(connected bool) {
	x.mu.Lock()
	x.connected = connected
	x.mu.Unlock()
}

// serve interprets events until the connection ends.
func (s *session) serve(ctx context.Context, raw <-chan []byte, ended <-chan error) error {
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
			s.pushAll(ctx, s.exchange.due(time.Now().UTC()))
		case text := <-raw:
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
			s.pushAll(ctx, s.exchange.interpret(m, time.Now().UTC()))
		}
	}
}

func (x *Exchange) interpret(m message, at time.Time) []told {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.in.events(m, at)
}

// due gives what has become due, and the snapshots that are owed to extensions asked for since the last time.
func (x *Exchange) due(now time.Time) []told {
	x.mu.Lock()
	defer x.mu.Unlock()
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
func read(ctx context.Context, conn *websocket.Conn, deck *tape.Deck, raw chan<- []byte) error {
	for {
		_, text, err := conn.Read(ctx)
		if err != nil {
			return offline(err)
		}
		deck.Note(false, text)
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
