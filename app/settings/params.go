package settings

import (
	"net/url"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// secretPrefix begins a parameter value that names a secret of the OS keychain.
const secretPrefix = "keychain:"

// secretName is the rule of package secret, which this package may not import; a test holds the two together.
var secretName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)

// secretEndings are the last words of a parameter's name that make its value a secret: api_token is one, token_url is not.
var secretEndings = []string{"token", "password", "passwd", "passphrase", "secret", "api_key", "apikey", "authorization"}

func (r *reader) params(path string, n *yaml.Node) {
	if n.Kind != yaml.MappingNode {
		r.wrongKind(path, n, say("a section of indented lines like name: value", "由缩进的“名称: 值”组成的小节"))
		return
	}
	r.profile.CRM.Params = map[string]string{}
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
			r.profile.CRM.Params[name] = ""
		default:
			var text string
			r.text(&text, paramCheck(name))(join(path, name), value)
			r.profile.CRM.Params[name] = text
		}
		written[name] = key
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
