package baresip

import (
	"maps"
	"slices"
	"sync"

	"ringside.dev/ringside/app/cti"
)

// aside is what a leg is besides a customer's call; the zero value: nothing.
type aside struct {
	purpose cti.Purpose
	main    string // leg of the call it is about
}

// plans is what was asked for and the phone has yet to show: it does not say of an event which command it comes from. Commands write
// it and the reader of the connection reads it.
type plans struct {
	mu        sync.Mutex
	next      aside             // of the outbound attempt that a command is about to begin
	transfers map[string]string // by SIP Call-ID: to whom the call is being given
}

func newPlans() *plans { return &plans{transfers: map[string]string{}} }

func (p *plans) setAside(a aside) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next = a
}

func (p *plans) takeAside() aside {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := p.next
	p.next = aside{}
	return a
}

// transfer notes to whom a call is being given; "" forgets it.
func (p *plans) transfer(id, to string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.transfers, id)
	if to == "" {
		return
	}
	if len(p.transfers) >= maxCalls {
		delete(p.transfers, slices.Min(slices.Collect(maps.Keys(p.transfers))))
	}
	p.transfers[id] = to
}

func (p *plans) transferTo(id string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.transfers[id]
}
