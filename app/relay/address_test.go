package relay

import (
	"net"
	"testing"
)

func TestAComputerIsOneAddressWhateverItsPort(t *testing.T) {
	for address, want := range map[string]string{
		"10.0.0.5:1":                   "10.0.0.5",
		"[::ffff:10.0.0.5]:2":          "10.0.0.5",
		"[2001:db8:1:2:aaaa::1]:3":     "2001:db8:1:2::/64",
		"[2001:db8:1:2:bbbb::1]:4":     "2001:db8:1:2::/64",
		"[fe80::1%eth0]:5":             "fe80::1%eth0",
		"[::1]:6":                      "::1",
		"a pipe, which has no address": "a pipe, which has no address",
	} {
		if got := host(named(address)); got != want {
			t.Errorf("%s is %s, want %s", address, got, want)
		}
	}
}

type named string

func (n named) Network() string { return "tcp" }
func (n named) String() string  { return string(n) }

var _ net.Addr = named("")
