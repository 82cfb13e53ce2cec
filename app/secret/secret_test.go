package secret_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/zalando/go-keyring"

	"ringside.dev/ringside/app/secret"
)

func open(t *testing.T, getenv func(string) string) *secret.Keychain {
	t.Helper()
	k, err := secret.Open(getenv)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// env is an environment of its own.
func env(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

// awkward are values that keychains are known to change, by what is awkward about them.
func awkward() map[string]string {
	var bytes strings.Builder
	for b := range 256 {
		bytes.WriteByte(byte(b))
	}
	return map[string]string{
		"newline": "secret\n", "blanks": "  secret \t", "chinese": "密码", "lines": "a\r\nb\n\n", "bytes": bytes.String(),
		"quotes": `a'b"c\d$e`, "encoded": "go-keyring-base64:YQ==", "longest": strings.Repeat("x", secret.MaxValue),
	}
}

func TestKeychainKeepsReplacesAndForgets(t *testing.T) {
	keyring.MockInit()
	k := open(t, env())
	if _, err := k.Get("acme-token"); !errors.Is(err, secret.ErrNotFound) || !strings.Contains(err.Error(), "acme-token") {
		t.Fatalf("before it is set: %v", err)
	}
	for name, value := range awkward() {
		for _, value := range []string{"old", value} {
			if err := k.Set(name, value); err != nil {
				t.Fatalf("set %s: %v", name, err)
			}
		}
		if got, err := k.Get(name); err != nil || got != value {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
		if got, err := keyring.Get("ringside", name); err != nil || got != value {
			t.Errorf("%s is not kept under ringside: %q, %v", name, got, err)
		}
		if err := k.Delete(name); err != nil {
			t.Errorf("delete %s: %v", name, err)
		}
		if err := k.Delete(name); !errors.Is(err, secret.ErrNotFound) {
			t.Errorf("delete %s again: %v", name, err)
		}
	}
}

func TestNameRefused(t *testing.T) {
	keyring.MockInit()
	k := open(t, env())
	for _, name := range []string{"", "Token", "-a", ".a", "a b", "a/b", "ä", "a\n", "a\x00", strings.Repeat("a", 65)} {
		_, getErr := k.Get(name)
		for verb, err := range map[string]error{"get": getErr, "set": k.Set(name, "v"), "delete": k.Delete(name), "check": secret.CheckName(name)} {
			if !errors.Is(err, secret.ErrInvalid) {
				t.Errorf("%s %q: %v", verb, name, err)
			}
			if len(name) > 3 && err != nil && strings.Contains(err.Error(), name) {
				t.Errorf("%s repeats the name, which may be a secret: %v", verb, err)
			}
		}
	}
	if err := k.Set(strings.Repeat("a", 64), "v"); err != nil {
		t.Errorf("64 letters: %v", err)
	}
}

func TestValueRefused(t *testing.T) {
	keyring.MockInit()
	k := open(t, env())
	for _, test := range []struct{ value, say string }{{"", "empty"}, {strings.Repeat("x", secret.MaxValue+1), "2,560"}} {
		if err := k.Set("a", test.value); !errors.Is(err, secret.ErrInvalid) || !strings.Contains(err.Error(), test.say) {
			t.Errorf("%d bytes: %v", len(test.value), err)
		}
		if _, err := k.Get("a"); !errors.Is(err, secret.ErrNotFound) {
			t.Errorf("%d bytes were stored: %v", len(test.value), err)
		}
	}
}

func TestLibraryErrorsAreSorted(t *testing.T) {
	t.Cleanup(keyring.MockInit)
	for _, test := range []struct{ from, want error }{
		{keyring.ErrNotFound, secret.ErrNotFound},
		{keyring.ErrSetDataTooBig, secret.ErrInvalid},
		{keyring.ErrUnsupportedPlatform, secret.ErrNoKeychain},
		{errors.New("The name org.freedesktop.secrets was not provided by any .service files"), secret.ErrNoKeychain},
		{errors.New("failed to unlock correct collection '/x'"), secret.ErrLocked},
		{errors.New("Cannot create an item in a locked collection"), secret.ErrLocked},
	} {
		keyring.MockInitWithError(test.from)
		k := open(t, env())
		_, getErr := k.Get("a")
		for verb, err := range map[string]error{"get": getErr, "set": k.Set("a", "v"), "delete": k.Delete("a")} {
			if !errors.Is(err, test.want) {
				t.Errorf("%s with %q: %v", verb, test.from, err)
			}
		}
	}
}

// Without a keychain the text must say both ways out.
func TestNoKeychainSaysBothWaysOut(t *testing.T) {
	t.Cleanup(keyring.MockInit)
	keyring.MockInitWithError(errors.New("no bus"))
	_, err := open(t, env()).Get("a")
	for _, part := range []string{"gnome-keyring", "RINGSIDE_KEYCHAIN=env", "no bus"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%v does not say %q", err, part)
		}
	}
}

func TestEnvironmentInsteadOfKeychain(t *testing.T) {
	keyring.MockInitWithError(errors.New("the keychain was asked"))
	t.Cleanup(keyring.MockInit)
	k := open(t, env("RINGSIDE_KEYCHAIN", "env", "RINGSIDE_SECRET_ACME_TOKEN_2", "v\n"))
	for _, name := range []string{"acme-token-2", "acme.token_2"} {
		if got, err := k.Get(name); err != nil || got != "v\n" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if _, err := k.Get("other"); !errors.Is(err, secret.ErrNotFound) || !strings.Contains(err.Error(), "RINGSIDE_SECRET_OTHER") {
		t.Errorf("unset: %v", err)
	}
	if err := k.Set("other", "v"); !errors.Is(err, secret.ErrReadOnly) || !strings.Contains(err.Error(), "RINGSIDE_SECRET_OTHER") {
		t.Errorf("set: %v", err)
	}
	if err := k.Delete("acme-token-2"); !errors.Is(err, secret.ErrReadOnly) {
		t.Errorf("delete: %v", err)
	}
}

func TestUnknownKeychainWordRefused(t *testing.T) {
	_, err := secret.Open(env("RINGSIDE_KEYCHAIN", "file"))
	if !errors.Is(err, secret.ErrInvalid) || !strings.Contains(err.Error(), `"file"`) {
		t.Errorf("got %v", err)
	}
}
