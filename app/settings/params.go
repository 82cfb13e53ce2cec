package settings

import (
	"net/url"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"ringside.dev/ringside/app/cti"
)

// secretPrefix begins a parameter value that names a secret of the OS keychain.
const secretPrefix = "keychain:"

// secretName is the rule of package secret, which this package may not import; a test holds the two together.
var secretName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)

// secretEndings are the last words of a parameter's name that make its value a secret: api_token is one, token_url is not.
var secretEndings = []string{"token", "password", "passwd", "passphrase", "secret", "api_key", "apikey", "authorization"}

// params reads a connector's parameters.
func (r *reader) params(into *map[string]string) func(path string, n *yaml.Node) {
	return r.judged(into, paramCheck)
}

// judged reads parameters; check judges the value of each name.
func (r *reader) judged(into *map[string]string, check func(name string) func(value string) *wording) func(path string, n *yaml.Node) {
	return func(path string, n *yaml.Node) {
		if n.Kind != yaml.MappingNode {
			r.wrongKind(path, n, say("a section of indented lines like name: value", "由缩进的“名称: 值”组成的小节"))
			return
		}
		params := map[string]string{}
		*into = params
		written := map[string]*yaml.Node{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, value := n.Content[i], n.Content[i+1]
			name := key.Value
			switch {
			case key.Kind != yaml.ScalarNode || name == "":
				r.unknownKey(path, key, nil)
			case written[name] != nil:
				r.twice(join(path, name), key, written[name])
			case value.ShortTag() == "!!null":
				params[name] = ""
			default:
				var text string
				r.text(&text, check(name))(join(path, name), value)
				params[name] = text
			}
			written[name] = key
		}
	}
}

// also reads the systems beside the CRM.
func (r *reader) also(path string, n *yaml.Node) {
	r.list(path, n, func(path string, n *yaml.Node) {
		var t cti.CRMTarget
		r.section(path, n, n, append(connection(r, &t.Connector, &t.Params, &t.Mapping),
			field{key: "operations", need: write("a list of what it takes over, such as [create_ticket, list_tickets]", "它接管的操作列表，例如 [create_ticket, list_tickets]"),
				read: r.operations(&t.Operations)}))
		r.profile.CRM.Also = append(r.profile.CRM.Also, t)
	})
}

// connection is what the CRM and the systems beside it have alike.
func connection(r *reader, connector *string, params *map[string]string, mapping *string) []field {
	return []field{
		{key: "connector", need: write("a preset's name, such as sandbox, or the path of a connector file", "预设名称（例如 sandbox）或连接器文件的路径"),
			read: r.text(connector, nil)},
		{key: "params", read: r.params(params)},
		{key: "mapping", read: r.text(mapping, nil)},
	}
}

// handedOver are the operations that another system can take over. Who the caller is, the CRM alone says.
var handedOver = []string{
	string(cti.LogCall), string(cti.AttachRecording), string(cti.UploadRecording), string(cti.AddNote), string(cti.CreateTicket), string(cti.UpdateTicket), string(cti.SetStatus), string(cti.CreateTask),
	"history", "list_tickets", "list_orders", "list_options",
}

func (r *reader) operations(into *[]string) func(path string, n *yaml.Node) {
	return func(path string, n *yaml.Node) {
		r.list(path, n, func(path string, n *yaml.Node) {
			var name string
			r.text(&name, oneOf(handedOver...))(path, n)
			*into = append(*into, name)
		})
	}
}

// paramCheck refuses secrets in plain sight: the profile is copied, mailed and backed up. It never quotes the value.
func paramCheck(name string) func(string) *wording {
	return func(value string) *wording {
		ref, isRef := strings.CutPrefix(value, secretPrefix)
		switch {
		case isRef && !secretName.MatchString(ref):
			return say("not the name of a secret; write keychain: and a name of a-z, 0-9, dots, underscores and dashes, without a space",
				"不是有效的密钥名称；请写 keychain: 加名称（a-z、0-9、点、下划线、短横线），不含空格")
		case isRef || value == "":
			return nil
		case isSecret(name) || hasPassword(value):
			return say("a secret must not stand in this file; store it with: ringctl secret set %[1]s, then write keychain:%[1]s",
				"密钥不能写在此文件中；请先保存：ringctl secret set %[1]s，然后写 keychain:%[1]s", proposedName(name))
		}
		return nil
	}
}

func isSecret(param string) bool {
	name := strings.ReplaceAll(strings.ToLower(param), "-", "_")
	return slices.ContainsFunc(secretEndings, func(end string) bool { return strings.HasSuffix(name, end) })
}

func proposedName(param string) string {
	if name := strings.ToLower(param); secretName.MatchString(name) {
		return name
	}
	return "NAME"
}

// hasPassword finds the password in https://user:password@host.
func hasPassword(s string) bool {
	u, err := url.Parse(s)
	if err != nil || u.User == nil {
		return false
	}
	_, has := u.User.Password()
	return has
}
