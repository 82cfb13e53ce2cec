package webhook

import (
	"fmt"
	"testing"
	"time"

	"ringside.dev/ringside/app/cti"
)

func TestTimesAreReadAsVendorsWriteThem(t *testing.T) {
	want := time.Date(2026, 11, 23, 5, 32, 18, 0, time.UTC)
	china, ok := parseZone("+08:00")
	if !ok {
		t.Fatal("no zone")
	}
	for format, text := range map[string]string{"unix": "1795411938", "unix_ms": "1795411938000", "rfc3339": "2026-11-23T13:32:18+08:00",
		"yyyy-MM-dd HH:mm:ss Z": "2026-11-23 13:32:18 +0800", "yyyy-MM-dd'T'HH:mm:ssXXX": "2026-11-23T13:32:18+08:00",
		"yyyy-MM-dd HH:mm:ss": "2026-11-23 13:32:18", "yyyy/MM/dd HH:mm:ss.SSS": "2026/11/23 13:32:18.000", "yyyyMMddHHmmss": "20261123133218"} {
		f, ok := parseFormat(format)
		if f.unix == 0 {
			f.zone = china
		}
		if got, is := f.parse(text); !ok || !is || !got.Equal(want) || got.Location() != time.UTC {
			t.Errorf("%s: %v, %v, %v; want %v", format, got, ok, is, want)
		}
		for _, bad := range []string{"", "0", "-1", "x", "0000-00-00 00:00:00", "99999999999999999999999"} {
			if got, is := f.parse(bad); is {
				t.Errorf("%s: %q is %v, want no time", format, bad, got)
			}
		}
	}
	for _, bad := range []string{"", "HH:mm", "yyyy-MM-dd", "now"} {
		if _, ok := parseFormat(bad); ok {
			t.Errorf("%q is a format", bad)
		}
	}
	for _, bad := range []string{"", "8", "Asia/Shanghai", "+8", "+08"} {
		if _, ok := parseZone(bad); ok {
			t.Errorf("%q is a zone", bad)
		}
	}
	if _, is := (timeFormat{}).parse("2026"); is {
		t.Error("without a format there is a time")
	}
}

// The vendor's clock is 90 s slow; pushes take 200 ms, one takes five minutes.
func TestAWrongClockAndALatePushMakeNoCallLonger(t *testing.T) {
	var c vendorClock
	began := time.Date(2026, 11, 23, 5, 32, 18, 0, time.UTC)
	vendor := func(d time.Duration) time.Time { return began.Add(d - 90*time.Second) }
	at := func(d, delay time.Duration) time.Time {
		c.saw(vendor(d), began.Add(d+delay))
		return c.local(vendor(d), began.Add(d+delay))
	}
	lag := 200 * time.Millisecond
	if got := at(0, lag); !got.Equal(began.Add(lag)) {
		t.Errorf("the ring is booked at %v, want when it came", got)
	}
	if got := at(time.Minute, 5*time.Minute); !got.Equal(began.Add(time.Minute + lag)) {
		t.Errorf("an end that is told five minutes late is booked at %v, want %v", got, began.Add(time.Minute+lag))
	}
	if got := at(20*time.Minute, 5*time.Minute); !got.Equal(began.Add(20*time.Minute + lag)) {
		t.Errorf("the first push after a silence is booked at %v: the clocks' distance was forgotten", got)
	}
	now := began.Add(30 * time.Minute)
	for what, wrong := range map[string]time.Time{"from to-morrow": now.Add(24 * time.Hour), "years ago": now.AddDate(-3, 0, 0)} {
		c.saw(wrong, now)
		if got := c.local(wrong, now); !got.Equal(now) {
			t.Errorf("what is %s is booked at %v, want now", what, got)
		}
	}
	if got := at(31*time.Minute, lag); !got.Equal(began.Add(31*time.Minute + lag)) {
		t.Errorf("after wrong times a right one is booked at %v", got)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	l, began := newLegs(), time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	live := func() (n int) {
		for _, calls := range l.live {
			n += len(calls)
		}
		return n
	}
	tell := func(n int, typ cti.EventType, at time.Time) {
		extension := fmt.Sprint(1000 + n%500)
		e := cti.Event{Type: typ, At: at, Call: cti.CallRef{Direction: cti.In, Refs: map[string]string{"vendor_x": fmt.Sprint(n), "journey": fmt.Sprint(n)}},
			Local: cti.Local{Extension: extension}, Cause: &cti.Cause{Code: cti.CauseNormal, By: cti.ByRemote}}
		g := l.find(extension, e.Call.Refs)
		after, _ := l.take(e, g)
		l.keep(e, g, after)
	}
	for n := range maxLegs + 1000 { // faster than any are forgotten, and most are never ended
		tell(n, cti.Delivered, began)
		if n%10 == 0 {
			tell(n, cti.Cleared, began)
		}
	}
	if len(l.order) > maxLegs || len(l.byRef) > 2*maxLegs || live() > maxLegs {
		t.Errorf("%d calls, %d references, %d live", len(l.order), len(l.byRef), live())
	}
	tell(-1, cti.Delivered, began.Add(keepEnded+time.Hour))
	if len(l.order) != 1 || len(l.byRef) != 2 || live() != 1 || len(l.live) != 1 {
		t.Errorf("a day later %d calls, %d references, %d live; want the last", len(l.order), len(l.byRef), live())
	}
	w := newWindow(time.Minute)
	for n := range maxSeen + 1000 {
		w.add(fmt.Sprint(n), began)
	}
	if len(w.seen) > maxSeen || len(w.order) > maxSeen || w.has("0", began) || !w.has(fmt.Sprint(maxSeen+999), began) {
		t.Errorf("%d names; the oldest known %v", len(w.seen), w.has("0", began))
	}
	if w.has(fmt.Sprint(maxSeen+999), began.Add(time.Minute)) {
		t.Error("a name outlives its span")
	}
}
