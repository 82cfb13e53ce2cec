package local

import "time"

// Hold stops what goes on beside, so that a test does it when it wants to: Look and Export.
func (l *Local) Hold() {
	l.stop()
	<-l.done
}

// Look reads the contacts file as at that time.
func (l *Local) Look(now time.Time) { l.look(now) }

// Export writes the tables that are behind.
func (l *Local) Export() error { return l.export() }
