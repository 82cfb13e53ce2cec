package client_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/wire"
)

// giving is an agent whose outbox is these pages, and then the error.
func giving(t *testing.T, format wire.Format, to io.Writer, last error, pages ...[]wire.OutboxItem) error {
	t.Helper()
	a := recording(new(heard), nil)
	asked := 0
	a.Outbox = func(wire.OutboxQuery) ([]wire.OutboxItem, error) {
		asked++
		if asked > len(pages) {
			return nil, last
		}
		return pages[asked-1], nil
	}
	c, _ := connect(t, a)
	return c.Export(t.Context(), format, to)
}

func TestAnExportBringsWhatTheAgentWrote(t *testing.T) {
	var got, want bytes.Buffer
	pages := [][]wire.OutboxItem{{{Seq: 1, Name: "陈"}}, {{Seq: 2, Note: "=1"}}}
	if err := giving(t, wire.CSV, &got, nil, pages...); err != nil {
		t.Fatal(err)
	}
	if err := wire.ExportOutbox(&want, wire.CSV, func(q wire.OutboxQuery) ([]wire.OutboxItem, error) { return append(pages, nil)[q.After], nil }); err != nil {
		t.Fatal(err)
	}
	if got.String() != want.String() {
		t.Errorf("it brought %q, want %q", &got, &want)
	}
}

func TestAnExportThatBreaksOffIsAnError(t *testing.T) {
	err := giving(t, wire.CSV, io.Discard, errors.New("the disk went"), []wire.OutboxItem{{Seq: 1}})
	if cti.KindOf(err) != cti.Offline || cti.MessageOf(err) != "the list broke off: it is not whole" {
		t.Errorf("the error is %v", err)
	}
}

type full struct{}

var errFull = errors.New("no space left on device")

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestAnExportKeepsItsWritersError(t *testing.T) {
	if err := giving(t, wire.CSV, full{}, nil, []wire.OutboxItem{{Seq: 1}}); !errors.Is(err, errFull) || cti.KindOf(err) == cti.Offline {
		t.Errorf("the error is %v", err)
	}
}
