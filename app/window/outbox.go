package window

import (
	"io"
	"strings"
	"time"

	"github.com/wailsapp/wails/v2/pkg/runtime"

	"ringside.dev/ringside/app"
	"ringside.dev/ringside/bridge/wire"
)

// What the page may do with the records that have not reached the CRM.

// Listed is a part of the outbox, or why there is none.
type Listed struct {
	Result
	Items []wire.OutboxItem `json:"items"`
}

// Outbox lists items of a state, by Seq, behind the item after.
func (p *Page) Outbox(state string, limit int, after uint64) Listed {
	q := wire.OutboxQuery{State: wire.WriteState(state), Limit: min(max(limit, 1), wire.MaxOutboxPage), After: after}
	items, err := p.agent.OutboxItems(q)
	return Listed{Result: p.result("outbox", err), Items: items}
}

// Retry makes an item due now.
func (p *Page) Retry(seq uint64) Result { return p.result("retry", p.agent.Retry(seq)) }

// RetryAll makes all items due that need no person.
func (p *Page) RetryAll() Result {
	_, err := p.agent.RetryAll()
	return p.result("retry all", err)
}

// Edit replaces outcome and note of an item.
func (p *Page) Edit(seq uint64, outcome, note string) Result {
	return p.result("edit", p.agent.EditItem(p.ctx, seq, wire.EditRequest{Outcome: outcome, Note: note}))
}

// Attach says whom an item is for.
func (p *Page) Attach(seq uint64, customerID string) Result {
	return p.result("attach", p.agent.Attach(p.ctx, seq, customerID))
}

// Discard takes an item out of the outbox for good.
func (p *Page) Discard(seq uint64, reason string) Result {
	return p.result("discard", p.agent.Discard(seq, reason))
}

// CopyOutbox puts the whole outbox on the clipboard, as CSV.
func (p *Page) CopyOutbox() Result {
	var text strings.Builder
	err := p.agent.ExportOutbox(&text, wire.CSV)
	if err == nil {
		err = runtime.ClipboardSetText(p.ctx, strings.TrimPrefix(text.String(), "\uFEFF"))
	}
	return p.result("copy outbox", err)
}

// SaveOutbox writes the whole outbox into a file the person chooses, as CSV. Message is the file, or empty when none was chosen.
func (p *Page) SaveOutbox(title string) Result {
	path, err := runtime.SaveFileDialog(p.ctx, runtime.SaveDialogOptions{Title: title,
		DefaultFilename: "ringside-" + time.Now().Format("2006-01-02") + ".csv",
		Filters:         []runtime.FileFilter{{DisplayName: "CSV", Pattern: "*.csv"}}})
	if err == nil && path != "" {
		err = app.WriteWhole(path, func(w io.Writer) error { return p.agent.ExportOutbox(w, wire.CSV) })
	}
	result := p.result("save outbox", err)
	if result.OK {
		result.Message = path
	}
	return result
}
