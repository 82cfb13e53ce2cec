package app

import (
	"context"
	"path/filepath"

	"ringside.dev/ringside/app/crm"
	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/outbox"
	"ringside.dev/ringside/app/recording"
	"ringside.dev/ringside/store/recordings"
	"ringside.dev/ringside/store/spool"
)

// Where files of recordings are kept, beside the store: what is known of them and their parts, and whole ones.
const (
	recordingsDir = "recordings"
	spoolDir      = "spool"
)

// files works on the files of recordings, where the profile asks for them; nil: it does not.
type files struct{ *recording.Files }

// openFiles takes up what was left of recordings. Invalid: the CRM's connector cannot take files.
func openFiles(cfg Config, connector crm.Connector, box func() *outbox.Outbox) (*files, error) {
	p := cfg.Profile.Recordings
	if !p.Fetch {
		return nil, nil
	}
	if !connector.Features().Writes[cti.UploadRecording] {
		return nil, cti.Errorf(cti.Invalid, "recordings.fetch: the connector "+connector.Name()+" has no operation upload_recording, so this CRM cannot be given files: write fetch: false", nil)
	}
	jobs, err := recordings.Open(filepath.Join(cfg.StateDir, recordingsDir), cfg.Keys, cfg.Log)
	if err != nil {
		return nil, err
	}
	whole, err := spool.Open(spool.Options{Dir: filepath.Join(cfg.StateDir, spoolDir), Keys: cfg.Keys, Recovery: cfg.Profile.Storage.RecoveryRecipient, Log: cfg.Log})
	if err != nil {
		return nil, err
	}
	f, err := recording.Open(recording.Options{
		Source: recording.SourceOf(p, cfg.Secret), Jobs: jobs, Spool: whole, Hand: connector.Write, Log: cfg.Log,
		Busy: func() bool { return box().Busy() },
		Ready: func(w cti.WriteBack) {
			if err := box().Due(w.Leg, w.Key); err != nil {
				cfg.Log.Warn("the news of a recording were not told", "leg", w.Leg, "err", err)
			}
		},
	})
	if err != nil {
		return nil, err
	}
	return &files{f}, nil
}

// send is what the outbox gets for a write-back that is about a file.
func (f *files) send(w cti.WriteBack) (cti.Receipt, error) {
	if f == nil {
		return cti.Receipt{}, cti.Errorf(cti.Invalid, "recordings.fetch is off: set it to true and retry, or attach the recording by hand and discard this", nil)
	}
	return f.Send(w)
}

// note writes down where the file of a recording is, and gives its name here; "" where the CRM is not to have it.
func (f *files) note(r cti.Recording) (string, error) {
	if f == nil {
		return "", nil
	}
	return f.Note(r)
}

// wanted has the files of accepted write-backs fetched.
func (f *files) wanted(writes []cti.WriteBack) error {
	for _, w := range writes {
		if f == nil || w.Op != cti.UploadRecording {
			continue
		}
		if err := f.Wanted(w.Recording.File); err != nil {
			return err
		}
	}
	return nil
}

// progressed forgets a file that a person does not want in the CRM.
func (f *files) progressed(it outbox.Item) {
	if f != nil && it.WriteBack.Op == cti.UploadRecording && it.State == outbox.Discarded {
		f.Drop(it.WriteBack.Recording.File)
	}
}

func (f *files) run(ctx context.Context) error {
	if f == nil {
		return nil
	}
	return f.Run(ctx)
}
