package relay

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/loopback"
	"ringside.dev/ringside/bridge/relayed"
	"ringside.dev/ringside/bridge/sim"
)

// The administrator of this computer speaks to the running relay over a socket in its state folder, or a pipe on Windows, which the user the
// relay runs as and administrators may open and nobody else: one line of JSON there, one back.

// Order is what the administrator asks.
type Order struct {
	Verb  string     `json:"verb"`            // enrol, revoke, list, event, record
	What  string     `json:"what,omitempty"`  // an extension, a serial number or an exchange's name
	Event *cti.Event `json:"event,omitempty"` // for a simulated exchange
}

// Report is the answer.
type Report struct {
	Code    string           `json:"code,omitempty"`
	Until   time.Time        `json:"until,omitzero"`
	Revoked int              `json:"revoked,omitempty"`
	Devices []Device         `json:"devices"`
	Problem *relayed.Refusal `json:"problem,omitempty"`
}

// The limits of the control connection.
const (
	maxOrder  = 256 << 10
	maxReport = 16 << 20
	orderTime = 10 * time.Second
)

// Endpoint is where the relay with this state folder is heard.
func Endpoint(state string) string {
	if runtime.GOOS != "windows" {
		return filepath.Join(state, controlSocket)
	}
	whole, err := filepath.Abs(state)
	if err != nil {
		whole = state
	}
	sum := sha256.Sum256([]byte(strings.ToLower(whole)))
	return fmt.Sprintf(`\\.\pipe\ringside-relay-%x`, sum[:8])
}

// obey serves one order.
func (r *Relay) obey(ctx context.Context, c net.Conn) {
	if err := c.SetDeadline(time.Now().Add(orderTime)); err != nil {
		return
	}
	var o Order
	var report Report
	err := json.NewDecoder(io.LimitReader(c, maxOrder)).Decode(&o)
	if err == nil && o.Verb == "record" {
		r.record(ctx, c, o.What)
		return
	}
	if err == nil {
		report, err = r.carryOut(o)
	}
	report.Problem = relayed.Refuse(err)
	if err := json.NewEncoder(c).Encode(report); err != nil {
		r.log.Warn("order not answered", "verb", cti.Clean(o.Verb, cti.MaxText), "err", err)
	}
}

func (r *Relay) carryOut(o Order) (report Report, err error) {
	switch o.Verb {
	case "enrol":
		report.Code, err = r.Enrol(o.What)
		report.Until = time.Now().Add(CodeFor).UTC()
	case "revoke":
		report.Revoked, err = r.Revoke(o.What)
	case "list":
		report.Devices = r.List()
	case "event":
		err = r.feed(o.What, o.Event)
	default:
		err = cti.Errorf(cti.Invalid, "the running relay does not know this order: is it older?", nil)
	}
	return report, err
}

// feed lets something happen at a simulated exchange, to try and to train.
func (r *Relay) feed(extension string, e *cti.Event) error {
	if e == nil {
		return cti.Errorf(cti.Invalid, "no event was given", nil)
	}
	for _, x := range r.exchanges {
		if simulated, is := x.Exchange.(*sim.Exchange); is && x.entry.Extensions.Match(extension) {
			return simulated.Extension(extension).Feed(*e)
		}
	}
	return cti.Errorf(cti.NotFound, "there is no simulated exchange with this extension", nil)
}

func notRunning(state string) error {
	return cti.Errorf(cti.Offline, "no relay that this user may speak to runs with the state folder "+state+": start it with ringctl relay run; if it runs, be its user or an administrator (root)", nil)
}

// Ask gives an order to the relay that runs with a state folder; offline when none does. The error of a refused order has its kind.
func Ask(ctx context.Context, state string, o Order) (Report, error) {
	c, err := loopback.Dial(ctx, Endpoint(state))
	if err != nil {
		return Report{}, notRunning(state)
	}
	defer hangUp(c)
	if err := c.SetDeadline(time.Now().Add(orderTime)); err != nil {
		return Report{}, cti.Errorf(cti.Offline, "the relay does not answer", err)
	}
	if err := json.NewEncoder(c).Encode(o); err != nil {
		return Report{}, cti.Errorf(cti.Offline, "the relay does not answer", err)
	}
	var report Report
	if err := json.NewDecoder(io.LimitReader(c, maxReport)).Decode(&report); err != nil {
		return Report{}, cti.Errorf(cti.Uncertain, "the relay's answer was lost", errors.New("its connection broke off"))
	}
	return report, report.Problem.Err()
}
