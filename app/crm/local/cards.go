package local

import (
	"bufio"
	"errors"
	"io"
	"strings"

	"github.com/emersion/go-vcard"

	"ringside.dev/ringside/app/cti"
)

// maxCard bounds one card without its pictures, in bytes.
const maxCard = 256 << 10

// cards reads vCards (RFC 2426, RFC 6350), one behind the other.
func (r *reader) cards(in *bufio.Reader) error {
	lines, c := newRows(in), &card{}
	for {
		l, err := lines.physical()
		if errors.Is(err, io.EOF) {
			if c.line > 0 {
				r.torn = "its last card has no end"
				r.leave(c.line, "the card has no end")
			}
			return nil
		}
		if err != nil {
			return err
		}
		switch text := strings.ToUpper(strings.TrimSpace(l.text)); {
		case text == "BEGIN:VCARD":
			if c.line > 0 {
				r.leave(c.line, "the card has no end")
			}
			c = &card{line: l.number}
			c.add(l)
		case c.line == 0: // between cards
		case text == "END:VCARD":
			c.add(l)
			if err := r.card(c); err != nil {
				return err
			}
			c = &card{}
		default:
			c.add(l)
		}
	}
}

// card is one card on its way.
type card struct {
	line    int // on which it begins; 0: none
	text    strings.Builder
	picture bool // the last property was one; its folded lines are, too
	bad     string
}

// add takes a line, and leaves pictures out: they are most of a card.
func (c *card) add(l line) {
	if folded := strings.HasPrefix(l.text, " ") || strings.HasPrefix(l.text, "\t"); !folded {
		c.picture = isPicture(l.text)
	}
	if c.picture {
		return
	}
	if l.long || c.text.Len()+len(l.text) > maxCard {
		c.bad = "the card is larger than 256 KiB"
		return
	}
	c.text.WriteString(l.text)
	c.text.WriteString("\r\n")
}

func isPicture(text string) bool {
	name, _, _ := strings.Cut(strings.ToUpper(text), ":")
	name, _, _ = strings.Cut(name, ";")
	if _, after, grouped := strings.Cut(name, "."); grouped {
		name = after
	}
	return name == "PHOTO" || name == "LOGO" || name == "SOUND" || name == "KEY"
}

// card takes one card, or notes why not.
func (r *reader) card(c *card) error {
	if c.bad != "" {
		r.leave(c.line, c.bad)
		return nil
	}
	v, err := vcard.NewDecoder(strings.NewReader(c.text.String())).Decode()
	if err != nil {
		r.leave(c.line, "the card cannot be read")
		return nil //nolint:nilerr // the next card may be good
	}
	switch {
	case quotedPrintable(v):
		r.leave(c.line, "the card is a vCard 2.1: export it as 3.0 or 4.0")
		return nil
	case v.Kind() == vcard.KindGroup:
		return nil // a list of other cards
	}
	one := cti.Customer{
		ID: v.Value(vcard.FieldUID), Name: plain(v.PreferredValue(vcard.FieldFormattedName)),
		Company: strings.Trim(plain(v.PreferredValue(vcard.FieldOrganization)), "; "), Email: plain(v.PreferredValue(vcard.FieldEmail)),
	}
	one.Company = strings.ReplaceAll(one.Company, ";", ", ")
	if n := v.Name(); n != nil {
		first(&one.Name, fullName(plain(n.GivenName), plain(n.FamilyName)))
	}
	one.Numbers = append(one.Numbers, v.Values(vcard.FieldTelephone)...)
	for _, f := range v[vcard.FieldCategories] {
		one.Tags = append(one.Tags, tagsOf(plain(f.Value))...)
	}
	return r.take(c.line, one)
}

func quotedPrintable(v vcard.Card) bool {
	for _, fields := range v {
		for _, f := range fields {
			if strings.EqualFold(f.Params.Get("ENCODING"), "QUOTED-PRINTABLE") {
				return true
			}
		}
	}
	return false
}

// escapes are those that the decoder leaves: a semicolon separates the parts of some values.
var escapes = strings.NewReplacer(`\;`, ";", `\:`, ":", `\N`, " ", "\n", " ")

func plain(value string) string { return strings.TrimSpace(escapes.Replace(value)) }
