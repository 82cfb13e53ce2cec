package sandbox

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"
)

//go:embed pages/*
var pageFiles embed.FS

// labels are the words of the pages by language and key.
type labels map[string]map[string]string

// page is what a template gets.
type page struct {
	Lang    string
	words   map[string]string
	Query   string
	Found   []contactView
	Total   int
	Card    contactView
	Calls   []Call
	Tickets []ticket
	Orders  []order
	Tasks   []task
	Notes   []note
	Yes, No string // addresses of the consent page
}

// T is the label for a key; a key without one shows as it is.
func (p page) T(key string) string {
	if word, known := p.words[key]; known {
		return word
	}
	return key
}

// When shows a moment; the zone is in the head of the column.
func (p page) When(s Stamp) string { return s.UTC().Format("2006-01-02 15:04") }

// Talk shows a duration as m:ss.
func (p page) Talk(ms int64) string {
	d := time.Duration(ms) * time.Millisecond
	return fmt.Sprintf("%d:%02d", int(d.Minutes()), int(d.Seconds())%60)
}

// Money shows minor units with two decimals.
func (p page) Money(total int64, currency string) string {
	return fmt.Sprintf("%d.%02d %s", total/100, total%100, currency)
}

func loadPages() (*template.Template, labels, error) {
	t, err := template.ParseFS(pageFiles, "pages/*.html")
	if err != nil {
		return nil, nil, fmt.Errorf("pages: %w", err)
	}
	raw, err := pageFiles.ReadFile("pages/labels.txt")
	if err != nil {
		return nil, nil, fmt.Errorf("pages: %w", err)
	}
	words := labels{"en": {}, "zh": {}}
	for line := range strings.Lines(string(raw)) {
		parts := strings.Split(strings.TrimSpace(line), "|")
		if len(parts) != 3 {
			return nil, nil, fmt.Errorf("pages: label %q is not key|English|Chinese", line)
		}
		words["en"][parts[0]], words["zh"][parts[0]] = parts[1], parts[2]
	}
	return t, words, nil
}

func (s *Server) newPage(r *http.Request) page {
	lang := "en"
	if strings.HasPrefix(strings.ToLower(strings.TrimSpace(r.Header.Get("Accept-Language"))), "zh") {
		lang = "zh"
	}
	return page{Lang: lang, words: s.labels[lang]}
}

// listPage searches as an agent would: a number when the words hold enough digits and no letters, else by name.
func (s *Server) listPage(w http.ResponseWriter, r *http.Request) {
	p := s.newPage(r)
	p.Query = r.URL.Query().Get("q")
	number, words := "", p.Query
	if n := digits(p.Query); len(n) >= fewestDigits && !strings.ContainsFunc(p.Query, func(c rune) bool { return c >= 'A' && c <= 'z' }) {
		number, words = n, ""
	}
	p.Found = s.findContacts(number, words)
	p.Total = len(p.Found)
	p.Found = first(p.Found, 100)
	s.render(w, http.StatusOK, "list.html", p)
}

// ownerPage leads from a ticket or a call to its customer's page, where it is listed; without a customer, to the list.
func (s *Server) ownerPage(owner func(b *book, id string) (*string, bool)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var contact *string
		var found bool
		s.store.read(func(b *book) { contact, found = owner(b, r.PathValue("id")) })
		switch {
		case !found:
			s.render(w, http.StatusNotFound, "missing.html", s.newPage(r))
		case contact == nil:
			http.Redirect(w, r, "/", http.StatusSeeOther)
		default:
			http.Redirect(w, r, "/contacts/"+url.PathEscape(*contact), http.StatusSeeOther)
		}
	}
}

func ticketOwner(b *book, id string) (*string, bool) {
	t, found := b.tickets.get(id)
	return t.ContactID, found
}

func callOwner(b *book, id string) (*string, bool) {
	c, found := b.calls.get(id)
	return c.ContactID, found
}

func (s *Server) cardPage(w http.ResponseWriter, r *http.Request) {
	p := s.newPage(r)
	card, err := s.contact(r.PathValue("id"))
	if _, missing := errors.AsType[*problem](err); missing {
		s.render(w, http.StatusNotFound, "missing.html", p)
		return
	}
	p.Card = card
	s.store.read(func(b *book) {
		p.Calls = b.calls.where(func(c Call) bool { return isOf(c.ContactID, card.ID) })
		p.Tickets = b.tickets.where(func(t ticket) bool { return isOf(t.ContactID, card.ID) })
		p.Orders = b.orders.where(func(o order) bool { return o.ContactID == card.ID })
		p.Notes = b.notes.where(func(n note) bool { return isOf(n.ContactID, card.ID) })
		p.Tasks = b.tasks.where(func(t task) bool { return isOf(t.ContactID, card.ID) })
	})
	newest(p.Calls, func(c Call) Stamp { return c.StartedAt })
	newest(p.Tickets, func(t ticket) Stamp { return t.CreatedAt })
	newest(p.Orders, func(o order) Stamp { return o.PlacedAt })
	newest(p.Notes, func(n note) Stamp { return n.At })
	newest(p.Tasks, func(t task) Stamp { return t.CreatedAt })
	s.render(w, http.StatusOK, "card.html", p)
}

// render answers a page. The pages have no login, because a browser opens them from a deep link; what they show is
// training data, they only read, and onlyLoopback keeps them on this machine.
func (s *Server) render(w http.ResponseWriter, status int, name string, p page) {
	var out bytes.Buffer
	if err := s.pages.ExecuteTemplate(&out, name, p); err != nil {
		s.fail(w, fmt.Errorf("page %s: %w", name, err))
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(out.Bytes()) // a failed write means the browser has gone; there is nobody to tell
}
