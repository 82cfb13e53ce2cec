package recording

import "time"

// Soon fetches at once what is wanted.
func (f *Files) Soon() { f.first = 0 }

// Idle tells that nothing is worked on or due.
func (f *Files) Idle() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.states {
		if s.due.Before(time.Now()) {
			return false
		}
	}
	return f.current == ""
}
