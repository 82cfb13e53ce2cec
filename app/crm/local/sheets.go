package local

import (
	"bufio"
	"cmp"
	"encoding/csv"
	"errors"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/number"
)

// sheet is one of the tables in the folder, made of the journal for spreadsheets.
type sheet struct {
	file   string
	ops    []cti.Op // of which entries it is made, or changed
	header []string
	rows   func(v *view, write func([]string) error) error
}

var sheets = []sheet{
	{"calls.csv", []cti.Op{cti.LogCall, cti.AttachRecording}, []string{
		"started_at", "zone", "direction", "number", "customer_id", "customer", "ending", "outcome", "note", "talk_s", "hold_s", "ring_s", "queue_s", "wrap_s",
		"answered_at", "ended_at", "queue", "extension", "remote_name", "cause", "recording", "data", "case", "leg", "key",
	}, each(cti.LogCall, callRow)},
	{"tickets.csv", []cti.Op{cti.CreateTicket, cti.UpdateTicket, cti.SetStatus}, []string{
		"created_at", "zone", "customer_id", "customer", "subject", "body", "status", "priority", "queue", "owner", "type", "updated_at", "key",
	}, ticketRows},
	{"notes.csv", []cti.Op{cti.AddNote}, []string{"at", "zone", "customer_id", "customer", "ticket", "note", "key"}, each(cti.AddNote, noteRow)},
	{"tasks.csv", []cti.Op{cti.CreateTask}, []string{"created_at", "zone", "customer_id", "customer", "subject", "body", "due_at", "owner", "key"}, each(cti.CreateTask, taskRow)},
	{"changed-contacts.csv", peopleOps, []string{"id", "name", "company", "email", "phone", "tags", "status", "owner"}, contactRows},
}

func sheetOf(op cti.Op) string {
	for _, s := range sheets {
		if slices.Contains(s.ops, op) {
			return s.file
		}
	}
	return ""
}

// view is what the tables are made of, as it was at one moment.
type view struct {
	journal *journal
	records []record
	tickets []ticketRow
	people  []cti.Customer // who were made or changed here
	sounds  map[string]cti.Recording
	zone    *time.Location
}

type ticketRow struct {
	ticket

	draft cti.TicketDraft
}

// idle is how many times longer than they take there is nothing to do for the tables: with a year of calls they take a part of a second.
const idle = 20

