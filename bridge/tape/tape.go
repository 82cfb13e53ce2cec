// Package tape is how support sees what a phone or an exchange really sent: a source notes its frames on a deck, a listener gets a copy, and
// a recording can be played to the same source's interpreter again. It owns the frame, its file format and the masking of numbers in it. It
// must not know what a frame means.
package tape

import (
	"bufio"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"sync"
	"time"
	"unicode/utf8"
)

// Frame is one message as it went over the wire.
type Frame struct {
	At     time.Time `json:"at"`               // when it was read or written here, UTC
	Out    bool      `json:"out,omitempty"`    // from us
	Text   string    `json:"text,omitempty"`   // as it was, where it is text
	Base64 string    `json:"base64,omitempty"` // where it is not
}

// NewFrame makes a frame of bytes.
func NewFrame(at time.Time, out bool, data []byte) Frame {
	f := Frame{At: at.UTC(), Out: out}
	if utf8.Valid(data) {
		f.Text = string(data)
	} else {
		f.Base64 = base64.StdEncoding.EncodeToString(data)
	}
	return f
}

// Data gives the bytes back.
func (f Frame) Data() ([]byte, error) {
	if f.Base64 == "" {
		return []byte(f.Text), nil
	}
	return base64.StdEncoding.DecodeString(f.Base64)
}

// deckBuffer is how many frames a listener may be behind before frames are left out for it.
const deckBuffer = 4096

// Deck passes frames on to who listens. The zero value and nil are ready; without a listener a note costs nothing. Safe for concurrent use.
type Deck struct {
	mu        sync.Mutex
	listeners map[chan Frame]struct{}
}

// Note passes a message on. A source must leave its credentials out.
func (d *Deck) Note(out bool, data []byte) {
	if d == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.listeners) == 0 {
		return
	}
	f := NewFrame(time.Now(), out, data)
	for c := range d.listeners {
		select {
		case c <- f:
		default: // who records may be slow; who takes calls may not
		}
	}
}

// Listened tells whether anybody listens, for those who must keep more than they need for a note.
func (d *Deck) Listened() bool {
	if d == nil {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.listeners) > 0
}

// Listen gives every frame from now on, until stop.
func (d *Deck) Listen() (frames <-chan Frame, stop func()) {
	c := make(chan Frame, deckBuffer)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.listeners == nil {
		d.listeners = map[chan Frame]struct{}{}
	}
	d.listeners[c] = struct{}{}
	return c, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.listeners, c)
	}
}

// maxFrame bounds a line of a recording, in bytes.
const maxFrame = 1 << 20

// Read reads a recording: one frame of JSON a line, as Write makes them.
func Read(r io.Reader, each func(Frame) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 64<<10), maxFrame)
	for n := 1; lines.Scan(); n++ {
		if len(lines.Bytes()) == 0 {
			continue
		}
		var f Frame
		if err := json.Unmarshal(lines.Bytes(), &f); err != nil {
			return fmt.Errorf("line %d is no frame of a recording: %w", n, err)
		}
		if f.At.IsZero() {
			return fmt.Errorf("line %d is no frame of a recording: it has no time", n)
		}
		if err := each(f); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read the recording: %w", err)
	}
	return nil
}

// Masker puts other digits in the place of telephone numbers, the same ones for the same number throughout a recording, so that it can still
// be replayed. Make it with NewMasker.
type Masker struct{ key []byte }

// NewMasker makes a masker whose replacements nobody can undo.
func NewMasker() (Masker, error) {
	key := make([]byte, sha256.Size)
	_, err := rand.Read(key)
	return Masker{key}, err
}

// leastDigits is how long a run of digits must be to be taken for a telephone number; extensions are shorter.
const leastDigits = 7

// Frame masks a frame. What is no text cannot be masked.
func (m Masker) Frame(f Frame) (Frame, error) {
	if f.Base64 != "" {
		return Frame{}, errors.New("a frame that is no text cannot be masked: record without masking, and keep the file to yourself")
	}
	text := []byte(f.Text)
	for i := 0; i < len(text); {
		n := digits(text[i:])
		if n >= leastDigits && !within(text, i, n) {
			m.replace(text[i : i+n])
		}
		i += max(n, 1)
	}
	for _, found := range spaced.FindAllIndex(text, -1) {
		if !within(text, found[0], found[1]-found[0]) {
			m.replaceSpaced(text[found[0]:found[1]])
		}
	}
	f.Text = string(text)
	return f, nil
}

// spaced is a number as people write it: 138-0013-8000, +86 138 0013 8000, 555-123-4567. A date has no group so long at its end.
var spaced = regexp.MustCompile(`\d{1,4}[ -]\d{2,4}[ -]\d{3,4}(?:[ -]\d{3,4})?`)

func (m Masker) replaceSpaced(text []byte) {
	var at []int
	var number []byte
	for i, c := range text {
		if c >= '0' && c <= '9' {
			at, number = append(at, i), append(number, c)
		}
	}
	if len(number) < leastDigits {
		return
	}
	m.replace(number)
	for i, c := range number {
		text[at[i]] = c
	}
}

func digits(b []byte) int {
	n := 0
	for n < len(b) && b[n] >= '0' && b[n] <= '9' {
		n++
	}
	return n
}

// within tells whether a run of digits is part of a longer word, as of an id in hexadecimal or a time stamp with a fraction. What is escaped as
// in a URL or in JSON is no word: a number may stand behind %2B or %3A, \n or \u003c.
func within(text []byte, at, n int) bool {
	before, after := byte(' '), byte(' ')
	if at > 0 && !escape.Match(text[max(0, at-longestEscape):at]) {
		before = text[at-1]
	}
	if at+n < len(text) {
		after = text[at+n]
	}
	return letter(before) || letter(after) || before == '.' || after == '.' && at+n+1 < len(text) && digits(text[at+n+1:]) > 0
}

// escape is one at the end of a text.
var escape = regexp.MustCompile(`(?:%[0-9A-Fa-f]{2}|\\[bfnrt]|\\u[0-9A-Fa-f]{4})$`)

const longestEscape = len(`\u003c`)

func letter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' }

// kept is how many digits at the beginning stay at least: the country or the carrier, without which no rule of a site would match.
const kept = 3

// replace keys on the last nine digits, so that 13800138000 and +8613800138000 stay the same number.
func (m Masker) replace(number []byte) {
	tail := number[max(len(number)-8, kept):]
	mac := hmac.New(sha256.New, m.key)
	mac.Write(number[max(0, len(number)-9):])
	sum := mac.Sum(nil)
	for i := range tail {
		tail[len(tail)-1-i] = '0' + sum[i]%10
	}
}
