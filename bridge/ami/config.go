package ami

import (
	"crypto/tls"
	"net"
	"net/netip"
	"net/url"
	"path"
	"regexp"
	"strconv"
	"strings"

	"ringside.dev/ringside/app/cti"
)

// Config is one exchange. Address, Username, Secret and Instance are required; for everything else the zero value works.
type Config struct {
	// Address is host:port of the manager interface. Without TLS it must be this machine's own.
	Address string
	// Username and Secret are the manager user's. Secret is asked for at each sign-in and kept nowhere.
	Username string
	Secret   func() (string, error)
	// TLS, when set, encrypts the connection (tlsenable in manager.conf, port 5039). An empty ServerName becomes the address's host.
	TLS *tls.Config
	// Instance names this exchange in the events.
	Instance string

	// Channels are templates for how the device of an extension is called, "{ext}" standing for the extension; the first that fits a
	// channel counts. Empty: PJSIP/{ext} and SIP/{ext}. For Dial the first device that the exchange knows is rung.
	Channels []string
	// Serves tells for which names in the place of {ext} there are events; nil: for all, trunks too, whose events nobody will want.
	Serves func(extension string) bool
	// Context is the dialplan context in which numbers are dialled and calls are given away. Empty: from-internal.
	Context string
	// Colleague tells whether a number an agent dials during another call is a colleague's, so that the second call is a consultation. nil:
	// digits, five at most.
	Colleague func(number string) bool

	// Variables are channel variables and functions to pass on as call data: ORDER_ID arrives as order_id, PJSIP_HEADER(read,X-Order-Id)
	// too. Those of the caller's channel count, else the agent's.
	Variables []string
	// RecordingVariable is a channel variable that holds the name of the recording's file: MIXMONITOR_FILENAME. Empty: none is told, unless
	// RecordingURL can do without it.
	RecordingVariable string
	// RecordingURL is where a recording can be fetched: {file} is the file's name without folders, {path} the variable as it is, {uniqueid}
	// and {linkedid} are the ids of the agent's channel and of the journey. Empty: only the file's name is told, as its id.
	RecordingURL string
}

// defaultContext is where FreePBX and what is built on it let extensions dial.
const defaultContext = "from-internal"

// check completes a configuration. Errors are of kind invalid.
func (c *Config) check() error {
	host, port, err := net.SplitHostPort(c.Address)
	if n, numErr := strconv.ParseUint(port, 10, 16); err != nil || numErr != nil || n == 0 || host == "" {
		return cti.Errorf(cti.Invalid, "the exchange's address must be host:port, for instance pbx.example.com:5039", err)
	}
	switch {
	case c.Username == "" || c.Secret == nil:
		return cti.Errorf(cti.Invalid, "the manager user's name and secret are needed", nil)
	case c.Instance == "":
		return cti.Errorf(cti.Invalid, "give the exchange a name", nil)
	case c.TLS == nil && !loopback(host):
		return cti.Errorf(cti.Invalid, "the manager interface shows every call and can hang up every call, so it is not spoken unencrypted over a "+
			"network: use its TLS port, 5039 (tlsenable=yes in manager.conf), or a tunnel that ends on this machine", nil)
	}
	if c.TLS != nil && c.TLS.ServerName == "" {
		c.TLS = c.TLS.Clone()
		c.TLS.ServerName = host
	}
	if len(c.Channels) == 0 {
		c.Channels = []string{"PJSIP/{ext}", "SIP/{ext}"}
	}
	for _, template := range c.Channels {
		if strings.Count(template, "{ext}") != 1 || !strings.Contains(template, "/") {
			return cti.Errorf(cti.Invalid, "a channel's template must be like PJSIP/{ext}", nil)
		}
	}
	if c.Context == "" {
		c.Context = defaultContext
	}
	if c.Colleague == nil {
		c.Colleague = shortNumber
	}
	return c.checkVariables()
}

