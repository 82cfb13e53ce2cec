package window

import (
	"context"
	"log/slog"
	"sync"

	"github.com/wailsapp/wails/v2/pkg/runtime"

	"ringside.dev/ringside/app"
	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/wire"
)

// Page is what the page in the window may call. Each method does one thing of the agent's and tells how it went.
type Page struct {
	agent *app.App
	log   *slog.Logger
	ctx   context.Context // Wails' own: its runtime calls want it
	alive sync.Once       // the page asked for its first snapshot
	warm  sync.Once       // and painted it
}

// Result tells whether a request was taken; Kind and Message are the refusal's.
type Result struct {
	OK      bool     `json:"ok"`
	Kind    cti.Kind `json:"kind,omitempty"`
	Message string   `json:"message,omitempty"`
}

// Found is what a search gives.
type Found struct {
	Result

	Customers []cti.Customer `json:"customers"`
}

func (p *Page) result(what string, err error) Result {
	if err == nil {
		return Result{OK: true}
	}
	p.log.Warn("request from the window refused", "what", what, "kind", cti.KindOf(err), "err", err)
	return Result{Kind: cti.KindOf(err), Message: cti.MessageOf(err)}
}

// Snapshot gives all there is to show.
func (p *Page) Snapshot() wire.Snapshot {
	p.alive.Do(func() {
		if !warmUp() {
			p.agent.WindowReady(showQuietly)
		}
	})
	return p.agent.Board().Snapshot()
}

// Command asks the phone to do something with a call.
func (p *Page) Command(leg, command, to string) Result {
	return p.result("command", p.agent.Command(p.ctx, leg, cti.Instruction{Command: cti.Command(command), To: to}))
}

// CallBack asks the phone to call the other party of a finished call.
func (p *Page) CallBack(leg string) Result {
	return p.result("call back", p.agent.CallBack(p.ctx, leg))
}

// Search finds customers by a number, a name, a company or an e-mail address.
func (p *Page) Search(text string) Found {
	found, err := p.agent.Search(p.ctx, text)
	return Found{Result: p.result("search", err), Customers: found}
}

// Create makes a customer of a call's caller.
func (p *Page) Create(leg, kind, name, company, email string) Result {
	return p.result("create", p.agent.CreateCustomer(p.ctx, leg, wire.CreateRequest{Type: kind, Name: name, Company: company, Email: email}))
}

// AttachCall says whom a call is with, and may add the caller's number to theirs.
func (p *Page) AttachCall(leg, customerID string, addNumber bool) Result {
	return p.result("attach", p.agent.AttachTo(p.ctx, leg, wire.AttachCallRequest{CustomerID: customerID, AddNumber: addNumber}))
}

// Choices is what a tag or a status can be.
type Choices struct {
	Result

	Options []cti.Option `json:"options"`
}

// Options gives the choices of a kind as the CRM has them.
func (p *Page) Options(kind string) Choices {
	list, err := p.agent.Options(p.ctx, kind)
	return Choices{Result: p.result("options", err), Options: list}
}

// ChangeTags adds one tag and removes another; empty is none.
func (p *Page) ChangeTags(leg, add, remove string) Result {
	var r wire.TagsRequest
	if add != "" {
		r.Add = []string{add}
	}
	if remove != "" {
		r.Remove = []string{remove}
	}
	return p.result("tags", p.agent.ChangeTags(p.ctx, leg, r))
}

// SetStatus sets the follow-up status of a call's customer.
func (p *Page) SetStatus(leg, status string) Result {
	return p.result("status", p.agent.SetStatus(p.ctx, leg, wire.StatusRequest{Status: status}))
}

// SetTicketStatus sets the status of a ticket on a card.
func (p *Page) SetTicketStatus(leg, ticket, status string) Result {
	return p.result("ticket status", p.agent.SetTicketStatus(p.ctx, leg, wire.TicketStatusRequest{Ticket: ticket, Status: status}))
}

// Wrong takes back whom a call is with.
func (p *Page) Wrong(leg string) Result { return p.result("wrong", p.agent.Wrong(p.ctx, leg)) }

// Pick says which of several customers it is.
func (p *Page) Pick(leg, customerID string) Result {
	return p.result("pick", p.agent.Pick(p.ctx, leg, customerID))
}

