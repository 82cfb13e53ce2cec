// Package handlers makes Ringside what opens tel:, sip: and callto: links for this user, without an administrator's rights, and takes that back.
// It must not know what a link holds.
package handlers

import (
	"fmt"
	"slices"
	"strings"

	"ringside.dev/ringside/app/cti"
)

// Schemes are the links there are.
func Schemes() []string { return []string{"tel", "sip", "callto"} }

// Handler is who opens the links of a scheme for this user.
type Handler struct {
	Scheme  string `json:"scheme"`
	Ours    bool   `json:"ours"`
	Program string `json:"program,omitempty"` // as the system names it; empty: nobody, or the system does not say
}

// Install has the system open links of these schemes with a command: the program's path and its arguments, after which the link comes.
// What opened them before is remembered for Remove. Kind invalid where the system does not let a program do that, with what to do instead.
func Install(command []string, schemes []string) error {
	if err := check(schemes); err != nil {
		return err
	}
	return install(command, schemes)
}

// Remove gives the schemes back to what opened them before.
func Remove(schemes []string) error {
	if err := check(schemes); err != nil {
		return err
	}
	return remove(schemes)
}

// Status tells who opens the links.
func Status() ([]Handler, error) {
	var all []Handler
	for _, scheme := range Schemes() {
		program, ours, err := owner(scheme)
		if err != nil {
			return nil, err
		}
		all = append(all, Handler{Scheme: scheme, Ours: ours, Program: program})
	}
	return all, nil
}

// Ours tells whether Ringside opens links of a scheme; false where that cannot be found out.
func Ours(scheme string) bool {
	_, ours, err := owner(scheme)
	return ours && err == nil
}

func check(schemes []string) error {
	for _, scheme := range schemes {
		if !slices.Contains(Schemes(), scheme) {
			return cti.Errorf(cti.Invalid, fmt.Sprintf("%q is no kind of link to call somebody: %s", scheme, strings.Join(Schemes(), ", ")), nil)
		}
	}
	return nil
}
