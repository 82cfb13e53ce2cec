package local

import (
	"bufio"
	"errors"
	"io"
	"slices"
	"strings"
)

// The limits of one row: an address book has shorter ones, and a quote that is never closed must not swallow the file.
const (
	maxRowLines = 64
	maxLine     = 64 << 10 // bytes
)

// row is one row of a table. Where bad says something, the rest means nothing.
type row struct {
	line   int // on which it begins
	fields []string
	ended  bool // by a line feed
	bad    string
}

// rows reads a table row by row. encoding/csv does not serve: after a quote that is never closed it has nothing to go on with, and here
// the rows behind it count.
type rows struct {
	in    *bufio.Reader
	sep   byte
	line  int    // of the line that was read last
	again []line // lines that are to be read once more
	torn  string // how the file breaks off, if it does
}

// line is a line of the file, without its end.
type line struct {
	number int
	text   string
	long   bool // text is not all of it
	ended  bool // by a line feed
}

func newRows(in io.Reader) *rows { return &rows{in: bufio.NewReaderSize(in, maxLine)} }

// physical gives the next line, or io.EOF.
func (r *rows) physical() (line, error) {
	if len(r.again) > 0 {
		l := r.again[0]
		r.again = r.again[1:]
		return l, nil
	}
	text, err := r.in.ReadSlice('\n')
	l := line{number: r.line + 1, text: string(text), long: errors.Is(err, bufio.ErrBufferFull)}
	for errors.Is(err, bufio.ErrBufferFull) {
		_, err = r.in.ReadSlice('\n')
	}
	if err != nil && (!errors.Is(err, io.EOF) || l.text == "") {
		return line{}, err
	}
	r.line++
	l.ended = err == nil
	l.text = strings.TrimSuffix(strings.TrimSuffix(l.text, "\n"), "\r")
	return l, nil
}

// next gives the next row that is not empty, or io.EOF.
func (r *rows) next() (row, error) {
	for {
		first, err := r.physical()
		if err != nil {
			return row{}, err
		}
		switch {
		case first.long:
			return row{line: first.number, bad: "it is longer than 64 KiB"}, nil
		case strings.TrimSpace(first.text) == "":
			continue
		case !strings.Contains(first.text, `"`):
			return row{line: first.number, fields: strings.Split(first.text, string(r.sep)), ended: first.ended}, nil
		}
		return r.quoted(first)
	}
}

// quoted reads a row with quotes, which may go on over several lines.
func (r *rows) quoted(first line) (row, error) {
	s := splitter{sep: r.sep}
	s.feed(first.text)
	ended := first.ended
	var more []line
	for size := len(first.text); s.open; {
		l, err := r.physical()
		end := errors.Is(err, io.EOF)
		switch {
		case end:
			r.torn = "its last row has a quote that is not closed"
		case err != nil:
			return row{}, err
		default:
			more = append(more, l)
			size += len(l.text)
		}
		if end || l.long || len(more) >= maxRowLines || size > maxLine {
			r.again = slices.Concat(more, r.again)
			return row{line: first.number, bad: "a quote is not closed"}, nil
		}
		s.feed(l.text)
		ended = l.ended
	}
	return row{line: first.number, fields: s.fields, ended: ended}, nil
}

// splitter takes the fields out of a row (RFC 4180). A quote that stands where none may is a character like others.
type splitter struct {
	sep    byte
	fields []string
	cell   []byte
	open   bool // within quotes
}

// feed takes a line; the row is whole if it leaves no quote open.
func (s *splitter) feed(text string) {
	if s.open {
		s.cell = append(s.cell, '\n')
	}
	fresh := !s.open
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case s.open && c == '"':
			i += s.quote(text[i+1:])
		case s.open:
			s.cell = append(s.cell, c)
		case c == s.sep:
			s.push()
			fresh = true
			continue
		case c == '"' && fresh:
			s.open = true
		default:
			s.cell = append(s.cell, c)
		}
		fresh = false
	}
	if !s.open {
		s.push()
	}
}

// quote takes a quote within quotes, and tells how many characters behind it are taken with it.
func (s *splitter) quote(behind string) int {
	switch {
	case strings.HasPrefix(behind, `"`):
		s.cell = append(s.cell, '"')
		return 1
	case behind == "" || behind[0] == s.sep:
		s.open = false
	default:
		s.cell = append(s.cell, '"')
	}
	return 0
}

func (s *splitter) push() {
	s.fields = append(s.fields, string(s.cell))
	s.cell = s.cell[:0]
}
