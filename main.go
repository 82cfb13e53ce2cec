// Ringside listens for calls, finds the caller in the CRM, shows the card without taking the keyboard, and writes the call back.
// This program is the agent with its window; ringctl is the same agent without one.
package main

import (
	"context"
	"flag"
	"os"
	"os/signal"
	"syscall"

	"ringside.dev/ringside/app/cli"
	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/window"
	"ringside.dev/ringside/frontend"
)

func main() { os.Exit(run()) }

func run() int {
	if asked, err := cli.Probe(os.Args[1:], os.Stdin); asked {
		return cli.ExitCode(err)
	}
	var o cli.RunOptions
	flag.StringVar(&o.Profile, "profile", cli.DefaultProfile(), "the profile `file`")
	flag.StringVar(&o.State, "state", cli.DefaultState(), "the `folder` of the store")
	flag.StringVar(&o.Socket, "socket", "", "endpoint of the local API (default: this user's own)")
	dial := flag.Bool("dial", false, "have the running Ringside call the number of a tel:, sip: or callto: link, and end")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := start(ctx, o, *dial)
	if err != nil {
		window.Tell(cli.Explain(err, os.Getenv))
	}
	return cli.ExitCode(err)
}

// start does what the program was started for.
func start(ctx context.Context, o cli.RunOptions, dial bool) error {
	if dial {
		return cli.Dial(ctx, o, flag.Arg(0))
	}
	return show(ctx, o)
}

func show(ctx context.Context, o cli.RunOptions) error {
	agent, err := cli.NewAgent(o, os.Getenv, os.Stderr)
	if cti.KindOf(err) == cti.Conflict && cli.ShowRunning(ctx, o) == nil {
		return nil // it runs already: its window is what was wanted
	}
	if err != nil {
		return err
	}
	defer agent.Close()
	return window.Run(ctx, agent.App, frontend.Assets, agent.Log)
}
