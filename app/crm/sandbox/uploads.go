package sandbox

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	sums "hash"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// Uploads as tus.io describes them, version 1.0.0: the core and the extensions creation and termination. They live in memory, and of a file only
// length and sum are kept.
const (
	tusVersion = "1.0.0"
	tusLargest = 2 << 30 // bytes of a file
	tusMost    = 1000    // uploads that are kept
)

// tusUpload is a file on its way. Who works on it holds busy.
type tusUpload struct {
	id, key    string
	name, kind string
	length     int64
	busy       sync.Mutex

	mu     sync.Mutex
	offset int64
	sum    sums.Hash
}

func (u *tusUpload) at() int64 { u.mu.Lock(); defer u.mu.Unlock(); return u.offset }

// uploads are those there are.
type uploads struct {
	mu      sync.Mutex
	by      map[string]*tusUpload
	created int64
}

// Uploads tells how many uploads were begun, ever.
func (s *Server) Uploads() int64 {
	s.uploads.mu.Lock()
	defer s.uploads.mu.Unlock()
	return s.uploads.created
}

// begin makes an upload. One with a key that is known is the one there is: who lost the answer gets it again.
func (p *uploads) begin(u *tusUpload) (*tusUpload, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, old := range p.by {
		if u.key != "" && old.key == u.key && old.length == u.length {
			return old, nil
		}
	}
	if len(p.by) >= tusMost {
		return nil, &problem{Status: http.StatusInsufficientStorage, Code: "full", Message: "too many uploads are kept"}
	}
	if p.by == nil {
		p.by = map[string]*tusUpload{}
	}
	p.created++
	p.by[u.id] = u
	return u, nil
}

func (p *uploads) get(id string) (*tusUpload, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if u := p.by[id]; u != nil {
		return u, nil
	}
	return nil, notFound("upload")
}

func (p *uploads) drop(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.by, id)
}

func tusHeader(pairs ...string) http.Header {
	h := http.Header{"Tus-Resumable": {tusVersion}}
	for i := 0; i+1 < len(pairs); i += 2 {
		h.Set(pairs[i], pairs[i+1])
	}
	return h
}

// tus refuses what speaks another version, and gives the upload that the address names.
func (s *Server) tus(do func(r *http.Request, u *tusUpload) (answer, error)) apiFunc {
	return func(r *http.Request) (answer, error) {
		if r.Header.Get("Tus-Resumable") != tusVersion {
			return answer{}, &problem{Status: http.StatusPreconditionFailed, Code: "tus_version", Message: "say Tus-Resumable: " + tusVersion,
				header: http.Header{"Tus-Version": {tusVersion}}}
		}
		if r.PathValue("id") == "" {
			return do(r, nil)
		}
		u, err := s.uploads.get(r.PathValue("id"))
		if err != nil {
			return answer{}, err
		}
		return do(r, u)
	}
}

func tusOptions(*http.Request) (answer, error) {
	return answer{status: http.StatusNoContent, header: tusHeader("Tus-Version", tusVersion, "Tus-Extension", "creation,termination", "Tus-Max-Size", strconv.Itoa(tusLargest))}, nil
}

func (s *Server) tusCreate(r *http.Request, _ *tusUpload) (answer, error) {
	length, err := strconv.ParseInt(r.Header.Get("Upload-Length"), 10, 64)
	if err != nil || length < 0 {
		return answer{}, &problem{Status: http.StatusBadRequest, Code: "upload_length", Message: "say Upload-Length in bytes"}
	}
	if length > tusLargest {
		return answer{}, &problem{Status: http.StatusRequestEntityTooLarge, Code: "too_large", Message: fmt.Sprintf("a file is limited to %d bytes", tusLargest)}
	}
	said, err := tusMetadata(r.Header.Get("Upload-Metadata"))
	if err != nil {
		return answer{}, &problem{Status: http.StatusBadRequest, Code: "upload_metadata", Message: err.Error()}
	}
	u, err := s.uploads.begin(&tusUpload{id: "up_" + rand.Text(), key: said["key"], name: said["filename"], kind: said["filetype"], length: length, sum: sha256.New()})
	if err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusCreated, body: map[string]string{"id": u.id}, header: tusHeader("Location", "/api/uploads/"+u.id, "Upload-Offset", strconv.FormatInt(u.at(), 10))}, nil
}

