package webhook

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/tape"
)

// Tape is where the pushes that were proven can be listened to. Neither the secret nor the proof is in it.
func (x *Exchange) Tape() *tape.Deck { return &x.tape }

// vendorHeader names the vendor's file in a recording: which one the pushes are read by.
const vendorHeader = "Ringside-Vendor"

// note passes a proven push on to who records.
func (x *Exchange) note(r *http.Request, raw []byte) {
	if !x.tape.Listened() {
		return
	}
	query := r.URL.Query()
	switch proof := x.vendor.sign.at; proof.scope {
	case inQuery:
		query.Del(proof.name)
	case inBody:
		raw = x.vendor.content.erase(raw, query, proof.path)
	default: // in a header, which is left out
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: relay\r\n%s: %s\r\nContent-Length: %d\r\n", r.Method,
		(&url.URL{Path: r.URL.Path, RawQuery: query.Encode()}).RequestURI(), vendorHeader, x.vendor.file, len(raw))
	for _, name := range x.vendor.headers {
		fmt.Fprintf(&b, "%s: %s\r\n", name, r.Header.Get(name))
	}
	b.WriteString("\r\n")
	b.Write(raw)
	x.tape.Note(false, x.without(b.Bytes()))
}

// without takes the secret out wherever else a vendor may have put it. What takes its place is as long.
func (x *Exchange) without(text []byte) []byte {
	for _, secret := range []string{x.secret, url.QueryEscape(x.secret)} {
		if secret != "" {
			text = bytes.ReplaceAll(text, []byte(secret), bytes.Repeat([]byte("-"), len(secret)))
		}
	}
	return text
}

// Replay gives one extension's events that the pushes of a recording made, at the times they were recorded. The vendor's file must still be
// where it was.
func Replay(frames []tape.Frame, extension string) ([]cti.Event, error) {
	var events []cti.Event
	exchanges := map[string]*Exchange{}
	for n, f := range frames {
		if f.Out {
			continue
		}
		foreign := cti.Errorf(cti.Invalid, fmt.Sprintf("frame %d of the recording is no push", n+1), nil)
		raw, err := f.Data()
		if err != nil {
			return nil, foreign
		}
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
		if err != nil {
			return nil, foreign
		}
		body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
		name := r.Header.Get(vendorHeader)
		if err != nil || name == "" {
			return nil, foreign
		}
		x := exchanges[name]
		if x == nil {
			vendor, err := Load(name)
			if err != nil {
				return nil, err
			}
			x = newExchange(vendor, "recording")
			exchanges[name] = x
		}
		m := &message{method: r.Method, path: r.URL.Path, header: r.Header, query: r.URL.Query(), raw: body}
		if m.body, err = x.vendor.content.parse(body, m.query); err != nil {
			return nil, foreign
		}
		err = x.book(context.Background(), func(to string, e cti.Event) {
			if to == extension {
				events = append(events, e)
			}
		}, m, f.At.UTC())
		if err != nil {
			return nil, foreign
		}
	}
	return events, nil
}
