package bridge

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/ami"
	"ringside.dev/ringside/bridge/ari"
	"ringside.dev/ringside/bridge/esl"
	"ringside.dev/ringside/bridge/sim"
	"ringside.dev/ringside/bridge/webhook"
)

// ExchangeConfig is one exchange as it is opened. Kind and Name are required, and what its kind needs; for everything else the zero value works.
type ExchangeConfig struct {
	Kind      string
	Name      string // names it in events: when it changes, its calls get other ids
	Address   string
	User      string
	Password  string                      // the secret itself
	Serves    func(extension string) bool // nil: every extension
	Variables []string                    // call data that it is asked for
	Params    map[string]string           // what only its kind knows, by the names that ExchangeKind.Params lists
	Log       *slog.Logger                // nil: no log
}

// ExchangeKind is one kind of exchange: what must be said of it.
type ExchangeKind struct {
	Name                    string
	Address, User, Password bool     // must be given
	Params                  []string // the parameters it knows

	open func(c ExchangeConfig) (Exchange, error)
}

// exchangeKinds is every kind of exchange there is. Each says itself what it cannot work with: that includes an address to which it would not
// be spoken encrypted.
var exchangeKinds = []ExchangeKind{
	{Name: "sim", open: func(ExchangeConfig) (Exchange, error) { return &sim.Exchange{}, nil }},
	{Name: "ami", Address: true, User: true, Password: true, Params: []string{"tls_ca", "tls_name", "channels", "context", "recording_variable", "recording_url"}, open: openAMI},
	{Name: "ari", Address: true, User: true, Password: true, Params: []string{"tls_ca", "tls_name", "app", "context", "devices"}, open: openARI},
	{Name: "esl", Address: true, Password: true, Params: []string{"tls_ca", "tls_name", "devices", "domain", "context", "agent_domain", "phone_events"}, open: openESL},
	{Name: "webhook", Address: true, Params: []string{"vendor", "certificate", "key"}, open: openWebhook},
}

// ExchangeKinds lists the kinds of exchange.
func ExchangeKinds() []ExchangeKind { return slices.Clone(exchangeKinds) }

// OpenExchange makes an exchange; it does not connect yet. Errors are of kind invalid and say what cannot work.
func OpenExchange(c ExchangeConfig) (Exchange, error) {
	i := slices.IndexFunc(exchangeKinds, func(k ExchangeKind) bool { return k.Name == c.Kind })
	if i < 0 {
		return nil, cti.Errorf(cti.Invalid, "there is no exchange of kind "+c.Kind, nil)
	}
	for name := range c.Params {
		if known := exchangeKinds[i].Params; !slices.Contains(known, name) {
			return nil, cti.Errorf(cti.Invalid, "params."+name+" is none that "+c.Kind+" knows: "+strings.Join(known, ", "), nil)
		}
	}
	return exchangeKinds[i].open(c)
}

func openAMI(c ExchangeConfig) (Exchange, error) {
	address, encrypted, err := hostAddress(c.Address)
	if err != nil {
		return nil, err
	}
	config := ami.Config{Address: address, Username: c.User, Secret: func() (string, error) { return c.Password, nil }, Instance: c.Name, Serves: c.Serves,
		Context: c.Params["context"], Channels: strings.Fields(c.Params["channels"]), Variables: c.Variables,
		RecordingVariable: c.Params["recording_variable"], RecordingURL: c.Params["recording_url"]}
	if encrypted {
		if config.TLS, err = clientTLS(c.Params); err != nil {
			return nil, err
		}
	}
	x, err := ami.New(config, c.Log)
	if err != nil {
		return nil, err // not x: a nil *ami.Exchange would be no nil Exchange
	}
	return x, nil
}

func openARI(c ExchangeConfig) (Exchange, error) {
	config := ari.Config{URL: c.Address, User: c.User, Password: c.Password, App: c.Params["app"], Instance: c.Name, Context: c.Params["context"],
		Variables: c.Variables, Log: c.Log}
	var err error
	if config.Devices, err = devicesOf(c.Params["devices"]); err != nil {
		return nil, err
	}
	if config.TLS, err = clientTLS(c.Params); err != nil {
		return nil, err
	}
	x, err := ari.New(config)
	if err != nil {
		return nil, err
	}
	return x, nil
}

