package wire

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"slices"
	"strconv"
	"time"

	"ringside.dev/ringside/app/cti"
)

// Format is how a list is written for other programs.
type Format string

// The formats.
const (
	CSV  Format = "csv"  // for spreadsheets: UTF-8 with a byte order mark, so that Excel reads Chinese
	JSON Format = "json" // one list of OutboxItem
)

// Formats are all of them.
var Formats = []Format{CSV, JSON}

// ExportOutbox writes all that has not reached the CRM, page by page, so that a long list needs no more memory than a short one.
// What it wrote before an error is not a whole list; as JSON it is not even closed.
func ExportOutbox(w io.Writer, f Format, list func(OutboxQuery) ([]OutboxItem, error)) error {
	if !slices.Contains(Formats, f) {
		return cti.Errorf(cti.Invalid, "format must be csv or json", nil)
	}
	items, err := list(OutboxQuery{Limit: MaxOutboxPage}) // before anything is written: it may be refused
	if err != nil {
		return err
	}
	buffered := bufio.NewWriter(w)
	write, end := jsonRows(buffered)
	if f == CSV {
		write, end = csvRows(buffered)
	}
	for ; err == nil && len(items) > 0; items, err = list(OutboxQuery{Limit: MaxOutboxPage, After: items[len(items)-1].Seq}) {
		for _, it := range items {
			if err := write(it); err != nil {
				return err
			}
		}
	}
	if err != nil {
		return errors.Join(err, buffered.Flush())
	}
	return errors.Join(end(), buffered.Flush())
}

func jsonRows(w *bufio.Writer) (write func(OutboxItem) error, end func() error) {
	before := "["
	write = func(it OutboxItem) error {
		text, err := json.Marshal(it)
		if err != nil {
			return err
		}
		if _, err = w.WriteString(before + "\n"); err == nil {
			_, err = w.Write(text)
		}
		before = ","
		return err
	}
	return write, func() error {
		closing := "\n]\n"
		if before == "[" {
			closing = "[]\n"
		}
		_, err := w.WriteString(closing)
		return err
	}
}

// columns are the CSV's, by the names of the JSON's fields.
var columns = []string{"item", "state", "op", "started_at", "direction", "number", "name", "customer_id", "ending", "talk_s", "outcome", "note",
	"created_at", "due", "attempts", "kind", "message", "begun", "key", "leg"}

func csvRows(w *bufio.Writer) (write func(OutboxItem) error, end func() error) {
	rows := csv.NewWriter(w)
	rows.UseCRLF = true
	begin := func() error {
		_, err := w.WriteString("\uFEFF")
		return errors.Join(err, rows.Write(columns))
	}
	started := false
	write = func(it OutboxItem) error {
		if !started {
			started = true
			if err := begin(); err != nil {
				return err
			}
		}
		return rows.Write(cells(it))
	}
	return write, func() error {
		var err error
		if !started {
			err = begin()
		}
		rows.Flush()
		return errors.Join(err, rows.Error())
	}
}

func cells(it OutboxItem) []string {
	row := []string{strconv.FormatUint(it.Seq, 10), string(it.State), string(it.Op), stamp(it.StartedAt), string(it.Direction), it.Number.Best(), it.Name,
		it.CustomerID, string(it.Ending), strconv.FormatFloat(float64(it.TalkMS)/1000, 'f', 1, 64), it.Outcome, it.Note, stamp(it.CreatedAt), stamp(it.Due),
		strconv.Itoa(it.Attempts), string(it.Kind), it.Message, stamp(it.Begun), it.Key, it.Leg}
	for i, cell := range row {
		row[i] = inert(cell)
	}
	return row
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// formula is what a spreadsheet may read as one. The wide signs are read as the narrow ones where Chinese or Japanese is set; blanks
// before a sign do not hide it from every program.
var formula = regexp.MustCompile(`^(?:[\t\r\n]|[\s\x{a0}\x{3000}\x{feff}]*[=+\-@＝＋－＠])`)

// inert keeps a spreadsheet from computing what callers choose as their names; telephone numbers begin with a plus, too.
func inert(cell string) string {
	if formula.MatchString(cell) {
		return "'" + cell
	}
	return cell
}
