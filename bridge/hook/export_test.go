package hook

import "context"

// SetRun replaces how programs are run, and takes the phone's program for found and running.
func (s *Source) SetRun(run func(ctx context.Context, path string, args []string, stays bool) error) {
	s.run, s.preset.found, s.preset.Runs = run, "phone", nil
}

// Open tells how many calls are open.
func (s *Source) Open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.calls.Open)
}
