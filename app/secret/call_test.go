package secret

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestHungKeychainHoldsOneCallAndFreesTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, err := Open(func(string) string { return "" })
		if err != nil {
			t.Fatal(err)
		}
		hung, asked := make(chan struct{}), 0
		request := func() (string, error) {
			asked++
			<-hung
			return "v", nil
		}
		for range 3 {
			start := time.Now()
			if _, err := k.call(request); !errors.Is(err, ErrTimeout) || time.Since(start) != patience {
				t.Errorf("after %s: %v", time.Since(start), err)
			}
		}
		if asked != 1 {
			t.Errorf("%d requests hang, want 1", asked)
		}
		close(hung)
		synctest.Wait()
		if value, err := k.call(request); err != nil || value != "v" {
			t.Errorf("after the keychain came back: %q, %v", value, err)
		}
	})
}
