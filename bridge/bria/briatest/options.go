package briatest

import "time"

// Set changes how this Bria is; then all clients are told that the phone's status changed.
func (s *Server) Set(change func(o *Options)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := Options{Version: s.version, Account: s.account, Fills: s.fills, ShutOut: !s.mayCome, Silent: s.silent, Lingers: s.lingers, Repeats: s.repeats,
		Mute: s.mute}
	change(&o)
	s.version, s.account, s.fills, s.mayCome, s.silent, s.lingers, s.repeats = o.Version, o.Account, o.Fills, !o.ShutOut, o.Silent, o.Lingers, o.Repeats
	s.mute = o.Mute
	s.notify("phone")
}

// Options are how a Bria may be.
type Options struct {
	Version string // of the program; before 6.2 calls cannot be joined, and there is no status systemInformation in ours
	Account string // connected, connecting, failureContactingServer, failureAtServer, disabled
	Fills   bool   // the user must press Call
	ShutOut bool   // the user did not allow access
	Silent  bool   // commands are accepted, and nothing follows
	Lingers bool   // ended calls stay in the list as such until the next change; else they are gone at once
	Repeats bool   // everything is said several times, and notices of what did not change besides
	Mute    bool   // no notices
}

// Hang lets it answer nothing, and say nothing.
func (s *Server) Hang(hangs bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hangs, s.mute = hangs, hangs
}

// Delay lets replies come late; each tells how things were when it was asked.
func (s *Server) Delay(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.delay = d
}

// Refuse lets it refuse the requests of a path; none for "".
func (s *Server) Refuse(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuses = path
}

// Asked counts how often a status was asked for.
func (s *Server) Asked(status string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[status]
}

// Suppressed gives suppressMainWindow of the last attempt.
func (s *Server) Suppressed() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.suppressed
}
