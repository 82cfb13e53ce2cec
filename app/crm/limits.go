package crm

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	defaultConcurrency = 8
	maxConcurrency     = 64
	maxAllowance       = 10_000_000
	maxPer             = 31 * 24 * time.Hour
	maxDays            = 10_000
	maxCost            = 1000
	keptForReads       = 50 // the last fiftieth of what the CRM counts down is for look-ups
)

// limits are what a connector declares about an endpoint.
type limits struct {
	concurrency int
	buckets     []allowance
	headers     meterHeaders
	cost        map[string]int // of an operation's requests; 1 where it is not named
}

// allowance is so many requests in a time.
type allowance struct {
	ops    []string // empty: all
	max    int
	per    time.Duration
	shared bool // others use it too: no bursts
}

// Whose a bucket is.
var bucketScopes = []string{"token", "account", "host"}

// How a header writes the moment at which a count begins anew.
const (
	resetSeconds = "seconds" // from now
	resetUnix    = "unix"    // seconds since 1970
	resetUnixMS  = "unix_ms"
	resetDate    = "date" // HTTP date or RFC 3339
)

var resetFormats = []string{resetSeconds, resetUnix, resetUnixMS, resetDate}

// meterHeaders names the headers in which a CRM counts down; "" is none.
type meterHeaders struct{ remaining, limit, reset, retryAfter, format string }

// metered is what the headers of one answer say. Limit is 0 when they do not tell it.
type metered struct {
	remaining, limit int
	reset            time.Duration
}

func (m meterHeaders) read(h http.Header, now time.Time) (metered, bool) {
	if m.remaining == "" {
		return metered{}, false
	}
	remaining, err := strconv.ParseFloat(strings.TrimSpace(h.Get(m.remaining)), 64)
	if err != nil {
		return metered{}, false
	}
	out := metered{remaining: int(remaining), reset: min(m.until(h.Get(m.reset), now), maxRetryAfter)}
	if m.limit != "" {
		if out.limit, err = strconv.Atoi(strings.TrimSpace(h.Get(m.limit))); err != nil {
			out.limit = 0
		}
	}
	return out, true
}

func (m meterHeaders) until(text string, now time.Time) time.Duration {
	text = strings.TrimSpace(text)
	if m.format == resetDate {
		at, err := http.ParseTime(text)
		if err != nil {
			at, err = time.Parse(time.RFC3339, text)
		}
		if err != nil {
			return 0
		}
		return at.Sub(now)
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0
	}
	switch m.format {
	case resetUnix:
		return time.UnixMilli(int64(n * 1000)).Sub(now)
	case resetUnixMS:
		return time.UnixMilli(int64(n)).Sub(now)
	}
	return time.Duration(min(n, maxRetryAfter.Seconds()) * float64(time.Second))
}

// asked gives the time an answer asks to wait: the header the connector names, else Retry-After.
func (m meterHeaders) asked(h http.Header) time.Duration {
	if m.retryAfter != "" && h.Get(m.retryAfter) != "" {
		return retryAfter(h.Get(m.retryAfter))
	}
	return retryAfter(h.Get("Retry-After"))
}

// gateLimits reads limits:. The size of a bucket may hang on a parameter, so its templates are worked out later (sizes).
func (l *loader) gateLimits() (limits, []*template) {
	spec := l.doc.Limits
	out := limits{concurrency: defaultConcurrency, headers: l.meterHeaders(), cost: spec.Cost}
	for _, op := range sortedKeys(spec.Cost) {
		if _, known := shapes[op]; !known {
			l.add(find(l.root, "limits", "cost", op), words("unknown operation %q", "未知的操作 %q", op), oneOf(op, opNames()))
		}
		if n := spec.Cost[op]; n < 1 || n > maxCost {
			l.add(find(l.root, "limits", "cost", op), words("a cost is not between 1 and %d", "cost 不在 1 到 %d 之间", maxCost),
				words("Write what one request takes of the CRM's allowance.", "请写一次请求占用的额度。"))
		}
	}
	if n := spec.Concurrency; n != nil {
		if out.concurrency = *n; *n < 1 || *n > maxConcurrency {
			l.add(find(l.root, "limits", "concurrency"), words("concurrency is not between 1 and %d", "concurrency 不在 1 到 %d 之间", maxConcurrency),
				words("Write how many requests the CRM takes at the same time, such as 4.", "请写 CRM 可同时处理的请求数，例如 4。"))
		}
	}
	var sizes []*template
	for i := range spec.Buckets {
		a, size := l.bucket(strconv.Itoa(i), &spec.Buckets[i])
		out.buckets, sizes = append(out.buckets, a), append(sizes, size)
	}
	return out, sizes
}

