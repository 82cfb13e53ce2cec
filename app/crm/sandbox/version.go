package sandbox

import (
	"net/http"
	"strconv"
	"strings"
)

// Version is the version the server says it has, unless Traits.Version says another.
const Version = "2.0.0"

// versioned answers a record with its version as ETag (RFC 9110, 8.8.3). A version counts what people write: that a contact was active
// is no new version of it.
func versioned(status int, body any, version int) answer {
	return answer{status: status, body: body, header: http.Header{"Etag": {etag(version)}}}
}

func etag(version int) string { return `"` + strconv.Itoa(version) + `"` }

// fits refuses a write whose If-Match is not the record's version, with the record as it is. Quotes may be missing. Version 0 is a record
// that does not exist: even * does not fit it (RFC 9110, 13.1.1).
func fits(r *http.Request, version int, current any) error {
	wanted := strings.Join(r.Header.Values("If-Match"), ",")
	if wanted == "" {
		return nil
	}
	for one := range strings.SplitSeq(wanted, ",") {
		one = strings.Trim(strings.TrimSpace(one), `"`)
		if version > 0 && (one == "*" || one == strconv.Itoa(version)) {
			return nil
		}
	}
	p := &problem{Status: http.StatusPreconditionFailed, Code: "version_conflict", Message: "the record was changed meanwhile: read it again", current: current}
	if version == 0 {
		p.Message = "there is no such record to be changed"
	}
	return p
}
