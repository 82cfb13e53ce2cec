package ami

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// The limits of what the exchange may send. Asterisk's own longest line is a variable's value of a few kilobytes.
const (
	maxLine   = 64 << 10
	maxFields = 512 // in one block; what is beyond is read and dropped
	maxBlock  = 256 << 10
)

// errFraming is what a stream gets that is no manager interface: another protocol, or bytes that are lost in the middle.
var errFraming = errors.New("what came is not the manager interface")

// block is one message: Key: Value lines. Keys are compared without regard to case; of a repeated key the first counts, so that nothing
// which a caller smuggles into a later line replaces what the exchange said.
type block []field

type field struct{ key, value string }

// get gives a value, "" where there is none. "<unknown>" is how Asterisk writes that it knows none.
func (b block) get(key string) string {
	for i := range b {
		if len(b[i].key) == len(key) && strings.EqualFold(b[i].key, key) {
			if b[i].value == "<unknown>" {
				return ""
			}
			return b[i].value
		}
	}
	return ""
}

// reader splits a stream into blocks.
type reader struct{ in *bufio.Reader }

func newReader(r io.Reader) *reader { return &reader{bufio.NewReaderSize(r, maxLine)} }

// banner reads the line the exchange greets with, and gives the version in it.
func (r *reader) banner() (string, error) {
	line, err := r.line()
	if err != nil {
		return "", err
	}
	version, found := strings.CutPrefix(string(line), "Asterisk Call Manager/")
	if !found {
		return "", fmt.Errorf("%w: it does not greet as one", errFraming)
	}
	return version, nil
}

// next reads one block. A line without a colon belongs to no key and is skipped (the output of commands of Asterisk before 14); a block of
// nothing but such lines, or one that never ends, is a framing error.
func (r *reader) next() (block, error) {
	var b block
	size, strange := 0, 0
	for {
		line, err := r.line()
		if err != nil {
			return nil, err
		}
		size += len(line)
		switch {
		case size > maxBlock:
			return nil, fmt.Errorf("%w: a message without end", errFraming)
		case len(line) == 0 && len(b) > 0:
			return b, nil
		case len(line) == 0 && strange > 0:
			return nil, fmt.Errorf("%w: a message of strange lines", errFraming)
		case len(line) == 0:
			continue
		}
		key, value, found := bytes.Cut(line, []byte(":"))
		if !found || len(key) == 0 || len(key) > 128 {
			strange++
			continue
		}
		if len(b) < maxFields {
			b = append(b, field{name(key), string(bytes.TrimPrefix(value, []byte(" ")))})
		}
	}
}

// line reads to the next line feed and takes the line end off.
func (r *reader) line() ([]byte, error) {
	line, err := r.in.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return nil, fmt.Errorf("%w: a line without end", errFraming)
	case err != nil:
		return nil, err
	}
	return bytes.TrimSuffix(line[:len(line)-1], []byte("\r")), nil
}

// name gives a key as a string, without making a new one for those that come with every event.
func name(key []byte) string {
	if known, ok := names[string(key)]; ok {
		return known
	}
	return string(key)
}

var names = func() map[string]string {
	m := map[string]string{}
	for word := range strings.FieldsSeq(`Event Privilege Timestamp Channel ChannelState ChannelStateDesc CallerIDNum CallerIDName ConnectedLineNum
		ConnectedLineName Language AccountCode Context Exten Priority Uniqueid Linkedid DestChannel DestChannelState DestChannelStateDesc
		DestCallerIDNum DestCallerIDName DestConnectedLineNum DestConnectedLineName DestLanguage DestAccountCode DestContext DestExten
		DestPriority DestUniqueid DestLinkedid DialString DialStatus BridgeUniqueid BridgeType BridgeTechnology BridgeCreator BridgeName
		BridgeNumChannels BridgeVideoSourceMode Cause Cause-txt Variable Value Queue Interface StateInterface MemberName Device State Status
		Paused PausedReason Extension Application AppData Response ActionID Message Membership Penalty CallsTaken LastCall LastPause LoginTime
		InCall Ringinuse Wrapuptime StatusText Hint`) {
		m[word] = word
	}
	return m
}()

// bytes writes a block as it came, but for the lines that were no fields.
func (b block) bytes() []byte {
	var raw bytes.Buffer
	for _, f := range b {
		fmt.Fprintf(&raw, "%s: %s\r\n", f.key, f.value)
	}
	raw.WriteString("\r\n")
	return raw.Bytes()
}

// action is what we send. The values are checked: none can hold a line end.
type action []field

var errLineEnd = errors.New("a value holds a line end")

func (a action) encode(id string) ([]byte, error) {
	var b bytes.Buffer
	if a.id() == "" {
		a = append(a[:len(a):len(a)], field{"ActionID", id})
	}
	for _, f := range a {
		if strings.ContainsAny(f.value, "\r\n\x00") {
			return nil, errLineEnd
		}
		fmt.Fprintf(&b, "%s: %s\r\n", f.key, f.value)
	}
	b.WriteString("\r\n")
	return b.Bytes(), nil
}

func (a action) name() string { return a[0].value }

// id is the ActionID an action brings with it; most are given theirs when they are sent.
func (a action) id() string { return block(a).get("ActionID") }
