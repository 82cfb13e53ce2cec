package outbox

import (
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
)

// verdict is what the kind of a failure means for an item.
type verdict struct {
	state  State
	wait   time.Duration // until the item is due again
	counts bool          // as an attempt
	pause  bool          // everything else waits as long too: the CRM, not the item, is the reason
}

// judge is the one table from error kinds to item states. Random is uniform in [0,1).
func judge(kind cti.Kind, retryAfter time.Duration, attempts int, random float64) verdict {
	switch kind {
	case cti.Invalid, cti.NotFound, cti.Conflict, cti.Denied:
		return verdict{state: Review, counts: true}
	case cti.Limited:
		return verdict{state: Retry, wait: longer(retryAfter, limitPause), pause: true}
	case cti.Auth:
		return verdict{state: Retry, wait: longer(retryAfter, authPause), pause: true}
	case cti.Offline, cti.Uncertain, cti.Internal:
	}
	return verdict{state: Retry, wait: max(retryAfter, backoff(attempts, random)), counts: true}
}

// backoff gives the wait after an attempt, counted from 0.
func backoff(attempts int, random float64) time.Duration {
	window := lastWindow
	if attempts < 10 { // 2^10 s is past the cap
		window = min(lastWindow, firstWindow<<attempts)
	}
	return time.Duration(random * float64(window))
}

func longer(asked, ours time.Duration) time.Duration {
	if asked > 0 {
		return asked
	}
	return ours
}
