package sandbox

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
)

const maxUpload = 4 << 20 // bytes of a recording

// Recording is a call's recording: where it is, or what was uploaded. Of an upload only length and sum are kept.
type Recording struct {
	ID         string `json:"id"`  // the phone system's own
	URL        string `json:"url"` // "" for one that is known by its id alone, or was uploaded
	Name       string `json:"name"`
	Type       string `json:"type"` // audio/wav
	DurationMS int64  `json:"duration_ms"`
	ExpiresAt  *Stamp `json:"expires_at"` // of the address; null: it is not known to
	Size       int64  `json:"size"`       // bytes; 0 for one that is elsewhere
	SHA256     string `json:"sha256"`     // "" for one that is elsewhere
}

func recordingFields() fields[Recording] {
	return fields[Recording]{
		"id":          text(func(v *Recording) *string { return &v.ID }, maxLine),
		"url":         text(func(v *Recording) *string { return &v.URL }, 2000),
		"name":        text(func(v *Recording) *string { return &v.Name }, maxLine),
		"type":        text(func(v *Recording) *string { return &v.Type }, maxLine),
		"expires_at":  optMoment(func(v *Recording) **Stamp { return &v.ExpiresAt }),
		"duration_ms": millis(func(v *Recording) *int64 { return &v.DurationMS }),
	}
}

// putRecording says where a call's recording is. It replaces the one there was.
func (s *Server) putRecording(r *http.Request) (answer, error) {
	switch r.PathValue("part") {
	case "file":
		return s.putFile(r)
	case "recording":
	default:
		return answer{}, notFound("path")
	}
	in, err := parseBody(r)
	if err != nil {
		return answer{}, err
	}
	var rec Recording
	if err := recordingFields().apply(&rec, in); err != nil {
		return answer{}, err
	}
	if rec.URL == "" && rec.ID == "" {
		return answer{}, invalid("url", "is required, or id")
	}
	return s.attach(r, rec)
}

// keepFile has a recording that is elsewhere keep the file that was handed over.
func (rec *Recording) keepFile(old *Recording) {
	if old != nil && rec.SHA256 == "" {
		rec.Size, rec.SHA256 = old.Size, old.SHA256
	}
}

// postRecording takes an upload: multipart/form-data with one part that has a file name, and duration_ms beside it.
func (s *Server) postRecording(r *http.Request) (answer, error) {
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" || params["boundary"] == "" {
		return answer{}, &problem{Status: http.StatusUnsupportedMediaType, Code: "content_type", Message: "send multipart/form-data with a file"}
	}
	r.Body = http.MaxBytesReader(nil, r.Body, maxUpload+maxBody)
	rec, err := readUpload(r)
	if err != nil {
		if _, told := errors.AsType[*problem](err); told {
			return answer{}, err
		}
		if _, tooBig := errors.AsType[*http.MaxBytesError](err); tooBig {
			return answer{}, uploadTooLarge()
		}
		return answer{}, &problem{Status: http.StatusBadRequest, Code: "bad_body", Message: "the upload could not be read"}
	}
	if rec.SHA256 == "" {
		return answer{}, invalid("file", "is required: a part with a file name")
	}
	if len(rec.Name) > maxLine || len(rec.Type) > maxLine {
		return answer{}, invalid("file", fmt.Sprintf("its name and type are limited to %d bytes each", maxLine))
	}
	return s.attach(r, rec)
}

func uploadTooLarge() *problem {
	return &problem{Status: http.StatusRequestEntityTooLarge, Code: "too_large", Message: fmt.Sprintf("a recording is limited to %d bytes", maxUpload)}
}

func readUpload(r *http.Request) (Recording, error) {
	parts, err := r.MultipartReader()
	if err != nil {
		return Recording{}, err
	}
	var rec Recording
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return rec, nil
		}
		if err != nil {
			return rec, err
		}
		if part.FileName() != "" {
			rec.Name, rec.Type = part.FileName(), part.Header.Get("Content-Type")
			err = rec.take(part)
		} else {
			err = rec.note(part.FormName(), part)
		}
		if err != nil {
			return rec, err
		}
	}
}

// take reads a file to its sum.
func (rec *Recording) take(from io.Reader) error {
	sum := sha256.New()
	n, err := io.Copy(sum, io.LimitReader(from, maxUpload+1))
	if err == nil && n > maxUpload {
		err = uploadTooLarge()
	}
	rec.Size, rec.SHA256 = n, hex.EncodeToString(sum.Sum(nil))
	return err
}

// note reads a part that is a field.
func (rec *Recording) note(name string, from io.Reader) error {
	var value strings.Builder
	if _, err := io.Copy(&value, io.LimitReader(from, maxText)); err != nil {
		return err
	}
	in := body{form: true}.with(name, value.String())
	return recordingFields().apply(rec, in)
}

// attach gives a call its recording and answers the call.
func (s *Server) attach(r *http.Request, rec Recording) (answer, error) {
	if u, err := url.Parse(rec.URL); rec.URL != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		return answer{}, invalid("url", "must be an address that begins with http:// or https://")
	}
	return s.changeCall(r, func(_ *book, c *Call) error {
		rec.keepFile(c.Recording)
		c.Recording = &rec
		return nil
	})
}
