package recording

import (
	"context"
	"crypto/md5" //nolint:gosec // what servers give as Content-MD5: it finds damage on the way, it protects nothing
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"ringside.dev/ringside/app/cti"
)

const (
	// pieceSize is how much is asked for at once and kept as one sealed part, bytes: what a broken line or a kill costs at most.
	pieceSize = 1 << 20
	// slowLine is what the time-out of a piece reckons with, bytes a second.
	slowLine = 32 << 10
	// notYet is for how long a phone system may not have the file that it told of: it is still mixed and moved.
	notYet = 30 * time.Minute
	// mostDamaged is how often a file may arrive otherwise than its checksum says.
	mostDamaged = 3
)

// fetch is the bringing of one file from the phone system into parts on the disk.
type fetch struct {
	*Files
	job    *job
	offset int64 // how much is on the disk
}

// all fetches what is missing. Transient failures are of kind offline; all others need a person.
func (f *fetch) all(ctx context.Context) (err error) {
	if f.offset, err = f.jobs.Size(f.job.ID); err != nil {
		return err
	}
	if f.offset > 0 && f.job.Total == 0 { // of what these are parts was never written down
		if err := f.anew(); err != nil {
			return err
		}
	}
	for whole := f.job.Total > 0 && f.offset == f.job.Total; !whole; {
		if err := f.turn(ctx); err != nil {
			return err
		}
		if whole, err = f.piece(ctx); err != nil {
			return err
		}
	}
	return nil
}

// anew forgets what was fetched: it is not known to be part of the file there is now.
func (f *fetch) anew() error {
	if err := f.jobs.Clear(f.job.ID); err != nil {
		return err
	}
	f.offset = 0
	return f.edit(f.job, func(j *job) { j.Total, j.ETag, j.Modified, j.Digests = 0, "", "", nil })
}

// piece asks for the next piece and keeps what comes of it.
func (f *fetch) piece(ctx context.Context) (whole bool, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	limit := time.AfterFunc(connectLimit+answerLimit, func() { cancel(errSilent) })
	defer limit.Stop()
	r, err := f.request(ctx)
	if err != nil {
		return false, err
	}
	res, err := f.client.Do(r)
	if err != nil {
		return false, broken(ctx, err)
	}
	defer res.Body.Close()
	limit.Reset(pieceSize / slowLine * time.Second)
	return f.take(ctx, res, limit)
}

var errSilent = errors.New("nothing came for too long")

func (f *fetch) request(ctx context.Context) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, f.job.URL, nil)
	if err != nil || !f.source.admits(r.URL) { // the profile may be another one by now
		return nil, cti.Errorf(cti.Invalid, "the recording is at a host that recordings.hosts does not name: ask IT to add it and retry, or discard this", nil)
	}
	r.Header.Set("User-Agent", "Ringside")
	r.Header.Set("Accept-Encoding", "identity")
	r.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", f.offset, f.offset+pieceSize-1))
	if v := f.job.validator(); f.offset > 0 && v != "" {
		r.Header.Set("If-Range", v)
	}
	return r, f.source.sign(r)
}

// validator is what If-Range may name (RFC 9110, 13.1.5): a strong entity tag, else the date.
func (j *job) validator() string {
	if j.ETag != "" && !strings.HasPrefix(j.ETag, "W/") {
		return j.ETag
	}
	return j.Modified
}

// take reads an answer.
func (f *fetch) take(ctx context.Context, res *http.Response, limit *time.Timer) (whole bool, err error) {
	switch res.StatusCode {
	case http.StatusPartialContent:
		return f.partial(ctx, res, limit)
	case http.StatusOK: // it knows no ranges, or the file is another one by now
		if f.offset > 0 {
			f.log.Info("a recording is fetched from its beginning: it changed, or the phone system gives no ranges", "recording", f.job.ID)
		}
		if err := f.anew(); err != nil {
			return false, err
		}
		return f.entire(ctx, res, limit)
	case http.StatusRequestedRangeNotSatisfiable:
		_, total, _ := strings.Cut(res.Header.Get("Content-Range"), "/")
		if size, err := strconv.ParseInt(total, 10, 64); err == nil && size > 0 && size == f.offset && size == f.job.Total {
			return true, nil
		}
		if err := f.anew(); err != nil {
			return false, err
		}
		return false, f.missing()
	}
	return false, f.refused(res)
}

