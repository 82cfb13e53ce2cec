package baresip

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// maxNetstring caps one message in bytes. The longest real one is a callstat reply of about 1 KiB; a caller who sends a name of
// 10 kB makes it 11 KiB, and SIP over TCP ends at 64 KiB.
const maxNetstring = 64 << 10

// errFraming is what garbage on the wire ends in: there is no way to find the next message, so the connection must be given up.
var errFraming = errors.New("not a netstring: is this address really baresip's ctrl_tcp?")

// netstrings reads `<length>:<bytes>,` messages, however the stream is cut into segments. It holds at most one message.
type netstrings struct{ r *bufio.Reader }

func newNetstrings(r io.Reader) *netstrings { return &netstrings{r: bufio.NewReaderSize(r, 8<<10)} }

// next gives one message. io.EOF means the stream ended between two messages, io.ErrUnexpectedEOF inside one, and an error that
// wraps errFraming means that what came is no netstring or a longer one than maxNetstring.
func (n *netstrings) next() ([]byte, error) {
	size, err := n.length()
	if err != nil {
		return nil, err
	}
	msg := make([]byte, size+1)
	if _, err := io.ReadFull(n.r, msg); err != nil {
		return nil, unexpected(err)
	}
	if msg[size] != ',' {
		return nil, fmt.Errorf("%w (no comma after %d bytes)", errFraming, size)
	}
	return msg[:size], nil
}

func (n *netstrings) length() (int, error) {
	size := 0
	for digits := 0; ; digits++ {
		b, err := n.r.ReadByte()
		switch {
		case err != nil && digits == 0:
			return 0, err
		case err != nil:
			return 0, unexpected(err)
		case b == ':' && digits > 0:
			return size, nil
		case b < '0' || b > '9':
			return 0, fmt.Errorf("%w (byte %#x where a length should be)", errFraming, b)
		}
		if size = size*10 + int(b-'0'); size > maxNetstring || digits == 5 {
			return 0, fmt.Errorf("%w (longer than %d bytes)", errFraming, maxNetstring)
		}
	}
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// netstring frames one message for sending.
func netstring(msg []byte) []byte {
	framed := strconv.AppendInt(nil, int64(len(msg)), 10)
	framed = append(framed, ':')
	framed = append(framed, msg...)
	return append(framed, ',')
}
