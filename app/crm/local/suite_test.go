package local_test

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"ringside.dev/ringside/app/crm"
	"ringside.dev/ringside/app/crm/crmtest"
	"ringside.dev/ringside/app/crm/local"
	"ringside.dev/ringside/app/cti"
)

func TestLocalPassesTheSuite(t *testing.T) {
	folder := t.TempDir()
	contacts := filepath.Join(folder, "contacts.csv")
	table := "id,name,phone\nc1,Ada Lovelace,020 7946 0123\nc2,Same Tail,0117 946 0123\n"
	if err := os.WriteFile(contacts, []byte(table), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := local.Open(map[string]string{local.ParamContacts: contacts, local.ParamFolder: filepath.Join(folder, "out")}, "GB", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	l.Hold()
	lossy := &lossy{Local: l}
	rows := func(table, column, value string) []map[string]any {
		if err := l.Export(); err != nil {
			t.Fatal(err)
		}
		return rowsWith(t, filepath.Join(folder, "out", table), column, value)
	}
	calls := func(key string) []map[string]any { return rows("calls.csv", "key", key) }
	crmtest.Run(t, crmtest.Rig{
		Connector: lossy, Region: "GB", KnownID: "c1", OtherID: "c2",
		Spellings:  []string{"+442079460123", "02079460123", "00442079460123", "+44 (0)20 7946-0123", "sip:+442079460123@pbx.example", "０２０ ７９４６ ０１２３"},
		NearNumber: "+441179460123", UnknownNumber: "+442073335678",
		CountRecords:  func(key string) int { return len(calls(key)) },
		Record:        func(key string) map[string]any { return calls(key)[0] },
		DropNextWrite: func() { lossy.drop.Store(true) },
		Work: crmtest.Work{
			Count: func(op cti.Op, key string) int {
				if op == cti.CreateCustomer {
					return len(rows(made[op], "id", "own-"+key))
				}
				return len(rows(made[op], "key", key))
			},
			Tag:       "vip",
			Recording: func(id string) string { return fmt.Sprint(rows("calls.csv", "key", id)[0]["recording"]) },
		},
	})
}

// made names the tables in which operations make rows.
var made = map[cti.Op]string{
	cti.LogCall: "calls.csv", cti.CreateCustomer: "changed-contacts.csv", cti.CreateTicket: "tickets.csv", cti.AddNote: "notes.csv", cti.CreateTask: "tasks.csv",
}

// lossy is a connector whose process dies between a write and its answer.
type lossy struct {
	*local.Local

	drop atomic.Bool
}

var _ crm.Connector = (*lossy)(nil)

func (l *lossy) Write(ctx context.Context, w cti.WriteBack) (cti.Receipt, error) {
	receipt, err := l.Local.Write(ctx, w)
	if err == nil && l.drop.Swap(false) {
		return cti.Receipt{}, cti.Errorf(cti.Uncertain, "killed", nil)
	}
	return receipt, err
}

// rowsWith reads the rows with a value in a column out of a table as a spreadsheet sees them.
func rowsWith(t *testing.T, path, column, value string) (out []map[string]any) {
	t.Helper()
	f, err := os.Open(path)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(string(text), "\ufeff"))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows[1:] {
		cells := map[string]any{}
		for i, name := range rows[0] {
			cells[name] = row[i]
		}
		if cells[column] != value {
			continue
		}
		cells["id"], cells["contact_id"] = cells["key"], cells["customer_id"]
		if cells["contact_id"] == "" {
			cells["contact_id"] = nil
		}
		out = append(out, cells)
	}
	return out
}
