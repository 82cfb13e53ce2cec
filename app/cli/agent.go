package cli

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"

	"ringside.dev/ringside/app"
	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/secret"
	"ringside.dev/ringside/app/settings"
	"ringside.dev/ringside/bridge/client"
)

// RunOptions say which agent to run; Profile is required, the others' zero values are this user's own.
type RunOptions struct {
	Profile string
	State   string
	Socket  string
}

// Agent is an agent ready to run, with its log.
type Agent struct {
	*app.App
	Log *slog.Logger
}

// Close lets go of the store and logs when that fails.
func (a *Agent) Close() {
	if err := a.App.Close(); err != nil {
		a.Log.Error("store not closed", "err", err)
	}
}

// NewAgent reads the profile and the secrets it names and builds the agent.
func NewAgent(o RunOptions, getenv func(string) string, logTo io.Writer) (*Agent, error) {
	profile, err := settings.Load(o.Profile)
	if err != nil {
		return nil, err
	}
	keychain, err := secret.Open(getenv)
	if err != nil {
		return nil, err
	}
	if o.State == "" {
		o.State = DefaultState()
	}
	log := slog.New(slog.NewTextHandler(logTo, &slog.HandlerOptions{Level: slog.LevelInfo}))
	keys, err := storeKeys(keychain, o.State, log)
	if err != nil {
		return nil, err
	}
	a, err := app.New(app.Config{Profile: profile, StateDir: o.State, Socket: o.Socket, Secret: keychain.Get, Keys: keys, Probe: probeCommand(), Log: log})
	if err != nil {
		return nil, err
	}
	return &Agent{App: a, Log: log}, nil
}

// run runs an agent until ctx ends.
func run(ctx context.Context, o RunOptions, s Streams) error {
	if o.Profile == "" {
		return cti.Errorf(cti.Invalid, "name the profile: --profile FILE", nil)
	}
	agent, err := NewAgent(o, s.Getenv, s.Err)
	if err != nil {
		return err
	}
	defer agent.Close()
	return agent.Run(ctx)
}

// ShowRunning brings the window of this user's running agent to the screen.
func ShowRunning(ctx context.Context, o RunOptions) error {
	c := client.New(o.Socket)
	defer c.Close()
	return c.Show(ctx)
}

// DefaultProfile is where this user's profile is.
func DefaultProfile() string {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "profile.yaml"
	}
	return filepath.Join(dir, "ringside", "profile.yaml")
}

// DefaultState is where this user's store is: a local folder, never one that roams or is synchronised.
func DefaultState() string {
	switch runtime.GOOS {
	case "windows":
		return filepath.Join(os.Getenv("LOCALAPPDATA"), "Ringside", "outbox")
	case "darwin":
		return filepath.Join(os.Getenv("HOME"), "Library", "Application Support", "Ringside", "outbox")
	}
	if dir := os.Getenv("XDG_STATE_HOME"); dir != "" {
		return filepath.Join(dir, "ringside", "outbox")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return filepath.Join(os.TempDir(), fmt.Sprintf("ringside-%d", os.Getuid()), "outbox")
	}
	return filepath.Join(home, ".local", "state", "ringside", "outbox")
}
