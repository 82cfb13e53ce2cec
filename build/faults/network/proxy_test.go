package network_test

import (
	"context"
	"encoding/json"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"

	"ringside.dev/ringside/app/crm/sandbox"
)

// line is the way between the agent and the CRM.
type line struct {
	t     *testing.T
	proxy *toxiproxy.Proxy
}

// lineTo makes a good line to a CRM.
func lineTo(t *testing.T, crm *sandbox.Server) *line {
	t.Helper()
	address, err := url.Parse(crm.URL())
	if err != nil {
		t.Fatal(err)
	}
	return lineAt(t, address.Host)
}

// lineAt makes a good line to whoever listens at an address.
func lineAt(t *testing.T, host string) *line {
	t.Helper()
	silent := zerolog.Nop()
	l := &line{t: t, proxy: toxiproxy.NewProxy(toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), silent), t.Name(), "127.0.0.1:0", host)}
	if err := l.proxy.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.proxy.Stop)
	return l
}

func (l *line) url() string { return "http://" + l.proxy.Listen }

// toxic is what is wrong with a line, in toxiproxy's words.
type toxic struct {
	Name       string         `json:"name"`
	Type       string         `json:"type"`
	Stream     string         `json:"stream"`
	Toxicity   float32        `json:"toxicity"` // how many of the connections, 0 to 1
	Attributes map[string]int `json:"attributes"`
}

// spoil makes the line bad.
func (l *line) spoil(toxics ...toxic) {
	l.t.Helper()
	for _, x := range toxics {
		x.Name = x.Type + "_" + x.Stream
		text, err := json.Marshal(x)
		if err != nil {
			l.t.Fatal(err)
		}
		if _, err := l.proxy.Toxics.AddToxicJson(strings.NewReader(string(text))); err != nil {
			l.t.Fatal(err)
		}
	}
}

// mend makes it good again; connections that hang stay as they are.
func (l *line) mend() { l.proxy.Toxics.ResetToxics(context.Background()) }

// flap cuts the line and restores it, again and again, and leaves it whole.
func (l *line) flap(ctx context.Context, every, during time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	up := true
	for end := time.Now().Add(during); time.Now().Before(end) && ctx.Err() == nil; <-tick.C {
		if up = !up; up {
			l.up()
		} else {
			l.proxy.Stop()
		}
	}
	if !up {
		l.up()
	}
}

func (l *line) up() {
	if err := l.proxy.Start(); err != nil {
		l.t.Error(err)
	}
}

// nobody is an address at which nobody listens.
func nobody(t *testing.T) string {
	t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	return free.Addr().String()
}
