package secret

import (
	"errors"
	"sync/atomic"
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
		hung := make(chan struct{})
		var asked atomic.Int32
		request := func() (string, error) {
			asked.Add(1)
			<-hung
			return "v", nil
		}
		for range 3 {
			start := time.Now()
			if _, err := k.call(request); !errors.Is(err, ErrTimeout) || time.Since(start) != patience {
				t.Errorf("after %s: %v", time.Since(start), err)
			}
		}
		if n := asked.Load(); n != 1 {
			t.Errorf("%d requests hang, want 1", n)
		}
		close(hung)
		synctest.Wait()
		if value, err := k.call(request); err != nil || value != "v" {
			t.Errorf("after the keychain came back: %q, %v", value, err)
		}
	})
}
