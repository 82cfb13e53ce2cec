package relay

import (
	"errors"
	"runtime"
	"strings"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/secret"
	"ringside.dev/ringside/app/settings"
)

// The ways in which a relay file names a secret.
const (
	keychainPrefix   = "keychain:"
	filePrefix       = "file:"
	credentialPrefix = "credential:" //nolint:gosec // names one
)

// modes tells whether files have rights that mean something.
const modes = runtime.GOOS != "windows"

// Secrets reads what a relay file names. Make stores a new one in the keychain; nil where there is none.
type Secrets struct {
	Get  func(ref string) (string, error)
	Make func(ref, value string) error
}

// OpenSecrets gives the secrets of this computer.
func OpenSecrets(keychain *secret.Keychain, getenv func(string) string) Secrets {
	return Secrets{
		Get: func(ref string) (string, error) {
			if name, is := strings.CutPrefix(ref, keychainPrefix); is {
				return keychain.Get(name)
			}
			if path, is := strings.CutPrefix(ref, filePrefix); is {
				return secret.FromFile(path)
			}
			name, _ := strings.CutPrefix(ref, credentialPrefix)
			return secret.FromCredential(name, getenv)
		},
		Make: func(ref, value string) error { return keychain.Set(strings.TrimPrefix(ref, keychainPrefix), value) },
	}
}

// withSecrets gives an exchange with its secrets in place of their names.
func (s Secrets) withSecrets(x settings.RelayExchange) (settings.RelayExchange, error) {
	get := func(where, ref string) (string, error) {
		value, err := s.Get(ref)
		switch {
		case errors.Is(err, secret.ErrNotFound):
			return "", cti.Errorf(cti.Auth, x.Name+"."+where+" names "+ref, err)
		case errors.Is(err, secret.ErrExposed):
			return "", cti.Errorf(cti.Denied, x.Name+"."+where+" names "+ref, err)
		case err != nil:
			return "", cti.Errorf(cti.Offline, x.Name+"."+where+" names "+ref, err)
		}
		return value, nil
	}
	var err error
	if x.Password != "" {
		if x.Password, err = get("password", x.Password); err != nil {
			return x, err
		}
	}
	params := map[string]string{}
	for name, value := range x.Params {
		if settings.IsSecretParam(name, value) {
			if value, err = get("params."+name, value); err != nil {
				return x, err
			}
		}
		params[name] = value
	}
	x.Params = params
	return x, nil
}
