package esl

import (
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"ringside.dev/ringside/app/cti"
)

// What may stand in a command. FreeSWITCH splits commands at spaces, and reads quotes, braces, commas, dollars and pipes in them, so none of
// these is let through from outside.
var (
	extensionName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)
	domain_       = regexp.MustCompile(`^[A-Za-z0-9_.:-]{1,128}$`)
	context_      = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)
	device_       = regexp.MustCompile(`^[A-Za-z0-9_.+@:/%-]{1,128}$`)
	uuid_         = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)
	number        = regexp.MustCompile(`^\+?[0-9*#]{1,64}$`)
)

// checked gives the settings with their defaults.
func (c Config) checked() (Config, error) {
	host, port, err := net.SplitHostPort(c.Address)
	if n, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil || n == 0 || host == "" {
		return c, invalid("the exchange's address must be host:port, for instance 127.0.0.1:8021")
	}
	if c.TLS == nil && !loopback(host) {
		return c, invalid("FreeSWITCH's event socket is not spoken unencrypted over a network, for it shows every call and can end every call: run the relay on the exchange itself, or put TLS (stunnel) in front of the socket and say so")
	}
	if c.Password == "" || strings.ContainsAny(c.User+c.Password, "\r\n") || strings.ContainsAny(c.User, ": ") {
		return c, invalid("the exchange needs the event socket's password; a user is written user@domain")
	}
	if c.Instance == "" {
		c.Instance = c.Address
	}
	if c.Domain != "" && !domain_.MatchString(c.Domain) || c.AgentDomain != "" && !domain_.MatchString(c.AgentDomain) {
		return c, invalid("a domain may have letters, digits, dots and dashes")
	}
	if c.Context != "" && !context_.MatchString(c.Context) {
		return c, invalid("the dialplan's context may have letters, digits, _ - and .")
	}
	for extension, devices := range c.Devices {
		if !extensionName.MatchString(extension) || len(devices) == 0 {
			return c, invalid("each extension with devices needs a name without spaces, and at least one device")
		}
		for _, d := range devices {
			if !device_.MatchString(d) {
				return c, invalid("a device is a user (1001@pbx.example) or the beginning of a channel's name (sofia/internal/1001@)")
			}
		}
	}
	return c, nil
}

func invalid(msg string) error { return cti.Errorf(cti.Invalid, msg, nil) }

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// devices tells whose a channel is.
type devices struct {
	users  map[string]string // 1001@pbx.example, or 1001 → extension
	names  map[string]string // beginning of a channel's name → extension
	listed map[string]bool   // extensions that are set
}

func newDevices(set map[string][]string) devices {
	d := devices{users: map[string]string{}, names: map[string]string{}, listed: map[string]bool{}}
	for extension, all := range set {
		d.listed[extension] = true
		for _, device := range all {
			if strings.Contains(device, "/") {
				d.names[device] = extension
			} else {
				d.users[device] = extension
			}
		}
	}
	return d
}

// extension gives the extension a channel belongs to, or "". presence is its Channel-Presence-ID, which FreeSWITCH gives to the channels
// of its own users; known tells the extensions for which the channel's name alone is enough, if it has no presence.
func (d devices) extension(name, presence string, known func(string) bool) string {
	for start, extension := range d.names {
		if strings.HasPrefix(name, start) {
			return extension
		}
	}
	user, _, _ := strings.Cut(presence, "@")
	for _, who := range []string{presence, user} {
		if extension, ok := d.users[who]; ok && who != "" {
			return extension
		}
	}
	if strings.HasPrefix(name, "loopback/") {
		return ""
	}
	if user != "" {
		if d.listed[user] || !extensionName.MatchString(user) {
			return ""
		}
		return user
	}
	last := name[strings.LastIndexByte(name, '/')+1:]
	user, _, _ = strings.Cut(last, "@")
	if extensionName.MatchString(user) && !d.listed[user] && known(user) {
		return user
	}
	return ""
}

// wanted tells which variables are call data, besides the X-headers of SIP, which always are.
type wanted struct {
	exact  map[string]bool
	starts []string
}

func newWanted(names []string) wanted {
	w := wanted{exact: map[string]bool{}}
	for _, name := range names {
		name = strings.ToLower(name)
		if start, open := strings.CutSuffix(name, "*"); open {
			w.starts = append(w.starts, start)
		} else {
			w.exact[name] = true
		}
	}
	return w
}

// name gives the call data's name of a header of an event if that is a variable that is wanted, else "".
func (w wanted) name(header string) string {
	variable, is := strings.CutPrefix(header, "variable_")
	if !is {
		return ""
	}
	if x, is := strings.CutPrefix(variable, "sip_h_"); is {
		if len(x) > 2 && strings.EqualFold(x[:2], "X-") {
			return dataName(x)
		}
		return ""
	}
	plain := strings.ToLower(variable)
	if w.exact[plain] {
		return dataName(variable)
	}
	for _, start := range w.starts {
		if strings.HasPrefix(plain, start) {
			return dataName(variable)
		}
	}
	return ""
}

// maxDataName is how long the name of a piece of call data may be.
const maxDataName = 40

// dataName makes a variable's name one of call data, which has a-z, 0-9 and _: X-Order-Id becomes order_id. What begins with no letter is
// none.
func dataName(variable string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '_':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		case r == '-' || r == ' ' || r == '.':
			return '_'
		}
		return -1
	}, variable)
	name = strings.TrimPrefix(strings.TrimLeft(name, "_"), "x_")
	name = strings.Trim(name[:min(len(name), maxDataName)], "_")
	if name == "" || name[0] < 'a' {
		return ""
	}
	return name
}
