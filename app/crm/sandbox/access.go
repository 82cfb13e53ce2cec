package sandbox

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Roles. An agent works with customers, a lead may also clean up and edit what others wrote, an admin may all.
const (
	roleAgent = "agent"
	roleLead  = "lead"
	roleAdmin = "admin"
)

var roles = []string{roleAgent, roleLead, roleAdmin}

// What an agent may edit of the records there are. Leads and admins may edit all.
const (
	EditAll  = "all" // the default
	EditOwn  = "own" // what the agent made
	EditNone = "none"
)

// operations are the rights that carry the name of what they allow. Everybody has them, but for what Traits.Denied takes from agents.
var operations = []string{
	"whoami", "lookup", "search", "get", "changes", "history", "list_tickets", "list_orders", "list_options", "describe",
	"log_call", "create_contact", "update_contact", "add_number", "add_note", "create_ticket", "update_ticket", "set_status",
	"add_tags", "remove_tags", "create_task", "attach_recording",
}

// The rights beyond the daily work.
const (
	rightDelete = "delete_contacts"
	rightFields = "manage_fields"
	rightOthers = "edit_others"
)

var extras = []string{rightDelete, rightFields, rightOthers}

// may tells whether a role has a right.
func (t Traits) may(role, right string) bool {
	if role != roleAgent {
		return slices.Contains(roles, role) || role == "supervisor" // as leads were called in older state files
	}
	switch right {
	case "":
		return true
	case rightDelete:
		return !t.StrictRoles
	case rightFields:
		return false
	case rightOthers:
		return t.Editing == "" || t.Editing == EditAll
	}
	return !slices.Contains(t.denied(), right)
}

func (t Traits) denied() []string {
	if t.Denied == "" {
		return nil
	}
	return strings.Split(t.Denied, ",")
}

func forbidden(role, what string) *problem {
	return &problem{Status: http.StatusForbidden, Code: "forbidden", Message: fmt.Sprintf("the role %s may not %s", role, what)}
}

// permit refuses a request whose sender lacks the right.
func (s *Server) permit(r *http.Request, right string) error {
	if who := me(r); !s.nature.get().may(who.role, right) {
		return forbidden(who.role, strings.ReplaceAll(right, "_", " "))
	}
	return nil
}

// mayEdit refuses to edit a record; maker is the id of who made it. The refusal names the record.
func (s *Server) mayEdit(r *http.Request, noun, id, maker string) error {
	who, t := me(r), s.nature.get()
	if t.may(who.role, rightOthers) || t.Editing == EditOwn && maker == who.ID {
		return nil
	}
	what := fmt.Sprintf("edit a %s that somebody else made", noun)
	if t.Editing == EditNone {
		what = fmt.Sprintf("edit a %s, only create one", noun)
	}
	p := forbidden(who.role, what)
	p.ID = id
	return p
}

// permissions is what a user may do: each operation by name, and the rights beyond them.
type permissions struct {
	Role       string          `json:"role"`
	Operations map[string]bool `json:"operations"`
	More       []string        `json:"more"`
}

func (s *Server) getPermissions(r *http.Request) (answer, error) {
	who, t := me(r), s.nature.get()
	out := permissions{Role: who.role, Operations: map[string]bool{}, More: []string{}}
	for _, op := range operations {
		out.Operations[op] = t.may(who.role, op)
	}
	for _, right := range extras {
		if t.may(who.role, right) {
			out.More = append(out.More, right)
		}
	}
	return ok(out), nil
}
