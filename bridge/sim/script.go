package sim

import (
	"cmp"
	"maps"
	"slices"

	"ringside.dev/ringside/app/cti"
)

// Ring lets a caller ring here and gives the reference of the call. An empty number is a withheld one. The reference is empty
// when the queue is full.
func (s *Source) Ring(number, name string) (ref string) {
	return s.RingWith(Incoming{Number: number, Name: name})
}

// Incoming is a call that comes in: who calls, which number they dialled, where they waited, and what came with them under the names
// cti.DataName gives.
type Incoming struct {
	Number, Name, Dialled string
	Queue                 *cti.Queue
	Data                  map[string]string
}

// RingWith is Ring with all that a call may bring.
func (s *Source) RingWith(in Incoming) (ref string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ref = newRef()
	e := s.event(cti.Delivered)
	e.Side, e.Call = cti.SideLocal, cti.CallRef{Direction: cti.In, Refs: map[string]string{Ref: ref}}
	e.Remote = cti.Remote{Number: cti.Number{Raw: in.Number, Withheld: in.Number == ""}, Name: in.Name}
	e.Dialled, e.Queue, e.Data = in.Dialled, in.Queue, maps.Clone(in.Data)
	if s.feed(e) != nil {
		return ""
	}
	return ref
}

// Abandon lets the caller give up. All of these fail with kind notfound when there is no such live call.
func (s *Source) Abandon(ref string) error {
	return s.happen(ref, cti.Event{Type: cti.Cleared, Cause: &cti.Cause{Code: cti.CauseAbandoned, By: cti.ByRemote}})
}

// RemoteAnswer lets the far end answer an outbound call.
func (s *Source) RemoteAnswer(ref string) error {
	return s.happen(ref, cti.Event{Type: cti.Established})
}

// RemoteHangup lets the far end hang up.
func (s *Source) RemoteHangup(ref string) error {
	return s.happen(ref, cti.Event{Type: cti.Cleared, Cause: &cti.Cause{Code: cti.CauseNormal, By: cti.ByRemote}})
}

// RemoteRefuse lets the far end refuse an outbound call, with busy when no code is given.
func (s *Source) RemoteRefuse(ref string, code cti.CauseCode) error {
	return s.happen(ref, cti.Event{Type: cti.Failed, Cause: &cti.Cause{Code: cmp.Or(code, cti.CauseBusy), By: cti.ByRemote}})
}

// RemoteHold lets the far end hold the agent, or stop holding them.
func (s *Source) RemoteHold(ref string, held bool) error {
	e := cti.Event{Type: cti.Retrieved, By: cti.ByRemote}
	if held {
		e.Type = cti.Held
	}
	return s.happen(ref, e)
}

// RemoteTransfer lets the far end give the agent on to somebody else, who is the far end from then on.
func (s *Source) RemoteTransfer(ref, number, name string) error {
	return s.happen(ref, cti.Event{Type: cti.Transferred, Transfer: &cti.Transfer{Kind: cti.Blind, Role: cti.Transferee, To: number},
		Remote: cti.Remote{Number: cti.Number{Raw: number}, Name: name}})
}

// Join lets a third party join a call.
func (s *Source) Join(ref, number string) error {
	return s.happen(ref, cti.Event{Type: cti.Conferenced, Remote: cti.Remote{Number: cti.Number{Raw: number}}})
}

// Divert takes a ringing call away from the agent: a colleague answered it.
func (s *Source) Divert(ref string) error {
	return s.happen(ref, cti.Event{Type: cti.Diverted, Cause: &cti.Cause{Code: cti.CauseAnsweredElsewhere, By: cti.BySystem}})
}

// Record tells where the recording of a call is, also of one that is over. It fails with kind notfound when the phone never had the
// call or does not remember it any more.
func (s *Source) Record(ref string, r cti.Recording) error {
	e := cti.Event{Type: cti.Info, Recording: &r}
	err := s.happen(ref, e)
	if cti.KindOf(err) != cti.NotFound {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.pastOf(map[string]string{Ref: ref})
	if at < 0 {
		return notFound()
	}
	e.Call.Refs = s.past[at].refs
	return s.feed(e)
}

// Agent tells the agent's state.
func (s *Source) Agent(status cti.AgentStatus) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.event(cti.AgentState)
	e.Agent = &status
	return s.feed(e)
}

// Heard gives the digits the agent sent to the far end of a live call so far.
func (s *Source) Heard(ref string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.find(cti.Call{Refs: map[string]string{Ref: ref}})
	if !ok {
		return ""
	}
	return s.digits[c.Leg]
}

// Disconnect cuts the connection to the phone: source.down, then nothing is emitted and commands fail, while calls go on.
func (s *Source) Disconnect() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.connected {
		return
	}
	s.connected = false
	if s.running {
		e := s.event(cti.SourceDown)
		e.Cause = &cti.Cause{Code: cti.CauseNetwork, By: cti.BySystem, Raw: "scripted"}
		s.queue = append(s.queue, e)
		s.nudge()
	}
}

// Crash is a Disconnect in which the phone ends, and its calls with it: nothing is told of them but that they are not in the next
// snapshot, and the phone's history does not have them either.
func (s *Source) Crash() {
	s.Disconnect()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ledger = cti.NewLedger("sim")
	clear(s.live)
	clear(s.stories)
	clear(s.digits)
	clear(s.consults)
}

// Reconnect ends a Disconnect or a Crash: source.up, then a snapshot of the calls that are live by then.
func (s *Source) Reconnect() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.connected {
		return
	}
	s.connected = true
	if s.running {
		s.queue = append(s.queue, s.event(cti.SourceUp), s.snapshot())
		s.nudge()
	}
}

// happen feeds an event about a live call.
func (s *Source) happen(ref string, e cti.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.find(cti.Call{Refs: map[string]string{Ref: ref}})
	if !ok {
		return notFound()
	}
	return s.about(c, e)
}

func (s *Source) about(c cti.Call, e cti.Event) error {
	e.Call = refOf(c)
	e.Source = c.Source
	return s.feed(e)
}

// find gives the live call that shares a reference.
func (s *Source) find(c cti.Call) (cti.Call, bool) {
	for _, live := range s.live {
		if share(live.Refs, c.Refs) {
			return live, true
		}
	}
	return cti.Call{}, false
}

// pastOf gives the place in the history of the call that shares a reference, or -1.
func (s *Source) pastOf(refs map[string]string) int {
	return slices.IndexFunc(s.past, func(p pastCall) bool { return share(p.refs, refs) })
}

func share(a, b map[string]string) bool {
	for name, value := range b {
		if value != "" && a[name] == value {
			return true
		}
	}
	return false
}
