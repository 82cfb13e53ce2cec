package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"golang.org/x/sys/windows/svc"
	"golang.org/x/sys/windows/svc/eventlog"

	"ringside.dev/ringside/app/cti"
)

// relayService is the relay's name as a service, and in the event log.
const relayService = "RingsideRelay"

// asService runs what Windows's service manager started, and tells that what it wants to know; the log goes to the event log.
func asService(run func(ctx context.Context, log io.Writer, started func()) error) (err error) {
	events, err := eventlog.Open(relayService)
	if err != nil {
		return fmt.Errorf("open the event log: %w", err)
	}
	defer func() { err = errors.Join(err, events.Close()) }()
	s := &service{run: func(ctx context.Context, started func()) error { return run(ctx, eventLog{events}, started) }}
	if err := svc.Run(relayService, s); err != nil {
		return cti.Errorf(cti.Invalid, "--service is for the service manager alone: start it with sc.exe start "+relayService, err)
	}
	if s.err != nil {
		return errors.Join(s.err, events.Error(eventID, s.err.Error()))
	}
	return nil
}

// service is what the service manager starts and stops.
type service struct {
	run func(ctx context.Context, started func()) error
	err error // why it ended by itself
}

// Execute is svc.Handler: a relay that ends by itself fails, so that the service's recovery starts it again.
func (s *service) Execute(_ []string, requests <-chan svc.ChangeRequest, status chan<- svc.Status) (specific bool, code uint32) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	status <- svc.Status{State: svc.StartPending}
	started, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- s.run(ctx, sync.OnceFunc(func() { close(started) })) }()
	for {
		select {
		case <-started:
			status <- svc.Status{State: svc.Running, Accepts: svc.AcceptStop | svc.AcceptShutdown}
			started = nil
		case s.err = <-ended:
			status <- svc.Status{State: svc.StopPending}
			if s.err != nil {
				return true, uint32(ExitCode(s.err)) //nolint:gosec // a small number
			}
			return false, 0
		case r := <-requests:
			switch r.Cmd {
			case svc.Interrogate:
				status <- r.CurrentStatus
			case svc.Stop, svc.Shutdown:
				status <- svc.Status{State: svc.StopPending}
				cancel()
			default: // not accepted
			}
		}
	}
}

// eventID is that of all our entries; the text says what happened.
const eventID = 1

// eventLog makes entries of a log's lines.
type eventLog struct{ *eventlog.Log }

func (l eventLog) Write(line []byte) (int, error) {
	write := l.Info
	switch {
	case bytes.Contains(line, []byte(" level=ERROR ")):
		write = l.Error
	case bytes.Contains(line, []byte(" level=WARN ")):
		write = l.Warning
	}
	return len(line), write(eventID, string(bytes.TrimSpace(line)))
}
