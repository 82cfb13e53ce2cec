package settings

import (
	"net/url"
	"strings"
)

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
