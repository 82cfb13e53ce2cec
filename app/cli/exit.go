package cli

import (
	"errors"
	"strings"

	"ringside.dev/ringside/app/crm"
	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/secret"
	"ringside.dev/ringside/app/settings"
)

// The exit codes, by name. Scripts may rely on them.
const (
	ExitOK        = 0
	ExitInternal  = 1 // Ringside's own fault: see the log
	ExitInvalid   = 2 // the command, a file or a value is wrong
	ExitNotFound  = 3
	ExitConflict  = 4
	ExitAuth      = 5
	ExitDenied    = 6
	ExitLimited   = 7
	ExitOffline   = 8 // the agent, the phone or the CRM could not be reached
	ExitUncertain = 9
	ExitFailed    = 10 // the demo ran, and what it checked does not hold
)

// outcome is what an error kind means at the command line.
type outcome struct {
	code   int
	en, zh string
}

// outcomes is the one table from error kinds to exit codes and hints.
var outcomes = map[cti.Kind]outcome{
	cti.Internal:  {ExitInternal, "something went wrong inside Ringside", "Ringside 内部出错"},
	cti.Invalid:   {ExitInvalid, "that does not work as written", "输入有误"},
	cti.NotFound:  {ExitNotFound, "not found", "未找到"},
	cti.Conflict:  {ExitConflict, "that does not fit what is there", "与现有状态冲突"},
	cti.Auth:      {ExitAuth, "the sign-in failed", "登录凭据无效"},
	cti.Denied:    {ExitDenied, "not allowed", "没有权限"},
	cti.Limited:   {ExitLimited, "too many requests, try again later", "请求过于频繁，请稍后再试"},
	cti.Offline:   {ExitOffline, "could not be reached", "无法连接"},
	cti.Uncertain: {ExitUncertain, "the answer was lost: it may have happened", "未收到答复，操作可能已生效"},
}

// errFailed is the demo's verdict that something does not hold.
var errFailed = errors.New("the demo failed")

// ExitCode gives the exit code of an error.
func ExitCode(err error) int {
	switch {
	case err == nil:
		return ExitOK
	case errors.Is(err, errFailed):
		return ExitFailed
	}
	return outcomeOf(err).code
}

// outcomeOf takes a kind this table does not know for our own fault: no error may look like success.
func outcomeOf(err error) outcome {
	if o, known := outcomes[kindOf(err)]; known {
		return o
	}
	return outcomes[cti.Internal]
}

// Explain says in the user's language what went wrong and what to do.
func Explain(err error, getenv func(string) string) string {
	l := languageOf(getenv)
	var problems settings.Problems
	if errors.As(err, &problems) {
		return problems.In(string(l))
	}
	var load *crm.LoadError
	if errors.As(err, &load) {
		return load.In(string(l))
	}
	o := outcomeOf(err)
	hint := l.say(o.en, o.zh)
	if text := err.Error(); text != "" {
		return "ringside: " + hint + ": " + text
	}
	return "ringside: " + hint
}

// kindOf maps the keychain's sentinels too: package secret knows no kinds.
func kindOf(err error) cti.Kind {
	switch {
	case errors.Is(err, secret.ErrNotFound):
		return cti.NotFound
	case errors.Is(err, secret.ErrNoKeychain), errors.Is(err, secret.ErrLocked), errors.Is(err, secret.ErrTimeout):
		return cti.Offline
	case errors.Is(err, secret.ErrReadOnly):
		return cti.Denied
	case errors.Is(err, secret.ErrInvalid):
		return cti.Invalid
	}
	return cti.KindOf(err)
}

// language is the user's: en or zh-CN.
type language string

// languageOf reads RINGSIDE_LANG, then the locale as POSIX orders it.
func languageOf(getenv func(string) string) language {
	for _, name := range []string{"RINGSIDE_LANG", "LC_ALL", "LC_MESSAGES", "LANG"} {
		if v := getenv(name); v != "" {
			if strings.HasPrefix(strings.ToLower(v), "zh") {
				return "zh-CN"
			}
			return "en"
		}
	}
	return "en"
}

// say picks the wording; both stand side by side wherever something is said.
func (l language) say(en, zh string) string {
	if l == "zh-CN" {
		return zh
	}
	return en
}
