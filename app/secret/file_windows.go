package secret

import (
	"fmt"
	"io/fs"
)

// private: modes mean nothing here, and access lists are inherited from whatever folder the file is moved to.
func private(fs.FileInfo) error {
	return fmt.Errorf("%w: on Windows keep the secret in the keychain, as keychain:NAME", ErrExposed)
}
