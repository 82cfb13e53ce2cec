package sandbox

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

const (
	defaultSeed     = 20261101
	seededContacts  = 500
	seededCompanies = 120
	chineseFirms    = seededCompanies * 3 / 5
)

// sower makes the book from a seed. Equal seeds make equal books on every machine.
type sower struct {
	*lists
	rnd  *rand.Rand
	day  time.Time       // the day everything happened before
	used map[string]bool // last eight digits of every number given out
	st   fileState
}

func sow(seed uint64) (*book, error) {
	l, err := loadLists()
	if err != nil {
		return nil, err
	}
	if seed == 0 {
		seed = defaultSeed
	}
	s := &sower{
		lists: l, rnd: rand.New(rand.NewPCG(seed, defaultSeed)), //nolint:gosec // made-up data, the same for the same seed
		day: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), used: map[string]bool{},
	}
	s.st = fileState{Seed: seed, Roles: map[string]string{}}
	for _, u := range l.usersByLine {
		s.st.Users = append(s.st.Users, Agent{u[0], u[1], u[2]})
		s.st.Roles[u[0]] = u[3]
	}
	s.reserveAnchors()
	s.sowCompanies()
	s.sowContacts()
	s.sowHistory()
	return s.st.book()
}

func (s *sower) pick(list [][]string) []string { return list[s.rnd.IntN(len(list))] }

// pickIn picks among the lines of a language: "zh" or "en" in the first field.
func (s *sower) pickIn(lang string, list [][]string) []string {
	for {
		if line := s.pick(list); line[0] == lang {
			return line
		}
	}
}

func (s *sower) chance(percent int) bool { return s.rnd.IntN(100) < percent }

// ago is a moment in office hours of that country, 1 to days days before the seed's day.
func (s *sower) ago(days int, country string) Stamp {
	opens := map[string]int{"CN": 1, "GB": 9, "US": 14}[country]
	hours := time.Duration(opens)*time.Hour + time.Duration(s.rnd.IntN(9*3600*1000))*time.Millisecond
	return stamp(s.day.AddDate(0, 0, -1-s.rnd.IntN(days)).Add(hours))
}

func (s *sower) sowCompanies() {
	s.addCompany("上海远景物流有限公司", "上海", "CN", "yuanjing.example")
	s.addCompany("Whitfield & Rowe Ltd", "Leeds", "GB", "whitfieldrowe.example")
	for i := 1; i < chineseFirms; i++ {
		city, brand := s.pick(s.cnCities), s.cnBrands[i-1]
		s.addCompany(city[0]+brand[0]+s.pick(s.cnIndustries)[0]+"有限公司", city[0], "CN", brand[1]+".example")
	}
	for i := chineseFirms + 1; i < seededCompanies; i++ {
		brand := s.enBrands[i-chineseFirms-1][0]
		domain := strings.ToLower(strings.ReplaceAll(brand, " ", "")) + ".example"
		name := brand + " " + s.pick(s.enIndustries)[0]
		if s.chance(60) {
			s.addCompany(name+" Ltd", s.oneOf("London", "Manchester", "Leeds", "Bristol", "York"), "GB", domain)
		} else {
			s.addCompany(name+", Inc.", s.oneOf("New York", "Atlanta", "Denver", "Seattle", "Boston"), "US", domain)
		}
	}
}

func (s *sower) oneOf(names ...string) string { return names[s.rnd.IntN(len(names))] }

func (s *sower) addCompany(name, city, country, domain string) {
	n := len(s.st.Companies)
	c := company{ID: fmt.Sprintf("co_%04d", n+1), Name: name, City: city, Country: country, Domain: domain}
	c.CreatedAt = s.ago(1500, country)
	if n%24 == 10 { // five front desks
		c.FrontDesk = s.office(country, city)
	}
	s.st.Companies = append(s.st.Companies, c)
}

func (s *sower) sowContacts() {
	s.anchors()
	for len(s.st.Contacts) < seededContacts {
		country := "CN"
		if len(s.st.Contacts)%5 >= 3 {
			country = []string{"GB", "GB", "US"}[s.rnd.IntN(3)]
		}
		s.addContact(country)
	}
}

func (s *sower) addContact(country string) {
	c := s.person(country)
	firm := s.firmIn(country)
	if firm != nil && s.chance(85) {
		c.CompanyID = copyOf(&firm.ID)
	} else {
		firm = nil
	}
	c.Email = s.email(c, firm)
	c.Phones = s.phonesOf(country, firm)
	s.moveIn(&c, firm)
	lang := "en"
	if country == "CN" {
		lang = "zh"
	}
	for range s.rnd.IntN(4) {
		if t := s.pickIn(lang, s.tags)[1]; !slices.Contains(c.Tags, t) {
			c.Tags = append(c.Tags, t)
		}
	}
	s.st.Contacts = append(s.st.Contacts, c.contact)
}

// firmIn picks a company of the country other than those of the anchors.
func (s *sower) firmIn(country string) *company {
	for range 50 {
		if f := &s.st.Companies[2+s.rnd.IntN(len(s.st.Companies)-2)]; f.Country == country {
			return f
		}
	}
	return nil
}

// moveIn lets a few private people share the home of the last private one with the same kind of number.
func (s *sower) moveIn(c *seededPerson, firm *company) {
	if firm != nil || !s.chance(15) {
		return
	}
	for _, other := range slices.Backward(s.st.Contacts) {
		home := slices.IndexFunc(other.Phones, func(p phone) bool { return p.Label == "home" })
		if home >= 0 && other.CompanyID == nil && s.countryOf(other) == c.country {
			c.Phones = append(c.Phones, other.Phones[home])
			return
		}
	}
	c.Phones = append(c.Phones, phone{"home", s.office(c.country, "")})
}

// countryOf tells where a seeded contact lives: those without company by the spelling of the name.
func (s *sower) countryOf(c contact) string {
	if c.Name[0] >= 0x80 {
		return "CN"
	}
	if slices.ContainsFunc(c.Phones, func(p phone) bool { return strings.HasPrefix(digits(p.Number), "1") || len(digits(p.Number)) == 10 }) {
		return "US"
	}
	return "GB"
}

// sorted numbers rows by time: ids in the order things happened.
func sorted[T any](rows []T, at func(T) Stamp, number func(row *T, n int)) {
	slices.SortStableFunc(rows, func(a, b T) int { return cmp.Compare(at(a).UnixMilli(), at(b).UnixMilli()) })
	for i := range rows {
		number(&rows[i], i+1)
	}
}
