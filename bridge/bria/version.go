package bria

import "fmt"

// version is Bria's own, as far as it matters; zero where it is not known, which is an old one.
type version struct{ major, minor int }

func parseVersion(s string) version {
	var v version
	if n, err := fmt.Sscanf(s, "%d.%d", &v.major, &v.minor); n < 2 || err != nil {
		return version{}
	}
	return v
}

// joins tells whether a call can be given to another call, and not only to a number: from 6.2.
func (v version) joins() bool { return v.major > 6 || v.major == 6 && v.minor >= 2 }
