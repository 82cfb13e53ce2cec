package settings

import (
	_ "embed"
	"net"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Relay is what ringctl relay reads from its file. It never holds a secret: Key, Password and the parameters name them, as keychain:NAME,
// file:PATH (this user's alone) or credential:NAME (of the systemd unit).
type Relay struct {
	Version      int
	Listen       string // host:port
	Name         string // how workstations know it
	State        string // folder of its keys, enrolled workstations and what they did not get yet
	Key          string // names the secret that seals the state; empty: a file in it
	HistoryHours int    // how far back it can tell
	Exchanges    []RelayExchange
	Rights       []RelayRights // the first that names an extension counts
}

// RelayExchange is one PBX or cloud call centre.
type RelayExchange struct {
	Kind       string
	Name       string // tells two of a kind apart; the kind, if empty
	Address    string
	User       string
	Password   string // names a secret
	Extensions Extensions
	Variables  []string          // call data that it is asked for
	Params     map[string]string // what only this kind knows
}

// RelayRights is what some extensions may do.
type RelayRights struct {
	Extensions Extensions
	Allow      []Right
}

// Right is something an extension may do through the relay.
type Right string

// The rights. All are about the extension's own calls.
const (
	RightHear     Right = "hear"     // its calls are told
	RightAnswer   Right = "answer"   // answer and reject
	RightHangup   Right = "hangup"   // reject and hang up
	RightHold     Right = "hold"     // hold, resume, mute
	RightDial     Right = "dial"     // begin calls
	RightTransfer Right = "transfer" // give calls away, consult
	RightDTMF     Right = "dtmf"     // send digits
	RightPresence Right = "presence" // ready, not ready
)

// Rights lists all there are.
func Rights() []Right {
	return []Right{RightHear, RightAnswer, RightHangup, RightHold, RightDial, RightTransfer, RightDTMF, RightPresence}
}

// DefaultRights is what an extension may do that the file says nothing of: see its calls and end them.
func DefaultRights() []Right { return []Right{RightHear, RightHangup} }

// RelayKind is one kind of exchange, as the relay knows it.
type RelayKind struct {
	Name     string
	Address  bool                        // it must be given
	User     bool                        // it must be given
	Password bool                        // it must be given
	Check    func(x RelayExchange) error // whether it can be opened so; nil: always
}

// The relay's defaults.
const (
	DefaultRelayListen  = ":8470"
	DefaultHistoryHours = 24
	mostHistoryHours    = 7 * 24
)

//go:embed relay.en.yaml
var relayEn []byte

//go:embed relay.zh.yaml
var relayZh []byte

// RelayExample gives a commented relay file that LoadRelay accepts: in Chinese for zh and its variants, else in English.
func RelayExample(lang string) []byte {
	if chinese(lang) {
		return slices.Clone(relayZh)
	}
	return slices.Clone(relayEn)
}

var relayFile = subject{"relay file", "中继配置文件", "ringctl relay example", "relay.yaml"}

// LoadRelay reads and checks a relay's file; kinds are the exchanges this program has. Errors are those of Load.
func LoadRelay(file string, kinds []RelayKind) (Relay, error) {
	data, p := relayFile.read(file)
	if p != nil {
		return Relay{}, Problems{*p}
	}
	r := &relayReader{reader: &reader{file: file, subject: relayFile}, kinds: kinds,
		relay: Relay{Listen: DefaultRelayListen, HistoryHours: DefaultHistoryHours}}
	r.all = r.fields()
	root := r.document(data)
	if root != nil && !r.newer(root) {
		r.section("", root, root, r.all)
	}
	if len(r.problems) > 0 {
		slices.SortStableFunc(r.problems, byPlace)
		return Relay{}, r.problems
	}
	if state := r.relay.State; !filepath.IsAbs(state) {
		r.relay.State = filepath.ToSlash(filepath.Join(filepath.Dir(file), state))
	}
	return r.relay, nil
}

// relayReader is a reader of relay files.
type relayReader struct {
	*reader
	kinds []RelayKind
	relay Relay
}

func (r *relayReader) fields() []field {
	x := &r.relay
	return []field{
		{key: "version", need: write("version: 1", " version: 1"), read: func(path string, n *yaml.Node) { r.version(path, n); x.Version = r.profile.Version }},
		{key: "listen", read: r.text(&x.Listen, listen)},
		{key: "name", need: write("how the workstations know this relay, such as hq-pbx", "工作站所见的中继名称，例如 hq-pbx"), read: r.text(&x.Name, relayName)},
		{key: "state", need: write("the folder for its keys and enrolled workstations, such as /var/lib/ringside-relay",
			"存放密钥和已登记工作站的目录，例如 /var/lib/ringside-relay"), read: r.text(&x.State, nil)},
		{key: "key", read: r.text(&x.Key, secretRef)},
		{key: "history_hours", read: r.historyHours},
		{key: "exchanges", need: write("a list of exchanges, each with kind: and extensions:", "交换机列表，每项包含 kind: 和 extensions:"), read: r.exchanges},
		{key: "rights", read: r.rights},
	}
}

func (r *relayReader) historyHours(path string, n *yaml.Node) {
	r.text(new(string), func(s string) *wording {
		hours, err := strconv.Atoi(s)
		if err != nil || hours < 1 || hours > mostHistoryHours {
			return say("%[1]s is not a number of hours from 1 to %[2]d; write %[3]d", "%[1]s 不是 1 到 %[2]d 之间的小时数；请写 %[3]d", quoted(s), mostHistoryHours, DefaultHistoryHours)
		}
		r.relay.HistoryHours = hours
		return nil
	})(path, n)
}

func (r *relayReader) kindNames() []string {
	names := make([]string, 0, len(r.kinds))
	for _, k := range r.kinds {
		names = append(names, k.Name)
	}
	return names
}

func (r *relayReader) kind(name string) RelayKind {
	if i := slices.IndexFunc(r.kinds, func(k RelayKind) bool { return k.Name == name }); i >= 0 {
		return r.kinds[i]
	}
	return RelayKind{}
}

func (r *relayReader) exchanges(path string, n *yaml.Node) {
	r.list(path, n, func(path string, n *yaml.Node) {
		var x RelayExchange
		before := len(r.problems)
		needIf := func(needed func(RelayKind) bool, en, zh string) func() *wording {
			return func() *wording {
				if needed(r.kind(x.Kind)) {
					return &wording{en, zh}
				}
				return nil
			}
		}
		r.section(path, n, n, []field{
			{key: "kind", need: write("one of "+strings.Join(r.kindNames(), ", "), "以下之一："+strings.Join(r.kindNames(), "、")), read: r.text(&x.Kind, oneOf(r.kindNames()...))},
			{key: "name", read: r.text(&x.Name, relayName)},
			{key: "address", need: needIf(func(k RelayKind) bool { return k.Address }, "where the exchange answers", "交换机的地址"), read: r.text(&x.Address, nil)},
			{key: "user", need: needIf(func(k RelayKind) bool { return k.User }, "the name the relay signs in with", "中继登录所用的用户名"), read: r.text(&x.User, nil)},
			{key: "password", need: needIf(func(k RelayKind) bool { return k.Password }, "keychain:NAME, file:PATH or credential:NAME", " keychain:名称、file:路径 或 credential:名称"),
				read: r.text(&x.Password, secretRef)},
			{key: "extensions", need: write("a list of extensions such as [10xx]", "分机列表，例如 [10xx]"), read: r.extensions(&x.Extensions)},
			{key: "variables", read: r.texts(&x.Variables)},
			{key: "params", read: r.judged(&x.Params, relayParam)},
		})
		if x.Name == "" {
			x.Name = x.Kind
		}
		if slices.ContainsFunc(r.relay.Exchanges, func(other RelayExchange) bool { return other.Name == x.Name && x.Name != "" }) {
			r.wrong(n, path, say("a second exchange is called %[1]s: give it a name: of its own", "第二个交换机也叫 %[1]s：请用 name: 为它单独命名", x.Name))
		}
		if check := r.kind(x.Kind).Check; check != nil && len(r.problems) == before {
			if err := check(x); err != nil {
				r.wrong(n, path, say("%[1]v", "%[1]v", err))
			}
		}
		r.relay.Exchanges = append(r.relay.Exchanges, x)
	})
}

func (r *relayReader) rights(path string, n *yaml.Node) {
	r.list(path, n, func(path string, n *yaml.Node) {
		var x RelayRights
		r.section(path, n, n, []field{
			{key: "extensions", need: write("a list of extensions such as [10xx]", "分机列表，例如 [10xx]"), read: r.extensions(&x.Extensions)},
			{key: "allow", need: write("a list of rights such as [hear, answer, hangup]", "权限列表，例如 [hear, answer, hangup]"), read: r.allow(&x.Allow)},
		})
		r.relay.Rights = append(r.relay.Rights, x)
	})
}

func (r *relayReader) allow(into *[]Right) func(string, *yaml.Node) {
	var names []string
	for _, right := range Rights() {
		names = append(names, string(right))
	}
	return func(path string, n *yaml.Node) {
		r.list(path, n, func(path string, n *yaml.Node) {
			var name string
			r.text(&name, oneOf(names...))(path, n)
			*into = append(*into, Right(name))
		})
	}
}

func (r *relayReader) extensions(into *Extensions) func(string, *yaml.Node) {
	return func(path string, n *yaml.Node) {
		r.list(path, n, func(path string, n *yaml.Node) {
			var entry string
			r.text(&entry, func(s string) *wording {
				if extensionEntry.MatchString(s) {
					return nil
				}
				return say("%s is no extension; write one (1001, reception), one with open digits (10xx), a beginning (10*), or * for all",
					"%s 不是分机；请写一个分机（1001、reception）、含任意位的分机（10xx）、分机开头（10*）或 *（全部）", quoted(s))
			})(path, n)
			*into = append(*into, entry)
		})
	}
}

// extensionName is what an extension may be called: it goes into certificates and onto the screen.
var (
	extensionName  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$`)
	extensionEntry = regexp.MustCompile(`^(\*|[A-Za-z0-9][A-Za-z0-9._-]{0,31}\*?)$`)
	openDigits     = regexp.MustCompile(`^([0-9]+)(x+)$`)
)

// IsExtension tells whether a text can be an extension.
func IsExtension(s string) bool { return extensionName.MatchString(s) }

// Extensions names extensions: 1001 and reception name themselves, 10xx those with two more digits, 10* those that begin so, * all.
type Extensions []string

// Match tells whether an extension is among them.
func (es Extensions) Match(extension string) bool {
	return slices.ContainsFunc(es, func(entry string) bool {
		if start, open := strings.CutSuffix(entry, "*"); open {
			return strings.HasPrefix(extension, start)
		}
		if open := openDigits.FindStringSubmatch(entry); open != nil {
			rest, begins := strings.CutPrefix(extension, open[1])
			return begins && len(rest) == len(open[2]) && strings.Trim(rest, "0123456789") == ""
		}
		return entry == extension
	})
}

var relayNameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{0,62}$`)

func relayName(s string) *wording {
	if relayNameForm.MatchString(s) {
		return nil
	}
	return say("%s is not a name; write 1 to 63 of a-z, 0-9, dot and -, such as hq-pbx", "%s 不是有效的名称；请写 1 到 63 个 a-z、0-9、点或 -，例如 hq-pbx", quoted(s))
}

func listen(s string) *wording {
	if _, ok := portOf(s); ok {
		return nil
	}
	return say("%s is not an address to listen at; write :8470, or 10.0.0.5:8470 for one interface only", "%s 不是监听地址；请写 :8470，或只监听一个网卡：10.0.0.5:8470", quoted(s))
}

// relayAddress is where a workstation finds its relay.
func relayAddress(s string) *wording {
	if host, ok := portOf(s); ok && host != "" {
		return nil
	}
	return say("%s is not host:port; write the relay's, such as relay.example.com:8470", "%s 不是“主机:端口”的形式；请写中继的地址，例如 relay.example.com:8470", quoted(s))
}

func portOf(address string) (host string, ok bool) {
	host, port, err := net.SplitHostPort(address)
	n, portErr := strconv.ParseUint(port, 10, 16)
	return host, err == nil && portErr == nil && n > 0
}

// secretRef admits the three ways to name a secret. What is refused may be one, so it is not quoted.
func secretRef(s string) *wording {
	name, keychain := strings.CutPrefix(s, secretPrefix)
	credential, unit := strings.CutPrefix(s, "credential:")
	path, file := strings.CutPrefix(s, "file:")
	if keychain && secretName.MatchString(name) || unit && secretName.MatchString(credential) || file && strings.TrimSpace(path) != "" {
		return nil
	}
	return say("a secret must not stand in this file; write keychain:NAME (stored with: ringctl secret set NAME), file:PATH (a file of this user alone, mode 0600) or credential:NAME (LoadCredential= of the systemd unit)",
		"密钥不能写在此文件中；请写 keychain:名称（用 ringctl secret set 名称 保存）、file:路径（仅本用户可读、权限 0600 的文件）或 credential:名称（systemd 单元的 LoadCredential=）")
}

// relayParam judges a parameter of an exchange: where a secret belongs, one is named.
func relayParam(name string) func(string) *wording {
	return func(value string) *wording {
		if names := strings.HasPrefix(value, secretPrefix); names || isSecret(name) && value != "" || hasPassword(value) {
			return secretRef(value)
		}
		return nil
	}
}

// IsSecretParam tells whether the value of an exchange's parameter names a secret.
func IsSecretParam(name, value string) bool {
	return strings.HasPrefix(value, secretPrefix) || isSecret(name) && value != ""
}

// SecretRefs lists the secrets that a relay file names, as they stand in it, sorted, each once.
func (r Relay) SecretRefs() []string {
	refs := []string{r.Key}
	for _, x := range r.Exchanges {
		refs = append(refs, x.Password)
		for name, v := range x.Params {
			if IsSecretParam(name, v) {
				refs = append(refs, v)
			}
		}
	}
	slices.Sort(refs)
	return slices.DeleteFunc(slices.Compact(refs), func(s string) bool { return s == "" })
}
