package secret

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
)

// The errors of Ring.Open.
var (
	// ErrUnknownKey means that the value was sealed with a key that the ring does not hold: it may be opened with an older one.
	ErrUnknownKey = errors.New("sealed with a key that is not here")
	// ErrDamaged means that the value, or what it was bound to, is not what was sealed.
	ErrDamaged = errors.New("the sealed value is damaged")
)

// keySize is that of AES-256. A sealed value is longer than its content by overhead bytes: the key's id, the nonce and the tag.
const (
	keySize  = 32
	idSize   = 4
	overhead = idSize + 12 + 16
)

// Ring seals values with AES-256-GCM under its newest key and opens those of all its keys. The nonce is random: one key may seal 2^32
// values (NIST SP 800-38D, 8.3). The zero Ring holds no key and seals nothing; Rings are safe for concurrent use.
// However one is printed or logged, the keys do not show.
type Ring struct{ keys []sealKey }

// sealKey is one key. What is secret lies behind two pointers: fmt prints also the unexported fields of whatever holds a Ring, where no
// method can stop it. It follows no pointer there, but one when the verb does not fit.
type sealKey struct {
	id uint32
	of **material
}

// material is a key with what was made from it.
type material struct {
	raw  []byte
	aead cipher.AEAD
	mac  []byte
}

// NewRing makes a ring with one new key.
func NewRing() (Ring, error) { return Ring{}.WithNewKey() }

// WithNewKey gives a ring whose newest key is new; it opens what this one opens.
func (r Ring) WithNewKey() (Ring, error) {
	raw := make([]byte, keySize)
	_, _ = rand.Read(raw) // never fails
	k, err := newKey(raw)
	if err != nil {
		return Ring{}, err
	}
	return Ring{append([]sealKey{k}, r.keys...)}, nil
}

// With gives a ring that opens also what another opens; its own keys come first, so its newest stays the newest.
func (r Ring) With(other Ring) Ring {
	keys := slices.Clone(r.keys)
	for _, k := range other.keys {
		if !slices.ContainsFunc(keys, func(have sealKey) bool { return bytes.Equal((*have.of).raw, (*k.of).raw) }) {
			keys = append(keys, k)
		}
	}
	return Ring{keys}
}

// ParseRing reads Text's form.
func ParseRing(text string) (Ring, error) {
	var r Ring
	for _, part := range strings.Fields(text) {
		raw, err := base64.StdEncoding.DecodeString(part)
		if err != nil || len(raw) != keySize {
			return Ring{}, fmt.Errorf("a sealing key that is not 32 bytes in base64 is %w", ErrInvalid)
		}
		k, err := newKey(raw)
		if err != nil {
			return Ring{}, err
		}
		r.keys = append(r.keys, k)
	}
	return r, nil
}

// Text is the keys themselves, the newest first: for the keychain and for recovery, and for nothing else.
func (r Ring) Text() string {
	parts := make([]string, 0, len(r.keys))
	for _, k := range r.keys {
		parts = append(parts, base64.StdEncoding.EncodeToString((*k.of).raw))
	}
	return strings.Join(parts, " ")
}

// String tells how many keys there are, and none of them.
func (r Ring) String() string { return fmt.Sprintf("ring of %d keys", len(r.keys)) }

// Format is String for every verb.
func (r Ring) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(r.String())) }

// LogValue is String.
func (r Ring) LogValue() slog.Value { return slog.StringValue(r.String()) }

// MarshalText is String, for whatever writes values as text.
func (r Ring) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// Empty tells that there is no key.
func (r Ring) Empty() bool { return len(r.keys) == 0 }

// Seal encrypts plain and binds it to about: it opens only with the same about. The ring must not be empty.
func (r Ring) Seal(plain, about []byte) []byte {
	k := r.keys[0]
	sealed := binary.BigEndian.AppendUint32(make([]byte, 0, len(plain)+overhead), k.id)
	return (*k.of).aead.Seal(sealed, nil, plain, about) //nolint:gosec // G407: this AEAD makes its nonces itself and takes none
}

// Open gives back what was sealed; ErrUnknownKey, or ErrDamaged.
func (r Ring) Open(sealed, about []byte) ([]byte, error) {
	if len(sealed) < overhead {
		return nil, ErrDamaged
	}
	id := binary.BigEndian.Uint32(sealed)
	for _, k := range r.keys {
		if k.id == id {
			plain, err := (*k.of).aead.Open(nil, nil, sealed[idSize:], about)
			if err != nil {
				return nil, ErrDamaged
			}
			return plain, nil
		}
	}
	return nil, ErrUnknownKey
}

// Mac gives a name by which data can be found again without telling what it is (HMAC-SHA-256 under the newest key, cut to 128 bits).
func (r Ring) Mac(data []byte) [16]byte {
	h := hmac.New(sha256.New, (*r.keys[0].of).mac)
	_, _ = h.Write(data) // never fails
	return [16]byte(h.Sum(nil))
}

func newKey(raw []byte) (sealKey, error) {
	block, err := aes.NewCipher(raw)
	if err != nil {
		return sealKey{}, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return sealKey{}, err
	}
	id, err := hkdf.Key(sha256.New, raw, nil, "ringside key id", idSize)
	if err != nil {
		return sealKey{}, err
	}
	mac, err := hkdf.Key(sha256.New, raw, nil, "ringside names", sha256.Size)
	if err != nil {
		return sealKey{}, err
	}
	of := &material{raw: raw, aead: aead, mac: mac}
	return sealKey{id: binary.BigEndian.Uint32(id), of: &of}, nil
}
