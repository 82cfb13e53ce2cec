// Package rig is what the tests of a hostile world share: the whole agent in a process of its own that may be killed or stopped at any
// moment, connectors of each strategy, calls with edits for it to deliver, and the judgement of what arrived.
// It must not know which fault a test brings about.
package rig

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"testing"

	"ringside.dev/ringside/app"
	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/store/storetest"
)

// envChild holds the Setup of an agent's process.
const envChild = "RINGSIDE_FAULTS_AGENT"

// Setup is what an agent's process is told.
type Setup struct {
	Dir       string // state and log
	Socket    string
	Connector string // a connector file
	Params    map[string]string
}

const (
	tenant    = "faults"
	extension = "1001"
	outcome   = "Sold"
)

// Main is for TestMain: the test binary is the agent too. An agent ends well when its standard input does, also because its test is gone.
func Main(m *testing.M) {
	text := os.Getenv(envChild)
	if text == "" {
		flag.Parse()
		if err := flag.Set("test.parallel", "8"); err != nil { // more than there are cores: most of the time the tests wait for a line, or a CRM
			panic(err)
		}
		os.Exit(m.Run())
	}
	if err := child(text); err != nil {
		fmt.Fprintln(os.Stderr, "the agent ended:", err)
		os.Exit(3)
	}
	os.Exit(0)
}

func child(text string) error {
	var s Setup
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return err
	}
	a, err := app.New(app.Config{
		Profile: cti.Profile{Version: 1, Tenant: tenant, Language: "en", Agent: cti.Agent{Name: "Lin Yue", Email: "lin.yue@ringside.example"},
			Phone: cti.PhoneProfile{Source: "sim", Extension: extension}, Region: "CN", CRM: cti.CRMProfile{Connector: s.Connector, Params: s.Params},
			WrapUp: cti.WrapUpProfile{Outcomes: []string{outcome}}},
		StateDir: s.Dir, Socket: s.Socket, Keys: storetest.Keys(),
		Secret: func(string) (string, error) { return "", errors.New("there are no secrets here") },
		Log:    slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // however it ends
		stop()
	}()
	return errors.Join(a.Run(ctx), a.Close())
}
