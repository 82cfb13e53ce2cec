package local_test

import (
	"context"
	"encoding/csv"
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
	calls := func(key string) []map[string]any {
		if err := l.Export(); err != nil {
			t.Fatal(err)
		}
		return callsWith(t, filepath.Join(folder, "out", "calls.csv"), key)
	}
	crmtest.Run(t, crmtest.Rig{
		Connector: lossy, Region: "GB", KnownID: "c1", OtherID: "c2",
		Spellings:  []string{"+442079460123", "02079460123", "00442079460123", "+44 (0)20 7946-0123", "sip:+442079460123@pbx.example", "０２０ ７９４６ ０１２３"},
		NearNumber: "+441179460123", UnknownNumber: "+442073335678",
		CountRecords:  func(key string) int { return len(calls(key)) },
		Record:        func(key string) map[string]any { return calls(key)[0] },
		DropNextWrite: func() { lossy.drop.Store(true) },
	})
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

// callsWith reads the rows with a key out of the table as a spreadsheet sees them.
func callsWith(t *testing.T, path, key string) (out []map[string]any) {
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
		if cells["key"] != key {
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
