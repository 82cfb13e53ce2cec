package sandbox

import (
	"net/http"
	"strings"
)

// company is an employer of contacts. The API only reads them.
type company struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	City      string `json:"city"`
	Country   string `json:"country"` // CN, GB, US
	Domain    string `json:"domain"`
	FrontDesk string `json:"front_desk"` // a number several of its people share, or ""
	CreatedAt Stamp  `json:"created_at"`
}

func (c company) ident() string { return c.ID }
func (c company) key() string   { return "" }

func (s *Server) listCompanies(r *http.Request) (answer, error) {
	words := strings.ToLower(strings.TrimSpace(r.URL.Query().Get("q")))
	var out []company
	s.store.read(func(b *book) {
		out = b.companies.where(func(c company) bool { return strings.Contains(strings.ToLower(c.Name), words) })
	})
	return paged(r, out, defaultLimit)
}

func (s *Server) getCompany(r *http.Request) (answer, error) {
	var out company
	var found bool
	s.store.read(func(b *book) { out, found = b.companies.get(r.PathValue("id")) })
	if !found {
		return answer{}, notFound("company")
	}
	return ok(out), nil
}
