package sandbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"unicode"
)

const (
	fewestDigits = 5 // a shorter number matches half the book
	suffixDigits = 8
	maxPhones    = 20
	maxTags      = 50
)

// contact is a customer as stored.
type contact struct {
	ID             string   `json:"id"`
	Name           string   `json:"name"`
	CompanyID      *string  `json:"company_id"`
	Email          string   `json:"email"`
	Phones         []phone  `json:"phones"`
	Tags           []string `json:"tags"`
	Owner          owner    `json:"owner"`
	Status         string   `json:"status"` // one of the options customer_status
	CreatedAt      Stamp    `json:"created_at"`
	UpdatedAt      Stamp    `json:"updated_at"`
	LastActivityAt Stamp    `json:"last_activity_at"`
	Changed        int64    `json:"changed"` // its place in the feed of changes
	Deleted        bool     `json:"deleted,omitempty"`
	ExternalKey    string   `json:"external_key,omitempty"` // of whoever made it, so that it is made once
	Version        int      `json:"version"`                // 1 at creation; counts what people change

	Fields map[string]any `json:"fields,omitempty"`
}

func (c contact) ident() string { return c.ID }
func (c contact) key() string   { return c.ExternalKey }

type phone struct {
	Label  string `json:"label"`  // mobile, office, home
	Number string `json:"number"` // as somebody typed it
}

type owner struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// contactView adds what is joined when the contact is shown.
type contactView struct {
	contact
	Company     string `json:"company"`
	OpenTickets int    `json:"open_tickets"`
	URL         string `json:"url"`
}

func (b *book) view(c contact, base string) contactView {
	v := contactView{contact: c, URL: base + "/contacts/" + c.ID}
	if c.CompanyID != nil {
		firm, _ := b.companies.get(*c.CompanyID)
		v.Company = firm.Name
	}
	for _, t := range b.tickets.rows {
		if isOf(t.ContactID, c.ID) && t.Status != "solved" {
			v.OpenTickets++
		}
	}
	return v
}

func contactFields(b *book) fields[contact] {
	return fields[contact]{
		"name":       filled(func(c *contact) *string { return &c.Name }).needed(),
		"email":      text(func(c *contact) *string { return &c.Email }, maxLine),
		"company_id": optional(func(c *contact) **string { return &c.CompanyID }, maxLine),
		"status":     choice(func(c *contact) *string { return &c.Status }, idsOf("customer_status")...),
		"phones":     {kind: kindList, set: setPhones},
		"tags":       {kind: kindList, length: maxTagName, set: setTags},
		"owner_id":   {kind: kindUser, set: b.setOwner},
		"fields":     customFields(b, "contact", &b.contacts, func(c *contact) *map[string]any { return &c.Fields }),
	}
}

func setPhones(c *contact, raw json.RawMessage) error {
	var in []struct{ Label, Number *string }
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if dec.Decode(&in) != nil || in == nil || len(in) > maxPhones {
		return fmt.Errorf("must be a list of at most %d {label, number}", maxPhones)
	}
	out := make([]phone, 0, len(in))
	for _, p := range in {
		if p.Label == nil || !slices.Contains([]string{"mobile", "office", "home"}, *p.Label) {
			return fmt.Errorf("label must be mobile, office or home")
		}
		if p.Number == nil || digits(*p.Number) == "" || len(*p.Number) > maxLine {
			return fmt.Errorf("number must hold digits")
		}
		out = append(out, phone{*p.Label, *p.Number})
	}
	c.Phones = out
	return nil
}

func setTags(c *contact, raw json.RawMessage) error {
	var in []string
	if json.Unmarshal(raw, &in) != nil || in == nil || len(in) > maxTags {
		return fmt.Errorf("must be a list of at most %d names", maxTags)
	}
	out := []string{}
	for _, name := range in {
		if err := checkTag(name); err != nil {
			return err
		}
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	c.Tags = out
	return nil
}

func (b *book) setOwner(c *contact, raw json.RawMessage) error {
	id, err := readText(raw, maxLine)
	who, found := b.user(id)
	if err != nil || !found {
		return fmt.Errorf("no such user")
	}
	c.Owner = who.owner()
	return nil
}

// listContacts filters by ?phone=, ?q=, ?external_key= and ?fields.NAME=.
func (s *Server) listContacts(r *http.Request) (answer, error) {
	q := r.URL.Query()
	suffix := digits(q.Get("phone"))
	if q.Has("phone") && len(suffix) < fewestDigits {
		return answer{}, invalid("phone", fmt.Sprintf("needs at least %d digits", fewestDigits))
	}
	if q.Has("q") {
		if err := s.permit(r, "search"); err != nil {
			return answer{}, err
		}
	}
	indexed := s.indexed()
	rows := keep(s.findContacts(suffix, q.Get("q")), func(v contactView) bool {
		return hasFields(q, v.Fields) && (!q.Has("external_key") || v.ExternalKey == q.Get("external_key") && !v.CreatedAt.After(indexed))
	})
	return paged(r, rows, defaultLimit)
}

// findContacts returns, in order of creation, those who have a number with that end and the words in name, e-mail
// or company. An empty criterion lets all pass.
func (s *Server) findContacts(number, words string) []contactView {
	suffix := number[max(0, len(number)-suffixDigits):]
	words = strings.ToLower(strings.TrimSpace(words))
	base := s.URL()
	var out []contactView
	s.store.read(func(b *book) {
		for _, c := range b.contacts.rows {
			if v := b.view(c, base); !c.Deleted && c.hasNumber(suffix) && v.mentions(words) {
				out = append(out, v)
			}
		}
	})
	return out
}

func (c contact) hasNumber(suffix string) bool {
	return suffix == "" || slices.ContainsFunc(c.Phones, func(p phone) bool { return strings.HasSuffix(digits(p.Number), suffix) })
}

func (v contactView) mentions(words string) bool {
	return slices.ContainsFunc([]string{v.Name, v.Email, v.Company}, func(s string) bool {
		return strings.Contains(strings.ToLower(s), words)
	})
}

// digits keeps the digits, full-width ones as plain ones.
func digits(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '０' && r <= '９' {
			return r - '０' + '0'
		}
		if r > unicode.MaxASCII || !unicode.IsDigit(r) {
			return -1
		}
		return r
	}, s)
}

