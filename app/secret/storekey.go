package secret

import (
	"errors"
	"fmt"
)

// storeKey is the name under which the keychain keeps the ring that seals the store.
const storeKey = "store-key"

// storeKeyHelp says how to come by the keys where nobody can make them for the user.
var storeKeyHelp = "set the variable " + EnvName(storeKey) + " to what this prints: ringctl store key"

// missing is ErrNotFound with words of its own, as a user does not make this secret with ringctl secret set.
type missing string

func (m missing) Error() string        { return string(m) }
func (m missing) Is(target error) bool { return target == ErrNotFound }

// LoadStoreKeys gives the keys that seal the store. ErrNotFound means that there are none, and the caller must know whether that is
// so because there is no store yet (NewStoreKeys) or because they were lost (AddStoreKeys with recovered ones). All other errors mean
// that they may well be there: ErrLocked, ErrTimeout, ErrNoKeychain, and ErrInvalid for a value that is no ring.
func LoadStoreKeys(k *Keychain) (Ring, error) {
	text, err := k.Get(storeKey)
	if errors.Is(err, ErrNotFound) {
		words := "the keychain holds no key for the store"
		if k.env != nil {
			words = "there is no key for the store: " + storeKeyHelp
		}
		return Ring{}, missing(words)
	}
	if err != nil {
		return Ring{}, err
	}
	ring, err := ParseRing(text)
	if err == nil && ring.Empty() {
		err = fmt.Errorf("an empty list of keys is %w", ErrInvalid)
	}
	return ring, about("read", storeKey, err)
}

// NewStoreKeys makes keys for a new store and puts them into the keychain, where they are read back. It replaces none: where there are
// some already it fails with ErrInvalid. One process at a time may call it: two would not see each other's.
func NewStoreKeys(k *Keychain) (Ring, error) {
	switch _, err := LoadStoreKeys(k); {
	case err == nil:
		return Ring{}, fmt.Errorf("making new keys for the store is %w: there are some", ErrInvalid)
	case !errors.Is(err, ErrNotFound):
		return Ring{}, err
	}
	ring, err := NewRing()
	if err != nil {
		return Ring{}, err
	}
	return ring, keep(k, ring)
}

// AddStoreKeys adds recovered keys to those in the keychain, if there are any, and gives all. The newest key of the keychain stays the
// one that seals.
func AddStoreKeys(k *Keychain, recovered Ring) (Ring, error) {
	have, err := LoadStoreKeys(k)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return Ring{}, err
	}
	all := have.With(recovered)
	if all.Empty() {
		return Ring{}, fmt.Errorf("adding no key at all is %w", ErrInvalid)
	}
	return all, keep(k, all)
}

func keep(k *Keychain, ring Ring) error {
	if k.env != nil {
		return fmt.Errorf("%w: %s", ErrReadOnly, storeKeyHelp)
	}
	text := ring.Text()
	if len(text) > MaxValue {
		return fmt.Errorf("keeping %d keys for the store is %w: the keychain holds %d bytes, they take %d", len(ring.keys), ErrInvalid, MaxValue, len(text))
	}
	return k.Set(storeKey, text)
}
