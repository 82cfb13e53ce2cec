package number

import (
	"slices"
	"strconv"
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// parsed is a number that was read.
type parsed struct{ e164, national string }

// valid reads a compact number in a region, if it is one that may have been given out there.
func valid(compact, region string) (parsed, bool) {
	p, err := phonenumbers.Parse(compact, region)
	if err != nil || !phonenumbers.IsValidNumber(p) {
		return parsed{}, false
	}
	return read(p), true
}

// possible reads a compact number in a region, if its length is one of a number there. New and reserved ranges are missing from the
// tables for a while.
func possible(compact, region string) (parsed, bool) {
	p, err := phonenumbers.Parse(compact, region)
	if err != nil || phonenumbers.IsPossibleNumberWithReason(p) != phonenumbers.IS_POSSIBLE {
		return parsed{}, false
	}
	n := read(p)
	return n, stable(n) && (!strings.HasPrefix(n.national, "0") || !trunkZero(p))
}

// stable tells whether a number is read from its E.164 form as the same: of what is in no table some digits may look like a prefix.
func stable(n parsed) bool {
	p, err := phonenumbers.Parse(n.e164, "")
	return err == nil && read(p) == n
}

// trunkZero tells whether a 0 before a country's numbers is its trunk prefix, and no part of them as in Italy.
func trunkZero(p *phonenumbers.PhoneNumber) bool {
	return phonenumbers.GetNddPrefixForRegion(phonenumbers.GetRegionCodeForCountryCode(int(p.GetCountryCode())), true) == "0"
}

// italy has numbers that begin with a 0, and people who write the 0 in brackets all the same.
const italy = 39

func read(p *phonenumbers.PhoneNumber) parsed {
	return parsed{phonenumbers.Format(p, phonenumbers.E164), phonenumbers.GetNationalSignificantNumber(p)}
}

// regionOf gives the region of a number in E.164; of those that share a country code, the main one.
func regionOf(e164 string) string {
	p, err := phonenumbers.Parse(e164, "")
	if err != nil {
		return ""
	}
	return phonenumbers.GetRegionCodeForCountryCode(int(p.GetCountryCode()))
}

// countryCode gives the calling code of a region; 0 of an unknown one, which no number begins with.
func countryCode(region string) string {
	return strconv.Itoa(phonenumbers.GetCountryCodeForRegion(region))
}

func (r *reader) take(p parsed) { r.E164, r.Key = p.e164, p.national }

// number reads a number of an outside line: as it stands; else without what stands behind its last dash; else with what may be missing.
func (r *reader) number(text string) bool {
	text = r.dropTrunkInside(text)
	whole := compact(text)
	behind := tail.FindStringSubmatch(text)
	if r.Ext != "" {
		behind = nil
	}
	cut := func(read func(string) bool) bool {
		if len(behind) == 0 || len(Digits(behind[1])) <= fewestOutside || !read(compact(behind[1])) {
			return false
		}
		r.Ext = behind[2]
		r.note(StepExtension)
		return true
	}
	if r.habits.Extension && cut(func(c string) bool { return r.accept(valid, c, StepNational) }) {
		return true
	}
	return r.strict(whole) || cut(r.strict) || r.loose(whole) || cut(r.loose)
}

// strict reads a compact number that is complete. Where phones put a 0 for the outside line before a number, 00 may be that and the trunk
// prefix, or an access code: the former is tried first.
func (r *reader) strict(c string) bool {
	abroad := r.international(c)
	switch {
	case len(abroad) == 0:
		return r.outside(c) || r.national(c) || r.outsideBare(c)
	case strings.HasPrefix(c, "+"):
		return r.accept(possible, abroad[0], StepPlus)
	}
	return r.outside(c) || r.anyOf(abroad, StepPlus) || r.national(c) || r.outsideBare(c) || r.accept(possible, abroad[0], StepPlus)
}

// anyOf reads the first of several that is valid.
func (r *reader) anyOf(numbers []string, steps ...Step) bool {
	return slices.ContainsFunc(numbers, func(c string) bool { return r.accept(valid, c, steps...) })
}

// outside reads a complete number behind what is dialled for an outside line.
func (r *reader) outside(c string) bool {
	rest, ok := r.behindOutside(c)
	if !ok {
		return false
	}
	if abroad := r.international(rest); len(abroad) > 0 {
		return r.anyOf(abroad, StepOutside, StepPlus)
	}
	return strings.HasPrefix(rest, r.habits.trunk()) && r.accept(valid, rest, StepOutside, StepNational)
}

// outsideBare is outside for a number without trunk prefix.
func (r *reader) outsideBare(c string) bool {
	rest, ok := r.behindOutside(c)
	return ok && r.accept(valid, rest, StepOutside, StepNational)
}

func (r *reader) behindOutside(c string) (string, bool) {
	if r.plan.OutsidePrefix == "" {
		return "", false
	}
	return strings.CutPrefix(c, r.plan.OutsidePrefix)
}

// international gives what a number may be that names its country, with +: behind the plain access code first, then behind those of carriers.
func (r *reader) international(c string) []string {
	if rest, plus := strings.CutPrefix(c, "+"); plus {
		return []string{"+" + strings.TrimPrefix(rest, "00")}
	}
	var all []string
	for _, prefix := range r.habits.access() {
		if rest, ok := strings.CutPrefix(c, prefix); ok && rest != "" && !strings.HasPrefix(rest, "0") {
			all = append(all, "+"+rest)
		}
	}
	return all
}

// national reads a number of this country.
func (r *reader) national(c string) bool {
	if r.habits.Local && r.local(c) {
		return true
	}
	for _, carrier := range r.habits.Carriers {
		if rest, ok := strings.CutPrefix(c, carrier); ok && r.accept(valid, rest, StepCarrier, StepNational) {
			return true
		}
	}
	if r.accept(valid, c, StepNational) {
		return true
	}
	return r.likely(c, StepPossible)
}

// likely reads a number that is in no table yet: a mobile, or one with a trunk prefix, which says that it is a national number.
func (r *reader) likely(c string, steps ...Step) bool {
	significant, trunk := strings.CutPrefix(c, r.habits.trunk())
	if !trunk && !r.habits.isMobile(c) || strings.HasPrefix(significant, "0") {
		return false
	}
	return r.accept(possible, c, steps...)
}

// loose reads a compact number that lacks something.
func (r *reader) loose(c string) bool {
	if strings.HasPrefix(c, "+") {
		return false
	}
	if rest, ok := strings.CutPrefix(c, "00"); ok && !strings.HasPrefix(rest, "0") && r.accept(valid, "+"+rest, StepPlus) {
		return true
	}
	const countryAndNumber = 10
	if len(c) >= countryAndNumber && !strings.HasPrefix(c, "0") && r.accept(valid, "+"+c, StepNoPlus) {
		return true
	}
	if r.local(c) {
		return true
	}
	rest, ok := r.behindOutside(c)
	if !ok {
		return false
	}
	if abroad := r.international(rest); len(abroad) > 0 {
		return r.accept(possible, abroad[0], StepOutside, StepPlus)
	}
	return r.likely(rest, StepOutside, StepPossible) || r.local(rest, StepOutside)
}

// local reads a number that is dialled within the site's area alone. None begins with 0 or 1.
func (r *reader) local(c string, steps ...Step) bool {
	area := strings.TrimPrefix(r.plan.AreaCode, r.habits.trunk())
	if area == "" || len(c) < fewestOutside-1 || c[0] < '2' {
		return false
	}
	return r.accept(valid, area+c, append(steps, StepArea)...)
}

func (r *reader) accept(how func(compact, region string) (parsed, bool), compact string, steps ...Step) bool {
	n, ok := how(compact, r.plan.Region)
	if !ok {
		return false
	}
	r.take(n)
	r.Why = append(r.Why, steps...)
	return true
}
