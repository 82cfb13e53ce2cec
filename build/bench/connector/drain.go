package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"ringside.dev/ringside/app/crm"
	"ringside.dev/ringside/app/crm/sandbox"
	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/number"
	"ringside.dev/ringside/app/outbox"
	"ringside.dev/ringside/app/secret"
	"ringside.dev/ringside/store"
)

var quiet = slog.New(slog.DiscardHandler)

// sender is the engine as the outbox has it.
type sender struct{ *crm.Engine }

func (s sender) Send(ctx context.Context, w cti.WriteBack) (cti.Receipt, error) {
	return s.Write(ctx, w)
}

// queue is a store and an outbox in a folder of their own, in front of a connector.
type queue struct {
	dir   string
	store *store.Store
	box   *outbox.Outbox
	stop  context.CancelFunc
	ended chan error
}

func openQueue(ctx context.Context, e *crm.Engine) (*queue, error) {
	dir, err := os.MkdirTemp("", "ringside-bench-")
	if err != nil {
		return nil, err
	}
	keys, err := secret.NewRing()
	if err != nil {
		return nil, err
	}
	s, err := store.Open(store.Options{Dir: dir, Keys: keys, Log: quiet})
	if err != nil {
		return nil, err
	}
	box, err := outbox.New(s, sender{e}, func(outbox.Progress) {}, quiet)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	ctx, stop := context.WithCancel(ctx)
	q := &queue{dir, s, box, stop, make(chan error, 1)}
	go func() { q.ended <- box.Run(ctx) }()
	return q, nil
}

func (q *queue) close() error {
	q.stop()
	return errors.Join(<-q.ended, q.store.Close(), os.RemoveAll(q.dir))
}

// accept queues n calls of n callers.
func (q *queue) accept(n int) error {
	const each = 100
	for first := 0; first < n; first += each {
		var writes []cti.WriteBack
		for i := first; i < min(n, first+each); i++ {
			writes = append(writes, writeBack(i))
		}
		if err := q.box.Accept(cti.Call{}, cti.WrapUp{}, writes); err != nil {
			return err
		}
	}
	return nil
}

func writeBack(i int) cti.WriteBack {
	start := time.Now().UTC().Truncate(time.Second).Add(-time.Hour)
	leg := cti.ID("bench", fmt.Sprint(i))
	record := cti.Record{
		Key: cti.WriteKey("bench", leg, cti.LogCall, 0), Case: leg, Leg: leg, Direction: cti.In, Number: number.Parse(fmt.Sprintf("139%08d", i), "CN"),
		Extension: "1001", StartedAt: start, AnsweredAt: start.Add(5 * time.Second), EndedAt: start.Add(time.Minute), RingMS: 5000, TalkMS: 55000,
		Ending: cti.EndAnswered, Cause: string(cti.CauseNormal), WrapUp: cti.WrapUp{Outcome: "Done", Note: "下周二送货", SavedAt: start.Add(2 * time.Minute)},
	}
	return cti.WriteBack{Op: cti.LogCall, Key: record.Key, Leg: leg, Identity: cti.IdentityKnown, Record: record}
}

// empty waits until everything is delivered.
func (q *queue) empty(ctx context.Context) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		c := q.box.Counts()
		if c.Review > 0 {
			return fmt.Errorf("%d write-backs need a person", c.Review)
		}
		if c.Waiting == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

type drain struct {
	took, ideal                time.Duration
	refusedFirst, refusedLater int64
}

// drainRun empties a backlog at the rate that the CRM allows and the connector's file says.
func drainRun(ctx context.Context, n int, rate float64) (out drain, err error) {
	crmServer, err := sandbox.Start(ctx, sandbox.Options{Log: quiet})
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, crmServer.Close()) }()
	if err := crmServer.SetTraits(sandbox.Traits{PerSecond: rate, Burst: int(rate)}); err != nil {
		return out, err
	}
	e, remove, err := openSandbox(crmServer.URL(), fmt.Sprintf("limits: {concurrency: 8, buckets: [{id: api, max: %d, per: 1s}]}\n\noperations:\n", int(rate)))
	if err != nil {
		return out, err
	}
	defer remove()
	q, err := openQueue(ctx, e)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, q.close()) }()
	window := time.AfterFunc(2*time.Second, func() { out.refusedFirst = crmServer.Stats().Limited })
	defer window.Stop()
	began := time.Now()
	if err := q.accept(n); err != nil {
		return out, err
	}
	if err := q.empty(ctx); err != nil {
		return out, err
	}
	out.took = time.Since(began).Round(time.Millisecond)
	out.ideal = time.Duration((float64(n) - rate) / rate * float64(time.Second)) // the burst goes at once
	out.refusedLater = crmServer.Stats().Limited - out.refusedFirst
	return out, nil
}

// openSandbox opens the training CRM's preset with other limits.
func openSandbox(base, limits string) (e *crm.Engine, remove func(), err error) {
	text, err := os.ReadFile(filepath.Join("app", "crm", "presets", "sandbox.yaml"))
	if err != nil {
		return nil, nil, fmt.Errorf("run it where the project is: %w", err)
	}
	file, err := os.CreateTemp("", "ringside-bench-*.yaml")
	if err != nil {
		return nil, nil, err
	}
	_, err = file.WriteString(strings.Replace(string(text), "operations:\n", limits, 1))
	if err := errors.Join(err, file.Close()); err != nil {
		return nil, nil, err
	}
	e, err = crm.Open(crm.Config{Connector: file.Name(), Params: map[string]string{"base_url": base, "token": sandbox.DefaultToken}, Region: "CN", Log: quiet})
	return e, func() { _ = os.Remove(file.Name()) }, err // a temporary file
}

type lost struct {
	lost, records, keys int
	took                time.Duration
}

// lostRun writes through a server that does every third write and does not answer.
func lostRun(ctx context.Context, n int) (out lost, err error) {
	crmServer, err := sandbox.Start(ctx, sandbox.Options{Log: quiet})
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, crmServer.Close()) }()
	target, err := url.Parse(crmServer.URL())
	if err != nil {
		return out, err
	}
	var writes, dropped atomic.Int64
	through := httputil.NewSingleHostReverseProxy(target)
	door := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet || writes.Add(1)%3 != 0 {
			through.ServeHTTP(w, r)
			return
		}
		through.ServeHTTP(httptest.NewRecorder(), r)
		dropped.Add(1)
		panic(http.ErrAbortHandler) // cuts the connection
	}))
	door.Config.ErrorLog = slog.NewLogLogger(quiet.Handler(), slog.LevelError)
	defer door.Close()
	e, remove, err := openSandbox(door.URL, "operations:\n")
	if err != nil {
		return out, err
	}
	defer remove()
	q, err := openQueue(ctx, e)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, q.close()) }()
	began := time.Now()
	if err := q.accept(n); err != nil {
		return out, err
	}
	if err := q.empty(ctx); err != nil {
		return out, err
	}
	keys := map[string]bool{}
	for i := range n {
		keys[writeBack(i).Key] = false
	}
	for _, c := range crmServer.Calls() {
		if _, ours := keys[c.ExternalKey]; ours {
			keys[c.ExternalKey] = true
			out.records++
		}
	}
	for _, there := range keys {
		if there {
			out.keys++
		}
	}
	out.lost, out.took = int(dropped.Load()), time.Since(began).Round(time.Millisecond)
	return out, nil
}