// partial takes the piece that was asked for.
func (f *fetch) partial(ctx context.Context, res *http.Response, limit *time.Timer) (bool, error) {
	from, to, total, ok := contentRange(res.Header.Get("Content-Range"))
	if !ok || from != f.offset || f.another(res, total) {
		f.log.Info("a recording is fetched from its beginning: it changed on the way", "recording", f.job.ID)
		if err := f.anew(); err != nil {
			return false, err
		}
		return false, cti.Errorf(cti.Offline, "the recording changed while it was fetched: it is fetched again", nil)
	}
	if f.offset == 0 {
		if err := f.begin(res, total); err != nil {
			return false, err
		}
	}
	if err := f.read(ctx, io.LimitReader(res.Body, to-from+1), limit); err != nil {
		return false, err
	}
	if f.offset <= to {
		return false, cti.Errorf(cti.Offline, "the line to the phone system broke", nil)
	}
	return f.offset == total, nil
}

// another tells that the file is not the one of which there are parts.
func (f *fetch) another(res *http.Response, total int64) bool {
	if f.offset == 0 {
		return false
	}
	tag, date := res.Header.Get("ETag"), res.Header.Get("Last-Modified")
	return total != f.job.Total || tag != "" && f.job.ETag != "" && tag != f.job.ETag || date != "" && f.job.Modified != "" && date != f.job.Modified
}

// entire takes the whole file from its beginning.
func (f *fetch) entire(ctx context.Context, res *http.Response, limit *time.Timer) (bool, error) {
	total := res.ContentLength
	if total < 0 && res.ProtoMajor < 2 && len(res.TransferEncoding) == 0 {
		return false, cti.Errorf(cti.Invalid, "the phone system does not say how long the recording is, so nothing tells a whole one from a part: ask its maker, or discard this", nil)
	}
	if total == 0 {
		return false, f.missing()
	}
	if err := f.begin(res, max(total, 0)); err != nil {
		return false, err
	}
	if err := f.read(ctx, res.Body, limit); err != nil {
		return false, err
	}
	if total >= 0 && f.offset != total {
		return false, cti.Errorf(cti.Offline, "the line to the phone system broke", nil)
	}
	if f.offset == 0 {
		return false, f.missing()
	}
	return true, f.edit(f.job, func(j *job) { j.Total = f.offset })
}

// begin writes down what file this is, before any part of it is kept.
func (f *fetch) begin(res *http.Response, total int64) error {
	kind, _, _ := strings.Cut(strings.ToLower(res.Header.Get("Content-Type")), ";")
	switch coding := strings.ToLower(res.Header.Get("Content-Encoding")); {
	case strings.TrimSpace(kind) == "text/html":
		return cti.Errorf(cti.Invalid, "a web page came instead of the recording: check recordings.sign_in and recordings.file and retry, or discard this", nil)
	case coding != "" && coding != "identity":
		return cti.Errorf(cti.Invalid, "the phone system packs the recording though it was asked not to: ask its maker, or discard this", nil)
	case total > f.source.Max:
		return f.tooLarge()
	}
	return f.edit(f.job, func(j *job) {
		j.Total, j.ETag, j.Modified, j.Digests = total, res.Header.Get("ETag"), res.Header.Get("Last-Modified"), digests(res)
		if j.Recording.Type == "" {
			j.Recording.Type = mediaType(res.Header.Get("Content-Type"))
		}
	})
}

func (f *fetch) tooLarge() error {
	return cti.Errorf(cti.Invalid, fmt.Sprintf("the recording is larger than %d MB: raise recordings.max_mb and retry, or discard this", f.source.Max>>20), nil)
}

// read keeps what comes as sealed parts, also what came before the line broke.
func (f *fetch) read(ctx context.Context, from io.Reader, limit *time.Timer) error {
	for {
		n, err := fill(from, f.part[:])
		if n > 0 {
			if f.offset+int64(n) > f.source.Max {
				return f.tooLarge()
			}
			if kept := f.jobs.Append(f.job.ID, f.offset, f.part[:n]); kept != nil {
				return kept
			}
			f.offset += int64(n)
			f.progressed(f.job.ID, f.offset)
			limit.Reset(pieceSize / slowLine * time.Second)
		}
		switch {
		case err == io.EOF: //nolint:errorlint // that alone is the end; an end that comes too early is another error, and may be wrapped
			return nil
		case err != nil:
			return broken(ctx, err)
		}
		limit.Stop() // waiting for our turn is no silence
		if err := f.turn(ctx); err != nil {
			return err
		}
		limit.Reset(pieceSize / slowLine * time.Second)
	}
}

// fill reads until there is no room. Unlike io.ReadFull it gives the reader's own error, which tells the end from an end that came too early.
func fill(from io.Reader, into []byte) (n int, err error) {
	for n < len(into) && err == nil {
		var got int
		got, err = from.Read(into[n:])
		n += got
	}
	return n, err
}

// missing is the failure of a file that is not there: for a while it may still come.
func (f *fetch) missing() error {
	if time.Since(f.job.Wanted) < notYet {
		return cti.Errorf(cti.Offline, "the phone system does not have the recording yet", nil)
	}
	if end := ExpiryOf(f.job.URL); !end.IsZero() && time.Now().After(end) {
		return f.expired()
	}
	return cti.Errorf(cti.Invalid, "the phone system does not have this recording: look there, check recordings.file and retry, or discard this", nil)
}

