package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
)

const (
	maxBody      = 1 << 20
	defaultLimit = 50
	maxLimit     = 500
)

// problem is every refusal of the API: {"error":{code, message, field?, id?}, current?}.
type problem struct {
	Status  int    `json:"-"`
	Code    string `json:"code"`
	Message string `json:"message"`
	Field   string `json:"field,omitempty"` // the value at fault
	ID      string `json:"id,omitempty"`    // the record that has the key already
	after   string // the Retry-After header, "" for none
	header  http.Header
	current any // the record as it is, shown beside the error; nil for none
}

func (p *problem) Error() string { return p.Code + ": " + p.Message }

func invalid(field, message string) *problem {
	return &problem{Status: http.StatusUnprocessableEntity, Code: "invalid", Message: message, Field: field}
}

func notFound(noun string) *problem {
	return &problem{Status: http.StatusNotFound, Code: "not_found", Message: "no such " + noun}
}

func duplicate(id string) *problem {
	return &problem{Status: http.StatusConflict, Code: "duplicate", Message: "a record with this external_key exists", Field: "external_key", ID: id}
}

// answer is what a handler of the API returns when it succeeds.
type answer struct {
	status int
	body   any
	header http.Header // nil for none of its own
}

func ok(body any) answer      { return answer{status: http.StatusOK, body: body} }
func created(body any) answer { return answer{status: http.StatusCreated, body: body} }

func writeJSON(w http.ResponseWriter, status int, body any) {
	if status == http.StatusNoContent {
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(status)
		return
	}
	b, err := json.Marshal(body)
	if err != nil { // our own types always marshal; a client must still get an answer
		status, b = http.StatusInternalServerError, []byte(`{"error":{"code":"internal","message":"internal error"}}`)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(b)))
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(b) // a failed write means the client has gone; there is nobody to tell
}

func writeProblem(w http.ResponseWriter, p *problem) {
	if p.after != "" {
		w.Header().Set("Retry-After", p.after)
	}
	maps.Copy(w.Header(), p.header)
	body := map[string]any{"error": p}
	if p.current != nil {
		body["current"] = p.current
	}
	writeJSON(w, p.Status, body)
}

// fail answers an error: a problem as it is, anything else as 500 with its text kept in the log.
func (s *Server) fail(w http.ResponseWriter, err error) int {
	p, known := errors.AsType[*problem](err)
	if !known {
		s.log.Error("request failed", "request_id", w.Header().Get(requestIDHeader), "error", err)
		p = &problem{Status: http.StatusInternalServerError, Code: "internal", Message: "internal error"}
	}
	writeProblem(w, p)
	return p.Status
}

func readBody(r *http.Request) ([]byte, error) {
	b, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxBody))
	if _, tooBig := errors.AsType[*http.MaxBytesError](err); tooBig {
		return nil, &problem{Status: http.StatusRequestEntityTooLarge, Code: "too_large", Message: fmt.Sprintf("the body is limited to %d bytes", maxBody)}
	}
	if err != nil {
		return nil, &problem{Status: http.StatusBadRequest, Code: "bad_body", Message: "the body could not be read"}
	}
	return b, nil
}

// limit reads ?limit=, 1 to maxLimit.
func limit(r *http.Request, otherwise int) (int, error) {
	text := r.URL.Query().Get("limit")
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > maxLimit {
		return 0, invalid("limit", fmt.Sprintf("must be 1 to %d", maxLimit))
	}
	return n, nil
}

func first[T any](rows []T, n int) []T { return rows[:min(n, len(rows))] }
