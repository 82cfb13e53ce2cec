package crm

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/expr-lang/expr/types"

	"ringside.dev/ringside/app/cti"
)

// signIn is where requests get what they sign in with.
type signIn interface {
	// current gives the badge to use now; it makes one where there is none. The error is a cti.Error.
	current(ctx context.Context) (badge, error)
	// expired tells whether a refusal of that class means that another badge may be let in, and drops this one.
	expired(b badge, c class) bool
	// known is what the last badge said; nothing is asked.
	known() vars
}

// badge is what the headers of requests see as auth. Its number tells it from the ones before it.
type badge struct {
	vars   vars
	number int
}

// constant signs in with parameters alone.
type constant struct{}

func (constant) current(context.Context) (badge, error) { return badge{vars: vars{}}, nil }
func (constant) expired(badge, class) bool              { return false }
func (constant) known() vars                            { return vars{} }

const (
	refusedFor = 30 * time.Second // a refused login is not tried again before: CRMs lock accounts
	earlier    = 20 * time.Second // before it ends a session is begun anew
)

// session signs in by the steps of auth.login. One login at a time; the others wait for it.
type session struct {
	e         *Engine
	login     []step
	save      map[string]*template
	expiresIn *template
	refreshOn []string

	turn    chan struct{} // has one element while somebody logs in
	mu      sync.Mutex
	badge   badge
	there   bool
	ends    time.Time // zero: unknown
	refused error
	until   time.Time // of refused
}

func (s *session) current(ctx context.Context) (badge, error) {
	if b, ok := s.valid(); ok {
		return b, nil
	}
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return badge{}, cti.Errorf(cti.Offline, s.e.doing("login")+": another login takes too long", ctx.Err())
	}
	defer func() { <-s.turn }()
	if b, ok := s.valid(); ok {
		return b, nil
	}
	s.mu.Lock()
	refused, left := s.refused, time.Until(s.until)
	s.mu.Unlock()
	if refused != nil && left > 0 {
		return badge{}, refused
	}
	return s.begin(ctx)
}

func (s *session) known() vars {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.badge.vars == nil {
		return vars{}
	}
	return s.badge.vars
}

func (s *session) valid() (badge, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.badge, s.there && (s.ends.IsZero() || time.Now().Before(s.ends))
}

// begin logs in.
func (s *session) begin(ctx context.Context) (badge, error) {
	r, err := s.e.begin(&operation{name: "login", steps: s.login}, vars{})
	if err != nil {
		return badge{}, err
	}
	r.open = true
	err = r.all(ctx, s.login)
	var saved map[string]any
	if err == nil {
		saved, err = r.named(s.save, r.v)
	}
	seconds := ""
	if err == nil {
		seconds, err = s.expiresIn.text(r.v)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		if cti.KindOf(err) == cti.Auth || cti.KindOf(err) == cti.Denied {
			s.refused, s.until = err, time.Now().Add(refusedFor)
		}
		return badge{}, err
	}
	s.badge, s.there, s.ends, s.refused = badge{saved, s.badge.number + 1}, true, time.Time{}, nil
	if n, wrong := strconv.ParseFloat(seconds, 64); wrong == nil && n > 0 {
		life := time.Duration(min(n, maxRetryAfter.Seconds()) * float64(time.Second))
		s.ends = time.Now().Add(max(life-earlier, life/2))
	}
	for _, value := range saved {
		s.e.redact.learn(textOf(value))
	}
	return s.badge, nil
}

func (s *session) expired(b badge, c class) bool {
	if !slices.Contains(s.refreshOn, string(c)) {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.badge.number == b.number {
		s.there = false
	}
	return true
}

// session compiles auth.login. The steps see the parameters alone.
func (l *loader) session(e *Engine) *session {
	spec := l.doc.Auth
	place := find(l.root, "auth")
	if len(spec.Login) == 0 || len(spec.Save) == 0 {
		l.add(place, words("auth type session needs login and save", "认证类型 session 需要 login 和 save"),
			words(`Write login: [{id: a, request: {…}}], save: {token: "${res.json.token}"}.`, `请写 login: [{id: a, request: {…}}], save: {token: "${res.json.token}"}。`))
	}
	s := &session{e: e, refreshOn: l.refreshOn(), turn: make(chan struct{}, 1)}
	steps, names := l.steps([]string{"auth", "login"}, spec.Login, with(l.params, scope{"input": types.Map{}, "auth": types.Map{}}))
	s.login = steps
	done := with(names, scope{"res": resScope})
	s.save = l.templates(spec.Save, done)
	s.expiresIn = l.scalar(&spec.ExpiresIn, done)
	return s
}

func (l *loader) refreshOn() []string {
	list := l.doc.Auth.RefreshOn
	if len(list) == 0 {
		return []string{string(classAuth)}
	}
	for i, name := range list {
		if !slices.Contains(classNames, name) {
			l.add(find(l.root, "auth", "refresh_on", strconv.Itoa(i)), words("unknown error class %q", "未知的错误类别 %q", name), oneOf(name, classNames))
		}
	}
	return list
}
