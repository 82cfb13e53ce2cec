package sandbox

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// User is somebody who signs in beside the first agent.
type User struct {
	Name  string `json:"name"`
	Email string `json:"email"` // says who it is: the same again changes the user there is
	Role  string `json:"role"`  // agent ("" too), lead, admin
	Token string `json:"token"` // the bearer token; needed, and nobody else's
	// Password is for POST /api/session; "" means the token.
	Password string `json:"password"`
}

func (u User) check() error {
	switch {
	case strings.TrimSpace(u.Name) == "" || strings.TrimSpace(u.Email) == "":
		return fmt.Errorf("a user needs a name and an email")
	case u.Role != "" && !slices.Contains(roles, u.Role):
		return fmt.Errorf("role must be one of %s", strings.Join(roles, ", "))
	case u.Token == "":
		return fmt.Errorf("a user needs a token")
	}
	return nil
}

// person is who sends a request.
type person struct {
	Agent
	role string
}

func (p person) owner() owner { return owner{p.ID, p.Name} }

// AddUser adds a user, or changes role, token and password of the one with the email. Tokens are kept in memory only: a user that
// came from the state file needs a new one. It fails on what is missing or unknown, and on a token that somebody else has.
func (s *Server) AddUser(u User) (Agent, error) {
	err := u.check()
	if err == nil && u.Token == s.nature.bearer() {
		err = errTokenTaken
	}
	if err != nil {
		return Agent{}, fmt.Errorf("add user: %w", err)
	}
	if u.Role == "" {
		u.Role = roleAgent
	}
	var a Agent
	err = s.store.change(func(b *book) error {
		a = b.addUser(u)
		return s.grants.admit(a.ID, u)
	})
	if err != nil {
		return Agent{}, fmt.Errorf("add user: %w", err)
	}
	return a, nil
}

// addUser writes a user within store.change.
func (b *book) addUser(u User) Agent {
	users, had := b.users, b.roles
	a := Agent{fmt.Sprintf("u_%02d", len(b.users)+1), u.Name, u.Email}
	b.users, b.roles = slices.Clone(users), maps.Clone(had)
	if i := slices.IndexFunc(users, func(old Agent) bool { return old.Email == u.Email }); i >= 0 {
		a.ID = users[i].ID
		b.users[i] = a
	} else {
		b.users = append(b.users, a)
	}
	b.roles[a.ID] = u.Role
	b.undo = append(b.undo, func() { b.users, b.roles = users, had })
	return a
}

// user finds somebody by id or email.
func (b *book) user(name string) (person, bool) {
	for _, u := range b.users {
		if name != "" && (u.ID == name || u.Email == name) {
			return person{u, b.roles[u.ID]}, true
		}
	}
	return person{}, false
}

func (s *Server) user(name string) (p person, found bool) {
	s.store.read(func(b *book) { p, found = b.user(name) })
	return p, found
}

type whoKey struct{}

func signedIn(r *http.Request, p person) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), whoKey{}, p))
}

// me is who sends the request; nobody without any right where the gate was not passed.
func me(r *http.Request) person {
	p, _ := r.Context().Value(whoKey{}).(person)
	return p
}

func (s *Server) whoami(r *http.Request) (answer, error) {
	p := me(r)
	return ok(struct {
		Agent
		Role    string   `json:"role"`
		Roles   []string `json:"roles"`
		Version string   `json:"version"` // of the server
	}{p.Agent, p.role, []string{p.role}, s.version()}), nil
}

func (s *Server) getVersion(*http.Request) (answer, error) {
	return ok(map[string]string{"version": s.version()}), nil
}

// version is the server's own, or the one it pretends to have.
func (s *Server) version() string {
	if v := s.nature.get().Version; v != "" {
		return v
	}
	return Version
}