// tusMetadata reads names and values in base64: "filename d29ybGQ=,key YQ==".
func tusMetadata(text string) (map[string]string, error) {
	out := map[string]string{}
	for pair := range strings.SplitSeq(text, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(pair), " ")
		plain, err := base64.StdEncoding.DecodeString(value)
		if err != nil || len(plain) > maxLine {
			return nil, fmt.Errorf("the value of %q is not base64, or too long", name)
		}
		out[name] = string(plain)
	}
	return out, nil
}

func tusHead(_ *http.Request, u *tusUpload) (answer, error) {
	if !u.busy.TryLock() {
		return answer{}, tusLocked()
	}
	defer u.busy.Unlock()
	return answer{status: http.StatusOK, header: tusHeader("Upload-Offset", strconv.FormatInt(u.at(), 10), "Upload-Length", strconv.FormatInt(u.length, 10))}, nil
}

func tusLocked() *problem {
	return &problem{Status: http.StatusLocked, Code: "locked", Message: "another request works on this upload"}
}

// tusPatch takes a piece. What arrived before the line broke is kept.
func tusPatch(r *http.Request, u *tusUpload) (answer, error) {
	if r.Header.Get("Content-Type") != "application/offset+octet-stream" {
		return answer{}, &problem{Status: http.StatusUnsupportedMediaType, Code: "content_type", Message: "send application/offset+octet-stream"}
	}
	if !u.busy.TryLock() {
		return answer{}, tusLocked()
	}
	defer u.busy.Unlock()
	if offset, err := strconv.ParseInt(r.Header.Get("Upload-Offset"), 10, 64); err != nil || offset != u.at() {
		return answer{}, &problem{Status: http.StatusConflict, Code: "offset", Message: fmt.Sprintf("this upload is at %d", u.at())}
	}
	if err := u.take(r.Body); err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusNoContent, header: tusHeader("Upload-Offset", strconv.FormatInt(u.at(), 10))}, nil
}

func (u *tusUpload) take(from io.Reader) error {
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		u.mu.Lock()
		tooMuch := u.offset+int64(n) > u.length
		if !tooMuch {
			u.sum.Write(buf[:n])
			u.offset += int64(n)
		}
		u.mu.Unlock()
		switch {
		case tooMuch:
			return &problem{Status: http.StatusBadRequest, Code: "too_long", Message: "this is more than the upload was said to have"}
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return &problem{Status: http.StatusBadRequest, Code: "bad_body", Message: "the piece did not arrive whole"}
		}
	}
}

func (s *Server) tusDelete(_ *http.Request, u *tusUpload) (answer, error) {
	if !u.busy.TryLock() {
		return answer{}, tusLocked()
	}
	defer u.busy.Unlock()
	s.uploads.drop(u.id)
	return answer{status: http.StatusNoContent, header: tusHeader()}, nil
}

// putFile makes a whole upload the file of a call's recording; where the recording is elsewhere stays told.
func (s *Server) putFile(r *http.Request) (answer, error) {
	in, err := parseBody(r)
	if err != nil {
		return answer{}, err
	}
	var said struct{ id string }
	one := fields[struct{ id string }]{"upload": text(func(v *struct{ id string }) *string { return &v.id }, maxLine).needed()}
	if err := one.apply(&said, in); err != nil {
		return answer{}, err
	}
	u, err := s.uploads.get(said.id)
	if err != nil {
		return answer{}, err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.offset != u.length {
		return answer{}, invalid("upload", "is not whole yet")
	}
	sum := hex.EncodeToString(u.sum.Sum(nil))
	return s.changeCall(r, func(_ *book, c *Call) error {
		rec := Recording{}
		if c.Recording != nil {
			rec = *c.Recording
		}
		rec.Name, rec.Type, rec.Size, rec.SHA256 = u.name, u.kind, u.length, sum
		c.Recording = &rec
		return nil
	})
}
