package store_test

import (
	"fmt"
	"os"
	"testing"

	"ringside.dev/ringside/store"
	"ringside.dev/ringside/store/storetest"
)

// envProbe makes the test binary the child that vets an index.
const envProbe = "RINGSIDE_TEST_PROBE"

func TestMain(m *testing.M) {
	storetest.Child()
	if os.Getenv(envProbe) != "" {
		if err := store.RunProbe(os.Args[1], os.Stdin); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if order := os.Getenv(envStep); order != "" {
		if err := stepChild(order); err != nil {
			fmt.Println("failed:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	m.Run()
}

// probeCommand is the command line of a child that vets an index.
func probeCommand(t *testing.T) []string {
	t.Helper()
	t.Setenv(envProbe, "yes")
	return []string{os.Args[0]}
}
