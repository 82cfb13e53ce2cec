package webhook

import (
	"strconv"
	"strings"
	"time"
)

// timeFormat reads times as a vendor writes them.
type timeFormat struct {
	unix   time.Duration // what one unit of a number since 1970 is; 0: text
	layout string        // Go's layout of a text
	zone   *time.Location
}

// parse gives the time in UTC; false for a text that is none. 0 and its like mean that nothing happened yet.
func (f timeFormat) parse(s string) (time.Time, bool) {
	switch {
	case s == "" || f.unix == 0 && f.layout == "":
		return time.Time{}, false
	case f.unix == 0:
		t, err := time.ParseInLocation(f.layout, s, f.zone)
		return t.UTC(), err == nil && t.Year() > 1970
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n <= 0 || n > int64(1<<62)/int64(f.unix) {
		return time.Time{}, false
	}
	return time.Unix(0, n*int64(f.unix)).UTC(), true
}

// patterns turns the usual letters of date patterns into Go's layout.
var patterns = strings.NewReplacer("yyyy", "2006", "MM", "01", "dd", "02", "HH", "15", "mm", "04", "ss", "05", "SSS", "000",
	"XXX", "Z07:00", "Z", "-0700", "'", "")

// parseFormat reads unix, unix_ms, rfc3339, or a pattern such as yyyy-MM-dd HH:mm:ss Z.
func parseFormat(s string) (timeFormat, bool) {
	switch s {
	case "unix":
		return timeFormat{unix: time.Second}, true
	case "unix_ms":
		return timeFormat{unix: time.Millisecond}, true
	case "rfc3339":
		return timeFormat{layout: time.RFC3339, zone: time.UTC}, true
	}
	layout := patterns.Replace(s)
	return timeFormat{layout: layout, zone: time.UTC}, strings.Contains(layout, "2006") && strings.Contains(layout, "05")
}

// parseZone reads +08:00: a fixed distance, so that nothing depends on the machine's list of zones.
func parseZone(s string) (*time.Location, bool) {
	t, err := time.Parse("-07:00", s)
	if err != nil {
		return nil, false
	}
	_, seconds := t.Zone()
	return time.FixedZone(s, seconds), true
}

// The bounds of the vendor's clock.
const (
	maxAhead  = 2 * time.Minute // it may be fast by
	maxBehind = 24 * time.Hour  // a push may come late by
	clockSpan = 10 * time.Minute
)

// vendorClock turns the vendor's times into ours. The smallest difference seen lately between our clock and what pushes say is the two
// clocks' distance, since no push comes before what it tells; so one that comes late, after an outage, is booked at its true time, and a
// wrong clock on either side makes no call longer.
type vendorClock struct {
	since      time.Time // begin of the present span
	now, older time.Duration
	hasNow     bool
	hasOlder   bool
}

// saw notes that a push of the vendor's time came at ours.
func (c *vendorClock) saw(vendor, ours time.Time) {
	d := ours.Sub(vendor)
	if d < -maxAhead || d > maxBehind {
		return
	}
	if ours.Sub(c.since) > clockSpan {
		c.older, c.hasOlder = c.now, c.hasNow
		c.since, c.hasNow = ours, false
	}
	if !c.hasNow || d < c.now {
		c.now, c.hasNow = d, true
	}
}

// local gives our time for one of the vendor's, never after now.
func (c *vendorClock) local(vendor, now time.Time) time.Time {
	if d := now.Sub(vendor); d < -maxAhead || d > maxBehind {
		return now
	}
	distance := c.now
	if c.hasOlder && c.older < distance || !c.hasNow {
		distance = c.older
	}
	if t := vendor.Add(distance); t.Before(now) {
		return t
	}
	return now
}