// keepTables writes the tables that are behind.
func (l *Local) keepTables(now time.Time) {
	l.mu.RLock()
	behind := len(l.due) > 0
	l.mu.RUnlock()
	if !behind || now.Before(l.next) {
		return
	}
	began := time.Now()
	err := l.export()
	took := time.Since(began)
	l.next = now.Add(max(took*idle, every))
	if err != nil {
		l.next = now.Add(again)
		l.trouble(tableTrouble, err)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state.Trouble == tableTrouble {
		l.state.Trouble = ""
	}
}

const (
	// again is after how long tables are written again that could not be.
	again = 10 * time.Second

	tableTrouble = "the tables in the folder cannot be written (the records are safe): close them in Excel, or free the disk"
)

// export writes the tables that are behind; those that cannot be written stay behind.
func (l *Local) export() error {
	l.mu.Lock()
	due := l.due
	l.due = map[string]bool{}
	v := l.view()
	l.mu.Unlock()
	var errs []error
	for _, s := range sheets {
		if !due[s.file] {
			continue
		}
		if err := s.write(filepath.Join(l.folder, s.file), v); err != nil {
			errs = append(errs, err)
			l.mu.Lock()
			l.due[s.file] = true
			l.mu.Unlock()
		}
	}
	return errors.Join(errs...)
}

// view takes a view. The caller holds mu.
func (l *Local) view() *view {
	v := &view{journal: l.journal, sounds: maps.Clone(l.books.sounds), people: l.own.people, zone: l.zone, records: make([]record, 0, len(l.books.order))}
	for _, r := range l.books.order {
		v.records = append(v.records, *r)
		if r.op == cti.CreateTicket {
			t := l.books.tickets[r.key]
			v.tickets = append(v.tickets, ticketRow{*t, t.now()})
		}
	}
	slices.SortStableFunc(v.records, func(a, b record) int { return a.at.Compare(b.at) })
	return v
}

// write makes the whole table anew. A table without rows is not made.
func (s sheet) write(path string, v *view) error {
	if !s.any(v) {
		return nil
	}
	return writeWhole(path, func(w *bufio.Writer) error {
		if _, err := w.WriteString(utf8BOM); err != nil { // without it Excel takes UTF-8 for something else
			return err
		}
		rows := csv.NewWriter(w)
		rows.UseCRLF = true
		if err := rows.Write(s.header); err != nil {
			return err
		}
		if err := s.rows(v, func(cells []string) error { return rows.Write(inertRow(cells)) }); err != nil {
			return err
		}
		rows.Flush()
		return rows.Error()
	})
}

func (s sheet) any(v *view) bool {
	return slices.ContainsFunc(v.records, func(r record) bool { return slices.Contains(s.ops, r.op) })
}

// each makes a table of the entries of one operation.
func each(op cti.Op, row func(v *view, e entry) []string) func(*view, func([]string) error) error {
	return func(v *view, write func([]string) error) error {
		for _, r := range v.records {
			if r.op != op {
				continue
			}
			e, err := v.journal.read(r.place)
			if err == nil {
				err = write(row(v, e))
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
}

func callRow(v *view, e entry) []string {
	c := e.Call
	return []string{
		v.local(c.StartedAt), v.offset(c.StartedAt), string(c.Direction), phone(c.Number), e.CustomerID, e.Name, string(c.Ending), c.WrapUp.Outcome, c.WrapUp.Note,
		seconds(c.TalkMS), seconds(c.HoldMS), seconds(c.RingMS), seconds(c.QueueMS), seconds(c.WrapMS), v.local(c.AnsweredAt), v.local(c.EndedAt),
		c.Queue, c.Extension, c.RemoteName, c.Cause, cmp.Or(v.sounds[e.Key].URL, v.sounds[e.Key].ID), came(c.Data), c.Case, c.Leg, e.Key,
	}
}

// came is what came with a call, such as what was keyed into an IVR: a name and a value in each line.
func came(data map[string]string) string {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(data)) {
		lines = append(lines, name+": "+data[name])
	}
	return strings.Join(lines, "\n")
}

func ticketRows(v *view, write func([]string) error) error {
	for _, t := range v.tickets {
		d := t.draft
		err := write([]string{
			v.local(t.made), v.offset(t.made), t.customer, t.name, d.Subject, d.Body, d.Status, d.Priority, d.Queue, d.Owner, d.Type, v.local(t.updated), t.key,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func noteRow(v *view, e entry) []string {
	at := e.Note.At
	if at.IsZero() {
		at = e.At
	}
	ticket := ""
	if e.Ticket != nil {
		ticket = e.Ticket.ID
	}
	return []string{v.local(at), v.offset(at), e.CustomerID, e.Name, ticket, e.Note.Text, e.Key}
}

func taskRow(v *view, e entry) []string {
	return []string{v.local(e.At), v.offset(e.At), e.CustomerID, e.Name, e.Task.Subject, e.Task.Body, v.local(e.Task.DueAt), e.Task.Owner, e.Key}
}

// contactRows are customers as a contacts file has them: their rows can be copied into it. Behind a semicolon a tel URI would go on.
func contactRows(v *view, write func([]string) error) error {
	for _, c := range v.people {
		var numbers []string
		for _, raw := range c.Numbers {
			numbers = append(numbers, phone(cti.Number{Raw: raw}))
		}
		err := write([]string{c.ID, c.Name, c.Company, c.Email, strings.Join(numbers, " / "), strings.Join(c.Tags, ", "), c.Status, c.Owner})
		if err != nil {
			return err
		}
	}
	return nil
}

// local is a time as spreadsheets read it, on the clock of this computer; its offset stands beside it.
func (v *view) local(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(v.zone).Format(time.DateTime)
}

func (v *view) offset(t time.Time) string { return "UTC" + t.In(v.zone).Format("-07:00") }

func seconds(ms int64) string { return strconv.FormatFloat(float64(ms)/1000, 'f', 1, 64) }

// phone writes a number as a tel URI (RFC 3966). Bare, a spreadsheet takes +8613800138000 for a sum and shows 8.6138E+12, and takes the 0
// off 02079460123; an apostrophe before it is shown in a table that was opened as CSV. With the scheme it is text for all of them, begins with
// no sign of a formula, can be clicked, and is read back by Ringside.
func phone(n cti.Number) string {
	best := n.Best()
	if strings.Trim(best, "+0123456789") != "" || number.Digits(best) == "" {
		return best
	}
	return "tel:" + best
}

// formula is what a spreadsheet may read as one. The wide signs are read as the narrow ones where Chinese or Japanese is set; blanks before
// a sign do not hide it from every program.
var formula = regexp.MustCompile(`^(?:[\t\r\n]|[\s\x{a0}\x{3000}\x{feff}]*[=+\-@＝＋－＠])`)

// inertRow keeps a spreadsheet from computing what callers and agents write.
func inertRow(cells []string) []string {
	for i, cell := range cells {
		if formula.MatchString(cell) {
			cells[i] = "'" + cell
		}
	}
	return cells
}

// unescaped takes away what inertRow put before a cell: people copy rows of our tables into their own.
func unescaped(cell string) string {
	if rest, ok := strings.CutPrefix(cell, "'"); ok && formula.MatchString(rest) {
		return strings.TrimSpace(rest)
	}
	return cell
}
