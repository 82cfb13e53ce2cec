package sandbox

import (
	"fmt"
	"strings"
)

// fresh draws numbers until one ends like no other in the book, and spells it in one of the ways people do.
// A spelling may use {a} and {b}, the two halves that draw returns.
func (s *sower) fresh(draw func() (area, local, whole string), spellings ...string) string {
	for {
		area, local, whole := draw()
		end := whole[len(whole)-suffixDigits:]
		if s.used[end] {
			continue
		}
		s.used[end] = true
		half := len(local) - 4
		return strings.NewReplacer("{area}", area, "{trunkless}", strings.TrimPrefix(area, "0"),
			"{a}", local[:half], "{b}", local[half:]).Replace(spellings[s.rnd.IntN(len(spellings))])
	}
}

// mobile makes a Chinese mobile, one of Ofcom's numbers for drama, or a US 555-01xx number.
func (s *sower) mobile(country string) string {
	switch country {
	case "CN":
		draw := func() (string, string, string) {
			prefix, rest := s.pick(s.cnMobilePrefixes)[0], fmt.Sprintf("%08d", s.rnd.IntN(1e8))
			return prefix, rest, prefix + rest
		}
		return s.fresh(draw, "{area} {a} {b}", "{area}{a}{b}", "{area}-{a}-{b}", "+86 {area}-{a}-{b}", "+86 {area} {a} {b}", "0086{area}{a}{b}")
	case "GB":
		draw := func() (string, string, string) {
			local := fmt.Sprintf("900%03d", s.rnd.IntN(1000))
			return "07700", local, "447700" + local
		}
		return s.fresh(draw, "+44 7700 {a}{b}", "07700 {a}{b}", "+447700{a}{b}", "(07700) {a}{b}", "00 44 7700 {a}{b}")
	default:
		return s.american()
	}
}

// office makes a landline; a Chinese one has the area code of the city, "" meaning any.
func (s *sower) office(country, city string) string {
	switch country {
	case "CN":
		return s.fresh(func() (string, string, string) { return s.chineseLandline(city) },
			"{area}-{a} {b}", "({area}) {a}{b}", "{area}{a}{b}", "{area} {a} {b}", "+86 {trunkless} {a} {b}", "86-{trunkless}-{a}{b}")
	case "GB":
		draw := func() (string, string, string) {
			local := fmt.Sprintf("79460%03d", s.rnd.IntN(1000))
			return "020", local, "4420" + local
		}
		return s.fresh(draw, "+44 20 {a} {b}", "020 {a} {b}", "(020) {a} {b}", "+44 (0)20 {a} {b}", "004420{a}{b}")
	default:
		return s.american()
	}
}

func (s *sower) chineseLandline(city string) (area, local, whole string) {
	place := s.pick(s.cnCities)
	for city != "" && place[0] != city {
		place = s.pick(s.cnCities)
	}
	local = fmt.Sprintf("%d%07d", 5+s.rnd.IntN(4), s.rnd.IntN(1e7))
	if place[2] == "7" {
		local = local[:7]
	}
	return place[1], local, place[1] + local
}

func (s *sower) american() string {
	draw := func() (string, string, string) {
		area, local := s.pick(s.enAreas)[0], fmt.Sprintf("55501%02d", s.rnd.IntN(100))
		return area, local, area + local
	}
	return s.fresh(draw, "+1 {area} {a} {b}", "({area}) {a}-{b}", "{area}-{a}-{b}", "+1-{area}-{a}-{b}", "+1{area}{a}{b}")
}
