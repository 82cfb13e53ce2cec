package esl

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"

	"ringside.dev/ringside/bridge/tape"
)

// The limits of the wire. An event with all variables of a long call is 30 KiB; the list of 2,000 channels is 2 MiB.
const (
	maxLine    = 16 << 10
	maxHeaders = 256 // of a frame; an event in its body may have maxFields
	maxFields  = 4096
	maxBody    = 8 << 20
	maxBlank   = 16 // lines between two frames
)

// errFraming is what garbage on the wire ends in: there is no way to find the next frame, so the connection must be given up.
var errFraming = errors.New("this is no event socket: is the address FreeSWITCH's mod_event_socket?")

// frame is what the event socket sends: headers, and a body if Content-Length says so.
type frame struct {
	header map[string]string
	body   []byte
}

func (f frame) kind() string { return f.header["Content-Type"] }

// frames reads frames, however the stream is cut into segments. It holds one at most.
type frames struct {
	r    *bufio.Reader
	tape *tape.Deck
	raw  []byte // the frame that is being read, as it came; only while somebody listens
	keep bool
}

func newFrames(r io.Reader, deck *tape.Deck) *frames {
	return &frames{r: bufio.NewReaderSize(r, maxLine), tape: deck}
}

// next gives one frame. io.EOF means that the stream ended between two frames, io.ErrUnexpectedEOF inside one, and an error that wraps
// errFraming that what came is no frame, or a larger one than there can be.
func (f *frames) next() (frame, error) {
	f.raw, f.keep = f.raw[:0], f.tape.Listened()
	one := frame{header: map[string]string{}}
	for blank := 0; ; {
		line, err := f.line(len(one.header) > 0)
		switch {
		case err != nil:
			return frame{}, err
		case line == "" && len(one.header) > 0:
			one, err := f.withBody(one)
			if err == nil && f.keep {
				f.tape.Note(false, f.raw)
			}
			return one, err
		case line == "":
			if blank++; blank > maxBlank {
				return frame{}, fmt.Errorf("%w (nothing but empty lines)", errFraming)
			}
			continue
		}
		name, value, found := strings.Cut(line, ":")
		if !found || name == "" || len(one.header) == maxHeaders {
			return frame{}, fmt.Errorf("%w (a line of %d bytes where a header should be)", errFraming, len(line))
		}
		one.header[name] = strings.TrimSpace(value)
	}
}

// line gives one line without its end; within says that a frame has begun.
func (f *frames) line(within bool) (string, error) {
	line, err := f.r.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return "", fmt.Errorf("%w (a line of more than %d bytes)", errFraming, maxLine)
	case errors.Is(err, io.EOF) && (within || len(line) > 0):
		return "", io.ErrUnexpectedEOF
	case err != nil:
		return "", err
	}
	if f.keep {
		f.raw = append(f.raw, line...)
	}
	return string(bytes.TrimRight(line, "\r\n")), nil
}

func (f *frames) withBody(one frame) (frame, error) {
	text, has := one.header["Content-Length"]
	if !has {
		return one, nil
	}
	size, err := strconv.Atoi(text)
	if err != nil || size < 0 || size > maxBody {
		return frame{}, fmt.Errorf("%w (a body of more than %d bytes, or of no length)", errFraming, maxBody)
	}
	// Grows as it comes: a length alone must not take memory.
	var body bytes.Buffer
	if _, err := io.CopyN(&body, f.r, int64(size)); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return frame{}, err
	}
	one.body = body.Bytes()
	if f.keep {
		f.raw = append(f.raw, one.body...)
	}
	return one, nil
}

// event is what an event frame holds: headers whose values are URL-encoded, and for some a body of its own.
type event struct {
	header map[string]string
	body   string
}

func (e event) get(name string) string { return e.header[name] }

// parseEvent reads the body of a text/event-plain frame. A line that is no header ends the event with an error: what follows cannot be
// trusted. The first of two headers with the same name counts.
func parseEvent(body []byte) (event, error) {
	e := event{header: map[string]string{}}
	for len(body) > 0 {
		line, rest, _ := bytes.Cut(body, []byte("\n"))
		line, body = bytes.TrimRight(line, "\r"), rest
		if len(line) == 0 {
			return e, e.inner(body)
		}
		name, value, found := bytes.Cut(line, []byte(":"))
		if !found || len(name) == 0 || len(e.header) == maxFields {
			return event{}, fmt.Errorf("event of %d headers: a line of %d bytes is none", len(e.header), len(line))
		}
		if _, twice := e.header[string(name)]; !twice {
			e.header[string(name)] = decoded(string(bytes.TrimSpace(value)))
		}
	}
	return e, nil
}

// inner takes the body of the event itself, whose length is its own header's.
func (e *event) inner(rest []byte) error {
	text, has := e.header["Content-Length"]
	if !has {
		return nil
	}
	size, err := strconv.Atoi(text)
	if err != nil || size < 0 || size > len(rest) {
		return fmt.Errorf("event whose body is longer than the %d bytes left of its frame, or of no length", len(rest))
	}
	e.body = string(rest[:size])
	return nil
}

// decoded undoes the URL-encoding; what is not encoded properly is taken as it is.
func decoded(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	if plain, err := url.PathUnescape(s); err == nil {
		return plain
	}
	return s
}
