package local

import (
	"bytes"
	"io"
	"slices"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/runes"
	"golang.org/x/text/transform"
)

// The encodings of contacts files, as messages name them.
const (
	encUTF8    = "UTF-8"
	encUTF16   = "UTF-16"       // Excel's "Unicode text"
	encGB18030 = "GB18030"      // what Excel writes as CSV in China; GBK is a part of it
	encLatin   = "Windows-1252" // and in Western Europe
)

// sniffer looks at every byte of a file and tells how its text is written.
type sniffer struct {
	begin []byte // the first bytes
	carry []byte // an unfinished character

	multi, wrong   int // characters of several bytes that are UTF-8, and bytes that are not
	pairs, singles int // runs of bytes above ASCII: of two and more, as GBK has them, and of one
	run            int
	feeds, returns int
	any            bool
}

// Write takes the next bytes; it never fails.
func (s *sniffer) Write(p []byte) (int, error) {
	s.any = s.any || len(p) > 0
	if missing := len(utf8BOM) - len(s.begin); missing > 0 {
		s.begin = append(s.begin, p[:min(missing, len(p))]...)
	}
	for _, c := range p {
		s.count(c)
	}
	text := p
	if len(s.carry) > 0 {
		text = slices.Concat(s.carry, p)
		s.carry = nil
	}
	for len(text) > 0 {
		if text[0] < utf8.RuneSelf {
			text = text[1:]
			continue
		}
		if !utf8.FullRune(text) {
			s.carry = bytes.Clone(text)
			break
		}
		r, n := utf8.DecodeRune(text)
		if r == utf8.RuneError && n == 1 {
			s.wrong++
		} else {
			s.multi++
		}
		text = text[n:]
	}
	return len(p), nil
}

func (s *sniffer) count(c byte) {
	if c >= utf8.RuneSelf {
		s.run++
		return
	}
	switch {
	case s.run == 1:
		s.singles++
	case s.run > 1:
		s.pairs++
	}
	s.run = 0
	switch c {
	case '\n':
		s.feeds++
	case '\r':
		s.returns++
	}
}

const utf8BOM = "\xEF\xBB\xBF"

// mostlyUTF8 is how many characters of UTF-8 stand against one byte that is none: a damaged file, and not one in another encoding. Text in
// GBK looks like UTF-8 by chance, but not so often.
const mostlyUTF8 = 20

func (s *sniffer) name() string {
	switch {
	case bytes.HasPrefix(s.begin, []byte("\xFF\xFE")), bytes.HasPrefix(s.begin, []byte("\xFE\xFF")):
		return encUTF16
	case string(s.begin) == utf8BOM || s.wrong*mostlyUTF8 <= s.multi:
		return encUTF8
	case s.singles > s.pairs:
		return encLatin
	}
	return encGB18030
}

// cut tells whether the file ends within a character.
func (s *sniffer) cut() bool { return s.name() == encUTF8 && len(s.carry) > 0 }

// decode gives the text of a file that was sniffed, in UTF-8, without a byte order mark, its lines ended by line feeds.
func (s *sniffer) decode(in io.Reader) io.Reader {
	var enc encoding.Encoding
	switch s.name() {
	case encUTF16:
		enc = unicode.UTF16(unicode.LittleEndian, unicode.UseBOM)
	case encGB18030:
		enc = simplifiedchinese.GB18030
	case encLatin:
		enc = charmap.Windows1252
	default:
		enc = unicode.UTF8BOM
	}
	out := enc.NewDecoder().Reader(in)
	if s.feeds == 0 && s.returns > 0 { // a spreadsheet of an old Mac
		return transform.NewReader(out, runes.Map(func(r rune) rune {
			if r == '\r' {
				return '\n'
			}
			return r
		}))
	}
	return out
}
