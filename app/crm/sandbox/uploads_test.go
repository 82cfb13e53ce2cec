package sandbox

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// tusBegin begins an upload and gives its path.
func (c *client) tusBegin(length int, metadata ...string) string {
	c.t.Helper()
	var said []string
	for i := 0; i+1 < len(metadata); i += 2 {
		said = append(said, metadata[i]+" "+base64.StdEncoding.EncodeToString([]byte(metadata[i+1])))
	}
	r := c.do(http.StatusCreated, "POST", "/api/uploads", "", "Tus-Resumable", tusVersion, "Upload-Length", strconv.Itoa(length), "Upload-Metadata", strings.Join(said, ","))
	if r.header.Get("Tus-Resumable") != tusVersion || !strings.HasPrefix(r.header.Get("Location"), "/api/uploads/up_") {
		c.t.Fatalf("an upload is begun with %v", r.header)
	}
	return r.header.Get("Location")
}

func (c *client) tusAt(path, want string) {
	c.t.Helper()
	if r := c.do(http.StatusOK, "HEAD", path, "", "Tus-Resumable", tusVersion); r.header.Get("Upload-Offset") != want {
		c.t.Errorf("it is at %q, want %s", r.header.Get("Upload-Offset"), want)
	}
}

func (c *client) tusPatch(want int, path, offset, piece string) reply {
	c.t.Helper()
	return c.do(want, "PATCH", path, piece, "Tus-Resumable", tusVersion, "Content-Type", "application/offset+octet-stream", "Upload-Offset", offset)
}

func TestAnUploadInPiecesBecomesTheFileOfARecording(t *testing.T) {
	s := begin(t, Options{})
	c := dial(t, s)
	call := someCall(c)
	path := c.tusBegin(9, "filename", "录音.wav", "filetype", "audio/wav", "key", "k1")
	c.tusAt(path, "0")
	if r := c.tusPatch(http.StatusNoContent, path, "0", "one t"); r.header.Get("Upload-Offset") != "5" || len(r.body) != 0 {
		t.Errorf("a piece is answered by %v %q", r.header, r.body)
	}
	id := strings.TrimPrefix(path, "/api/uploads/")
	wantRefusal(t, c.do(http.StatusUnprocessableEntity, "PUT", call+"/file", `{"upload":"`+id+`"}`), "invalid", "upload")
	wantRefusal(t, c.tusPatch(http.StatusConflict, path, "0", "one t"), "offset", "")
	wantRefusal(t, c.tusPatch(http.StatusBadRequest, path, "5", "wo three"), "too_long", "")
	c.tusAt(path, "5")
	c.tusPatch(http.StatusNoContent, path, "5", "wo 3")
	if again := c.tusBegin(9, "key", "k1"); again != path {
		t.Errorf("begun again with its key it is %s, want %s", again, path)
	}
	if other := c.tusBegin(10, "key", "k1"); other == path || s.Uploads() != 2 {
		t.Errorf("one of another length is %s, and there are %d", other, s.Uploads())
	}
	c.do(http.StatusOK, "PUT", call+"/recording", `{"id":"rec-1","url":"https://pbx.example/r/1"}`)
	sum := sha256.Sum256([]byte("one two 3"))
	want := Recording{ID: "rec-1", URL: "https://pbx.example/r/1", Name: "录音.wav", Type: "audio/wav", Size: 9, SHA256: hex.EncodeToString(sum[:])}
	for range 2 {
		if got := read[Call](t, c.do(http.StatusOK, "PUT", call+"/file", `{"upload":"`+id+`"}`)).Recording; got == nil || *got != want {
			t.Errorf("the recording is %+v, want %+v", got, want)
		}
	}
	if got := read[Call](t, c.do(http.StatusOK, "PUT", call+"/recording", `{"url":"https://pbx.example/r/2"}`)).Recording; got.SHA256 != want.SHA256 || got.URL != "https://pbx.example/r/2" {
		t.Errorf("a new link takes the file away: %+v", got)
	}
	c.do(http.StatusNoContent, "DELETE", path, "", "Tus-Resumable", tusVersion)
	c.do(http.StatusNotFound, "HEAD", path, "", "Tus-Resumable", tusVersion)
	wantRefusal(t, c.do(http.StatusNotFound, "PUT", call+"/file", `{"upload":"`+id+`"}`), "not_found", "")
}

func TestWhatIsNoTusIsRefused(t *testing.T) {
	c := dial(t, begin(t, Options{}))
	r := c.do(http.StatusPreconditionFailed, "POST", "/api/uploads", "", "Upload-Length", "1")
	if wantRefusal(t, r, "tus_version", ""); r.header.Get("Tus-Version") != tusVersion {
		t.Errorf("it does not say what it speaks: %v", r.header)
	}
	for length, code := range map[string]string{"": "upload_length", "-1": "upload_length", "x": "upload_length"} {
		wantRefusal(t, c.do(http.StatusBadRequest, "POST", "/api/uploads", "", "Tus-Resumable", tusVersion, "Upload-Length", length), code, "")
	}
	wantRefusal(t, c.do(http.StatusRequestEntityTooLarge, "POST", "/api/uploads", "", "Tus-Resumable", tusVersion, "Upload-Length", "99999999999"), "too_large", "")
	wantRefusal(t, c.do(http.StatusBadRequest, "POST", "/api/uploads", "", "Tus-Resumable", tusVersion, "Upload-Length", "1", "Upload-Metadata", "a %%"), "upload_metadata", "")
	path := c.tusBegin(1)
	wantRefusal(t, c.do(http.StatusUnsupportedMediaType, "PATCH", path, "a", "Tus-Resumable", tusVersion, "Upload-Offset", "0"), "content_type", "")
	if r := c.do(http.StatusNoContent, "OPTIONS", "/api/uploads", ""); r.header.Get("Tus-Extension") != "creation,termination" || r.header.Get("Tus-Max-Size") != strconv.Itoa(tusLargest) {
		t.Errorf("it says of itself %v", r.header)
	}
}

// While one connection works on an upload another one waits; what arrived before the first broke is kept.
func TestAPieceThatBreaksOffIsKeptAsFarAsItCame(t *testing.T) {
	c := dial(t, begin(t, Options{}))
	path := c.tusBegin(1000)
	body, w := io.Pipe()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPatch, c.base+path, body)
	if err != nil {
		t.Fatal(err)
	}
	r.ContentLength = 1000
	for name, value := range map[string]string{"Authorization": "Bearer " + c.token, "Tus-Resumable": tusVersion, "Content-Type": "application/offset+octet-stream", "Upload-Offset": "0"} {
		r.Header.Set(name, value)
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		if res, err := c.http.Do(r); err == nil {
			_ = res.Body.Close()
		}
	}()
	if _, err := w.Write(bytes.Repeat([]byte("a"), 400)); err != nil {
		t.Fatal(err)
	}
	state := func() int {
		got, err := c.try("HEAD", path, "", "Tus-Resumable", tusVersion)
		if err != nil {
			t.Fatal(err)
		}
		return got.status
	}
	wait := func(want int) {
		t.Helper()
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for limit := time.Now().Add(10 * time.Second); state() != want; <-tick.C {
			if time.Now().After(limit) {
				t.Fatalf("it does not answer %d", want)
			}
		}
	}
	wait(http.StatusLocked)
	w.CloseWithError(io.ErrUnexpectedEOF)
	<-over
	wait(http.StatusOK)
	c.tusAt(path, "400")
}
