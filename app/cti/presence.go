package cti

import "time"

// By tells who changed an agent's state.
type By string

// Who changes an agent's state.
const (
	ByPerson By = "person" // at this computer
	ByPhone  By = "phone"  // at the phone or the exchange
	ByCall   By = "call"   // a call ended, and its after-call work began
	ByTimer  By = "timer"  // the after-call work was over
	BySaving By = "saving" // the wrap-up was saved
)

// PresenceChange is one entry of the presence journal: the new state, and how long the one before lasted, in milliseconds.
type PresenceChange struct {
	At       time.Time `json:"at"`
	State    Presence  `json:"state"`
	Reason   string    `json:"reason,omitempty"`
	By       By        `json:"by"`
	Leg      string    `json:"leg,omitempty"` // the call of after-call work
	Before   Presence  `json:"before,omitempty"`
	LastedMS int64     `json:"lasted_ms,omitempty"`
}
