package secret

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"filippo.io/age"
	"filippo.io/age/armor"
)

// maxWrapped is far more than a ring takes: what is read was kept by somebody.
const maxWrapped = 64 << 10

// The errors of recovery.
var (
	// ErrRecipient says what a recovery recipient looks like.
	ErrRecipient = errors.New("this is no recovery recipient: give the public key that age-keygen printed, which begins with age1 " +
		"(age-keygen -o recovery.txt makes the pair; keep the file away from this computer)")
	// ErrIdentity says what a recovery identity looks like.
	ErrIdentity = errors.New("this is no recovery identity: give the file that age-keygen wrote, with a line that begins with AGE-SECRET-KEY-")
	// ErrOtherIdentity means that both are well, but do not belong together.
	ErrOtherIdentity = errors.New("these keys were kept for another recovery identity")
)

// ParseRecipient reads the public key of an organisation's recovery pair: X25519 (age1...) or post-quantum (age1pq1...).
func ParseRecipient(text string) (age.Recipient, error) {
	text = strings.TrimSpace(text)
	if r, err := age.ParseHybridRecipient(text); err == nil {
		return r, nil
	}
	if r, err := age.ParseX25519Recipient(text); err == nil {
		return r, nil
	}
	return nil, ErrRecipient // the cause would repeat the text, which may be the secret half, given by mistake
}

// WrapKeys seals a ring to a recovery recipient, as text: who holds its identity can open what the ring sealed, when the keychain is
// lost. It goes beside the store, as key.age.
func WrapKeys(r Ring, recipient string) ([]byte, error) {
	to, err := ParseRecipient(recipient)
	if err != nil {
		return nil, err
	}
	if r.Empty() {
		return nil, fmt.Errorf("wrapping no key at all is %w", ErrInvalid)
	}
	var out bytes.Buffer
	text := armor.NewWriter(&out)
	w, err := age.Encrypt(text, to)
	if err != nil {
		return nil, fmt.Errorf("wrap keys: %w", err)
	}
	if _, err := io.WriteString(w, r.Text()); err != nil {
		return nil, fmt.Errorf("wrap keys: %w", err)
	}
	if err := errors.Join(w.Close(), text.Close()); err != nil {
		return nil, fmt.Errorf("wrap keys: %w", err)
	}
	return out.Bytes(), nil
}

// UnwrapKeys opens what WrapKeys made, with the content of an identity file; ErrIdentity, ErrOtherIdentity, or ErrDamaged.
func UnwrapKeys(armored []byte, identity string) (Ring, error) {
	identities, err := age.ParseIdentities(strings.NewReader(identity))
	if err != nil {
		return Ring{}, ErrIdentity // the cause may repeat a part of it
	}
	var other *age.NoIdentityMatchError
	plain, err := age.Decrypt(armor.NewReader(bytes.NewReader(armored)), identities...)
	switch {
	case errors.As(err, &other):
		return Ring{}, ErrOtherIdentity
	case err != nil:
		return Ring{}, fmt.Errorf("unwrap keys: %w (%w)", ErrDamaged, err)
	}
	text, err := io.ReadAll(io.LimitReader(plain, maxWrapped))
	if err != nil {
		return Ring{}, fmt.Errorf("unwrap keys: %w (%w)", ErrDamaged, err)
	}
	r, err := ParseRing(string(text))
	if err == nil && r.Empty() {
		err = ErrDamaged
	}
	if err != nil {
		return Ring{}, fmt.Errorf("unwrap keys: %w", err)
	}
	return r, nil
}
