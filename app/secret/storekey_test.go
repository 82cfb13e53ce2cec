package secret_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/zalando/go-keyring"

	"ringside.dev/ringside/app/secret"
)

func TestStoreKeysAreMadeOnceAndKept(t *testing.T) {
	keyring.MockInit()
	k := open(t, env())
	if _, err := secret.LoadStoreKeys(k); !errors.Is(err, secret.ErrNotFound) || strings.Contains(err.Error(), "secret set") {
		t.Fatalf("before there are any: %v", err)
	}
	made, err := secret.NewStoreKeys(k)
	if err != nil || made.Empty() {
		t.Fatal(err)
	}
	if kept, err := secret.LoadStoreKeys(k); err != nil || kept.Text() != made.Text() {
		t.Errorf("kept are others, or none: %v", err)
	}
	if _, err := secret.NewStoreKeys(k); !errors.Is(err, secret.ErrInvalid) {
		t.Errorf("made again: %v", err)
	}
	if kept, err := secret.LoadStoreKeys(k); err != nil || kept.Text() != made.Text() {
		t.Errorf("were replaced: %v", err)
	}
}

// Whoever takes a locked keychain for an empty one makes new keys, and nothing of the store can be read any more.
//
// Fault 47: a locked keychain is not a lost key.
func TestStoreKeysThatCannotBeSeenAreNotMissing(t *testing.T) {
	locked := errors.New("failed to unlock correct collection")
	keyring.MockInitWithError(locked)
	k := open(t, env())
	for verb, err := range map[string]error{
		"load": second(secret.LoadStoreKeys(k)), "make": second(secret.NewStoreKeys(k)), "add": second(secret.AddStoreKeys(k, newRing(t))),
	} {
		if errors.Is(err, secret.ErrNotFound) || !errors.Is(err, secret.ErrLocked) {
			t.Errorf("%s: %v", verb, err)
		}
	}
	keyring.MockInit()
	k = open(t, env())
	for _, value := range []string{"not a ring", " "} {
		if err := k.Set("store-key", value); err != nil {
			t.Fatal(err)
		}
		for verb, err := range map[string]error{
			"load": second(secret.LoadStoreKeys(k)), "make": second(secret.NewStoreKeys(k)), "add": second(secret.AddStoreKeys(k, newRing(t))),
		} {
			if errors.Is(err, secret.ErrNotFound) || !errors.Is(err, secret.ErrInvalid) {
				t.Errorf("%s with %q: %v", verb, value, err)
			}
		}
		if got, err := k.Get("store-key"); err != nil || got != value {
			t.Errorf("%q became %q, %v", value, got, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestRecoveredStoreKeysJoinThoseThatAreThere(t *testing.T) {
	keyring.MockInit()
	k, lost := open(t, env()), newRing(t)
	if all, err := secret.AddStoreKeys(k, lost); err != nil || all.Text() != lost.Text() {
		t.Fatalf("into an empty keychain: %v", err)
	}
	if err := k.Delete("store-key"); err != nil {
		t.Fatal(err)
	}
	fresh, err := secret.NewStoreKeys(k)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // twice changes nothing
		all, err := secret.AddStoreKeys(k, lost)
		if err != nil || all.Text() != fresh.Text()+" "+lost.Text() {
			t.Errorf("%d keys, %v", len(strings.Fields(all.Text())), err)
		}
		if kept, err := secret.LoadStoreKeys(k); err != nil || kept.Text() != all.Text() {
			t.Errorf("kept are others: %v", err)
		}
	}
	if _, err := secret.AddStoreKeys(open(t, env()), secret.Ring{}); err != nil {
		t.Errorf("nothing to add to those that are there: %v", err)
	}
	many := lost
	for range 60 {
		if many, err = many.WithNewKey(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := secret.AddStoreKeys(k, many); !errors.Is(err, secret.ErrInvalid) {
		t.Errorf("more keys than fit: %v", err)
	}
	if kept, err := secret.LoadStoreKeys(k); err != nil || kept.Text() != fresh.Text()+" "+lost.Text() {
		t.Errorf("after a refusal others are kept: %v", err)
	}
}

func TestStoreKeysFromTheEnvironment(t *testing.T) {
	k := open(t, env("RINGSIDE_KEYCHAIN", "env"))
	for verb, err := range map[string]error{"load": second(secret.LoadStoreKeys(k)), "make": second(secret.NewStoreKeys(k)), "add": second(secret.AddStoreKeys(k, newRing(t)))} {
		for _, words := range []string{"RINGSIDE_SECRET_STORE_KEY", "ringctl store key"} {
			if err == nil || !strings.Contains(err.Error(), words) {
				t.Errorf("%s does not say %q: %v", verb, words, err)
			}
		}
	}
	if _, err := secret.LoadStoreKeys(k); !errors.Is(err, secret.ErrNotFound) {
		t.Errorf("got %v", err)
	}
	ring := newRing(t)
	k = open(t, env("RINGSIDE_KEYCHAIN", "env", "RINGSIDE_SECRET_STORE_KEY", ring.Text()))
	if got, err := secret.LoadStoreKeys(k); err != nil || got.Text() != ring.Text() {
		t.Errorf("got other keys, or %v", err)
	}
}
