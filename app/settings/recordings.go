package settings

import (
	"net/url"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"ringside.dev/ringside/app/cti"
)

// recordings is the section about what leaves the phone system.
func (r *reader) recordings(p *cti.RecordingsProfile) []field {
	return []field{
		{key: "links", read: r.text(&p.Links, oneOf(cti.LinksPlain, cti.LinksID, cti.LinksAll))},
		{key: "open", read: r.text(&p.Open, recordingAddress)},
		{key: "fetch", read: r.truth(&p.Fetch)},
		{key: "file", read: r.text(&p.File, recordingAddress)},
		{key: "hosts", need: r.needHosts, read: r.recordingHosts},
		{key: "sign_in", read: r.text(&p.SignIn, secretAlone)},
		{key: "max_mb", read: r.recordingSize},
	}
}

// recordingAddress is an address of the phone system in which {id} stands for the recording's id.
func recordingAddress(s string) *wording {
	u, err := url.Parse(s)
	plain := err == nil && u.User == nil && u.Host != "" && !strings.Contains(u.Host, "{")
	switch {
	case !plain || u.Scheme != "https" && (u.Scheme != "http" || !thisComputer(u.Hostname())):
		return say("%s is not an address that begins with https:// and holds no password; write one such as https://pbx.example.com/recordings/{id}",
			"%s 不是以 https:// 开头且不含密码的地址；请写成 https://pbx.example.com/recordings/{id} 的形式", quoted(s))
	case !strings.Contains(s, "{id}"):
		return say("%s does not say where the recording's id stands; write {id} there", "%s 没有标明录音编号的位置；请在该处写 {id}", quoted(s))
	}
	return nil
}

func thisComputer(host string) bool { return loopback(host+":1") == nil }

// needHosts: without a host there is nowhere to fetch from. It is asked after the others of the section were read.
func (r *reader) needHosts() *wording {
	if p := r.profile.Recordings; !p.Fetch || p.Open != "" || p.File != "" {
		return nil
	}
	return &wording{"the hosts that recordings are fetched from, such as [pbx.example.com]", "获取录音的主机，例如 [pbx.example.com]"}
}

func (r *reader) recordingHosts(path string, n *yaml.Node) {
	r.list(path, n, func(path string, n *yaml.Node) {
		var host string
		r.text(&host, func(s string) *wording {
			if u, err := url.Parse("https://" + s); err != nil || u.Host != s || u.Hostname() == "" || strings.ContainsAny(s, "*{") {
				return say("%s is not a host; write its name, such as pbx.example.com or pbx.example.com:8443", "%s 不是主机；请写主机名，例如 pbx.example.com 或 pbx.example.com:8443", quoted(s))
			}
			return nil
		})(path, n)
		r.profile.Recordings.Hosts = append(r.profile.Recordings.Hosts, host)
	})
}

// secretAlone admits nothing but the name of a secret. It never quotes what was written.
func secretAlone(value string) *wording {
	name, is := strings.CutPrefix(value, secretPrefix)
	if is && secretName.MatchString(name) {
		return nil
	}
	return say("a secret must not stand in this file; store it with: ringctl secret set recordings, then write keychain:recordings",
		"密钥不能写在此文件中；请先保存：ringctl secret set recordings，然后写 keychain:recordings")
}

// mostRecordingMB: who needs larger ones has films.
const mostRecordingMB = 2000

func (r *reader) recordingSize(path string, n *yaml.Node) {
	r.text(new(string), func(s string) *wording {
		size, err := strconv.Atoi(s)
		if err != nil || size < 1 || size > mostRecordingMB {
			return say("%[1]s is not a number of megabytes from 1 to %[2]d; write %[3]d", "%[1]s 不是 1 到 %[2]d 之间的兆字节数；请写 %[3]d", quoted(s), mostRecordingMB, cti.DefaultRecordingMB)
		}
		r.profile.Recordings.MaxMB = size
		return nil
	})(path, n)
}
