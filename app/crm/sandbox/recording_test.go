package sandbox

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"strings"
	"testing"
)

func someCall(c *client) string {
	c.t.Helper()
	return "/api/calls/" + read[Call](c.t, c.do(http.StatusCreated, "PUT", "/api/calls/by-key/rec", callBody)).ID
}

func TestARecordingElsewhereIsKeptAndReplaced(t *testing.T) {
	s := begin(t, Options{})
	c := dial(t, s)
	path := someCall(c)
	const first = `{"url":"https://pbx.example/r/1","name":"one.wav","type":"audio/wav","duration_ms":61000}`
	c.do(http.StatusOK, "PUT", path+"/recording", first)
	again := read[Call](t, c.do(http.StatusOK, "PUT", path+"/recording", first))
	if want := (Recording{URL: "https://pbx.example/r/1", Name: "one.wav", Type: "audio/wav", DurationMS: 61000}); again.Recording == nil || *again.Recording != want || again.Revision != 2 {
		t.Errorf("the call is %+v with %+v", again, again.Recording)
	}
	c.do(http.StatusOK, "PUT", path+"/recording", `{"id":"rec-1","url":"https://pbx.example/r/1","expires_at":"2026-12-01T10:00:00Z"}`)
	if got := read[Call](t, c.do(http.StatusOK, "GET", path, "")).Recording; got.ID != "rec-1" || got.ExpiresAt == nil || got.ExpiresAt.Day() != 1 {
		t.Errorf("the recording is %+v", got)
	}
	c.do(http.StatusOK, "PUT", path+"/recording", `{"id":"rec-1"}`)
	if got := read[Call](t, c.do(http.StatusOK, "GET", path, "")).Recording; *got != (Recording{ID: "rec-1"}) {
		t.Errorf("the recording is %+v, want its id alone", got)
	}
	c.do(http.StatusOK, "PUT", path+"/recording", `{"url":"https://pbx.example/r/2"}`)
	if got := read[Call](t, c.do(http.StatusOK, "GET", path, "")); *got.Recording != (Recording{URL: "https://pbx.example/r/2"}) || got.Number != "13800138000" {
		t.Errorf("replaced it is %+v", got.Recording)
	}
	wantRefusal(t, c.do(http.StatusUnprocessableEntity, "PUT", path+"/recording", `{"name":"x"}`), "invalid", "url")
	wantRefusal(t, c.do(http.StatusUnprocessableEntity, "PUT", path+"/recording", `{"url":"file:///etc/passwd"}`), "invalid", "url")
	wantRefusal(t, c.do(http.StatusUnprocessableEntity, "PUT", path+"/recording", `{"url":"ftp://pbx.example/r/1"}`), "invalid", "url")
	wantRefusal(t, c.do(http.StatusUnprocessableEntity, "PUT", path+"/recording", `{"url":"https://a","duration_ms":-1}`), "invalid", "duration_ms")
	wantRefusal(t, c.do(http.StatusUnprocessableEntity, "PUT", path+"/recording", `{"url":"https://a","size":1}`), "unknown_field", "size")
	wantRefusal(t, c.do(http.StatusNotFound, "PUT", "/api/calls/call_x/recording", `{"url":"https://a"}`), "not_found", "")
	wantRefusal(t, c.do(http.StatusNotFound, "PUT", path+"/picture", `{"url":"https://a"}`), "not_found", "")
}

// upload is a form with a file of that size, and its media type.
func upload(t *testing.T, size int, fields ...string) (body, kind string) {
	t.Helper()
	var out bytes.Buffer
	w := multipart.NewWriter(&out)
	for i := 0; i+1 < len(fields); i += 2 {
		if err := w.WriteField(fields[i], fields[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if size >= 0 {
		part, err := w.CreatePart(textproto.MIMEHeader{"Content-Disposition": {`form-data; name="file"; filename="call.wav"`}, "Content-Type": {"audio/wav"}})
		if err == nil {
			_, err = part.Write(bytes.Repeat([]byte("a"), size))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String(), w.FormDataContentType()
}

func TestAnUploadedRecordingIsKeptAsLengthAndSum(t *testing.T) {
	c := dial(t, begin(t, Options{}))
	path := someCall(c)
	for _, size := range []int{1000, maxUpload} {
		body, kind := upload(t, size, "duration_ms", "61000")
		got := read[Call](t, c.do(http.StatusOK, "POST", path+"/recording", body, "Content-Type", kind)).Recording
		sum := sha256.Sum256(bytes.Repeat([]byte("a"), size))
		if want := (Recording{Name: "call.wav", Type: "audio/wav", DurationMS: 61000, Size: int64(size), SHA256: hex.EncodeToString(sum[:])}); got == nil || *got != want {
			t.Errorf("the recording is %+v, want %+v", got, want)
		}
	}
}

func TestAnUploadThatIsTooLargeOrNoneIsRefused(t *testing.T) {
	s := begin(t, Options{})
	c := dial(t, s)
	path := someCall(c)
	large, kindL := upload(t, maxUpload+1)
	wantRefusal(t, c.do(http.StatusRequestEntityTooLarge, "POST", path+"/recording", large, "Content-Type", kindL), "too_large", "")
	none, kindN := upload(t, -1, "duration_ms", "1")
	wantRefusal(t, c.do(http.StatusUnprocessableEntity, "POST", path+"/recording", none, "Content-Type", kindN), "invalid", "file")
	odd, kindO := upload(t, 10, "colour", "red")
	wantRefusal(t, c.do(http.StatusUnprocessableEntity, "POST", path+"/recording", odd, "Content-Type", kindO), "unknown_field", "colour")
	local, kindF := upload(t, 10, "url", "file:///etc/passwd")
	wantRefusal(t, c.do(http.StatusUnprocessableEntity, "POST", path+"/recording", local, "Content-Type", kindF), "invalid", "url")
	whole, kindW := upload(t, 1000)
	wantRefusal(t, c.do(http.StatusBadRequest, "POST", path+"/recording", whole[:500], "Content-Type", kindW), "bad_body", "")
	wantRefusal(t, c.do(http.StatusUnsupportedMediaType, "POST", path+"/recording", `{}`, "Content-Type", "application/json"), "content_type", "")
	wantRefusal(t, c.do(http.StatusUnsupportedMediaType, "POST", path+"/recording", whole, "Content-Type", strings.Split(kindW, ";")[0]), "content_type", "")
	if got := withKey(s, "rec")[0]; got.Recording != nil || got.Revision != 1 {
		t.Errorf("a refused upload left %+v", got.Recording)
	}
}
