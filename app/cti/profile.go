package cti

// Profile is one workstation's set-up, as settings reads it from its YAML file. It never holds a secret: those are named in
// CRM.Params as "keychain:NAME" and live in the OS keychain.
type Profile struct {
	Version    int            `yaml:"version"`
	Tenant     string         `yaml:"tenant"`      // keeps the ids of two sites apart; never change it in use
	Language   string         `yaml:"language"`    // en or zh-CN; empty: the system's
	Agent      Agent          `yaml:"agent"`       // who works here
	Phone      PhoneProfile   `yaml:"phone"`       // where calls come from
	Region     string         `yaml:"region"`      // ISO 3166-1 alpha-2: how national numbers are read
	OwnNumbers []string       `yaml:"own_numbers"` // never looked up
	CRM        CRMProfile     `yaml:"crm"`         // where customers are
	WrapUp     WrapUpProfile  `yaml:"wrapup"`      // what the agent may say after a call
	Storage    StorageProfile `yaml:"storage"`     // how calls are kept on this computer
}

// PhoneProfile names the call source.
type PhoneProfile struct {
	Source    string `yaml:"source"`    // sim or baresip
	Address   string `yaml:"address"`   // baresip: host:port of ctrl_tcp, loopback only
	Extension string `yaml:"extension"` // the agent's own
}

// CRMProfile names the connector and fills its parameters.
type CRMProfile struct {
	Connector string            `yaml:"connector"` // a preset's id, or the path of a connector file
	Params    map[string]string `yaml:"params"`
}

// WrapUpProfile lists the outcomes to choose from, in the site's words.
type WrapUpProfile struct {
	Outcomes []string `yaml:"outcomes"`
}

// StorageProfile tells how calls are kept on this computer; the zero value works.
type StorageProfile struct {
	RecoveryRecipient string `yaml:"recovery_recipient"` // age public key of the organisation; empty: a lost keychain loses what was not sent
	KeepCallsDays     int    `yaml:"keep_calls_days"`    // 0: DefaultKeepCalls
}

// DefaultKeepCalls is how long the call log is kept, in days: a year, and time to look back on it.
const DefaultKeepCalls = 400
