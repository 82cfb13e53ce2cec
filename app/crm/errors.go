package crm

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"ringside.dev/ringside/app/cti"
)

// class is what a connector file calls a kind of refusal.
type class string

const (
	classAuth        class = "auth"
	classForbidden   class = "forbidden"
	classThrottled   class = "throttled"
	classTransient   class = "transient"
	classConflict    class = "conflict"
	classDuplicate   class = "duplicate"
	classNotFound    class = "not_found"
	classInvalid     class = "invalid"
	classUnsupported class = "unsupported"
	classFatal       class = "fatal"
)

// kinds maps the classes onto cti's kinds. A transient one is uncertain once something was written (refused); a
// duplicate is success where the operation's strategy says so (run.step).
var kinds = map[class]cti.Kind{
	classAuth: cti.Auth, classForbidden: cti.Denied, classThrottled: cti.Limited, classTransient: cti.Offline,
	classConflict: cti.Conflict, classDuplicate: cti.Conflict, classNotFound: cti.NotFound,
	classInvalid: cti.Invalid, classUnsupported: cti.Invalid, classFatal: cti.Invalid,
}

var classNames = []string{"auth", "forbidden", "throttled", "transient", "conflict", "duplicate", "not_found", "invalid", "unsupported", "fatal"}

// advice is what a person can do about each class, when the CRM itself says nothing.
var advice = map[class]string{
	classAuth:        "the CRM refused the sign-in: check the token or password in the profile",
	classForbidden:   "the CRM does not allow this to the signed-in user: ask its administrator for the permission",
	classThrottled:   "the CRM asks for fewer requests: it is tried again later",
	classTransient:   "the CRM cannot work right now",
	classConflict:    "somebody changed this in the CRM meanwhile: open the record there",
	classDuplicate:   "the CRM has this record already",
	classNotFound:    "the CRM does not know this record: it may have been deleted or merged",
	classInvalid:     "the CRM refused the data",
	classUnsupported: "the CRM cannot do this: check the connector and the CRM's edition",
	classFatal:       "the connector and the CRM do not fit together: tell whoever set up the connector",
}

// proxyWantsSignIn: a proxy of the company stands between, and nothing went past it.
const proxyWantsSignIn = "the network's proxy wants a sign-in: have IT set up HTTPS_PROXY with its user, or let the CRM past it"

// maxRetryAfter keeps a nonsensical header from parking a queue for a year.
const maxRetryAfter = 24 * time.Hour

// verdict is what an answer means; an empty class is success.
type verdict struct {
	class      class
	message    string // the CRM's words, redacted; may be empty
	retryAfter time.Duration
	alone      bool // throttled: only this request waits
}

// rule is one entry of errors:, compiled.
type rule struct {
	when       *template
	class      class
	message    *template
	retryAfter *template
	alone      bool
}

// judge runs the connector's rules on an answer, 2xx included, because some CRMs report failures inside HTTP 200; the meaning of the
// status follows. A rule that cannot be worked out is no success: what it guards against may have happened.
func (e *Engine) judge(res *response, v vars) verdict {
	for _, r := range e.rules {
		hit, err := r.when.value(v)
		if err != nil {
			return verdict{class: classFatal, message: "error rule " + e.redact.text(err.Error())}
		}
		if hit == true {
			return e.ruled(r, res, v)
		}
	}
	return e.byStatus(res)
}

func (e *Engine) ruled(r rule, res *response, v vars) verdict {
	out := verdict{class: r.class, retryAfter: e.limits.headers.asked(res.header), alone: r.alone}
	out.message = e.redact.text(e.spoken(r.message, v))
	if wait := e.spoken(r.retryAfter, v); wait != "" {
		out.retryAfter = retryAfter(wait)
	}
	return out
}

// spoken gives a rule's extra text. It only explains: where it cannot be worked out, the class stands without it.
func (e *Engine) spoken(t *template, v vars) string {
	text, err := t.text(v)
	if err != nil {
		e.log.Warn("error rule explains nothing", "connector", e.Name(), "error", e.redact.text(err.Error()))
		return ""
	}
	return text
}

