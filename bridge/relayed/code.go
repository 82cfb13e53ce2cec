package relayed

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"strings"

	"ringside.dev/ringside/app/cti"
)

// A code is what a person carries from the relay to a workstation: 30 bytes in base32, in groups of six letters.
//
//	16  the beginning of the SHA-256 of the relay's authority certificate: the workstation trusts no other
//	 3  which code it is
//	10  the secret, which is shown to that relay only
//	 1  a checksum against typing errors
const (
	PinSize   = 16
	idSize    = 3
	proofSize = 10
	codeSize  = PinSize + idSize + proofSize + 1
	groupSize = 6
)

// Code is a one-time code.
type Code struct {
	Pin   []byte
	ID    []byte
	Proof []byte
}

// NewCode makes a code for the relay with this authority certificate.
func NewCode(authority []byte) Code {
	random := make([]byte, idSize+proofSize)
	_, _ = rand.Read(random) // never fails
	return Code{Pin: Pin(authority), ID: random[:idSize], Proof: random[idSize:]}
}

// Pin is what a code says of an authority's certificate.
func Pin(authority []byte) []byte {
	sum := sha256.Sum256(authority)
	return sum[:PinSize]
}

var letters = base32.StdEncoding.WithPadding(base32.NoPadding)

// String is the code as people see it. It is a secret.
func (c Code) String() string {
	raw := bytes.Join([][]byte{c.Pin, c.ID, c.Proof}, nil)
	text := letters.EncodeToString(append(raw, checksum(raw)))
	var groups []string
	for ; len(text) > groupSize; text = text[groupSize:] {
		groups = append(groups, text[:groupSize])
	}
	return strings.Join(append(groups, text), "-")
}

func checksum(raw []byte) byte {
	sum := sha256.Sum256(append([]byte("ringside code"), raw...))
	return sum[0]
}

// ParseCode reads a code however it was typed: small letters, blanks and missing dashes do not matter, nor do 0 for O, 1 for I and 8 for B.
// The error does not repeat it.
func ParseCode(text string) (Code, error) {
	plain := strings.NewReplacer("-", "", " ", "", "\t", "", "0", "O", "1", "I", "8", "B").Replace(strings.ToUpper(strings.TrimSpace(text)))
	raw, err := letters.DecodeString(plain)
	if err != nil || len(raw) != codeSize || checksum(raw[:codeSize-1]) != raw[codeSize-1] {
		return Code{}, cti.Errorf(cti.Invalid, "this is not a code of ringctl relay enrol, or it was not copied whole: copy all eight groups", nil)
	}
	return Code{Pin: raw[:PinSize], ID: raw[PinSize : PinSize+idSize], Proof: raw[PinSize+idSize : codeSize-1]}, nil
}
