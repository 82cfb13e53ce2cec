package ari

import "ringside.dev/ringside/app/cti"

// Find tells, for the desk phone of the tests, which channel a call is, with the errors a command would have.
func (x *Exchange) Find(extension string, c cti.Call) (string, error) {
	id, _, err := x.find(extension, c)
	return id, err
}

// RingFor sets how many seconds the agent's own phone rings for click-to-dial.
func (x *Exchange) RingFor(seconds int) { x.ringFor = seconds }