func (e *Engine) byStatus(res *response) verdict {
	out := verdict{retryAfter: e.limits.headers.asked(res.header)}
	switch s := res.status; {
	case res.success():
		return verdict{}
	case s >= 200 && s < 300:
		out.class = classTransient
		out.message = "a web page came instead of the CRM's answer: sign in to the network (hotel, guest Wi-Fi, proxy), or check the server's address"
	case s >= 300 && s < 400:
		out.class = classTransient
		out.message = "the server redirects to " + res.where() + ": sign in to the network, or correct the server's address"
	case s == http.StatusProxyAuthRequired:
		out.class, out.message = classTransient, proxyWantsSignIn
	case s == http.StatusUnauthorized:
		out.class = classAuth
	case s == http.StatusForbidden:
		out.class = classForbidden
	case s == http.StatusNotFound || s == http.StatusGone:
		out.class = classNotFound
	case s == http.StatusConflict || s == http.StatusPreconditionFailed:
		out.class = classConflict
	case s == http.StatusTooManyRequests:
		out.class = classThrottled
	case s == http.StatusNotImplemented:
		out.class = classUnsupported
	case s >= 500 || s == http.StatusRequestTimeout || s == http.StatusTooEarly:
		out.class = classTransient
	default:
		out.class = classInvalid
	}
	return out
}

// report is what an answer tells the gate. A 409 that asks to wait is about one record, not about the endpoint.
func (e *Engine) report(res *response, v verdict) report {
	out := report{fate: worked, wait: v.retryAfter, header: res.header}
	out.throttled = v.class == classThrottled && !v.alone && res.status != http.StatusConflict || res.status == http.StatusServiceUnavailable && v.retryAfter > 0
	refused := res.status >= 400 && res.status < 500 && res.status != http.StatusProxyAuthRequired
	if v.class == classTransient && !refused {
		out.fate = failed
	}
	return out
}

// fateOf is what an exchange without an answer tells the gate.
func fateOf(ctx context.Context, err error) fate {
	var f *failure
	switch {
	case !errors.As(err, &f) || errors.Is(ctx.Err(), context.Canceled):
		return neither // kept in by the fence, or nobody waits for it any more
	case errors.Is(f.err, errTooLarge):
		return worked
	}
	return failed
}

// retryAfter reads the header's two forms, seconds and an HTTP date; what cannot be read is no advice.
func retryAfter(text string) time.Duration {
	text = strings.TrimSpace(text)
	wait := time.Duration(0)
	if seconds, err := strconv.ParseFloat(text, 64); err == nil {
		wait = time.Duration(min(max(seconds, 0), maxRetryAfter.Seconds()) * float64(time.Second))
	} else if at, err := http.ParseTime(text); err == nil {
		wait = time.Until(at).Round(time.Second)
	}
	return min(max(wait, 0), maxRetryAfter)
}

// refused makes the error of a verdict. Written tells that a write of this operation may have reached the CRM.
func (v verdict) refused(what string, written bool) error {
	kind := kinds[v.class]
	if v.class == classTransient && written {
		kind = cti.Uncertain
	}
	message := advice[v.class]
	if v.message != "" {
		message = message + " (" + v.message + ")"
	}
	return &cti.Error{Kind: kind, Msg: what + ": " + message, RetryAfter: v.retryAfter}
}

// failed makes the error of an exchange without an answer, or of an expression.
func (e *Engine) failed(what string, err error, written bool) error {
	var kept *refusal
	var gated *held
	var f *failure
	var said *cti.Error
	switch {
	case errors.As(err, &said): // of signing in, which writes nothing
		if written && (said.Kind == cti.Offline || said.Kind == cti.Limited) {
			return &cti.Error{Kind: cti.Uncertain, Msg: said.Msg, RetryAfter: said.RetryAfter}
		}
		return said
	case errors.As(err, &gated):
		kind := gated.kind
		if written { // by an earlier step
			kind = cti.Uncertain
		}
		return &cti.Error{Kind: kind, Msg: what + ": " + gated.Error(), RetryAfter: gated.left}
	case errors.As(err, &kept):
		return cti.Errorf(cti.Invalid, what+": "+kept.words.En, nil)
	case !errors.As(err, &f):
		return cti.Errorf(cti.Invalid, what+": the connector file does not fit the CRM's answer: "+e.redact.text(err.Error()), nil)
	}
	kind := cti.Offline
	if written {
		kind = cti.Uncertain
	} else if errors.Is(f.err, errTooLarge) {
		kind = cti.Invalid
	}
	return cti.Errorf(kind, what+": "+f.what, &quiet{text: e.redact.secrets(f.err.Error()), err: f.err})
}

// quiet shows an error's text redacted and keeps its identity for errors.Is.
type quiet struct {
	text string
	err  error
}

func (q *quiet) Error() string        { return q.text }
func (q *quiet) Is(target error) bool { return errors.Is(q.err, target) }

func (e *Engine) doing(op string) string { return fmt.Sprintf("%s in %s", op, e.doc.Metadata.Name) }