func (f *fetch) expired() error {
	return cti.Errorf(cti.Invalid, "the recording's address expired before it could be fetched: open the recording in the phone system and attach it by hand, then discard this", nil)
}

// refused is what a status says. None of them is about the CRM, so none is of a kind that would hold back write-backs.
func (f *fetch) refused(res *http.Response) error {
	switch s := res.StatusCode; {
	case s == http.StatusNotFound || s == http.StatusGone || s == http.StatusNoContent || s == http.StatusConflict || s == http.StatusTooEarly:
		return f.missing()
	case s == http.StatusUnauthorized || s == http.StatusForbidden:
		if end := ExpiryOf(f.job.URL); !end.IsZero() && time.Now().After(end) {
			return f.expired()
		}
		return cti.Errorf(cti.Invalid, "the phone system does not let Ringside fetch this recording: check recordings.sign_in (ringctl secret set) and the rights of that user, then retry", nil)
	case s == http.StatusRequestTimeout || s == http.StatusTooManyRequests || s >= 500 && s != http.StatusNotImplemented:
		return &cti.Error{Kind: cti.Offline, Msg: "the phone system cannot give the recording right now", RetryAfter: retryAfter(res.Header.Get("Retry-After"))}
	}
	return cti.Errorf(cti.Invalid, fmt.Sprintf("the phone system answers %d to the address of the recording: check recordings.file and retry, or discard this", res.StatusCode), nil)
}

func retryAfter(text string) time.Duration {
	if seconds, err := strconv.Atoi(strings.TrimSpace(text)); err == nil {
		return min(max(0, time.Duration(seconds)*time.Second), lastWait)
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(0, time.Until(at)), lastWait)
	}
	return 0
}

// broken is the failure of a request without a whole answer. The address is taken off: it may be a key.
func broken(ctx context.Context, err error) error {
	var outer *url.Error
	if errors.As(err, &outer) {
		err = outer.Err
	}
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.Is(context.Cause(ctx), errSilent):
		return cti.Errorf(cti.Offline, "the phone system did not answer in time", nil)
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, errFence):
		return cti.Errorf(cti.Invalid, "the phone system redirects to a host that recordings.hosts does not name: ask IT to add it and retry, or discard this", nil)
	case errors.As(err, &certificate):
		return cti.Errorf(cti.Offline, "the phone system's certificate is not trusted: have IT check it", nil)
	}
	return cti.Errorf(cti.Offline, "the phone system cannot be reached, or the line broke", nil)
}

// contentRange reads "bytes 0-1023/146515" (RFC 9110, 14.4); a total that is not known is not ok.
func contentRange(text string) (from, to, total int64, ok bool) {
	rest, is := strings.CutPrefix(strings.TrimSpace(text), "bytes ")
	span, size, cut := strings.Cut(rest, "/")
	first, last, dash := strings.Cut(span, "-")
	if !is || !cut || !dash {
		return 0, 0, 0, false
	}
	var errs [3]error
	from, errs[0] = strconv.ParseInt(first, 10, 64)
	to, errs[1] = strconv.ParseInt(last, 10, 64)
	total, errs[2] = strconv.ParseInt(size, 10, 64)
	return from, to, total, errors.Join(errs[:]...) == nil && from >= 0 && from <= to && to < total
}

// digests are the checksums of the whole file that an answer names, by algorithm, in base64: Repr-Digest (RFC 9530), Digest (RFC 3230), and of a whole
// answer Content-Digest and Content-MD5 (RFC 1864).
func digests(res *http.Response) map[string]string {
	out := map[string]string{}
	fields := []string{"Repr-Digest", "Digest"}
	if res.StatusCode == http.StatusOK {
		fields = append(fields, "Content-Digest")
		if sum := strings.TrimSpace(res.Header.Get("Content-Md5")); sum != "" {
			out["md5"] = sum
		}
	}
	for _, field := range fields {
		for one := range strings.SplitSeq(strings.Join(res.Header.Values(field), ","), ",") {
			algorithm, sum, is := strings.Cut(strings.TrimSpace(one), "=")
			if is {
				out[strings.ToLower(algorithm)] = strings.Trim(sum, ":")
			}
		}
	}
	for algorithm, sum := range out {
		h := sums[algorithm]
		if plain, err := base64.StdEncoding.DecodeString(sum); h == nil || err != nil || len(plain) != h().Size() {
			delete(out, algorithm) // what cannot be checked is no checksum
		}
	}
	return out
}

var sums = map[string]func() hash.Hash{"md5": md5.New, "sha-256": sha256.New, "sha-512": sha512.New}
