// Command ringctl runs, steers and examines Ringside. (On Windows a program with a window has no console, hence two programs.)
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"ringside.dev/ringside/app/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := cli.Main(ctx, os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Getenv: os.Getenv})
	stop()
	os.Exit(code)
}
