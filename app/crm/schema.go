package crm

import (
	"go.yaml.in/yaml/v4"
)

// The names every connector file starts with.
const (
	schemaVersion = "ringside.dev/v1"
	kindConnector = "Connector"
)

// document is a connector file, schema v1, as far as the engine reads it. A yaml.Node holds ${ } expressions and is compiled later.
type document struct {
	APIVersion string                   `yaml:"apiVersion"`
	Kind       string                   `yaml:"kind"`
	Metadata   metadata                 `yaml:"metadata"`
	Params     []Param                  `yaml:"params"`
	Network    networkSpec              `yaml:"network"`
	Auth       authSpec                 `yaml:"auth"`
	Limits     limitsSpec               `yaml:"limits"`
	Errors     []errorSpec              `yaml:"errors"`
	Phone      phoneSpec                `yaml:"phone"`
	Defs       yaml.Node                `yaml:"defs"` // a place for YAML anchors; not read
	Operations map[string]operationSpec `yaml:"operations"`
	DeepLink   map[string]yaml.Node     `yaml:"deep_link"`
}

type metadata struct {
	ID             string `yaml:"id"`
	Name           string `yaml:"name"`
	Version        string `yaml:"version"`
	VendorVersions string `yaml:"vendor_versions"`
	Homepage       string `yaml:"homepage"`
	Docs           string `yaml:"docs"`
	License        string `yaml:"license"`
	Maturity       string `yaml:"maturity"` // verified, contract or draft
}

// Param is something a site fills in. Type is string, url, secret, enum, int, bool or list (comma-separated); empty is string.
type Param struct {
	Name     string   `yaml:"name"`
	Title    string   `yaml:"title"`
	Type     string   `yaml:"type"`
	Default  string   `yaml:"default"`
	Enum     []string `yaml:"enum"`
	Pattern  string   `yaml:"pattern"`
	Example  string   `yaml:"example"`
	Required bool     `yaml:"required"`
	Group    string   `yaml:"group"`
	Help     string   `yaml:"help"`
}

type networkSpec struct {
	AllowHosts  []yaml.Node `yaml:"allow_hosts"`  // host or host:port; without a port, the scheme's own
	Timeout     string      `yaml:"timeout"`      // of one request; Go's notation, 8s
	MaxResponse int64       `yaml:"max_response"` // bytes, at most maxResponse
}

type authSpec struct {
	Type    string               `yaml:"type"`
	Headers map[string]yaml.Node `yaml:"headers"`
	Query   map[string]yaml.Node `yaml:"query"`
}

type limitsSpec struct {
	Concurrency *int             `yaml:"concurrency"`
	Buckets     []bucketSpec     `yaml:"buckets"`
	Headers     meterHeadersSpec `yaml:"headers"`
}

type bucketSpec struct {
	ID    string    `yaml:"id"`
	Match []string  `yaml:"match"` // operations; empty: all
	Max   yaml.Node `yaml:"max"`   // requests, in
	Per   string    `yaml:"per"`   // this time
	Scope string    `yaml:"scope"` // whose it is: token, account or host
}

type meterHeadersSpec struct {
	Remaining  string `yaml:"remaining"`
	Limit      string `yaml:"limit"`
	Reset      string `yaml:"reset"`
	RetryAfter string `yaml:"retry_after"`
	Format     string `yaml:"format"` // of reset: seconds, unix, unix_ms or date
}

type errorSpec struct {
	When       yaml.Node `yaml:"when"`
	Class      string    `yaml:"class"`
	RetryAfter yaml.Node `yaml:"retry_after"` // seconds or an HTTP date
	Message    yaml.Node `yaml:"message"`
}

type phoneSpec struct {
	Verify string `yaml:"verify"`
}

type operationSpec struct {
	Steps       []stepSpec           `yaml:"steps"`
	Map         map[string]yaml.Node `yaml:"map"`
	Output      map[string]yaml.Node `yaml:"output"`
	Idempotency *idempotencySpec     `yaml:"idempotency"`
	Update      *updateSpec          `yaml:"update"` // how a write changes the record of an earlier one
}

type updateSpec struct {
	Steps  []stepSpec           `yaml:"steps"`  // change the record input.record.id
	Output map[string]yaml.Node `yaml:"output"` // none: the record keeps its id
}

