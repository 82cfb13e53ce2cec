package sandbox

import (
	"fmt"
	"strings"
)

// seededPerson is a contact while it is being made.
type seededPerson struct {
	contact
	country, login string // login: the name in plain letters, for the mail address
}

func (s *sower) person(country string) seededPerson {
	p := seededPerson{country: country}
	if country == "CN" {
		family, given := s.pick(s.cnSurnames), s.pick(s.cnGiven)
		p.Name, p.login = family[0]+given[0], given[1]+"."+family[1]
	} else {
		given, family := s.pick(s.enFirst)[0], s.pick(s.enLast)[0]
		p.Name = given + " " + family
		p.login = strings.ToLower(given + "." + strings.ReplaceAll(family, "'", ""))
	}
	p.contact = s.blank(p.Name, country)
	if s.chance(8) {
		p.Status = "inactive"
	}
	return p
}

func (s *sower) blank(name, country string) contact {
	u := s.st.Users[s.rnd.IntN(len(s.st.Users))]
	at := s.ago(1200, country)
	return contact{
		ID: fmt.Sprintf("c_%06d", len(s.st.Contacts)+1), Name: name, Phones: []phone{}, Tags: []string{},
		Owner: owner{u.ID, u.Name}, Status: "active", CreatedAt: at, UpdatedAt: at, LastActivityAt: at,
	}
}

func (s *sower) email(p seededPerson, firm *company) string {
	if firm != nil {
		return p.login + "@" + firm.Domain
	}
	return fmt.Sprintf("%s%d@mail.example", p.login, len(s.st.Contacts)+1)
}

// phonesOf gives one to three numbers.
func (s *sower) phonesOf(country string, firm *company) []phone {
	out := []phone{{"mobile", s.mobile(country)}}
	if firm != nil && firm.FrontDesk != "" {
		out = append(out, phone{"office", firm.FrontDesk})
	} else if firm != nil && s.chance(35) {
		out = append(out, phone{"office", s.office(country, firm.City)})
	}
	if s.chance(12) {
		out = append(out, phone{"home", s.office(country, "")})
	}
	return out
}

// reserveAnchors keeps the anchors' numbers from being given to anybody else.
func (s *sower) reserveAnchors() {
	for _, n := range []string{"13800138000", "02165550134", "447700900123", "442079460999"} {
		s.used[n[len(n)-suffixDigits:]] = true
	}
}

// anchors are the customers that the demo rings: fixed whatever the seed.
func (s *sower) anchors() {
	add := func(name, country, email string, firm int, tags []string, phones ...phone) {
		c := s.blank(name, country)
		c.Email, c.Phones, c.Tags = email, phones, tags
		if firm >= 0 {
			c.CompanyID = copyOf(&s.st.Companies[firm].ID)
		}
		s.st.Contacts = append(s.st.Contacts, c)
	}
	shared := phone{"home", "+44 20 7946 0999"}
	add("陈丽华", "CN", "lihua.chen@yuanjing.example", 0, []string{"VIP", "物流"},
		phone{"mobile", "138 0013 8000"}, phone{"office", "021-6555 0134"})
	add("Eleanor Whitfield", "GB", "eleanor.whitfield@whitfieldrowe.example", 1, []string{"key account"},
		phone{"mobile", "+44 7700 900123"})
	add("Margaret Ashdown", "GB", "margaret.ashdown@mail.example", -1, []string{}, shared)
	add("Daniel Ashdown", "GB", "daniel.ashdown@mail.example", -1, []string{}, shared)
}
