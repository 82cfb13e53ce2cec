package local

import (
	"bufio"
	"bytes"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/number"
)

// Whatever is in a file, what is taken of it can be shown and found.
func FuzzContacts(f *testing.F) {
	gbk, err := simplifiedchinese.GBK.NewEncoder().String(chinese)
	if err != nil {
		f.Fatal(err)
	}
	for _, text := range []string{
		chinese, gbk, utf8BOM + table, "name;phone\n\"Ada\nKing\";\"020 7946\"\" 0123\"\n", "name\tphone\nAda\t'+44 20 7946 0123\n\"Bob\t1\n", "sep=;\nname;phone\n",
		"BEGIN:VCARD\nVERSION:3.0\nFN:Ada\nTEL;TYPE=CELL:+44\n 2079460123\nTEL:020 7946 0124\nEND:VCARD\n", "BEGIN:VCARD\nVERSION:4.0\nN:;;;;\nORG:A;B\nTEL;VALUE=uri:tel:+1-212-555-0100\nEND:VCARD",
		"\xff\xfen\x00a\x00m\x00e\x00,\x00p\x00h\x00o\x00n\x00e\x00\n\x00", "name,phone\rAda,1234567\r", "phone\n1e12\n12345 / 020 7946 0123\n",
	} {
		f.Add([]byte(text))
	}
	plan := &number.Plan{Region: "GB"}
	f.Fuzz(func(t *testing.T, text []byte) {
		s := &sniffer{}
		if _, err := s.Write(text); err != nil {
			t.Fatal(err)
		}
		r := &reader{plan: plan, byID: map[string]int{}}
		if err := r.read(bufio.NewReaderSize(s.decode(bytes.NewReader(text)), maxLine)); err != nil {
			return
		}
		all := newList(r.people, r.tails)
		if len(all.byID) != len(r.people) {
			t.Errorf("%d customers have %d ids", len(r.people), len(all.byID))
		}
		for _, c := range r.people {
			shown := strings.Join(append([]string{c.ID, c.Name, c.Company, c.Email, c.Status, c.Owner}, append(c.Numbers, c.Tags...)...), "\n")
			if c.ID == "" || !utf8.ValidString(shown) {
				t.Errorf("%q cannot be shown", shown)
			}
			if len(c.Numbers) == 0 {
				continue
			}
			asked := plan.Written(c.Numbers[0])
			found := all.with(t.Context(), plan, asked)
			if len(found) < maxCandidates && !slices.ContainsFunc(found, func(other cti.Customer) bool { return other.ID == c.ID }) {
				t.Errorf("%q is not found by %q (%+v)", c.ID, c.Numbers[0], asked)
			}
		}
	})
}

// A row that was written by the splitter's rules is read as it was.
func FuzzRow(f *testing.F) {
	f.Add("a", "b\"c", "d,e\nf")
	f.Add("", " ", "\"")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		cells := []string{a, b, c}
		if slices.ContainsFunc(cells, func(s string) bool {
			return len(s) > 1000 || strings.ContainsAny(s, "\r") || strings.Count(s, "\n") > 9
		}) {
			return
		}
		var quoted []string
		for _, cell := range cells {
			quoted = append(quoted, `"`+strings.ReplaceAll(cell, `"`, `""`)+`"`)
		}
		r := newRows(strings.NewReader(strings.Join(quoted, ";") + "\n"))
		r.sep = ';'
		got, err := r.next()
		if err != nil || !slices.Equal(got.fields, cells) {
			t.Errorf("%q is read as %q, %q, %v", cells, got.fields, got.bad, err)
		}
	})
}
