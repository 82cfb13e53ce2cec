package ari

import (
	"net/netip"
	"net/url"
	"regexp"
	"strings"

	"ringside.dev/ringside/app/cti"
)

// appDefault is the application's name where none is given.
const appDefault = "ringside"

var (
	appName       = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	context_      = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,80}$`)    // AST_MAX_CONTEXT
	extensionName = regexp.MustCompile(`^[A-Za-z0-9_.+*#-]{1,80}$`) // AST_MAX_EXTENSION
	device_       = regexp.MustCompile(`^[A-Za-z0-9]{2,20}/[A-Za-z0-9_.+@*-]{1,80}$`)
)

// checked gives the settings with their defaults, and the address.
func (c Config) checked() (Config, *url.URL, error) {
	address, err := url.Parse(strings.TrimSuffix(c.URL, "/"))
	switch {
	case err != nil || address.Host == "" || address.Scheme != "http" && address.Scheme != "https":
		return c, nil, invalid("the exchange's address must be a URL like https://pbx.example:8089") // err may quote a password
	case address.User != nil || address.RawQuery != "" || address.Fragment != "":
		return c, nil, invalid("the exchange's address must not hold a user, a password or a question mark: they have settings of their own")
	case address.Scheme == "http" && !loopback(address.Hostname()):
		return c, nil, invalid("plain http sends the password and every caller's number unencrypted: use https, or http only on the exchange itself")
	case c.User == "" || c.Password == "" || strings.ContainsAny(c.User, ":\r\n") || strings.ContainsAny(c.Password, "\r\n"):
		return c, nil, invalid("the exchange needs a user and a password, as ari.conf has them")
	}
	if c.App == "" {
		c.App = appDefault
	}
	if c.Instance == "" {
		c.Instance = address.Host
	}
	if !appName.MatchString(c.App) {
		return c, nil, invalid("the application's name may have letters, digits, _ and -, 64 at most")
	}
	if c.Context != "" && !context_.MatchString(c.Context) {
		return c, nil, invalid("the dialplan's context may have letters, digits, _ - and ., 80 at most")
	}
	for extension, devices := range c.Devices {
		if !extensionName.MatchString(extension) || len(devices) == 0 {
			return c, nil, invalid("each extension with devices needs a name without spaces, and at least one device")
		}
		for _, d := range devices {
			if !device_.MatchString(d) {
				return c, nil, invalid("a device is written as its channels begin, such as PJSIP/1001")
			}
		}
	}
	return c, address, nil
}

func invalid(msg string) error { return cti.Errorf(cti.Invalid, msg, nil) }

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// devices tells whose a channel is.
type devices struct {
	of    map[string]string   // device → extension, of those that are set
	owned map[string][]string // extension → devices, of those that are set
}

func newDevices(set map[string][]string) devices {
	d := devices{of: map[string]string{}, owned: set}
	for extension, all := range set {
		for _, device := range all {
			d.of[device] = extension
		}
	}
	return d
}

// extension gives the extension a channel's name belongs to, or "": PJSIP/1001-0000000a is a channel of PJSIP/1001.
func (d devices) extension(channel string) string {
	at := strings.LastIndexByte(channel, '-')
	if at < 0 {
		return ""
	}
	device := channel[:at]
	if e, ok := d.of[device]; ok {
		return e
	}
	tech, name, _ := strings.Cut(device, "/")
	if (tech == "PJSIP" || tech == "SIP") && d.owned[name] == nil && extensionName.MatchString(name) {
		return name
	}
	return ""
}

// ring gives the device that click-to-dial rings.
func (d devices) ring(extension string) string {
	if owned := d.owned[extension]; len(owned) > 0 {
		return owned[0]
	}
	return "PJSIP/" + extension
}

// wanted tells which variables are call data.
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

func (w wanted) none() bool { return len(w.exact) == 0 && len(w.starts) == 0 }

// name gives the call data's name of a variable that is wanted, else "".
func (w wanted) name(variable string) string {
	plain, canonical := strings.ToLower(strings.TrimLeft(variable, "_")), dataName(variable)
	if w.exact[plain] || w.exact[canonical] {
		return canonical
	}
	for _, start := range w.starts {
		if strings.HasPrefix(plain, start) || strings.HasPrefix(canonical, start) {
			return canonical
		}
	}
	return ""
}

// maxDataName is how long the name of a piece of call data may be.
const maxDataName = 40

// dataName makes a variable's name one of call data, which has a-z, 0-9 and _: X-Order-Id and __ORDER_ID become order_id. What begins with
// no letter is none.
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
