package settings

import (
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"ringside.dev/ringside/app/cti"
)

// phoneSource is what a profile must say of one kind of call source.
type phoneSource struct {
	name    string
	address *wording                    // asks for the address; nil: there is none to give
	check   func(value string) *wording // judges it
	program *wording                    // asks for the phone's program, one of programs; nil: there is none to give
}

// sources is every call source a workstation can have. Those near the exchange (AMI, ARI, ESL, webhooks) are not among them: they run in
// ringctl relay, which keeps the exchange's credentials off the workstations.
var sources = []phoneSource{
	{name: "sim"},
	{name: "baresip", address: &wording{"the address of baresip's ctrl_tcp, such as 127.0.0.1:4444", " baresip 的 ctrl_tcp 地址，例如 127.0.0.1:4444"}, check: loopback},
	{name: "bria", check: briaAddress},
	{name: "hook", program: &wording{"the phone that runs ringhook: " + strings.Join(programs, ", "), "运行 ringhook 的电话程序：" + strings.Join(programs, "、")}},
	{name: "relayed", address: &wording{"the relay's address, such as relay.example.com:8470", "中继的地址，例如 relay.example.com:8470"}, check: relayAddress},
}

// inRelay are the sources that only ringctl relay may use, unless this computer's policy lets it: their credentials see every call of the
// exchange.
var inRelay = []string{"ami", "ari", "esl", "webhook"}

func (r *reader) sourceName(s string) *wording {
	switch {
	case slices.Contains(r.policy.DirectSources, s):
		return nil
	case slices.Contains(inRelay, s):
		return say("%[1]s holds the exchange's credentials, which belong into ringctl relay near the exchange and not on a workstation; write relayed, and the relay's address. "+
			"Where there is no server, this computer's administrator may allow it: direct_sources: [%[1]s] in %[2]s",
			"%[1]s 需要交换机的登录凭据，应由交换机旁的 ringctl relay 持有，不能放在工作站上；请写 relayed 和中继的地址。若没有服务器，可由本机管理员在 %[2]s 中写 direct_sources: [%[1]s] 予以允许",
			s, PolicyFile())
	}
	return oneOf(phoneSources()...)(s)
}

// programs are the phones that bridge/hook has presets for.
var programs = []string{"twinkle", "microsip", "zoiper", "3cx", "other"}

func phoneSources() []string {
	var names []string
	for _, s := range sources {
		names = append(names, s.name)
	}
	return names
}

func needSource() *wording {
	return &wording{strings.Join(phoneSources(), " or "), " " + strings.Join(phoneSources(), " 或 ")}
}

func kindOf(source string) phoneSource {
	if slices.Contains(inRelay, source) {
		return phoneSource{name: source, address: &wording{"where the exchange answers", "交换机的地址"}}
	}
	if i := slices.IndexFunc(sources, func(s phoneSource) bool { return s.name == source }); i >= 0 {
		return sources[i]
	}
	return phoneSource{}
}

func needAddress(source *string) func() *wording {
	return func() *wording { return kindOf(*source).address }
}

func needProgram(source *string) func() *wording {
	return func() *wording { return kindOf(*source).program }
}

// program is judged where the source has one to give.
func (r *reader) program(source, into *string) func(path string, n *yaml.Node) {
	return func(path string, n *yaml.Node) {
		r.text(into, func(value string) *wording {
			if kindOf(*source).program == nil {
				return nil
			}
			return oneOf(programs...)(value)
		})(path, n)
	}
}

// address is judged by the source's own rules; the source is read before it, wherever it stands.
func (r *reader) address(source, into *string) func(path string, n *yaml.Node) {
	return func(path string, n *yaml.Node) {
		r.text(into, func(value string) *wording {
			if check := kindOf(*source).check; check != nil {
				return check(value)
			}
			return nil
		})(path, n)
	}
}

func (r *reader) alsoPhones(path string, n *yaml.Node) {
	r.list(path, n, func(path string, n *yaml.Node) {
		var s cti.PhoneSource
		r.section(path, n, n, []field{
			{key: "source", need: needSource, read: r.text(&s.Source, r.sourceName)},
			{key: "address", need: needAddress(&s.Source), read: r.address(&s.Source, &s.Address)},
			{key: "program", need: needProgram(&s.Source), read: r.program(&s.Source, &s.Program)},
			{key: "exchange", read: r.access(&s.Exchange)},
		})
		r.profile.Phone.Also = append(r.profile.Phone.Also, s)
	})
}

// access is how an exchange is spoken to.
func (r *reader) access(into *cti.ExchangeAccess) func(path string, n *yaml.Node) {
	return func(path string, n *yaml.Node) {
		r.section(path, n, n, []field{
			{key: "user", read: r.text(&into.User, nil)},
			{key: "password", read: r.text(&into.Password, paramCheck("password"))},
			{key: "variables", read: r.texts(&into.Variables)},
			{key: "params", read: r.params(&into.Params)},
		})
	}
}

// texts reads a list of single values.
func (r *reader) texts(into *[]string) func(string, *yaml.Node) {
	return func(path string, n *yaml.Node) {
		r.list(path, n, func(path string, n *yaml.Node) {
			var text string
			r.text(&text, nil)(path, n)
			*into = append(*into, text)
		})
	}
}

// dataName is how call data may be called: as in a mapping, call.data.NAME.
var dataName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)

// maxCallData bounds what is kept of one call.
const maxCallData = 32

func (r *reader) callData(path string, n *yaml.Node) {
	r.list(path, n, func(path string, n *yaml.Node) {
		var name string
		r.text(&name, func(s string) *wording {
			switch {
			case !dataName.MatchString(s):
				return say("%[1]s cannot be a name of call data: write a-z, 0-9 and _, 40 at most, such as order_id for the header X-Order-Id",
					"%[1]s 不能用作通话数据名：请用 a-z、0-9 和 _，最多 40 个字符，例如 X-Order-Id 头写作 order_id", quoted(s))
			case slices.Contains(r.profile.Phone.Data, s):
				return say("%[1]s stands here twice: take one away", "%[1]s 重复了：请删去一个", quoted(s))
			case len(r.profile.Phone.Data) == maxCallData:
				return say("there are more than %[1]d names of call data: take some away", "通话数据名超过 %[1]d 个：请删去一些", maxCallData)
			}
			return nil
		})(path, n)
		r.profile.Phone.Data = append(r.profile.Phone.Data, name)
	})
}
