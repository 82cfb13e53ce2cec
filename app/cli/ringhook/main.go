// Command ringhook is `ringctl hook` as a program of its own, which phones run: it starts in a tenth of ringctl's time, and on Windows without
// a console's window.
package main

import (
	"os"

	"ringside.dev/ringside/bridge/hook/leave"
)

func main() { os.Exit(leave.Main(os.Args[1:], os.Getenv, os.Stdout, os.Stderr)) }
