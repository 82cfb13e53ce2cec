package sandbox

import (
	"maps"
	"net/http"
	"slices"
)

// option is a value that a field can have.
type option struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

func (o option) ident() string { return o.ID }

// choices are the lists that do not change. Owners are the users, tags what customers have.
var choices = map[string][]option{
	"queue":           {{"service", "Customer service"}, {"sales", "Sales"}, {"technical", "Technical support"}, {"billing", "Billing"}},
	"status":          {{"open", "Open"}, {"pending", "Pending"}, {"solved", "Solved"}},
	"customer_status": {{"active", "Active"}, {"follow_up", "Follow up"}, {"inactive", "Inactive"}},

	"priority": {{"low", "Low"}, {"normal", "Normal"}, {"high", "High"}, {"urgent", "Urgent"}},
	"type":     {{"question", "Question"}, {"incident", "Incident"}, {"complaint", "Complaint"}, {"order", "Order"}},
	"outcome":  {{"resolved", "Resolved"}, {"follow_up", "Follow up"}, {"sale", "Sale"}, {"complaint", "Complaint"}, {"information", "Information"}},
}

func idsOf(kind string) []string {
	var out []string
	for _, o := range choices[kind] {
		out = append(out, o.ID)
	}
	return out
}

func (s *Server) listOptions(r *http.Request) (answer, error) {
	kind := r.PathValue("kind")
	rows, known := choices[kind]
	switch kind {
	case "owner":
		s.store.read(func(b *book) {
			for _, u := range b.users {
				rows = append(rows, option{u.ID, u.Name})
			}
		})
	case "tag":
		for _, name := range slices.Sorted(maps.Keys(s.tagCounts())) {
			rows = append(rows, option{name, name})
		}
	default:
		if !known {
			return answer{}, notFound("kind of options")
		}
	}
	return paged(r, rows, defaultLimit)
}
