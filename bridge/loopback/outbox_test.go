package loopback_test

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/loopback"
	"ringside.dev/ringside/bridge/wire"
)

// reads asks an agent for what a path gives.
func reads(t *testing.T, a loopback.Agent, path string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
	r.Host = loopback.Host
	w := httptest.NewRecorder()
	loopback.NewServer(a, new(recorder).log()).Handler().ServeHTTP(w, r)
	return w
}

func TestAListIsAskedForAsTheQuerySays(t *testing.T) {
	for path, want := range map[string]wire.OutboxQuery{
		"/v1/outbox": {Limit: 200},
		"/v1/outbox?state=review&limit=7&after=42":  {State: wire.WriteReview, Limit: 7, After: 42},
		"/v1/outbox?state=waiting&limit=1000":       {State: wire.WriteWaiting, Limit: 1000},
		"/v1/outbox?after=18446744073709551615":     {Limit: 200, After: 1<<64 - 1},
		"/v1/outbox?state=reconciling&limit=&after": {State: wire.WriteReconciling, Limit: 200},
	} {
		var got wire.OutboxQuery
		a := fake()
		a.Outbox = func(q wire.OutboxQuery) ([]wire.OutboxItem, error) { got = q; return []wire.OutboxItem{}, nil }
		if w := reads(t, a, path); w.Code != http.StatusOK {
			t.Errorf("%s is answered %d %s", path, w.Code, w.Body)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
}

func TestAnExportIsOfItsFormat(t *testing.T) {
	a := fake()
	a.Outbox = func(q wire.OutboxQuery) ([]wire.OutboxItem, error) {
		if q.After > 0 {
			return nil, nil
		}
		return []wire.OutboxItem{{Seq: 4, Name: "=1+1"}}, nil
	}
	for path, want := range map[string]struct{ kind, text string }{
		"/v1/outbox/export":             {"text/csv; charset=utf-8", "'=1+1"},
		"/v1/outbox/export?format=csv":  {"text/csv; charset=utf-8", "\uFEFFitem,state,"},
		"/v1/outbox/export?format=json": {"application/json", `"name":"=1+1"`},
	} {
		w := reads(t, a, path)
		if got := w.Header().Get("Content-Type"); got != want.kind || !strings.Contains(w.Body.String(), want.text) {
			t.Errorf("%s is %q: %s", path, got, w.Body)
		}
	}
}

func TestAnExportThatCannotBeginIsRefused(t *testing.T) {
	a := fake()
	a.Outbox = func(wire.OutboxQuery) ([]wire.OutboxItem, error) {
		return nil, cti.Errorf(cti.Offline, "the store is being rebuilt: try again in a moment", nil)
	}
	w := reads(t, a, "/v1/outbox/export")
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Content-Type") != "application/json" || !strings.Contains(w.Body.String(), "being rebuilt") {
		t.Errorf("answered %d %s %s", w.Code, w.Header().Get("Content-Type"), w.Body)
	}
}

// A list that broke off must not look like a short one.
func TestAnExportThatBreaksOffIsCutAndNotEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := fake()
		a.Outbox = func(q wire.OutboxQuery) ([]wire.OutboxItem, error) {
			if q.After > 0 {
				return nil, errors.New("the disk went")
			}
			return []wire.OutboxItem{{Seq: 4}}, nil
		}
		l := newPipes()
		stop := serve(t, a, l)
		conn := l.dial()
		request(t, conn, http.MethodGet, "/v1/outbox/export", "")
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(res.Body)
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("the list ended with %v after %q", err, text)
		}
		if err := stop(); err != nil {
			t.Errorf("Serve returned %v", err)
		}
	})
}

// A hundred thousand items may take longer than one answer is given; what counts is that the reader goes on reading.
func TestALongExportTakesItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const pages = 20
		a := fake()
		a.Outbox = func(q wire.OutboxQuery) ([]wire.OutboxItem, error) {
			time.Sleep(5 * time.Second) //nolint:forbidigo // in fake time: the disk is slow
			if q.After == pages {
				return nil, nil
			}
			return []wire.OutboxItem{{Seq: q.After + 1, Note: strings.Repeat("x", 8<<10)}}, nil
		}
		l := newPipes()
		stop := serve(t, a, l)
		conn := l.dial()
		request(t, conn, http.MethodGet, "/v1/outbox/export", "")
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(res.Body)
		if lines := strings.Count(string(text), "\r\n"); err != nil || lines != pages+1 {
			t.Errorf("%d lines came, then %v", lines, err)
		}
		if err := stop(); err != nil {
			t.Errorf("Serve returned %v", err)
		}
	})
}
