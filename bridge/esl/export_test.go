package esl

import "ringside.dev/ringside/app/cti"

// Find tells, for the desk phone of the tests, which channel a call is, with the errors a command would have.
func (x *Exchange) Find(extension string, c cti.Call) (string, error) {
	_, ch, err := x.find(extension, c, nil)
	return ch.id, err
}
