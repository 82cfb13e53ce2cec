package relay

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"sync"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge"
	"ringside.dev/ringside/bridge/loopback"
	"ringside.dev/ringside/bridge/relayed"
	"ringside.dev/ringside/bridge/tape"
)

// record sends what an exchange sends and is sent, a frame a line after the report, until the administrator hangs up or the relay stops.
func (r *Relay) record(ctx context.Context, c net.Conn, name string) {
	deck, err := r.deck(name)
	out := json.NewEncoder(c)
	if out.Encode(Report{Problem: relayed.Refuse(err)}) != nil || err != nil {
		return
	}
	frames, stop := deck.Listen()
	defer stop()
	r.log.Info("an exchange is recorded", "name", name)
	if err := c.SetReadDeadline(time.Time{}); err != nil {
		return
	}
	gone := make(chan struct{})
	var reader sync.WaitGroup
	reader.Go(func() {
		_, _ = io.Copy(io.Discard, c) // says nothing more, until it hangs up
		close(gone)
	})
	defer reader.Wait()
	defer hangUp(c)
	for {
		select {
		case <-ctx.Done():
			return
		case <-gone:
			return
		case f := <-frames:
			if c.SetWriteDeadline(time.Now().Add(orderTime)) != nil || out.Encode(f) != nil {
				return
			}
		}
	}
}

// deck is where an exchange can be listened to.
func (r *Relay) deck(name string) (*tape.Deck, error) {
	for _, x := range r.exchanges {
		if x.entry.Name != name {
			continue
		}
		if taped, is := x.Exchange.(bridge.Taped); is {
			return taped.Tape(), nil
		}
		return nil, cti.Errorf(cti.Invalid, "there is nothing to record of an exchange of this kind", nil)
	}
	return nil, cti.Errorf(cti.NotFound, "the relay has no exchange of this name: it is the name in its file, or the kind where there is none", nil)
}

// Record gives what an exchange of the relay that runs with a state folder sends and is sent, from now on, to each, until ctx ends, which is no
// error, or each fails. Passwords are not in it. Errors are those of Ask, notfound for an exchange it does not have, offline when it stops.
func Record(ctx context.Context, state, name string, each func(tape.Frame) error) error {
	c, err := loopback.Dial(ctx, Endpoint(state))
	if err != nil {
		return notRunning(state)
	}
	defer hangUp(c)
	stop := context.AfterFunc(ctx, func() { hangUp(c) })
	defer stop()
	if err := json.NewEncoder(c).Encode(Order{Verb: "record", What: name}); err != nil {
		return cti.Errorf(cti.Offline, "the relay does not answer", err)
	}
	in := json.NewDecoder(c)
	var report Report
	if err := in.Decode(&report); err != nil {
		return stopped(ctx, err)
	}
	if err := report.Problem.Err(); err != nil {
		return err
	}
	for {
		var f tape.Frame
		if err := in.Decode(&f); err != nil {
			return stopped(ctx, err)
		}
		if err := each(f); err != nil {
			return err
		}
	}
}

// stopped tells why a recording ended: nil when that was wanted.
func stopped(ctx context.Context, why error) error {
	select {
	case <-ctx.Done():
		return nil
	default:
		return cti.Errorf(cti.Offline, "the relay stopped", why)
	}
}
