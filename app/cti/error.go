package cti

import (
	"context"
	"errors"
	"time"
)

// Kind sorts errors. It alone decides the outbox state, the HTTP status, the exit code and the words in the window.
type Kind string

// The kinds of error.
const (
	Invalid   Kind = "invalid"   // what was asked is wrong and will be wrong again
	Auth      Kind = "auth"      // not signed in, or the sign-in expired
	Denied    Kind = "denied"    // signed in, but not allowed
	NotFound  Kind = "notfound"  // what was named does not exist
	Conflict  Kind = "conflict"  // somebody else was first, or a version does not fit
	Limited   Kind = "limited"   // too many requests: see RetryAfter
	Offline   Kind = "offline"   // nothing was changed: the other side could not be reached or failed before it acted
	Uncertain Kind = "uncertain" // the other side may or may not have acted: the answer was lost
	Internal  Kind = "internal"  // ours: logged, not shown
)

// Error is the one error type that crosses package borders. Msg says what is wrong and what to do; it never holds a secret or a
// telephone number. RetryAfter is zero unless the other side named a time.
type Error struct {
	Kind       Kind
	Msg        string
	RetryAfter time.Duration
	Current    *string // of a conflict: what is there now, where that is one value; a customer's, so it is in no log
	Err        error
}

// Errorf makes an Error of a kind with a message for people.
func Errorf(kind Kind, msg string, err error) *Error { return &Error{Kind: kind, Msg: msg, Err: err} }

func (e *Error) Error() string {
	if e.Err == nil {
		return e.Msg
	}
	return e.Msg + ": " + e.Err.Error()
}

// Unwrap gives the cause, if there is one.
func (e *Error) Unwrap() error { return e.Err }

// KindOf gives the kind of an error; an unknown error is Internal, a passed deadline is Offline, nil is "".
func KindOf(err error) Kind {
	var e *Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &e):
		return e.Kind
	case errors.Is(err, context.DeadlineExceeded):
		return Offline
	}
	return Internal
}

// RetryAfter gives the time the other side asked to wait, or zero.
func RetryAfter(err error) time.Duration {
	var e *Error
	if errors.As(err, &e) {
		return e.RetryAfter
	}
	return 0
}

// CurrentOf gives what a conflict met, or nil.
func CurrentOf(err error) *string {
	var e *Error
	if errors.As(err, &e) {
		return e.Current
	}
	return nil
}

// MessageOf gives what may be shown to a person: an internal error's text stays in the log.
func MessageOf(err error) string {
	var e *Error
	if errors.As(err, &e) && e.Kind != Internal {
		return e.Msg
	}
	return ""
}
