package outbox

import (
	"math"
	"time"

	"ringside.dev/ringside/app/cti"
)

// The retry curve: full jitter over a doubling window. Of the shapes measured, full jitter puts the least load on a CRM that has
// just come back; the cap keeps a long outage at four tries an hour.
const (
	firstWindow = time.Second
	lastWindow  = 15 * time.Minute
	// authPause and limitPause are how long the whole outbox waits where the CRM did not name a time itself.
	authPause  = 30 * time.Second
	limitPause = 5 * time.Second
	// deniedPause is how long it waits after several refusals in a row: a role is being changed, or was taken away.
	deniedPause = 5 * time.Minute
	deniedLanes = 3
	// longestPause caps what a CRM may ask for: to be refused once an hour costs nothing.
	longestPause = time.Hour
	// oldest is for how long an item is tried; then a person looks why.
	oldest = 30 * 24 * time.Hour
)

// laneOf: what concerns one customer stays in order. The number comes first: it is known of every call, the customer only of those during
// which the CRM could be asked, and one customer's calls before and after an outage must not overtake each other. What an operation asks of the earlier ones of its lane:
//
//	log_call   nothing: when one is in review, the next is sent. Only an update waits for the item it updates, see Item.After.
//	create_contact  nothing, and is in a lane of its own: what is for the new customer waits for it, wherever it stands.
//	changes of a customer or their tickets  nothing, and are in the customer's own lane, whichever of their numbers called: the later one counts.
//	attach_recording  that the call's record is in the CRM: the sender looks, and it waits.
//	upload_recording  the same, and for its file, which may take an hour: it is in a lane of its own, where nothing waits for it.
//	all others nothing.
func laneOf(w cti.WriteBack) string {
	if w.Op == cti.UploadRecording {
		return w.Key
	}
	if w.Op == cti.CreateCustomer || w.Op.Changes() && w.CustomerID != "" {
		return w.CustomerID
	}
	for _, name := range []string{w.Record.Number.Key, w.Record.Number.Raw, w.CustomerID} {
		if name != "" {
			return name
		}
	}
	return w.Leg
}

// verdict is what the kind of a failure means for an item.
type verdict struct {
	state   State         // "": as it was, nothing is booked
	wait    time.Duration // until the item is due again
	pause   bool          // everything waits as long: the CRM, not the item, is the reason; no attempt
	wrote   bool          // the CRM may have it
	network bool          // it waits for nothing but the CRM's coming back
}

// judge is the one table from error kinds to item states. Random is uniform in [0,1).
func judge(kind cti.Kind, retryAfter time.Duration, attempts int, random float64) verdict {
	again := verdict{state: Retry, wait: max(min(retryAfter, longestPause), backoff(attempts, random))}
	switch kind {
	case cti.Invalid, cti.NotFound, cti.Conflict, cti.Denied:
		return verdict{state: Review}
	case cti.Limited:
		return verdict{wait: pauseOf(retryAfter, limitPause), pause: true}
	case cti.Auth:
		return verdict{wait: pauseOf(retryAfter, authPause), pause: true}
	case cti.Offline:
		if retryAfter > 0 {
			return verdict{wait: pauseOf(retryAfter, 0), pause: true}
		}
		again.network = true
	case cti.Uncertain:
		again.network, again.wrote = true, true
	case cti.Internal:
		again.wrote = true
	default:
		again.wrote = true
	}
	return again
}

// backoff gives the wait after an attempt, counted from 0.
func backoff(attempts int, random float64) time.Duration {
	window := lastWindow
	if attempts < 10 { // 2^10 s is past the cap
		window = min(lastWindow, firstWindow<<max(0, attempts))
	}
	return time.Duration(random * float64(window))
}

func pauseOf(asked, ours time.Duration) time.Duration {
	if asked > 0 {
		return min(asked, longestPause)
	}
	return ours
}

// move is what is done with an item whose turn it is.
type move string

const (
	send   move = "send"
	lookUp move = "look up" // ask the CRM whether it has it
	ask    move = "ask"     // a person must look
)

// unknownAge is the age of what bears no mark, ancient that of a mark made nobody knows when: no CRM remembers a key for so long.
const (
	unknownAge time.Duration = math.MaxInt64
	ancient                  = 10 * 365 * 24 * time.Hour
)

// nextMove decides about an item that the CRM may have: sent again where that leaves one record, looked up where it can be asked. Age is
// the time since the first attempt. An update of a known record is not looked up: that it is there says nothing of its content.
func nextMove(mayBeThere bool, age time.Duration, w cti.WriteBack, rep cti.Repeat) move {
	switch {
	case !mayBeThere, w.Steps != "": // of a write of several steps it is known which the CRM took: the others are left
		return send
	case rep.Safe && (rep.Window == 0 || age < rep.Window-sendLimit): // it has to arrive within the window
		return send
	case rep.Find && w.RecordID == "":
		return lookUp
	}
	return ask
}
