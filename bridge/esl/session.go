package esl

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"ringside.dev/ringside/app/cti"
)

// tick is how often it is looked whether an extension that is new is owed a snapshot.
const tick = 100 * time.Millisecond

// subscribed are the events that are asked for; CUSTOM takes the rest of the line.
const subscribed = "event plain CHANNEL_CREATE CHANNEL_PROGRESS CHANNEL_PROGRESS_MEDIA CHANNEL_ANSWER CHANNEL_BRIDGE CHANNEL_UNBRIDGE " +
	"CHANNEL_HOLD CHANNEL_UNHOLD CALL_UPDATE CHANNEL_HANGUP CHANNEL_HANGUP_COMPLETE RECORD_STOP BACKGROUND_JOB HEARTBEAT " +
	"CUSTOM callcenter::info conference::maintenance"

// connect serves one connection from its beginning to its end, and tells how long it was up and why it ended.
func (s *session) connect(ctx context.Context) (time.Duration, error) {
	conn, err := s.exchange.dial(ctx)
	if err != nil {
		return 0, offline(err)
	}
	ctx, cancel := context.WithCancel(ctx)
	l := newLink(conn, &s.exchange.tape)
	var reader sync.WaitGroup
	var why error
	reader.Go(func() {
		why = l.run(ctx, func(err error) { s.exchange.log.Warn("event of the exchange skipped", "error", err) })
	})
	defer s.exchange.use(nil)
	var lived time.Duration
	err = s.begin(ctx, l)
	if err == nil {
		began := time.Now()
		s.serve(ctx, l)
		lived = time.Since(began)
	}
	cancel()
	reader.Wait()
	if err == nil || cti.KindOf(why) == cti.Denied || errors.Is(why, errFraming) { // what the reader saw tells more than who waited in vain
		err = why
	}
	return lived, err
}

// begin makes the connection one of which commands can be given: password, subscription, snapshot, and the word that it is up. Events that
// come meanwhile wait.
func (s *session) begin(ctx context.Context, l *link) error {
	x := s.exchange
	greeting := time.NewTimer(shakeTimeout)
	defer greeting.Stop()
	select {
	case <-l.greeted:
	case <-l.gone:
		return offline(nil)
	case <-greeting.C:
		return cti.Errorf(cti.Offline, "what answers at the exchange's address is not FreeSWITCH's event socket", nil)
	case <-ctx.Done():
		return ctx.Err()
	}
	login := "auth " + x.config.Password
	if x.config.User != "" {
		login = "userauth " + x.config.User + ":" + x.config.Password
	}
	if f, err := l.ask(ctx, shakeTimeout, login); err != nil {
		return x.halfSignedIn(l, err)
	} else if !strings.HasPrefix(f.header["Reply-Text"], "+OK") {
		return cti.Errorf(cti.Auth, "the exchange refuses the password: it must be as in event_socket.conf.xml, or the user's esl-password", nil)
	}
	if f, err := l.ask(ctx, shakeTimeout, subscribed); err != nil {
		return err
	} else if !strings.HasPrefix(f.header["Reply-Text"], "+OK") {
		return cti.Errorf(cti.Denied, "the exchange's user may not listen: allow all events in its esl-allowed-events", nil)
	}
	at, err := s.list(ctx, l)
	if err != nil {
		return err
	}
	s.said = ""
	x.mu.Lock()
	x.link, x.fresh = l, nil // before it is told: whoever hears of it may give a command at once
	lists := x.in.snapshots(at)
	x.mu.Unlock()
	s.push(ctx, "", s.about(cti.SourceUp, nil))
	s.pushAll(ctx, lists)
	return nil
}

// halfSignedIn: FreeSWITCH answers a user with the lists of what they may do, and cuts that answer after 512 bytes, so that its end never comes.
func (x *Exchange) halfSignedIn(l *link, err error) error {
	select {
	case <-l.gone:
		return err
	default:
	}
	if x.config.User == "" {
		return err
	}
	return cti.Errorf(cti.Denied, "the exchange began to answer the sign-in and did not end: shorten the user's esl-allowed-events and esl-allowed-api to 400 characters together", err)
}

// listing is the command that lists the live channels.
const listing = "show channels as json"

// list asks for the live channels, and for what the list leaves out of those that are new to us.
func (s *session) list(ctx context.Context, l *link) (time.Time, error) {
	x := s.exchange
	text, err := l.api(ctx, listing)
	if err != nil {
		return time.Time{}, err
	}
	rows, err := channels(text)
	if err != nil {
		return time.Time{}, err
	}
	at := time.Now().UTC()
	x.mu.Lock()
	strangers := x.in.reconcile(rows, at)
	x.mu.Unlock()
	x.log.Info("exchange connected", "channels", len(rows))
	for _, id := range strangers[:min(len(strangers), maxStrangers)] {
		for _, variable := range []string{"sip_call_id", clickVariable, privacyVariable, "cc_member_session_uuid"} {
			value, err := l.api(ctx, "uuid_getvar "+id+" "+variable)
			switch {
			case cti.KindOf(err) == cti.Offline:
				return at, err
			case err != nil, value == "_undef_", strings.HasPrefix(value, "-ERR"):
				continue // the channel is gone, or has no such variable
			}
			x.mu.Lock()
			x.in.variable(id, variable, value)
			x.mu.Unlock()
		}
	}
	return at, nil
}

// maxStrangers bounds the channels asked about one by one.
const maxStrangers = 512

func (x *Exchange) use(l *link) {
	x.mu.Lock()
	x.link = l
	x.mu.Unlock()
}

// serve interprets events until the connection ends.
func (s *session) serve(ctx context.Context, l *link) {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-l.events:
			s.pushAll(ctx, s.exchange.interpret(e, time.Now().UTC()))
		case <-ticker.C:
			s.pushAll(ctx, s.exchange.owed(time.Now().UTC()))
		case <-l.gone:
			for { // what came before the end counts
				select {
				case e := <-l.events:
					s.pushAll(ctx, s.exchange.interpret(e, time.Now().UTC()))
				default:
					return
				}
			}
		}
	}
}

func (x *Exchange) interpret(e event, at time.Time) []told {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.in.events(e, at)
}

// owed gives the snapshots of the extensions that were asked for since the last time.
func (x *Exchange) owed(at time.Time) []told {
	x.mu.Lock()
	defer x.mu.Unlock()
	var all []told
	for _, extension := range x.fresh {
		all = append(all, x.in.snapshot(extension, at))
	}
	x.fresh = nil
	return all
}

// asked notes that an extension's events are wanted, so that it gets snapshots.
func (x *Exchange) asked(extension string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.in.watch(extension) && x.link != nil && !slices.Contains(x.fresh, extension) {
		x.fresh = append(x.fresh, extension)
	}
}