// plainVariable keeps what is configured from being read as something else by the exchange.
var plainVariable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*(\([A-Za-z0-9_,.:@ -]*\))?$`)

func (c *Config) checkVariables() error {
	for _, v := range append([]string{c.RecordingVariable}, c.Variables...) {
		if v != "" && (!plainVariable.MatchString(v) || dataName(v) == "") {
			return cti.Errorf(cti.Invalid, "a variable must be a name, or a function like PJSIP_HEADER(read,X-Order-Id): "+v, nil)
		}
	}
	return nil
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// shortNumber takes digits of at most five for a colleague's.
func shortNumber(number string) bool {
	return number != "" && len(number) <= 5 && strings.Trim(number, "0123456789") == ""
}

// device is how the exchange calls the device of an extension.
type device struct{ before, after string }

func devices(templates []string) []device {
	all := make([]device, 0, len(templates))
	for _, t := range templates {
		before, after, _ := strings.Cut(t, "{ext}")
		all = append(all, device{before, after})
	}
	return all
}

func (d device) name(extension string) string { return d.before + extension + d.after }

// extension reads the extension out of a device's name.
func (d device) extension(name string) string {
	if len(name) > len(d.before)+len(d.after) && strings.HasPrefix(name, d.before) && strings.HasSuffix(name, d.after) {
		return name[len(d.before) : len(name)-len(d.after)]
	}
	return ""
}

// extensionOf reads the extension out of a channel's name, PJSIP/1001-0000002a. The second half of a Local channel is the dialplan's.
func (m *machine) extensionOf(channel string) string {
	if strings.HasSuffix(channel, ";2") || strings.HasSuffix(channel, "<ZOMBIE>") {
		return ""
	}
	return m.extensionOfDevice(base(channel))
}

// base takes the counter off a channel's name.
func base(channel string) string {
	channel = strings.TrimSuffix(channel, ";1")
	if i := strings.LastIndexByte(channel, '-'); i > 0 && len(channel)-i == 9 && strings.Trim(channel[i+1:], "0123456789abcdef") == "" {
		return channel[:i]
	}
	return channel
}

func (m *machine) extensionOfDevice(name string) string {
	for _, d := range m.devices {
		if e := d.extension(name); e != "" {
			if !m.serves(e) {
				return ""
			}
			return e
		}
	}
	return ""
}

// extensionOfMember reads the extension out of how a queue calls its member: PJSIP/1001, hint:1001@ext-local, Local/1001@from-queue/n.
func (m *machine) extensionOfMember(state, member string) string {
	for _, name := range []string{state, member} {
		if e := m.extensionOfDevice(name); e != "" {
			return e
		}
		for _, way := range []string{"hint:", "Local/"} {
			rest, found := strings.CutPrefix(name, way)
			if e, _, at := strings.Cut(rest, "@"); found && at && e != "" && m.serves(e) {
				return e
			}
		}
	}
	return ""
}

// dataName makes the canonical name of a variable: ORDER_ID and SIP_HEADER(X-Order-Id) are order_id. "" when nothing is left of it.
func dataName(variable string) string {
	if name, arguments, is := strings.Cut(strings.TrimSuffix(variable, ")"), "("); is {
		parts := strings.Split(arguments, ",")
		if variable = strings.TrimSpace(parts[len(parts)-1]); variable == "" {
			variable = name
		}
	}
	variable = strings.TrimPrefix(strings.ToLower(strings.TrimLeft(variable, "_")), "x-")
	variable = strings.Trim(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, variable), "_")
	return variable[:min(len(variable), 64)]
}

// recording makes the reference of a recording.
func (c *Config) recording(file, uniqueid, linkedid string) *cti.Recording {
	name := path.Base(strings.ReplaceAll(file, `\`, "/"))
	if file == "" {
		name = ""
	}
	r := cti.Recording{ID: name, Name: name, Type: mediaTypes[strings.ToLower(path.Ext(name))]}
	if c.RecordingURL != "" {
		r.URL = strings.NewReplacer("{file}", escape(name), "{path}", escape(file), "{uniqueid}", escape(uniqueid), "{linkedid}", escape(linkedid)).
			Replace(c.RecordingURL)
	}
	if r.ID == "" {
		r.ID = linkedid
	}
	return &r
}

// recordsWithoutFile tells whether the place of a recording is known from the call's ids alone.
func (c *Config) recordsWithoutFile() bool {
	return c.RecordingURL != "" && !strings.Contains(c.RecordingURL, "{file}") && !strings.Contains(c.RecordingURL, "{path}")
}

var mediaTypes = map[string]string{".wav": "audio/wav", ".wav49": "audio/wav", ".mp3": "audio/mpeg", ".gsm": "audio/gsm", ".ogg": "audio/ogg"}

// escape makes a text fit for any part of a URL; slashes stay.
func escape(s string) string {
	return strings.NewReplacer("+", "%20", "%2F", "/").Replace(url.QueryEscape(s))
}