func openESL(c ExchangeConfig) (Exchange, error) {
	address, encrypted, err := hostAddress(c.Address)
	if err != nil {
		return nil, err
	}
	config := esl.Config{Address: address, User: c.User, Password: c.Password, Instance: c.Name, Domain: c.Params["domain"], Context: c.Params["context"],
		AgentDomain: c.Params["agent_domain"], Variables: c.Variables, Log: c.Log}
	switch c.Params["phone_events"] {
	case "", "no":
	case "yes":
		config.PhoneEvents = true
	default:
		return nil, cti.Errorf(cti.Invalid, "params.phone_events is yes or no", nil)
	}
	if config.Devices, err = devicesOf(c.Params["devices"]); err != nil {
		return nil, err
	}
	if encrypted {
		if config.TLS, err = clientTLS(c.Params); err != nil {
			return nil, err
		}
	}
	x, err := esl.New(config)
	if err != nil {
		return nil, err
	}
	return x, nil
}

// openWebhook: the password is asked for by what the vendor's file says of it, which may be nothing.
func openWebhook(c ExchangeConfig) (Exchange, error) {
	if c.Params["vendor"] == "" {
		return nil, cti.Errorf(cti.Invalid, "params.vendor is missing: one of "+strings.Join(webhook.Presets(), ", ")+", or the path of a vendor's file", nil)
	}
	vendor, err := webhook.Load(c.Params["vendor"])
	if err != nil {
		return nil, err
	}
	options := webhook.Options{Vendor: vendor, Instance: c.Name, Listen: c.Address, Log: c.Log}
	if c.Password != "" {
		options.Secret = func(string) (string, error) { return c.Password, nil }
	}
	if c.Params["certificate"] != "" || c.Params["key"] != "" {
		if options.TLS, err = webhook.Certificate(c.Params["certificate"], c.Params["key"]); err != nil {
			return nil, err
		}
	}
	x, err := webhook.New(options)
	if err != nil {
		return nil, err
	}
	return x, nil
}

// hostAddress reads host:port, or tls://host:port for a connection inside TLS.
func hostAddress(address string) (hostPort string, encrypted bool, err error) {
	scheme, rest, has := strings.Cut(address, "://")
	switch {
	case !has:
		return address, false, nil
	case scheme == "tls":
		return rest, true, nil
	}
	return "", false, cti.Errorf(cti.Invalid, "the address begins with tls:// where the exchange encrypts, and with nothing where it does not", nil)
}

// clientTLS is how an exchange is trusted: by the system's authorities, or by those of a file in PEM alone (tls_ca), which may be the exchange's
// own certificate; tls_name is the name in its certificate where that is not the address's.
func clientTLS(params map[string]string) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: params["tls_name"]}
	path := params["tls_ca"]
	if path == "" {
		return config, nil
	}
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, cti.Errorf(cti.Invalid, "params.tls_ca names a file that cannot be read: "+path, err)
	}
	config.RootCAs = x509.NewCertPool()
	if !config.RootCAs.AppendCertsFromPEM(pem) {
		return nil, cti.Errorf(cti.Invalid, "params.tls_ca names a file without a certificate in PEM (-----BEGIN CERTIFICATE-----): "+path, nil)
	}
	return config, nil
}

// devicesOf reads "1001=PJSIP/desk1 PJSIP/soft1; 1002=PJSIP/desk2".
func devicesOf(text string) (map[string][]string, error) {
	devices := map[string][]string{}
	for entry := range strings.SplitSeq(text, ";") {
		if entry = strings.TrimSpace(entry); entry == "" {
			continue
		}
		extension, list, has := strings.Cut(entry, "=")
		if extension = strings.TrimSpace(extension); !has || extension == "" || len(strings.Fields(list)) == 0 || devices[extension] != nil {
			return nil, cti.Errorf(cti.Invalid, fmt.Sprintf("params.devices is written like %q", "1001=PJSIP/desk1 PJSIP/soft1; 1002=PJSIP/desk2"), nil)
		}
		devices[extension] = strings.Fields(list)
	}
	return devices, nil
}
