package number

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"ringside.dev/ringside/app/cti"
)

// Plan is how a site's telephone numbers are to be read. The zero value reads international numbers alone; Region is what makes
// national ones readable.
type Plan struct {
	Region        string // ISO 3166-1 alpha-2
	AreaCode      string // the site's own, put before local numbers; empty: they stay unreadable
	OutsidePrefix string // what the phones put before the numbers of outside callers
	DialPrefix    string // what is dialled for an outside line
	Own           List   // the company's numbers
	Internal      List   // its extensions
	Queues        List   // numbers of queues
	Privacy       List   // ranges lent to callers for a while
}

// NewPlan makes the plan of a profile. An error, kind invalid, names the list and its entry.
func NewPlan(p cti.Profile) (*Plan, error) {
	if countryCode(p.Region) == "0" {
		return nil, cti.Errorf(cti.Invalid, fmt.Sprintf("%q is no region with telephone numbers; write two letters such as GB or CN", p.Region), nil)
	}
	plan := &Plan{Region: p.Region, AreaCode: p.Numbers.AreaCode, OutsidePrefix: p.Numbers.PresentedPrefix, DialPrefix: p.Numbers.OutsidePrefix}
	for _, l := range []struct {
		name    string
		entries []string
		to      *List
	}{{"own_numbers", p.OwnNumbers, &plan.Own}, {"numbers.extensions", p.Numbers.Extensions, &plan.Internal},
		{"numbers.queues", p.Numbers.Queues, &plan.Queues}, {"numbers.privacy", p.Numbers.Privacy, &plan.Privacy}} {
		list, err := NewList(l.entries, p.Region)
		if err != nil {
			return nil, cti.Errorf(cti.Invalid, l.name+": "+err.Error(), nil)
		}
		*l.to = list
	}
	return plan, nil
}

// habits is what plans.json knows of a country beside libphonenumber's tables.
type habits struct {
	Access   []string `json:"access"`   // international access codes; none: 00
	Trunk    string   `json:"trunk"`    // empty: 0
	Carriers []string `json:"carriers"` // what is dialled before a number for another, cheaper line
	Mobiles  string   `json:"mobiles"`  // numbers that are mobiles also before the tables know
	Service  []string `json:"service"`  // numbers of services, as dialled or as national significant number
	Local    bool     `json:"local"`    // a number without trunk prefix is one of the site's area
	Vanity   bool     `json:"vanity"`   // words stand for numbers

	Extension bool `json:"extension"` // what stands behind the last dash of a whole number is an extension, also where both together might be a number

	mobiles, service *regexp.Regexp
}

func (p habits) access() []string {
	if len(p.Access) == 0 {
		return []string{"00"}
	}
	return p.Access
}

func (p habits) trunk() string {
	if p.Trunk == "" {
		return "0"
	}
	return p.Trunk
}

func (p habits) isService(digits string) bool {
	return p.service != nil && p.service.MatchString(digits)
}

func (p habits) isMobile(digits string) bool {
	return p.mobiles != nil && p.mobiles.MatchString(digits)
}

//go:embed plans.json
var plansFile []byte

// knowledge is the whole file.
type knowledge struct {
	Withheld []string          `json:"withheld"`
	Regions  map[string]habits `json:"regions"`

	withheld map[string]bool
}

var known = readPlans(plansFile)

// readPlans panics when the embedded file is wrong: every test would.
func readPlans(data []byte) knowledge {
	var h knowledge
	if err := json.Unmarshal(data, &h); err != nil {
		panic(fmt.Sprintf("app/number/plans.json: %v", err))
	}
	h.withheld = map[string]bool{}
	for _, word := range h.Withheld {
		h.withheld[word] = true
	}
	for name, p := range h.Regions {
		if p.Mobiles != "" {
			p.mobiles = whole(p.Mobiles)
		}
		if len(p.Service) > 0 {
			p.service = whole(strings.Join(p.Service, "|"))
		}
		h.Regions[name] = p
	}
	return h
}

func whole(pattern string) *regexp.Regexp { return regexp.MustCompile("^(?:" + pattern + ")$") }
