package secret

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// ErrExposed means that a secret lies where others can read it.
var ErrExposed = errors.New("others may read it: give it to this program's user alone (chown, chmod 600), and change the secret, which may be known by now")

// FromFile reads a secret from a file, for servers without a keychain. The file must be a regular one of this user or of root, which nobody
// else may read or write (ErrExposed); on Windows there is no such mode, and the keychain is there. A line end after the secret is not part
// of it.
func FromFile(path string) (string, error) { return fromFile(path, private) }

// FromCredential reads a credential that systemd passes to its unit (LoadCredential=, LoadCredentialEncrypted=; systemd.exec(5)). Systemd
// keeps others out, partly by access lists, which show as rights of the group: only those of all others are refused.
func FromCredential(name string, getenv func(string) string) (string, error) {
	if err := CheckName(name); err != nil {
		return "", err
	}
	dir := getenv("CREDENTIALS_DIRECTORY")
	if dir == "" {
		return "", fmt.Errorf("credential %s: %w", name, missing("this program was not started by a systemd unit with LoadCredential="+name))
	}
	return fromFile(filepath.Join(dir, name), notOfAll)
}

func fromFile(path string, check func(fs.FileInfo) error) (value string, err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%s: %w", path, missing("there is no such file"))
	}
	if err != nil {
		return "", fmt.Errorf("read a secret: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat() // of what was opened: what the path names may change meanwhile
	if err != nil {
		return "", fmt.Errorf("read a secret: %w", err)
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("%s is no file, which is %w", path, ErrInvalid)
	}
	if err := check(info); err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	data, err := io.ReadAll(io.LimitReader(f, MaxValue+2))
	if err != nil {
		return "", fmt.Errorf("read a secret: %w", err)
	}
	value = strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	if err := checkValue(value); err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	return value, nil
}

// othersMode are the rights of everybody but the owner and the group.
const othersMode = 0o007

func notOfAll(info fs.FileInfo) error {
	if info.Mode().Perm()&othersMode != 0 {
		return fmt.Errorf("%w (mode %o)", ErrExposed, info.Mode().Perm())
	}
	return nil
}
