package local

import (
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/number"
)

// raw gives a table as it stands on the disk.
func (o *office) raw(name string) string {
	o.t.Helper()
	if err := o.Export(); err != nil {
		o.t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(o.folder, "out", name))
	if err != nil {
		o.t.Fatal(err)
	}
	return string(text)
}

// sheet gives its rows as a spreadsheet reads them.
func (o *office) sheet(name string) (out []map[string]string) {
	o.t.Helper()
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(o.raw(name), utf8BOM))).ReadAll()
	if err != nil {
		o.t.Fatal(err)
	}
	for _, row := range rows[1:] {
		cells := map[string]string{}
		for i, column := range rows[0] {
			cells[column] = row[i]
		}
		out = append(out, cells)
	}
	return out
}

// many is a table of customers n0, n1, … without its first row.
func many(count int) string {
	var b strings.Builder
	for i := range count {
		fmt.Fprintf(&b, "n%d,N%d,0207%07d\n", i, i, i)
	}
	return b.String()
}

func TestTheTableOfCallsIsForSpreadsheets(t *testing.T) {
	o := openOffice(t, table)
	o.zone = time.FixedZone("", 8*3600)
	w := call("k1", "c1")
	w.Record.Data = map[string]string{"ivr": "2", "campaign": "spring"}
	w.Record.WrapUp = cti.WrapUp{Outcome: "售出", Note: "said \"yes\",\r\nthen no", SavedAt: began}
	o.write(w)
	text := o.raw("calls.csv")
	if !strings.HasPrefix(text, utf8BOM+"started_at,") || !strings.Contains(text, "\r\n") {
		t.Errorf("the table begins with %q; Excel needs a byte order mark and CR LF", text[:40])
	}
	want := map[string]string{
		"started_at": "2026-03-02 17:30:00", "zone": "UTC+08:00", "direction": "in", "number": "tel:+442079460123", "customer_id": "c1", "customer": "Ada Lovelace",
		"ending": "answered", "outcome": "售出", "note": "said \"yes\",\nthen no", "talk_s": "54.0", "ended_at": "2026-03-02 17:31:00", "data": "campaign: spring\nivr: 2", "key": "k1",
	}
	got := o.sheet("calls.csv")[0]
	for column, cell := range want {
		if got[column] != cell {
			t.Errorf("%s is %q, want %q", column, got[column], cell)
		}
	}
	if runtime.GOOS != "windows" {
		if info, err := os.Stat(filepath.Join(o.folder, "out", "calls.csv")); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("others may read the table: %v, %v", info.Mode(), err)
		}
	}
}

// Nothing that a caller or an agent says becomes a formula (OWASP, CSV injection), and telephone numbers stay what they are.
func TestNoCellIsAFormula(t *testing.T) {
	o := openOffice(t, table)
	for i, text := range []string{"=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1", "\u00a0+1", "\u3000-1", "＠x", "\n=1", "=\"a\",1"} {
		w := call(fmt.Sprint("k", i), "c1")
		w.Record.RemoteName, w.Record.Queue, w.Record.WrapUp = text, text, cti.WrapUp{Note: text, Outcome: text, SavedAt: began}
		o.write(w)
		o.write(cti.WriteBack{Op: cti.CreateTicket, Key: fmt.Sprint("t", i), CustomerID: "c1", Ticket: cti.TicketDraft{Subject: text, Body: text, Owner: text}})
		o.write(cti.WriteBack{Op: cti.AddNote, Key: fmt.Sprint("n", i), CustomerID: "c1", Note: cti.Note{Text: text}})
		o.write(cti.WriteBack{Op: cti.CreateTask, Key: fmt.Sprint("d", i), CustomerID: "c1", Task: cti.TaskDraft{Subject: text, Body: text}})
		o.write(cti.WriteBack{Op: cti.CreateCustomer, Key: fmt.Sprint("c", i), Record: cti.Record{Number: cti.Number{Raw: text}}, New: cti.NewCustomer{Name: text, Company: text, Email: text}})
	}
	for _, s := range sheets {
		rows := o.sheet(s.file)
		if len(rows) != 13 {
			t.Errorf("%s has %d rows", s.file, len(rows))
		}
		for _, row := range rows {
			for column, cell := range row {
				if bare := strings.TrimLeft(cell, " \u00a0\u3000\n\r\t"); bare != "" && strings.IndexAny(bare, "=+-@＝＋－＠") == 0 || strings.IndexAny(cell, "\t\r\n") == 0 {
					t.Errorf("%s, column %s: %q is computed", s.file, column, cell)
				}
			}
		}
	}
}

// The table of changed customers is a contacts file: whoever copies it into their own reads the same customers.
func TestTheTableOfCustomersCanBeReadBack(t *testing.T) {
	o := openOffice(t, table)
	id := o.write(cti.WriteBack{Op: cti.CreateCustomer, Key: "k1", Record: cti.Record{Number: number.Parse("+86 138 0013 8000", "GB")}, New: cti.NewCustomer{Name: "=Dora", Company: "A, B", Status: "new"}})
	o.write(cti.WriteBack{Op: cti.AddNumber, Key: "k2", CustomerID: id, Record: cti.Record{Number: number.Parse("020 7946 0150", "GB")}})
	o.write(cti.WriteBack{Op: cti.AddTags, Key: "k3", CustomerID: id, Tags: []string{"vip", "late"}})
	back, err := readText(t, o.raw("changed-contacts.csv"), "GB")
	if err != nil {
		t.Fatal(err)
	}
	want := o.customer(id)
	want.Numbers = []string{"tel:+8613800138000", "tel:+442079460150"}
	if diff := cmp.Diff([]cti.Customer{want}, back.people); diff != "" || back.unknown != nil {
		t.Errorf("read back (-want +got):\n%s unknown %v", diff, back.unknown)
	}
}

// A table that is open in Excel cannot be written; the records are safe, who asks is told so, and it is written when it can be.
func TestATableThatCannotBeWrittenFollowsLater(t *testing.T) {
	o := openOffice(t, table)
	path := filepath.Join(o.folder, "out", "calls.csv")
	if err := os.MkdirAll(filepath.Join(path, "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	o.write(call("k1", "c1"))
	now := time.Now()
	o.keepTables(now)
	if _, err := o.Whoami(t.Context()); cti.KindOf(err) != cti.Offline || !strings.Contains(err.Error(), "close them in Excel") {
		t.Errorf("Whoami: %v, want offline and what to do", err)
	}
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
	o.keepTables(now.Add(again))
	if _, err := o.Whoami(t.Context()); err != nil {
		t.Errorf("Whoami: %v", err)
	}
	if rows := o.sheet("calls.csv"); len(rows) != 1 {
		t.Errorf("calls.csv has %d rows", len(rows))
	}
}