// SetPresence makes the agent ready, or not ready for a reason.
func (p *Page) SetPresence(state, reason string) Result {
	return p.result("presence", p.agent.SetPresence(p.ctx, wire.PresenceRequest{State: cti.Presence(state), Reason: reason}))
}

// SaveWrapUp saves outcome and note.
func (p *Page) SaveWrapUp(leg, outcome, note string) Result {
	return p.result("wrap-up", p.agent.WrapUp(p.ctx, leg, wire.WrapUpRequest{Outcome: outcome, Note: note}))
}

// DraftWrapUp keeps what is typed, without sending it.
func (p *Page) DraftWrapUp(leg, outcome, note string) Result {
	return p.result("draft", p.agent.WrapUp(p.ctx, leg, wire.WrapUpRequest{Outcome: outcome, Note: note, Draft: true}))
}

// Open opens a record in the CRM's own page, in the browser. The link is the connector's, restricted to its hosts.
func (p *Page) Open(_, kind, id string) Result {
	link, err := p.agent.Link(linkKinds[kind], id)
	if err == nil {
		runtime.BrowserOpenURL(p.ctx, link)
	}
	return p.result("open", err)
}

// linkKinds turns the page's words into the connectors'.
var linkKinds = map[string]string{"customer": "contact", "ticket": "ticket", "call": "call"}

// Dismiss takes a finished call's card away.
func (p *Page) Dismiss(leg string) Result { return p.result("dismiss", p.agent.Dismiss(p.ctx, leg)) }

// Copy puts text on the clipboard: what the agent must not lose when the disk takes nothing.
func (p *Page) Copy(text string) Result {
	return p.result("copy", runtime.ClipboardSetText(p.ctx, text))
}

// Hide hides the window; the next call shows it again.
func (p *Page) Hide() { runtime.WindowHide(p.ctx) }

// Painted is the page's word that it painted a card as of a delta.
func (p *Page) Painted(seq uint64, leg string) {
	p.agent.Painted(seq, leg)
	p.warm.Do(func() {
		endWarmUp()
		p.agent.WindowReady(showQuietly)
	})
}

func (p *Page) open(ctx context.Context) { p.ctx = ctx }

func (p *Page) quit() { runtime.Quit(p.ctx) }

// dial calls the numbers of links until ctx ends, and says why one cannot be called: who clicked it sees no page of ours.
func (p *Page) dial(ctx context.Context, links <-chan string) {
	for {
		select {
		case <-ctx.Done():
			return
		case link := <-links:
			if r := p.result("link", p.agent.Open(ctx, link)); !r.OK {
				_, _ = runtime.MessageDialog(p.ctx, runtime.MessageDialogOptions{Type: runtime.ErrorDialog, Title: title, Message: r.Message}) // there is one button
			}
		}
	}
}

// watch passes every delta to the page and shows the window for a call that asks for it, once.
func (p *Page) watch(ctx context.Context) {
	popped := map[string]popping{}
	for ctx.Err() == nil {
		first, deltas, cancel := p.agent.Board().Subscribe()
		// After it fell behind, the page sees the gap in the numbers and asks for a snapshot.
		runtime.EventsEmit(p.ctx, "delta", wire.Delta{V: wire.Version, Seq: first.Seq})
		for _, card := range first.Cards {
			if pops(&card, popped) {
				showQuietly()
			}
		}
		p.pass(ctx, deltas, popped)
		cancel()
	}
}

func (p *Page) pass(ctx context.Context, deltas <-chan wire.Delta, popped map[string]popping) {
	for {
		select {
		case <-ctx.Done():
			return
		case d, ok := <-deltas:
			if !ok {
				return
			}
			// The page first, so that it lays the card out while the window is being mapped.
			runtime.EventsEmit(p.ctx, "delta", d)
			if pops(d.Card, popped) {
				showQuietly()
			}
			if d.Drop != "" {
				delete(popped, d.Drop)
			}
		}
	}
}

// popping is how often a card got the window: once, and once more when it asked again.
type popping struct{ once, again bool }

// pops tells whether a card asks for the window and did not get it yet.
func pops(card *wire.Card, popped map[string]popping) bool {
	if card == nil || !card.Pop || card.State == cti.StateClosed {
		return false
	}
	now := popping{once: true, again: card.Again}
	if popped[card.Leg] == now {
		return false
	}
	popped[card.Leg] = now
	return true
}
