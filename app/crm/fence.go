package crm

import (
	"net"
	"net/url"
	"strings"
)

// fence is the list of hosts a connector may speak to: a file from elsewhere must not send customers' data to a third party, and
// a CRM must not send the agent's browser or this program into the company's network.
type fence struct{ hosts map[string]bool } // host, or host:port

// refusal is a request that was kept in: nothing left this machine.
type refusal struct{ words Words }

func (r *refusal) Error() string { return r.words.En }

func newFence(hosts []string) fence {
	f := fence{hosts: map[string]bool{}}
	for _, h := range hosts {
		f.hosts[strings.ToLower(strings.TrimSuffix(strings.TrimSpace(h), "."))] = true
	}
	return f
}

// check refuses a host that is not listed, anything but https, and http to another machine.
func (f fence) check(u *url.URL) error {
	if wrong := wrongScheme(u); wrong != nil {
		return &refusal{*wrong}
	}
	host := strings.ToLower(u.Host)
	port := map[string]string{"http": "80", "https": "443"}[u.Scheme]
	if f.hosts[host] || f.hosts[strings.TrimSuffix(host, ":"+port)] || u.Port() == "" && f.hosts[host+":"+port] {
		return nil
	}
	return &refusal{words("the host %s is not in the connector's network.allow_hosts", "主机 %s 不在连接器的 network.allow_hosts 中", host)}
}

// checkAddress tells what is wrong with a site's address, or nil.
func checkAddress(text string) *Words {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		w := words("it has no host name", "缺少主机名")
		return &w
	}
	return wrongScheme(u)
}

func wrongScheme(u *url.URL) *Words {
	var w Words
	switch {
	case u.User != nil:
		w = words("it holds a user name or password", "地址中含有用户名或密码")
	case u.Scheme == "https", u.Scheme == "http" && isLoopback(u.Hostname()):
		return nil
	case u.Scheme == "http":
		w = words("plain http would send customers' data unprotected over the network: use https", "明文 http 会在网络上泄露客户数据：请使用 https")
	default:
		w = words("it is not a web address", "不是网址")
	}
	return &w
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}
