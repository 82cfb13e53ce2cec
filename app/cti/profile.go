package cti

// Profile is one workstation's set-up, as settings reads it from its YAML file. It never holds a secret: those are named in
// CRM.Params as "keychain:NAME" and live in the OS keychain.
type Profile struct {
	Version    int               `yaml:"version"`
	Tenant     string            `yaml:"tenant"`      // keeps the ids of two sites apart; never change it in use
	Language   string            `yaml:"language"`    // en or zh-CN; empty: the system's
	Agent      Agent             `yaml:"agent"`       // who works here
	Phone      PhoneProfile      `yaml:"phone"`       // where calls come from
	Region     string            `yaml:"region"`      // ISO 3166-1 alpha-2: how national numbers are read
	OwnNumbers []string          `yaml:"own_numbers"` // never looked up
	Numbers    NumbersProfile    `yaml:"numbers"`     // how numbers are read, dialled and shown
	CRM        CRMProfile        `yaml:"crm"`         // where customers are
	Customers  CustomersProfile  `yaml:"customers"`   // how they are found, and kept on this computer
	Dialling   DiallingProfile   `yaml:"dialling"`    // who must not be called
	WrapUp     WrapUpProfile     `yaml:"wrapup"`      // what comes after a call
	Presence   PresenceProfile   `yaml:"presence"`    // why an agent is not ready
	Recordings RecordingsProfile `yaml:"recordings"`  // what of recordings leaves the phone system
	Storage    StorageProfile    `yaml:"storage"`     // how calls are kept on this computer
}

// PhoneProfile names the call source.
type PhoneProfile struct {
	Source    string        `yaml:"source"`    // where calls come from: sim, baresip, …
	Address   string        `yaml:"address"`   // where the source's phone or relay listens, host:port
	Program   string        `yaml:"program"`   // hook: which phone runs it
	Extension string        `yaml:"extension"` // the agent's own
	Also      []PhoneSource `yaml:"also"`      // further sources that tell of the same calls
	Data      []string      `yaml:"data"`      // what is kept of what comes with a call: X-headers, channel variables, IVR input

	Exchange ExchangeAccess `yaml:"exchange"` // where the source is an exchange
}

// PhoneSource is one call source.
type PhoneSource struct {
	Source  string `yaml:"source"`
	Address string `yaml:"address"`
	Program string `yaml:"program"`

	Exchange ExchangeAccess `yaml:"exchange"`
}

// ExchangeAccess is how an exchange is spoken to by a workstation itself, where its policy lets it.
type ExchangeAccess struct {
	User      string            `yaml:"user"`
	Password  string            `yaml:"password"`  // names a secret: keychain:NAME
	Variables []string          `yaml:"variables"` // call data that it is asked for
	Params    map[string]string `yaml:"params"`    // what only its kind knows
}

// Sources lists the call sources, the first first: commands go to the first that can carry them out.
func (p PhoneProfile) Sources() []PhoneSource {
	return append([]PhoneSource{{Source: p.Source, Address: p.Address, Program: p.Program, Exchange: p.Exchange}}, p.Also...)
}

// NumbersProfile tells how the site's telephone numbers are read, dialled and shown. The zero value works. The lists hold numbers, ranges and
// beginnings: 1001, 10xx, 1000-1999, +86170*.
type NumbersProfile struct {
	AreaCode        string   `yaml:"area_code"`        // the site's own, for local numbers that come without
	PresentedPrefix string   `yaml:"presented_prefix"` // what the phones put before the numbers of outside callers
	OutsidePrefix   string   `yaml:"outside_prefix"`   // what is dialled for an outside line
	Extensions      []string `yaml:"extensions"`       // colleagues
	Queues          []string `yaml:"queues"`           // numbers of queues
	Privacy         []string `yaml:"privacy"`          // numbers that platforms lend to callers for a while (AXB): they tell nobody
	Mask            string   `yaml:"mask"`             // none, middle4, last4, last8 or all; empty: none
}

// CRMProfile names the connector and fills its parameters.
type CRMProfile struct {
	Connector string            `yaml:"connector"` // local, a preset's id, or the path of a connector file
	Params    map[string]string `yaml:"params"`
	Mapping   string            `yaml:"mapping"` // the site's mapping file; empty: none
	Also      []CRMTarget       `yaml:"also"`    // systems that take some of the operations over

	// SharedSignIn allows that records are written as a user of the CRM who is not the agent.
	SharedSignIn bool `yaml:"shared_sign_in"`
}

// CRMTarget is a system beside the CRM, such as a help desk.
type CRMTarget struct {
	Connector  string            `yaml:"connector"`
	Params     map[string]string `yaml:"params"`
	Mapping    string            `yaml:"mapping"`
	Operations []string          `yaml:"operations"` // what it takes over
}

// CustomersProfile tells how customers are found and kept; the zero value works.
type CustomersProfile struct {
	Types       []string `yaml:"types"`        // object types of the CRM in the order in which they are offered
	SyncMinutes int      `yaml:"sync_minutes"` // how often the CRM is asked what changed; 0: 5
}

// WrapUpProfile tells what comes after a call: the outcomes to choose from, in the site's words, and how long it may take.
type WrapUpProfile struct {
	Outcomes []string `yaml:"outcomes"`
	Seconds  int      `yaml:"seconds"`  // of after-call work, after which the agent is ready again; 0: none
	Required bool     `yaml:"required"` // an outcome is to be chosen before the agent is ready again
	Default  string   `yaml:"default"`  // the outcome when the seconds are over and none was chosen; empty: the agent is not ready until then
}

// DiallingProfile tells who must not be called.
type DiallingProfile struct {
	StopTags     []string `yaml:"stop_tags"`     // customers with one of these tags
	StopStatuses []string `yaml:"stop_statuses"` // customers with one of these follow-up statuses
}

// PresenceProfile lists the reasons of not being ready, in the site's words.
type PresenceProfile struct {
	Reasons []string `yaml:"reasons"`
}

// RecordingsProfile tells what of a call's recording may leave the phone system; the zero value lets no address pass that bears a credential.
type RecordingsProfile struct {
	Links  string   `yaml:"links"`   // plain, id or all; empty: plain
	Open   string   `yaml:"open"`    // the page that opens a recording in the phone system, with {id}; empty: there is none
	Fetch  bool     `yaml:"fetch"`   // the file itself is fetched and handed to the CRM
	File   string   `yaml:"file"`    // where a file is fetched whose source gives no address, with {id}
	Hosts  []string `yaml:"hosts"`   // where files are fetched from, host or host:port, beside those of Open and File
	SignIn string   `yaml:"sign_in"` // the secret that opens them: keychain:NAME
	MaxMB  int      `yaml:"max_mb"`  // a larger file is not fetched; 0: DefaultRecordingMB
}

// The policies for links: what leaves.
const (
	LinksPlain = "plain" // addresses that bear no credential; of the others the id and the page that opens it
	LinksID    = "id"    // of all the id and the page that opens it
	LinksAll   = "all"   // addresses as they are
)

// DefaultRecordingMB is how large a recording may be: an hour in stereo, uncompressed, and some.
const DefaultRecordingMB = 200

// StorageProfile tells how calls are kept on this computer; the zero value works.
type StorageProfile struct {
	RecoveryRecipient string `yaml:"recovery_recipient"` // age public key of the organisation; empty: a lost keychain loses what was not sent
	KeepCallsDays     int    `yaml:"keep_calls_days"`    // 0: DefaultKeepCalls
}

// DefaultKeepCalls is how long the call log is kept, in days: a year, and time to look back on it.
const DefaultKeepCalls = 400
