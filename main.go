// Ringside listens for calls, finds the caller in the CRM, shows the card without taking the keyboard, and writes the call back.
// This program is the agent with its window; ringctl is the same agent without one.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"ringside.dev/ringside/app/cli"
	"ringside.dev/ringside/app/window"
	"ringside.dev/ringside/frontend"
)

func main() {
	var run cli.RunOptions
	flag.StringVar(&run.Profile, "profile", cli.DefaultProfile(), "the profile `file`")
	flag.StringVar(&run.State, "state", cli.DefaultState(), "the `folder` of the store")
	flag.StringVar(&run.Socket, "socket", "", "endpoint of the local API (default: this user's own)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := show(ctx, run); err != nil {
		fmt.Fprintln(os.Stderr, cli.Explain(err, os.Getenv))
		os.Exit(cli.ExitCode(err))
	}
}

func show(ctx context.Context, run cli.RunOptions) error {
	agent, err := cli.NewAgent(run, os.Getenv, os.Stderr)
	if err != nil {
		return err
	}
	defer agent.Close()
	return window.Run(ctx, agent.App, frontend.Assets, agent.Log)
}