func (l *loader) bucket(place string, spec *bucketSpec) (allowance, *template) {
	at := func(key string) position { return find(l.root, "limits", "buckets", place, key) }
	a := allowance{ops: spec.Match, shared: spec.Scope != "" && spec.Scope != bucketScopes[0]}
	for i, op := range spec.Match {
		if _, known := shapes[op]; !known {
			l.add(find(l.root, "limits", "buckets", place, "match", strconv.Itoa(i)), words("unknown operation %q", "未知的操作 %q", op), oneOf(op, opNames()))
		}
	}
	if spec.Scope != "" && !slices.Contains(bucketScopes, spec.Scope) {
		l.add(at("scope"), words("unknown scope %q", "未知的范围 %q", spec.Scope), oneOf(spec.Scope, bucketScopes))
	}
	var err error
	if a.per, err = span(spec.Per); err != nil || a.per > maxPer {
		l.add(at("per"), words("per is not a duration up to 31d", "per 不是 31d 以内的时长"), words("Write it as 10s, 1m or 1d.", "请写成 10s、1m 或 1d 的形式。"))
		a.per = time.Second
	}
	size := l.scalar(&spec.Max, l.params)
	if spec.Max.IsZero() {
		l.add(at("max"), words("a bucket has no max", "bucket 缺少 max"), words("Write how many requests are allowed in that time: max: 100.", "请写该时间内允许的请求数：max: 100。"))
	}
	return a, size
}

func (l *loader) meterHeaders() meterHeaders {
	spec := l.doc.Limits.Headers
	m := meterHeaders{spec.Remaining, spec.Limit, spec.Reset, spec.RetryAfter, spec.Format}
	if m.format == "" {
		m.format = resetSeconds
	} else if !slices.Contains(resetFormats, m.format) {
		l.add(find(l.root, "limits", "headers", "format"), words("unknown format %q", "未知的格式 %q", m.format), oneOf(m.format, resetFormats))
	}
	if (m.remaining == "") != (m.reset == "") || m.limit != "" && m.remaining == "" {
		l.add(find(l.root, "limits", "headers"), words("remaining and reset need each other, and limit needs both", "remaining 与 reset 须同时出现，limit 需要两者"),
			words("Write headers: {remaining: X-RateLimit-Remaining, reset: X-RateLimit-Reset}.", "请写 headers: {remaining: X-RateLimit-Remaining, reset: X-RateLimit-Reset}。"))
	}
	return m
}

// sizes works the buckets' max out.
func (l *loader) sizes(out *limits, sizes []*template, params map[string]any) {
	for i, t := range sizes {
		text, err := t.text(vars{"param": params})
		n, wrong := strconv.Atoi(text)
		if err != nil || wrong != nil || n < 1 || n > maxAllowance {
			l.add(find(l.root, "limits", "buckets", strconv.Itoa(i), "max"), words("max is not a whole number between 1 and %d", "max 不是 1 到 %d 之间的整数", maxAllowance),
				words(`Write max: 100, or an expression that gives a number: "${param.plan == 'pro' ? 190 : 100}".`, `请写 max: 100，或能得出数字的表达式："${param.plan == 'pro' ? 190 : 100}"。`))
			n = 1
		}
		out.buckets[i].max = n
	}
}

// span reads a duration, with d for days besides Go's own units. It is more than zero.
func span(text string) (time.Duration, error) {
	var d time.Duration
	var err error
	if days, ok := strings.CutSuffix(text, "d"); ok {
		var n int
		n, err = strconv.Atoi(days)
		d = time.Duration(min(n, maxDays)) * 24 * time.Hour
	} else {
		d, err = time.ParseDuration(text)
	}
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("not a duration: %q", text)
	}
	return d, nil
}
