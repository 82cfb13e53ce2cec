package sandbox

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"
)

const maxTagName = 40

type tag struct {
	Name     string `json:"name"`
	Contacts int    `json:"contacts"` // how many have it
}

func (t tag) ident() string { return t.Name }

func checkTag(name string) error {
	if strings.TrimSpace(name) == "" || utf8.RuneCountInString(name) > maxTagName {
		return fmt.Errorf("a tag has 1 to %d characters", maxTagName)
	}
	return nil
}

func (s *Server) listTags(r *http.Request) (answer, error) {
	count := s.tagCounts()
	var out []tag
	for _, name := range slices.Sorted(maps.Keys(count)) {
		out = append(out, tag{name, count[name]})
	}
	return paged(r, out, maxLimit)
}

func (s *Server) tagCounts() map[string]int {
	count := map[string]int{}
	s.store.read(func(b *book) {
		for _, c := range b.contacts.rows {
			for _, name := range c.Tags {
				count[name]++
			}
		}
	})
	return count
}

// putTag and deleteTag answer the contact; doing either twice is the same as once.
func (s *Server) putTag(r *http.Request) (answer, error) {
	return s.retag(r, func(tags []string, name string) []string {
		if slices.Contains(tags, name) {
			return tags
		}
		return append(slices.Clone(tags), name)
	})
}

func (s *Server) deleteTag(r *http.Request) (answer, error) {
	return s.retag(r, func(tags []string, name string) []string {
		return slices.DeleteFunc(slices.Clone(tags), func(t string) bool { return t == name })
	})
}

func (s *Server) retag(r *http.Request, edit func([]string, string) []string) (answer, error) {
	name := r.PathValue("tag")
	if err := checkTag(name); err != nil {
		return answer{}, invalid("tag", err.Error())
	}
	return s.changeContact(r, func(_ *book, c *contact) error {
		if c.Tags = edit(c.Tags, name); len(c.Tags) > maxTags {
			return invalid("tag", fmt.Sprintf("a contact has at most %d tags", maxTags))
		}
		return nil
	})
}
