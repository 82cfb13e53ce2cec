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

func checkTag(name string) error {
	if strings.TrimSpace(name) == "" || utf8.RuneCountInString(name) > maxTagName {
		return fmt.Errorf("a tag has 1 to %d characters", maxTagName)
	}
	return nil
}

func (s *Server) listTags(*http.Request) (answer, error) {
	count := map[string]int{}
	s.store.read(func(b *book) {
		for _, c := range b.contacts.rows {
			for _, name := range c.Tags {
				count[name]++
			}
		}
	})
	var out []tag
	for _, name := range slices.Sorted(maps.Keys(count)) {
		out = append(out, tag{name, count[name]})
	}
	return items(out), nil
}

// putTag and deleteTag answer the contact; doing either twice is the same as once.
func (s *Server) putTag(r *http.Request) (answer, error) {
	return s.retag(r, func(tags []string, name string) []string { return append(slices.Clone(tags), name) }, false)
}

func (s *Server) deleteTag(r *http.Request) (answer, error) {
	return s.retag(r, func(tags []string, name string) []string {
		return slices.DeleteFunc(slices.Clone(tags), func(t string) bool { return t == name })
	}, true)
}

// retag edits the tags of a contact when the presence of the tag is what the edit is for.
func (s *Server) retag(r *http.Request, edit func([]string, string) []string, whenPresent bool) (answer, error) {
	name := r.PathValue("tag")
	if err := checkTag(name); err != nil {
		return answer{}, invalid("tag", err.Error())
	}
	base := s.URL()
	var v contactView
	err := s.store.change(func(b *book) error {
		c, found := b.contact(r.PathValue("id"))
		if !found {
			return notFound("contact")
		}
		if slices.Contains(c.Tags, name) == whenPresent {
			if c.Tags = edit(c.Tags, name); len(c.Tags) > maxTags {
				return invalid("tag", fmt.Sprintf("a contact has at most %d tags", maxTags))
			}
			c.UpdatedAt = now()
			b.putContact(c)
		}
		v = b.view(c, base)
		return nil
	})
	return ok(v), err
}
