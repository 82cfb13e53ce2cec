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
	Setup      []setupSpec              `yaml:"setup"`
	Rights     []rightSpec              `yaml:"rights"`
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
	TLS         tlsSpec     `yaml:"tls"`
}

type tlsSpec struct {
	CAParam string `yaml:"ca_param"` // the parameter that names the file of the company's own certificate authority, PEM
}

type authSpec struct {
	Type      string               `yaml:"type"`
	Headers   map[string]yaml.Node `yaml:"headers"`
	Query     map[string]yaml.Node `yaml:"query"`
	Login     []stepSpec           `yaml:"login"`      // session: how one begins
	Save      map[string]yaml.Node `yaml:"save"`       // session: what the steps see of it under auth
	ExpiresIn yaml.Node            `yaml:"expires_in"` // session: after so many seconds a new one is begun
	RefreshOn []string             `yaml:"refresh_on"` // session, oauth2: error classes after which a new one is begun; none: auth
	OAuth2    *oauth2Spec          `yaml:"oauth2"`
}

// oauth2Spec is the authorization code grant of RFC 6749 for a native app (RFC 8252), with PKCE (RFC 7636).
type oauth2Spec struct {
	AuthorizeURL yaml.Node            `yaml:"authorize_url"`
	TokenURL     yaml.Node            `yaml:"token_url"`
	RevokeURL    yaml.Node            `yaml:"revoke_url"`
	PKCE         string               `yaml:"pkce"`        // S256 or off; none: S256
	ClientAuth   string               `yaml:"client_auth"` // none, basic or post; none: none
	ClientID     yaml.Node            `yaml:"client_id"`
	ClientSecret yaml.Node            `yaml:"client_secret"`
	Redirect     string               `yaml:"redirect"` // loopback_any or loopback_fixed
	Port         int                  `yaml:"port"`     // of loopback_fixed
	Scopes       []string             `yaml:"scopes"`
	ExtraParams  map[string]yaml.Node `yaml:"extra_params"` // of the authorisation request
	TokenFields  map[string]string    `yaml:"token_fields"` // name under auth: name in the token's answer
	HeaderPrefix string               `yaml:"header_prefix"`
}

type limitsSpec struct {
	Concurrency *int             `yaml:"concurrency"`
	Buckets     []bucketSpec     `yaml:"buckets"`
	Headers     meterHeadersSpec `yaml:"headers"`
	Cost        map[string]int   `yaml:"cost"` // operation: what each of its requests takes of a bucket; 1 where it is not named
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
	Scope      string    `yaml:"scope"` // of a throttled: connector (the usual) pauses all, op this request alone
}

type phoneSpec struct {
	Verify      string   `yaml:"verify"`
	Candidates  []string `yaml:"candidates"`   // spellings that lookup tries one after the other as input.phone.candidate
	RegionParam string   `yaml:"region_param"` // the parameter that names the region in which the CRM's numbers are read
}

// setupSpec is something that has to be in the CRM before some operations work.
type setupSpec struct {
	ID     string     `yaml:"id"`
	Title  string     `yaml:"title"`
	Check  []stepSpec `yaml:"check"`
	OK     yaml.Node  `yaml:"ok"`     // whether it is there; none: when check succeeds
	Apply  []stepSpec `yaml:"apply"`  // makes it
	Manual string     `yaml:"manual"` // or how a person makes it
}

// rightSpec tells how to ask whether the signed-in user may do something.
type rightSpec struct {
	ID      string     `yaml:"id"`
	Title   string     `yaml:"title"`
	Ops     []string   `yaml:"ops"`    // the operations that need it
	Excess  bool       `yaml:"excess"` // an agent should not have it
	Steps   []stepSpec `yaml:"steps"`
	Allowed yaml.Node  `yaml:"allowed"`
}

type operationSpec struct {
	Steps       []stepSpec           `yaml:"steps"`
	Map         map[string]yaml.Node `yaml:"map"`
	Output      map[string]yaml.Node `yaml:"output"`
	Idempotency *idempotencySpec     `yaml:"idempotency"`
	Update      *updateSpec          `yaml:"update"`   // how a write changes the record of an earlier one
	MergeBy     yaml.Node            `yaml:"merge_by"` // items for which this is the same are one
	Requires    []string             `yaml:"requires"` // ids of setup
}

type updateSpec struct {
	Steps  []stepSpec           `yaml:"steps"`  // change the record input.record.id
	Output map[string]yaml.Node `yaml:"output"` // none: the record keeps its id
}

type stepSpec struct {
	ID       string        `yaml:"id"`
	When     yaml.Node     `yaml:"when"`    // else the step is left out
	Foreach  yaml.Node     `yaml:"foreach"` // once for each of a list, seen as each
	Request  requestSpec   `yaml:"request"`
	Upload   *uploadSpec   `yaml:"upload"` // of upload_recording: the request hands on the file
	Paginate *paginateSpec `yaml:"paginate"`
	Items    yaml.Node     `yaml:"items"`
	Save     yaml.Node     `yaml:"save"`
}

type paginateSpec struct {
	Type      string    `yaml:"type"`       // cursor, token, offset, page or link
	Param     string    `yaml:"param"`      // the query's name for the cursor, offset or page; none: the request says it itself
	SizeParam string    `yaml:"size_param"` // and for the size
	Size      int       `yaml:"size"`       // items of a page
	Start     *int      `yaml:"start"`      // the first page's number; none: 1
	Next      yaml.Node `yaml:"next"`       // cursor and token: the next one, or the address of the next page; null or empty: it was the last
	MaxPages  int       `yaml:"max_pages"`
}

type requestSpec struct {
	Method  string               `yaml:"method"`
	URL     yaml.Node            `yaml:"url"`
	Query   map[string]yaml.Node `yaml:"query"`
	Headers map[string]yaml.Node `yaml:"headers"`
	JSON    yaml.Node            `yaml:"json"`

	Form      map[string]yaml.Node `yaml:"form"`      // application/x-www-form-urlencoded
	Multipart map[string]yaml.Node `yaml:"multipart"` // multipart/form-data; a file is {name, type, content}
	Raw       yaml.Node            `yaml:"raw"`       // text
	Type      string               `yaml:"type"`      // the media type of raw
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
var laterKeys = map[string]bool{"fields": true, "mock": true, "ack": true, "when_param": true}
