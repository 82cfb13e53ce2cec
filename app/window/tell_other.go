//go:build !windows

package window

import (
	"fmt"
	"os"
)

// Tell says why the program ends.
func Tell(text string) { fmt.Fprintln(os.Stderr, text) }
