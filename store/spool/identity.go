package spool

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"filippo.io/age"

	"ringside.dev/ringside/app/secret"
)

// identityFile holds the spool's own identities, sealed.
const identityFile = "identity"

// aboutIdentity is what the seal is bound to.
const aboutIdentity = "spool identity 1"

// unlock reads the spool's identities, or makes them, and chooses to whom files are written. There are two of them, as age mixes its
// post-quantum recipients with no others: the recovery recipient decides which one is written to.
func (s *Spool) unlock(o Options) error {
	text, err := s.identity(o)
	if err != nil {
		return err
	}
	if s.identities, err = age.ParseIdentities(bytes.NewReader(text)); err != nil {
		return errors.New("the spool's identity is not readable") // the cause may repeat it
	}
	var recovery age.Recipient
	if o.Recovery != "" {
		if recovery, err = secret.ParseRecipient(o.Recovery); err != nil {
			return err
		}
	}
	_, hybrid := recovery.(*age.HybridRecipient)
	for _, i := range s.identities {
		switch i := i.(type) {
		case *age.X25519Identity:
			if !hybrid {
				s.recipients = append(s.recipients, i.Recipient())
			}
		case *age.HybridIdentity:
			if hybrid {
				s.recipients = append(s.recipients, i.Recipient())
			}
		}
	}
	if len(s.recipients) == 0 {
		return errors.New("the spool's identity is not complete")
	}
	if recovery != nil {
		s.recipients = append(s.recipients, recovery)
	}
	return nil
}

// identity gives the text of the identities.
func (s *Spool) identity(o Options) ([]byte, error) {
	sealed, err := os.ReadFile(filepath.Join(s.dir, identityFile))
	if errors.Is(err, fs.ErrNotExist) {
		if left, _ := filepath.Glob(filepath.Join(s.dir, "*"+sealedEnd)); len(left) > 0 {
			o.Log.Warn("spool has lost its identity: its files can be read by recovery only", "files", len(left))
		}
		return s.makeIdentity(o.Keys)
	}
	if err != nil {
		return nil, err
	}
	text, err := o.Keys.Open(sealed, []byte(aboutIdentity))
	if err != nil {
		return nil, fmt.Errorf("the spool's identity: %w", err)
	}
	return text, nil
}

// makeIdentity makes new identities and keeps them durably before anything is written to them.
func (s *Spool) makeIdentity(keys secret.Ring) ([]byte, error) {
	if keys.Empty() {
		return nil, errors.New("there is no key to seal with")
	}
	classic, err := age.GenerateX25519Identity()
	if err != nil {
		return nil, err
	}
	hybrid, err := age.GenerateHybridIdentity()
	if err != nil {
		return nil, err
	}
	text := []byte(classic.String() + "\n" + hybrid.String() + "\n")
	return text, s.keep(keys.Seal(text, []byte(aboutIdentity)))
}

func (s *Spool) keep(sealed []byte) error {
	name := filepath.Join(s.dir, identityFile)
	f, err := os.OpenFile(name+unfinishedEnd, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(sealed)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(name+unfinishedEnd, name); err != nil {
		return err
	}
	return syncDir(s.dir)
}
