package cti

import (
	"context"
	"io"
)

// File is a file that is handed to a CRM together with a write-back. All but Moved and Turn are required.
type File struct {
	io.ReaderAt        // may be read concurrently
	Size        int64  // bytes
	SHA256      string // of the content, in hexadecimal
	Name        string
	Type        string // media type

	// Moved is told how much of it the CRM has, each time that is confirmed.
	Moved func(bytes int64)
	// Turn is asked before each piece: it waits while something more important is to be sent. An error ends the handing on, which may be taken up later.
	Turn func(ctx context.Context) error
}

type fileKey struct{}

// WithFile gives a connector the file that a write-back is about.
func WithFile(ctx context.Context, f File) context.Context {
	return context.WithValue(ctx, fileKey{}, f)
}

// FileOf gives the file that a write-back is about.
func FileOf(ctx context.Context) (File, bool) {
	f, ok := ctx.Value(fileKey{}).(File)
	return f, ok
}
