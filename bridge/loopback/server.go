// Package loopback is the local API: HTTP over a per-user Unix socket or Windows named pipe, one gate and one table of routes, a
// snapshot and then deltas for those who watch. No TCP port is opened. It must not know how the agent does what it is asked.
package loopback

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/wire"
)

// Host is the host name every request must carry: nothing that thinks it speaks to a web server gets in by accident.
const Host = "ringside"

// The limits of the server.
const (
	maxBody       = 256 << 10
	headerTimeout = 5 * time.Second
	writeTimeout  = 30 * time.Second // for a whole answer; longer than the three seconds a command may take
	deltaTimeout  = 5 * time.Second  // for one delta: a reader who stops reading is cut off
	closeTimeout  = 3 * time.Second
)

// Server answers on one listener.
type Server struct {
	agent Agent
	log   *slog.Logger
}

// NewServer makes a server for an agent.
func NewServer(a Agent, log *slog.Logger) *Server { return &Server{agent: a, log: log} }

// Serve answers until ctx ends and returns after every request has ended. The listener (see Listen) already let in only this user.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	var open sync.WaitGroup // connections; only Serve's own goroutine adds to it
	server := &http.Server{Handler: s.Handler(), ReadHeaderTimeout: headerTimeout, WriteTimeout: writeTimeout,
		BaseContext: func(net.Listener) context.Context { return ctx },
		ErrorLog:    slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		ConnState: func(_ net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew:
				open.Add(1)
			case http.StateClosed, http.StateHijacked:
				open.Done()
			case http.StateActive, http.StateIdle:
			}
		}}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	defer open.Wait()
	select {
	case err := <-failed:
		return errors.Join(fmt.Errorf("local API: %w", err), server.Close())
	case <-ctx.Done():
	}
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	err := server.Shutdown(closing)
	if errors.Is(err, context.DeadlineExceeded) { // somebody connected and says nothing, or does not read
		err = server.Close()
	}
	if served := <-failed; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// Handler is the gate with the routes behind it.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	for _, rt := range routes {
		mux.HandleFunc(rt.pattern, func(w http.ResponseWriter, r *http.Request) {
			if !allowed(rt.needs) {
				s.refuse(w, r, cti.Errorf(cti.Denied, "you are not allowed to do this", nil))
				return
			}
			if rt.stream != nil {
				rt.stream(s, w, r)
				return
			}
			answer, err := rt.serve(s.agent, r)
			if err != nil {
				s.refuse(w, r, err)
				return
			}
			s.answer(w, http.StatusOK, answer)
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.refuse(w, r, cti.Errorf(cti.NotFound, "there is no such route; this may be another version of Ringside", nil))
	})
	return s.gate(mux)
}

// allowed: until roles come, whoever passes the gate has every permission there is.
func allowed(needs permission) bool {
	switch needs {
	case see, act, operate:
		return true
	default:
		return false
	}
}

// gate: Host, Origin, size, in that order, before any routing. Who may connect at all was decided by the socket or the pipe.
func (s *Server) gate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Host != Host:
			s.refuse(w, r, cti.Errorf(cti.Denied, "this is not a web server", nil))
		case r.Header.Get("Origin") != "" || r.Header.Get("Sec-Fetch-Site") != "":
			s.refuse(w, r, cti.Errorf(cti.Denied, "web pages are not let in", nil))
		default:
			r.Body = http.MaxBytesReader(w, r.Body, maxBody)
			next.ServeHTTP(w, r)
		}
	})
}

func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, context.Canceled) {
		err = cti.Errorf(cti.Offline, "Ringside is closing", err)
	}
	kind, message := cti.KindOf(err), cti.MessageOf(err)
	status, known := httpStatus[kind]
	if !known || kind == cti.Internal {
		s.log.Error("local API request failed", "path", r.URL.Path, "err", err)
		kind, status, message = cti.Internal, http.StatusInternalServerError, "something went wrong inside Ringside: see its log"
	}
	s.answer(w, status, wire.Problem{Kind: kind, Message: message, RetryAfterMS: cti.RetryAfter(err).Milliseconds()})
}

func (s *Server) answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(v); err != nil {
		s.log.Debug("answer not delivered", "err", err)
	}
}

// lines writes values as JSON, one a line, until the reader goes.
type lines struct {
	encoder *json.Encoder
	control *http.ResponseController
}

func newLines(w http.ResponseWriter) lines {
	w.Header().Set("Content-Type", "application/x-ndjson")
	return lines{json.NewEncoder(w), http.NewResponseController(w)}
}

func (l lines) write(v any) error {
	if err := l.control.SetWriteDeadline(time.Now().Add(deltaTimeout)); err != nil {
		return err
	}
	if err := l.encoder.Encode(v); err != nil {
		return err
	}
	return l.control.Flush()
}

// stream writes the snapshot and then each delta, until the reader goes or falls behind.
func (s *Server) stream(w http.ResponseWriter, r *http.Request) {
	first, deltas, cancel := s.agent.Board.Subscribe()
	defer cancel()
	out := newLines(w)
	if out.write(first) != nil {
		return // the reader went
	}
	for {
		select {
		case <-r.Context().Done():
			return
		case d, ok := <-deltas:
			if !ok || out.write(d) != nil {
				return
			}
		}
	}
}

// events writes canonical events.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	out := newLines(w)
	q := wire.EventQuery{Follow: r.URL.Query().Has("follow"), Mask: r.URL.Query().Has("mask")}
	if out.control.Flush() != nil {
		return
	}
	if err := s.agent.Events(r.Context(), q, func(e cti.Event) error { return out.write(e) }); err != nil {
		s.log.Debug("who followed the events went", "err", err)
	}
}

// frames writes what a source's phone sends and is sent, from now on.
func (s *Server) frames(w http.ResponseWriter, r *http.Request) {
	frames, stop, err := s.agent.Record(r.PathValue("source"))
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	defer stop()
	out := newLines(w)
	for err = out.control.Flush(); err == nil; {
		select {
		case <-r.Context().Done():
			return
		case f := <-frames:
			err = out.write(f)
		}
	}
}