type stepSpec struct {
	ID      string      `yaml:"id"`
	When    yaml.Node   `yaml:"when"` // else the step is left out
	Request requestSpec `yaml:"request"`
	Items   yaml.Node   `yaml:"items"`
	Save    yaml.Node   `yaml:"save"`
}

type requestSpec struct {
	Method  string               `yaml:"method"`
	URL     yaml.Node            `yaml:"url"`
	Query   map[string]yaml.Node `yaml:"query"`
	Headers map[string]yaml.Node `yaml:"headers"`
	JSON    yaml.Node            `yaml:"json"`
}

type idempotencySpec struct {
	Strategy string     `yaml:"strategy"`
	Key      yaml.Node  `yaml:"key"`    // what the steps see as input.key; without it our own
	Window   string     `yaml:"window"` // strategy header: how long the CRM remembers a key
	Probe    []stepSpec `yaml:"probe"`  // look for the key
	Found    yaml.Node  `yaml:"found"`  // the id of what probe found
	Settle   string     `yaml:"settle"` // how long probe may not see what was written
}

// The strategies a write may declare: what makes sending it twice leave one record.
const (
	upsert              = "upsert"               // the CRM has a unique key and updates what is there
	clientID            = "client_id"            // our key is the record's id
	header              = "header"               // the CRM remembers an Idempotency-Key header
	duplicateIsSuccess  = "duplicate_is_success" // the second one is refused as a duplicate, which is what we want
	probe               = "probe"                // look for our key before each write
	probeOnUncertain    = "probe_on_uncertain"   // look for our key after an answer was lost
	naturallyIdempotent = "naturally_idempotent" // setting a status twice is setting it once
	atLeastOnce         = "at_least_once"        // none: may write twice, and says so
)

var strategies = []string{upsert, clientID, header, duplicateIsSuccess, probe, probeOnUncertain, naturallyIdempotent, atLeastOnce}

// laterKeys belong to schema v1, but the engine does not read them yet: a file that relies on them must not load as if they worked.
var laterKeys = map[string]bool{
	"cost": true, "fields": true, "setup": true, "mock": true, "tls": true, "region_param": true, "candidates": true,
	"foreach": true, "paginate": true, "form": true, "multipart": true, "raw": true, "merge_by": true, "requires": true,
	"ack": true, "scope": true, "login": true, "save": true,
	"expires_in": true, "refresh_on": true, "oauth2": true, "when_param": true,
}

// opShape is what the engine knows of an operation: whether it changes the CRM, and which names its result has.
type opShape struct {
	write  bool
	list   bool // the result is a list of items, each through map
	fields []string
	needs  []string
	page   []string // of a list that is read page by page: the names of output, all needed
}

// line is where requests of the operation stand.
func (s opShape) line() line {
	switch {
	case s.write:
		return writes
	case s.page != nil:
		return background
	}
	return lookUps
}

// customerFields are those of a customer.
var customerFields = []string{"id", "type", "name", "company", "email", "phones", "tags", "status", "owner", "open_tickets", "last_activity_at"}

// shapes lists the operations the engine runs.
var shapes = map[string]opShape{
	"whoami":       {fields: []string{"id", "name", "email"}, needs: []string{"name"}},
	"lookup":       {list: true, fields: customerFields, needs: []string{"id", "name", "phones"}},
	"search":       {list: true, fields: customerFields, needs: []string{"id", "name"}},
	"changes":      {list: true, fields: append([]string{"deleted"}, customerFields...), needs: []string{"id", "name", "phones"}, page: []string{"cursor", "more"}},
	"history":      {list: true, fields: []string{"at", "direction", "ending", "outcome", "note", "agent", "talk_ms"}, needs: []string{"at"}},
	"list_tickets": {list: true, fields: []string{"id", "subject", "status", "priority", "updated_at"}, needs: []string{"id", "subject"}},
	"log_call":     {write: true, fields: []string{"id"}, needs: []string{"id"}},

	"create_contact": {write: true, fields: []string{"id"}, needs: []string{"id"}},
	"add_number":     {write: true, fields: []string{"id"}, needs: []string{"id"}},
}

// laterOps belong to schema v1, but the engine does not run them yet.
var laterOps = []string{"get", "update_contact", "add_note", "create_ticket", "update_ticket", "set_status",
	"add_tags", "remove_tags", "create_task", "attach_recording", "list_options"}

// deepLinkKinds are the pages a connector may link to.
var deepLinkKinds = []string{"contact", "ticket", "call", "search"}
