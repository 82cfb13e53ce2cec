package cti

import "strings"

// maxDataName is how long a name of call data may be, in bytes; the profile allows no longer one.
const maxDataName = 40

// DataName gives the name under which a header, a channel variable or a field of IVR input is call data: X-Order-Id and ORDER.ID are
// order_id. Empty when it gives none that a profile could declare: a-z, 0-9 and _, a letter first, 40 at most.
func DataName(wire string) string {
	name := strings.ToLower(wire)
	name = strings.TrimPrefix(name, "x-")
	name = strings.Trim(strings.NewReplacer("-", "_", ".", "_", " ", "_").Replace(name), "_")
	if name == "" || len(name) > maxDataName || name[0] < 'a' || name[0] > 'z' ||
		strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
		return ""
	}
	return name
}
