package outbox_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/outbox"
	"ringside.dev/ringside/store"
	"ringside.dev/ringside/store/storetest"
)

// crmOnPaper takes every write and keeps the newest of each key.
type crmOnPaper struct {
	mu      sync.Mutex
	records map[string]cti.WriteBack
	wrote   chan cti.WriteBack
}

func (c *crmOnPaper) Send(_ context.Context, w cti.WriteBack) (cti.Receipt, error) {
	c.mu.Lock()
	c.records[w.Key] = w
	c.mu.Unlock()
	c.wrote <- w
	return cti.Receipt{ID: "r " + w.Key}, nil
}

func (c *crmOnPaper) Repeat(cti.WriteBack) cti.Repeat { return cti.Repeat{Safe: true} }

func (c *crmOnPaper) Find(context.Context, cti.WriteBack) (cti.Receipt, error) {
	return cti.Receipt{}, cti.Errorf(cti.NotFound, "never asked", nil)
}

// With the real store: what a person does to delivered and to waiting items survives a restart, and the call list stays as it was.
func TestWithTheRealStoreAPersonsChangesReachTheCRMOnceAndTheCallListStays(t *testing.T) {
	dir := t.TempDir()
	s := storetest.OpenDir(t, dir)
	crm := &crmOnPaper{records: map[string]cti.WriteBack{}, wrote: make(chan cti.WriteBack, 16)}
	call, wrap, it := storetest.BigCall(1)
	o, stop := runOutbox(t, s, crm)
	if err := o.Accept(call, wrap, []cti.WriteBack{it.WriteBack}); err != nil {
		t.Fatal(err)
	}
	<-crm.wrote
	stop()

	items, err := s.Items(store.Filter{})
	if err != nil || len(items) != 1 || items[0].State != outbox.Done || items[0].Receipt.ID == "" {
		t.Fatalf("after the delivery: %+v, %v", items, err)
	}
	o, stop = runOutbox(t, s, crm)
	if err := o.Attach(items[0].Seq, "another customer"); err != nil {
		t.Fatal(err)
	}
	if w := <-crm.wrote; w.CustomerID != "another customer" || w.RecordID != items[0].Receipt.ID {
		t.Errorf("the CRM got customer %q for record %q", w.CustomerID, w.RecordID)
	}
	stop()

	if err := s.Settle(); err != nil {
		t.Fatal(err)
	}
	logged, err := s.Call(call.Leg)
	if err != nil || logged.WrapUp != wrap || !logged.Call.StartedAt.Equal(call.StartedAt) {
		t.Errorf("the call list has %+v, %v", logged, err)
	}
	if calls, err := s.Calls(10); err != nil || len(calls) != 1 {
		t.Errorf("the call list has %d calls, %v; want the one", len(calls), err)
	}
}

// runOutbox runs an outbox over a store; stop ends it and waits until everything it knew is written down.
func runOutbox(t *testing.T, s *store.Store, sender outbox.Sender) (o *outbox.Outbox, stop func()) {
	t.Helper()
	o, err := outbox.New(s, sender, func(outbox.Progress) {}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	ended := make(chan error, 1)
	go func() { ended <- o.Run(ctx) }()
	return o, func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}
