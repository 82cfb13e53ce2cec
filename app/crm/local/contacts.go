package local

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/number"
)

// The limits of a contacts file.
const (
	maxFile   = 200 << 20 // bytes
	maxPeople = 1_000_000
	maxNamed  = 100 // lines that are named of those left out; all are counted
)

// LeftOut is a row of the contacts file that was not taken, or not whole, and why.
type LeftOut struct {
	Line int
	Why  string
}

// noEnd is how a file may break off, and may as well be whole: some editors leave the last line without an end.
const noEnd = "its last row has no line end"

// contacts is a contacts file as it was read.
type contacts struct {
	people   []cti.Customer
	tails    []tail // of people, in no order
	print    string // the same for the same content
	encoding string
	leftOut  []LeftOut // the first maxNamed
	count    int       // all that were left out
	spoiled  []LeftOut // rows that were taken without something
	unknown  []string  // columns that were ignored
	torn     string    // how the file breaks off in the middle of something, or ""
}

// reader reads one contacts file.
type reader struct {
	contacts

	plan *number.Plan
	byID map[string]int
}

// readContacts reads a contacts file, a table or vCards. An error, kind invalid or offline, says why the file as a whole is of no use.
func readContacts(path string, plan *number.Plan) (*contacts, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, cti.Errorf(cti.Offline, "the contacts file cannot be opened", err)
	}
	defer f.Close()
	before, err := f.Stat()
	if err != nil {
		return nil, cti.Errorf(cti.Offline, "the contacts file cannot be read", err)
	}
	if before.Size() > maxFile {
		return nil, cti.Errorf(cti.Invalid, "the contacts file is larger than 200 MB: leave out columns and rows that no caller needs", nil)
	}
	s, hash := &sniffer{}, sha256.New()
	once, err := io.Copy(io.MultiWriter(s, hash), f)
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, cti.Errorf(cti.Offline, "the contacts file cannot be read", err)
	}
	r := &reader{plan: plan, byID: map[string]int{}}
	r.encoding, r.print = s.name(), hex.EncodeToString(hash.Sum(nil)[:8])
	if err := r.read(bufio.NewReaderSize(s.decode(f), maxLine)); err != nil {
		return nil, err
	}
	twice, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil, cti.Errorf(cti.Offline, "the contacts file cannot be read", err)
	}
	after, err := f.Stat()
	switch size := before.Size(); {
	case err != nil:
		return nil, cti.Errorf(cti.Offline, "the contacts file cannot be read", err)
	case once != size || twice != size || after.Size() != size || !after.ModTime().Equal(before.ModTime()):
		r.torn = "it changed while it was read"
	case !s.any:
		r.torn = "it is empty"
	case s.cut():
		r.torn = "it ends within a character"
	}
	return &r.contacts, nil
}

func (r *reader) read(in *bufio.Reader) error {
	const card = "BEGIN:VCARD"
	read := r.table
	if begin, err := in.Peek(len(card)); err == nil && strings.EqualFold(string(begin), card) {
		read = r.cards
	}
	err := read(in)
	if err != nil && cti.KindOf(err) == cti.Internal {
		return cti.Errorf(cti.Offline, "the contacts file cannot be read", err)
	}
	return err
}

// table reads a table with a first row that names its columns.
func (r *reader) table(in *bufio.Reader) error {
	all := &rows{in: in}
	columns, err := r.header(all)
	if err != nil || columns == nil {
		return err
	}
	for {
		one, err := all.next()
		if errors.Is(err, io.EOF) {
			if all.torn != "" {
				r.torn = all.torn
			}
			return nil
		}
		if err != nil {
			return err
		}
		if !one.ended && one.bad == "" {
			r.torn = noEnd
		}
		if err := r.row(columns, one); err != nil {
			return err
		}
	}
}

// header finds the first row, and the separator. Excel may say the latter in a line before it.
func (r *reader) header(all *rows) ([]column, error) {
	for {
		first, err := all.physical()
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		if strings.TrimSpace(first.text) == "" {
			continue
		}
		if sep, ok := strings.CutPrefix(first.text, "sep="); ok && len(sep) == 1 {
			all.sep = sep[0]
			continue
		}
		if all.sep == 0 {
			all.sep = separatorOf(first.text)
		}
		s := splitter{sep: all.sep}
		s.feed(first.text)
		columns, unknown := columnsOf(s.fields)
		r.unknown = unknown
		if !slices.Contains(columns, colPhone) {
			return nil, cti.Errorf(cti.Invalid, fmt.Sprintf("the contacts file has no column of telephone numbers: line %d must name the columns, and one of them phone, mobile, 电话 or 手机", first.number), nil)
		}
		return columns, nil
	}
}

// row takes one row, or notes why not.
func (r *reader) row(columns []column, one row) error {
	if one.bad != "" {
		r.leave(one.line, one.bad)
		return nil
	}
	var c cti.Customer
	var given, family string
	for i, text := range one.fields {
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		if i >= len(columns) {
			r.leave(one.line, fmt.Sprintf("it has %d fields, the first row has %d", len(one.fields), len(columns)))
			return nil
		}
		switch columns[i] {
		case colPhone:
			c.Numbers = append(c.Numbers, text)
		case colTags:
			c.Tags = append(c.Tags, tagsOf(text)...)
		case colGiven:
			first(&given, text)
		case colFamily:
			first(&family, text)
		case colNone:
		default:
			first(fieldOf(&c, columns[i]), text)
		}
	}
	first(&c.Name, fullName(given, family))
	return r.take(one.line, c)
}
