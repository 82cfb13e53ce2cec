package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"ringside.dev/ringside/bridge/client"
	"ringside.dev/ringside/store"
	"ringside.dev/ringside/store/storetest"
)

// The limit of the whole agent's own memory with a backlog, in MB of anonymous memory (RssAnon, proc_pid_status(5)).
const (
	memoryLimit   = 60.0
	memoryBacklog = 100_000
)

// memoryFigure starts the agent without a network and with a backlog.
func memoryFigure(dir string) (bool, error) {
	state := filepath.Join(dir, "memory")
	s, err := store.Open(options(state))
	if err != nil {
		return false, err
	}
	if err := errors.Join(storetest.Grow(s, 0, memoryBacklog), s.Close()); err != nil {
		return false, err
	}
	profile, socket := filepath.Join(dir, "profile.yaml"), filepath.Join(dir, "a.sock")
	text := "version: 1\nagent: {name: Lin Yue}\nphone: {source: sim, extension: \"1001\"}\nregion: CN\n" +
		"crm: {connector: sandbox, params: {base_url: \"http://127.0.0.1:9\", token: \"keychain:crm\"}}\nwrapup: {outcomes: [Done]}\n"
	if err := os.WriteFile(profile, []byte(text), 0o600); err != nil {
		return false, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "build/bin/ringctl", "run", "--profile", profile, "--state", state, "--socket", socket) //nolint:gosec // files of ours
	cmd.Env = append(os.Environ(), "RINGSIDE_KEYCHAIN=env", "RINGSIDE_SECRET_CRM=nobody", "RINGSIDE_SECRET_STORE_KEY="+storetest.Keys().Text())
	if err := cmd.Start(); err != nil {
		return false, err
	}
	defer func() {
		_ = cmd.Process.Kill() // the figure is taken
		_ = cmd.Wait()
	}()
	c := client.New(socket)
	defer c.Close()
	for {
		status, err := c.Status(ctx)
		if err == nil && status.Outbox.Waiting == memoryBacklog {
			break
		}
		if ctx.Err() != nil {
			return false, fmt.Errorf("the agent did not start with its backlog of %d; it told of %d waiting: %w", memoryBacklog, status.Outbox.Waiting, errors.Join(err, ctx.Err()))
		}
		time.Sleep(50 * time.Millisecond)
	}
	time.Sleep(10 * time.Second) // it tries to deliver, and settles
	mb, err := rssAnon(cmd.Process.Pid)
	return judge(fmt.Sprintf("RssAnon of ringctl run with %d waiting, MB", memoryBacklog), mb, memoryLimit), err
}

func rssAnon(pid int) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	_, rest, found := strings.Cut(string(text), "RssAnon:")
	fields := strings.Fields(rest)
	if !found || len(fields) == 0 {
		return 0, errors.New("the kernel tells no RssAnon")
	}
	kb, err := strconv.ParseFloat(fields[0], 64)
	return kb / 1024, err
}
