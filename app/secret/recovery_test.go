package secret_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"filippo.io/age"

	"ringside.dev/ringside/app/secret"
)

// pair is a recovery pair as age-keygen prints it.
type pair struct{ name, recipient, file string }

func pairs(t testing.TB) []pair {
	t.Helper()
	classic, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	hybrid, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	file := func(public, private string) string {
		return "# created: 2026-11-23T10:00:00Z\n# public key: " + public + "\n" + private + "\n"
	}
	return []pair{
		{"X25519", classic.Recipient().String(), file(classic.Recipient().String(), classic.String())},
		{"post-quantum", hybrid.Recipient().String(), file(hybrid.Recipient().String(), hybrid.String())},
	}
}

// Fault 47: the recovery key.
func TestRecoveryGivesTheKeysBack(t *testing.T) {
	ring, err := newRing(t).WithNewKey()
	if err != nil {
		t.Fatal(err)
	}
	others := pairs(t)
	for i, p := range pairs(t) {
		wrapped, err := secret.WrapKeys(ring, " "+p.recipient+"\n")
		if err != nil {
			t.Fatalf("%s: %v", p.name, err)
		}
		if !bytes.HasPrefix(wrapped, []byte("-----BEGIN AGE ENCRYPTED FILE-----\n")) || bytes.Contains(wrapped, []byte(ring.Text()[:20])) {
			t.Errorf("%s: wrapped as %.60q", p.name, wrapped)
		}
		if got, err := secret.UnwrapKeys(wrapped, p.file); err != nil || got.Text() != ring.Text() {
			t.Errorf("%s: others came back, or %v", p.name, err)
		}
		for _, other := range others {
			if _, err := secret.UnwrapKeys(wrapped, other.file); !errors.Is(err, secret.ErrOtherIdentity) {
				t.Errorf("%s with another %s identity: %v", p.name, other.name, err)
			}
		}
		if _, err := secret.UnwrapKeys(wrapped, others[1-i].file+p.file); err != nil {
			t.Errorf("%s in a file of two: %v", p.name, err)
		}
	}
}

func TestRecoveryFindsDamage(t *testing.T) {
	p := pairs(t)[0]
	wrapped, err := secret.WrapKeys(newRing(t), p.recipient)
	if err != nil {
		t.Fatal(err)
	}
	for i := range wrapped {
		bad := bytes.Clone(wrapped)
		if bad[i] ^= 1; bad[i] == '\n'^1 || wrapped[i] == '\r' {
			continue
		}
		got, err := secret.UnwrapKeys(bad, p.file)
		if !errors.Is(err, secret.ErrDamaged) && !errors.Is(err, secret.ErrOtherIdentity) {
			t.Errorf("byte %d: %s, %v", i, got, err)
		}
		if got, err := secret.UnwrapKeys(wrapped[:i], p.file); err == nil && i < len(wrapped)-1 {
			t.Errorf("cut at %d: %s", i, got)
		}
	}
}

// The two halves of a pair are easily mistaken for each other; neither may then be repeated in words that are shown or logged.
func TestRecoveryRefusalsSayWhatIsExpectedAndRepeatNothing(t *testing.T) {
	p, ring := pairs(t)[0], newRing(t)
	wrapped, err := secret.WrapKeys(ring, p.recipient)
	if err != nil {
		t.Fatal(err)
	}
	_, private, _ := strings.Cut(p.file, "\nAGE-SECRET-KEY-")
	private = "AGE-SECRET-KEY-" + private
	for _, wrong := range []string{"", "age1", "age1nonsense", p.recipient[:50], private, p.file, "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExample", "age1yubikey1q", "age1pq1q"} {
		for _, err := range []error{second(secret.ParseRecipient(wrong)), second(secret.WrapKeys(ring, wrong))} {
			if !errors.Is(err, secret.ErrRecipient) || !strings.Contains(err.Error(), "age1") || strings.Contains(err.Error(), "AGE-SECRET-KEY-1") {
				t.Errorf("recipient %.20q: %v", wrong, err)
			}
		}
	}
	for _, wrong := range []string{"", p.recipient, private[:40], "x " + private} {
		_, err := secret.UnwrapKeys(wrapped, wrong)
		if !errors.Is(err, secret.ErrIdentity) || strings.Contains(err.Error(), "SECRET-KEY-1") || strings.Contains(err.Error(), private[20:30]) {
			t.Errorf("identity %.20q: %v", wrong, err)
		}
	}
	if _, err := secret.WrapKeys(secret.Ring{}, p.recipient); !errors.Is(err, secret.ErrInvalid) {
		t.Errorf("no keys: %v", err)
	}
}
