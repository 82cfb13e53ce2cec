package cli

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/secret"
)

// The wait for a locked keychain: after signing in, a desktop may unlock it some seconds after it started us.
const (
	keychainWait  = time.Minute
	keychainAgain = 2 * time.Second
)

// storeKeys gives the keys that seal the store, and makes them at the first start. Lost ones are replaced too: calls must be kept from now
// on, and the store tells what it cannot read any more.
func storeKeys(k *secret.Keychain, state string, log *slog.Logger) (secret.Ring, error) {
	ring, err := secret.LoadStoreKeys(k)
	for until := time.Now().Add(keychainWait); errors.Is(err, secret.ErrLocked) && time.Now().Before(until); ring, err = secret.LoadStoreKeys(k) {
		log.Warn("the keychain is locked: waiting until it is unlocked", "err", err)
		time.Sleep(keychainAgain)
	}
	if errors.Is(err, secret.ErrNotFound) {
		ring, err = newStoreKeys(k, state)
	}
	if err != nil {
		return ring, cti.Errorf(cti.Offline, "the key that seals the calls on this computer", err)
	}
	return ring, nil
}

// newStoreKeys makes the keys, one process at a time: two that start at once would not see each other's.
func newStoreKeys(k *secret.Keychain, state string) (ring secret.Ring, err error) {
	if err := os.MkdirAll(state, 0o700); err != nil {
		return ring, fmt.Errorf("make the folder of the store: %w", err)
	}
	one := flock.New(filepath.Join(state, "KEYS.lock"))
	if err := one.Lock(); err != nil {
		return ring, fmt.Errorf("lock the store's keys: %w", err)
	}
	defer func() { err = errors.Join(err, one.Unlock()) }()
	if ring, err = secret.LoadStoreKeys(k); errors.Is(err, secret.ErrNotFound) {
		ring, err = secret.NewStoreKeys(k)
	}
	return ring, err
}
