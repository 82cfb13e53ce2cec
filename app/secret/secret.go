// Package secret keeps secrets in the keychain of the operating system, behind three verbs: Get, Set and Delete. It must not know
// what the secrets are for. Its errors say what to do; a caller maps them onto its own kinds with errors.Is.
package secret

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/zalando/go-keyring"
)

// service is the name under which the keychain lists our secrets.
const service = "ringside"

// MaxValue is the longest value in bytes. Windows takes 2,560; the rest is left for what macOS adds by its encoding.
const MaxValue = 2048

// patience is how long one call may take. It leaves no time to type a password into the keychain's own window, on purpose: the
// caller is told to unlock the keychain and to try again, rather than standing still with a telephone ringing.
const patience = 5 * time.Second

// The errors, to be found with errors.Is. Each text says what to do; the error around it names the secret.
var (
	ErrNotFound   = errors.New("no such secret; store it with: ringctl secret set NAME")
	ErrNoKeychain = errors.New("this computer has no usable keychain: start one (on Linux gnome-keyring or KWallet, in a desktop session), " +
		"or set RINGSIDE_KEYCHAIN=env and put each secret into RINGSIDE_SECRET_NAME")
	ErrLocked = errors.New("the keychain is locked, or has no default keyring yet: unlock or create it (on Linux in the program Passwords and Keys), then retry; " +
		"without a desktop session set RINGSIDE_KEYCHAIN=env and put each secret into RINGSIDE_SECRET_NAME")
	ErrTimeout  = errors.New("the keychain did not answer within 5 s: a password window may be waiting; unlock the keychain or sign in again, then retry")
	ErrReadOnly = errors.New("secrets come from the environment (RINGSIDE_KEYCHAIN=env) and cannot be changed here")
	ErrInvalid  = errors.New("not allowed")
)

// Keychain is safe for use by several goroutines; their calls are made one after the other.
type Keychain struct {
	env  func(string) string // nil: the keychain of the system
	busy chan struct{}       // holds one token while a call is under way, which may be longer than anybody waits for it
}

// Open chooses where secrets are, from RINGSIDE_KEYCHAIN: empty for the keychain of the system, env for the environment. It asks
// the keychain nothing yet, so that a profile without secrets opens no password window: whether there is one, the verbs tell.
func Open(getenv func(string) string) (*Keychain, error) {
	k := &Keychain{busy: make(chan struct{}, 1)}
	switch word := getenv("RINGSIDE_KEYCHAIN"); word {
	case "":
	case "env":
		k.env = getenv
	default:
		return nil, fmt.Errorf("RINGSIDE_KEYCHAIN=%q is %w: set it to env for secrets from the environment, or unset it for the keychain of the system",
			word, ErrInvalid)
	}
	return k, nil
}

// Get gives the value exactly as it was set; ErrNotFound if there is none.
func (k *Keychain) Get(name string) (string, error) {
	if err := CheckName(name); err != nil {
		return "", err
	}
	if k.env != nil {
		return k.fromEnv(name)
	}
	value, err := k.call(func() (string, error) { return keyring.Get(service, name) })
	return value, about("get", name, err)
}

// Set stores a value, or replaces the one there is, and reads it back: some keychains report success whatever happened. After
// ErrTimeout the value may or may not be stored; setting it again is safe.
func (k *Keychain) Set(name, value string) error {
	if err := errors.Join(CheckName(name), checkValue(value)); err != nil {
		return err
	}
	if k.env != nil {
		return about("set", name, fmt.Errorf("%w: set the variable %s instead", ErrReadOnly, EnvName(name)))
	}
	kept, err := k.call(func() (string, error) {
		if err := keyring.Set(service, name, value); err != nil {
			return "", err
		}
		return keyring.Get(service, name)
	})
	if err == nil && kept != value {
		err = fmt.Errorf("%w: it gave back something else than was stored", ErrNoKeychain)
	}
	return about("set", name, err)
}

// Delete removes a secret; ErrNotFound if there is none.
func (k *Keychain) Delete(name string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	if k.env != nil {
		return about("delete", name, fmt.Errorf("%w: unset the variable %s instead", ErrReadOnly, EnvName(name)))
	}
	_, err := k.call(func() (string, error) { return "", keyring.Delete(service, name) })
	return about("delete", name, err)
}

var nameRule = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)

// CheckName tells whether a name may be used, and if not, why. A wrong name may be a secret typed into the wrong place, so the
// error does not repeat it.
func CheckName(name string) error {
	if nameRule.MatchString(name) {
		return nil
	}
	return fmt.Errorf("this name of a secret is %w: write 1 to 64 of a-z, 0-9, dot, underscore and dash, with a letter or digit first", ErrInvalid)
}

func checkValue(value string) error {
	switch {
	case value == "":
		return fmt.Errorf("an empty value is %w: give the secret, or delete the name", ErrInvalid)
	case len(value) > MaxValue:
		return fmt.Errorf("a value of %d bytes is %w: at most %d, as Windows takes no more than 2,560", len(value), ErrInvalid, MaxValue)
	}
	return nil
}

func (k *Keychain) fromEnv(name string) (string, error) {
	if value := k.env(EnvName(name)); value != "" {
		return value, nil
	}
	return "", about("get", name, fmt.Errorf("%w, or with RINGSIDE_KEYCHAIN=env: set the variable %s", ErrNotFound, EnvName(name)))
}

// EnvName is the variable that holds a secret with RINGSIDE_KEYCHAIN=env. Names that differ only by - . _ share one.
func EnvName(name string) string {
	return "RINGSIDE_SECRET_" + strings.ToUpper(strings.NewReplacer("-", "_", ".", "_").Replace(name))
}

func about(verb, name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s secret %s: %w", verb, name, err)
}

// call runs one request of the keychain library, which knows neither contexts nor time limits. A request that hangs keeps its
// goroutine and the token until the keychain answers, so at most one hangs at a time and later calls time out without another.
func (k *Keychain) call(request func() (string, error)) (string, error) {
	limit := time.NewTimer(patience)
	defer limit.Stop()
	select {
	case k.busy <- struct{}{}:
	case <-limit.C:
		return "", ErrTimeout
	}
	type result struct {
		value string
		err   error
	}
	answer := make(chan result, 1)
	go func() {
		value, err := request()
		<-k.busy
		answer <- result{value, err}
	}()
	select {
	case r := <-answer:
		return r.value, translate(r.err)
	case <-limit.C:
		return "", ErrTimeout
	}
}

// translate sorts the library's errors. It has types for two of them only; a locked keychain shows by its text, just as
// one in which no keyring was ever made, and all others mean that it cannot be used, for the reason quoted.
func translate(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, keyring.ErrNotFound):
		return ErrNotFound
	case errors.Is(err, keyring.ErrSetDataTooBig):
		return fmt.Errorf("a value this long is %w by this system's keychain", ErrInvalid)
	}
	for _, sign := range []string{"unlock", "prompt", "locked"} {
		if strings.Contains(strings.ToLower(err.Error()), sign) {
			return fmt.Errorf("%w (%w)", ErrLocked, err)
		}
	}
	return fmt.Errorf("%w (%w)", ErrNoKeychain, err)
}