func (s *Server) contact(id string) (contactView, error) {
	base := s.URL()
	var v contactView
	err := error(notFound("contact"))
	s.store.read(func(b *book) {
		if c, found := b.contact(id); found {
			v, err = b.view(c, base), nil
		}
	})
	return v, err
}

func (v contactView) answer(status int) answer { return versioned(status, v, v.Version) }

func (s *Server) getContact(r *http.Request) (answer, error) {
	v, err := s.contact(r.PathValue("id"))
	return v.answer(http.StatusOK), err
}

func (s *Server) postContact(r *http.Request) (answer, error) {
	in, err := parseBody(r)
	if err != nil {
		return answer{}, err
	}
	v, err := s.writeContact(func(b *book) (contact, error) { return b.newContact(me(r), "", in) })
	return v.answer(http.StatusCreated), err
}

func (b *book) newContact(who person, key string, in body) (contact, error) {
	f, at := contactFields(b), now()
	c := contact{
		ID: b.contacts.nextID("c"), ExternalKey: key, Phones: []phone{}, Tags: []string{}, Owner: who.owner(), Status: "active",
		CreatedAt: at, UpdatedAt: at, LastActivityAt: at, Version: 1,
	}
	if err := f.need(in); err != nil {
		return c, err
	}
	err := f.apply(&c, in)
	return c, err
}

// putContactByKey makes the contact with a key, or changes it: doing that twice is the same as once.
func (s *Server) putContactByKey(r *http.Request) (answer, error) {
	in, err := parseBody(r)
	if err != nil {
		return answer{}, err
	}
	key, status := r.PathValue("key"), http.StatusOK
	v, err := s.writeContact(func(b *book) (contact, error) {
		old, found := b.contacts.getByKey(key)
		if found && old.Deleted {
			return old, &problem{Status: http.StatusGone, Code: "gone", Message: "the contact with this key was deleted", Field: "external_key", ID: old.ID}
		}
		if found {
			return b.editContact(r, old, func(c *contact) error { return contactFields(b).apply(c, in) })
		}
		if err := fits(r, 0, nil); err != nil {
			return old, err
		}
		status = http.StatusCreated
		return b.newContact(me(r), key, in)
	})
	return v.answer(status), err
}

// putPhone adds a number to a contact that has it not yet, in the spelling given.
func (s *Server) putPhone(r *http.Request) (answer, error) {
	number := r.PathValue("number")
	if digits(number) == "" || len(number) > maxLine {
		return answer{}, invalid("number", "must hold digits")
	}
	return s.changeContact(r, func(_ *book, c *contact) error {
		if slices.ContainsFunc(c.Phones, func(p phone) bool { return digits(p.Number) == digits(number) }) {
			return nil
		}
		if len(c.Phones) >= maxPhones {
			return invalid("number", fmt.Sprintf("a contact has at most %d numbers", maxPhones))
		}
		c.Phones = append(slices.Clone(c.Phones), phone{"mobile", number})
		return nil
	})
}

func (s *Server) patchContact(r *http.Request) (answer, error) {
	in, err := parseBody(r)
	if err != nil {
		return answer{}, err
	}
	return s.changeContact(r, func(b *book, c *contact) error { return contactFields(b).apply(c, in) })
}

// changeContact edits the contact in the path and answers it as it is then.
func (s *Server) changeContact(r *http.Request, edit func(*book, *contact) error) (answer, error) {
	v, err := s.writeContact(func(b *book) (contact, error) {
		old, found := b.contact(r.PathValue("id"))
		if !found {
			return old, notFound("contact")
		}
		return b.editContact(r, old, func(c *contact) error { return edit(b, c) })
	})
	return v.answer(http.StatusOK), err
}

// editContact gives the contact as it is after the edit; one that changes nothing is no new version.
func (b *book) editContact(r *http.Request, old contact, edit func(*contact) error) (contact, error) {
	if err := fits(r, old.Version, b.view(old, "http://"+r.Host)); err != nil {
		return old, err
	}
	c := old
	if err := edit(&c); err != nil || reflect.DeepEqual(old, c) {
		return c, err
	}
	c.UpdatedAt, c.Version = now(), old.Version+1
	return c, nil
}

// writeContact writes what edit returns, unless it is there already, and shows it as it is then.
func (s *Server) writeContact(edit func(*book) (contact, error)) (contactView, error) {
	base := s.URL()
	var v contactView
	err := s.store.change(func(b *book) error {
		c, err := edit(b)
		if err != nil {
			return err
		}
		if c.CompanyID != nil {
			if _, found := b.companies.get(*c.CompanyID); !found {
				return invalid("company_id", "no such company")
			}
		}
		if old, exists := b.contacts.get(c.ID); !exists || old.Version != c.Version {
			b.putContact(c)
		}
		c, _ = b.contacts.get(c.ID)
		v = b.view(c, base)
		return nil
	})
	return v, err
}
