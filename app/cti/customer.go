package cti

import (
	"slices"
	"time"
)

// Customer is a person or a business as a CRM knows it.
type Customer struct {
	ID             string    `json:"id"`
	Type           string    `json:"type"` // contact, lead, account: the CRM's object type
	Name           string    `json:"name"`
	Company        string    `json:"company,omitempty"`
	Email          string    `json:"email,omitempty"`
	Numbers        []string  `json:"numbers,omitempty"` // as the CRM stores them
	Tags           []string  `json:"tags,omitempty"`
	Status         string    `json:"status,omitempty"`
	Owner          string    `json:"owner,omitempty"`        // the name of the agent who looks after them, or the e-mail address, or the id
	OpenTickets    int       `json:"open_tickets,omitempty"` // as far as the CRM says
	LastActivityAt time.Time `json:"last_activity_at,omitzero"`
	Version        string    `json:"version,omitempty"` // what the CRM calls this state of them; empty where it has no versions

	Data map[string]string `json:"data,omitempty"` // what the site's mapping reads besides, under the site's names
}

// CustomerPage is a page of what changed in a CRM.
type CustomerPage struct {
	Customers []Customer
	Deleted   []string // ids, also of those that were merged into others
	Cursor    string   // where the next page begins, in the CRM's own words
	More      bool     // there is one already
}

// Grade tells how sure a match is.
type Grade string

// The grades. A Perhaps is never written to by itself.
const (
	Sure    Grade = "sure"    // the whole number is equal
	Likely  Grade = "likely"  // the national number is equal, a country code is missing; or the main line, without the extension
	Perhaps Grade = "perhaps" // only the tail is equal, or the national number of two countries
)

// Match is a candidate with the reason why we think so: the rule that matched, on how many digits, from where and from when.
type Match struct {
	Customer Customer  `json:"customer"`
	Grade    Grade     `json:"grade"`
	Rule     string    `json:"rule"` // e164, main_line, national, tail
	Digits   int       `json:"digits"`
	From     string    `json:"from"` // one of those below
	At       time.Time `json:"at"`
	Why      []string  `json:"why,omitempty"` // what makes them come before others: picked_before, viewing, owner, open_ticket, inactive
}

// The words of Why.
const (
	WhyPicked   = "picked_before" // the agent chose them for this number
	WhyViewing  = "viewing"       // their page is open in the browser
	WhyOwner    = "owner"         // they are this agent's customer
	WhyTicket   = "open_ticket"
	WhyInactive = "inactive" // and nobody else has the number
)

// Picked tells whether the agent chose them for this number before.
func (m Match) Picked() bool { return slices.Contains(m.Why, WhyPicked) }

// Where a match is from.
const (
	FromCRM   = "crm"
	FromIndex = "cache" // the customers kept on this computer
)

// Ticket is an open matter of a customer.
type Ticket struct {
	ID        string    `json:"id"`
	Subject   string    `json:"subject"`
	Status    string    `json:"status"`
	Priority  string    `json:"priority,omitempty"`
	UpdatedAt time.Time `json:"updated_at,omitzero"`
	Version   string    `json:"version,omitempty"` // what the CRM calls this state of it
}

// Order is something a customer bought.
type Order struct {
	ID       string    `json:"id"`
	Number   string    `json:"number"`
	Status   string    `json:"status,omitempty"`
	Total    string    `json:"total,omitempty"` // a decimal, as the CRM writes it
	Currency string    `json:"currency,omitempty"`
	At       time.Time `json:"at,omitzero"`
}

// Option is a choice a CRM offers: an owner, a queue, a status.
type Option struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Contact is one line of a customer's history, newest first in lists.
type Contact struct {
	At        time.Time `json:"at"`
	Direction Direction `json:"direction,omitempty"`
	Ending    string    `json:"ending,omitempty"`
	Outcome   string    `json:"outcome,omitempty"`
	Note      string    `json:"note,omitempty"`
	Agent     string    `json:"agent,omitempty"`
	TalkMS    int64     `json:"talk_ms,omitempty"`
}

// Agent is the person at this workstation, as the CRM knows them.
type Agent struct {
	ID    string `json:"id,omitempty"`
	Name  string `json:"name,omitempty"`
	Email string `json:"email,omitempty"`
}
