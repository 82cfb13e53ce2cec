package local

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"ringside.dev/ringside/app/number"
)

const hundredThousand = 100_000

func BenchmarkRead100kContacts(b *testing.B) {
	text := "id,name,phone\n" + many(hundredThousand)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		c, err := readText(b, text, "GB")
		if err != nil || len(c.people) != hundredThousand {
			b.Fatal(err)
		}
		newList(c.people, c.tails)
	}
}

func BenchmarkLookupIn100kContacts(b *testing.B) {
	o := openOffice(b, "id,name,phone\n"+many(hundredThousand))
	n := number.Parse("+442070077777", "GB")
	for b.Loop() {
		if found, err := o.Lookup(b.Context(), n); err != nil || len(found) != 1 {
			b.Fatal(found, err)
		}
	}
}

func BenchmarkSearchIn100kContacts(b *testing.B) {
	o := openOffice(b, "id,name,phone\n"+many(hundredThousand))
	for b.Loop() {
		if found, err := o.Features().Search(b.Context(), "n99999", 20); err != nil || len(found) != 1 {
			b.Fatal(found, err)
		}
	}
}

// 100,000 calls: a start with them, their table, and one more call.
func BenchmarkWith100kCalls(b *testing.B) {
	o := openOffice(b, table)
	sync := o.journal.sync
	o.journal.sync = func(*os.File) error { return nil } // until all are there
	for i := range hundredThousand {
		w := call(fmt.Sprint("k", i), "c1")
		w.Record.WrapUp.Note = strings.Repeat("note ", 20)
		o.write(w)
	}
	o.journal.sync = sync
	b.Run("start", func(b *testing.B) {
		for b.Loop() {
			o.again()
		}
	})
	b.Run("table", func(b *testing.B) {
		for b.Loop() {
			o.due["calls.csv"] = true
			if err := o.Export(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("write", func(b *testing.B) {
		i := hundredThousand
		for b.Loop() {
			i++
			if _, err := o.Write(b.Context(), call(fmt.Sprint("k", i), "c1")); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("history", func(b *testing.B) {
		for b.Loop() {
			if h, err := o.Features().History(b.Context(), "c1", 5); err != nil || len(h) != 5 {
				b.Fatal(err)
			}
		}
	})
}
