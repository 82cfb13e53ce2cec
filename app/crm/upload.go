package crm

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"ringside.dev/ringside/app/cti"
)

// The forms in which a file is handed on.
const (
	formTus       = "tus"       // the open protocol for uploads that go on after an interruption, tus.io, 1.0
	formPutRange  = "put_range" // PUT with Content-Range to an address that answers 308 and a Range until it has all
	formMultipart = "multipart" // one request of multipart/form-data: it begins anew after an interruption
)

var uploadForms = []string{formTus, formPutRange, formMultipart}

// The sizes of the pieces in which a file is handed on, bytes; the first is a multiple of 256 KiB because some servers of put_range take no others.
// A piece is what is lost when the line breaks, so pieces grow only on a line that holds.
const (
	firstPiece   = 1 << 20
	largestPiece = 8 << 20
	growAfter    = 16 // pieces without a failure
)

// slowLine is what the time-out of a piece reckons with, bytes a second.
const slowLine = 32 << 10

// odd is how often a server may answer in a way that brings nothing forward before the attempt is given up.
const odd = 3

// upload is how a step hands on the file that a write-back is about, compiled.
type upload struct {
	form     string
	metadata []pair // of tus
	part     string // of multipart: the name of the part that is the file
}

// hand brings the file to the CRM, or what is left of it. What it answers last is the step's res; of tus, its header location is the upload's address.
func (r *run) hand(ctx context.Context, s *step) error {
	f, ok := cti.FileOf(ctx)
	if !ok {
		return cti.Errorf(cti.Internal, r.e.doing(r.op.name)+": there is no file to hand on", nil)
	}
	h := &handing{run: r, step: s, file: f, piece: firstPiece}
	err := map[string]func(context.Context) error{formTus: h.tus, formPutRange: h.putRange, formMultipart: h.multipart}[s.upload.form](ctx)
	if err != nil {
		return err
	}
	return r.keep(s)
}

// handing is one attempt to hand on a file.
type handing struct {
	*run
	step  *step
	file  cti.File
	piece int64
	whole int // pieces that arrived without a failure since the size was changed
	odd   int // answers that brought nothing forward
	buf   []byte
}

// tus creates an upload, unless an earlier attempt did, and sends what the server says is missing. It is created anew only where the server has it no more.
func (h *handing) tus(ctx context.Context) error {
	for created := false; ; {
		address := h.uploads[h.step.id]
		offset := int64(0)
		var err error
		switch {
		case address == "" && created:
			return h.refused(classNotFound, "the CRM does not keep the upload it has just begun")
		case address == "":
			if address, err = h.create(ctx); err != nil {
				return err
			}
			created = true
			h.began(ctx, address)
		default:
			if offset, err = h.tusOffset(ctx, address); err != nil {
				return err
			}
		}
		gone := offset < 0
		for !gone && offset < h.file.Size {
			if offset, err = h.patch(ctx, address, offset); err != nil {
				return err
			}
			gone = offset < 0
		}
		if !gone {
			h.last.header.Set("Location", address)
			h.v["res"] = h.last.vars()
			return nil
		}
		h.began(ctx, "")
	}
}

// create begins an upload and gives its address.
func (h *handing) create(ctx context.Context) (string, error) {
	metadata, err := h.tusMetadata()
	if err != nil {
		return "", h.unfit(err)
	}
	res, err := h.ask(ctx, func(out *call) {
		out.method, out.body = http.MethodPost, nil
		out.header.Set("Upload-Length", strconv.FormatInt(h.file.Size, 10))
		if metadata != "" {
			out.header.Set("Upload-Metadata", metadata)
		}
	})
	if err != nil {
		return "", err
	}
	base, err := url.Parse(h.address)
	if err != nil {
		return "", h.unfit(errors.New("the address of the uploads is malformed"))
	}
	to, err := base.Parse(res.header.Get("Location"))
	if err != nil || res.header.Get("Location") == "" {
		return "", h.refused(classFatal, "the CRM does not say where it takes the file: check the address of uploads in the connector")
	}
	return to.String(), nil
}

// tusMetadata is the header Upload-Metadata: names, and values in base64. Values that are empty are left out.
func (h *handing) tusMetadata() (string, error) {
	var all []string
	for _, p := range h.step.upload.metadata {
		value, err := p.value.text(h.v)
		if err != nil {
			return "", err
		}
		if value != "" {
			all = append(all, p.name+" "+base64.StdEncoding.EncodeToString([]byte(value)))
		}
	}
	return strings.Join(all, ","), nil
}

// tusOffset asks how much of the file the server has; -1: it has the upload no more, or one of another length.
func (h *handing) tusOffset(ctx context.Context, address string) (int64, error) {
	res, err := h.ask(ctx, func(out *call) {
		out.method, out.url, out.body, out.write = http.MethodHead, address, nil, false
	}, http.StatusOK, http.StatusNoContent, http.StatusNotFound, http.StatusGone, http.StatusLocked)
	if err != nil {
		return 0, err
	}
	if res.status == http.StatusLocked {
		return 0, h.refused(classTransient, "the CRM still holds the upload of an earlier connection")
	}
	if res.status >= http.StatusBadRequest {
		return -1, nil
	}
	length := res.header.Get("Upload-Length")
	if length != "" && length != strconv.FormatInt(h.file.Size, 10) {
		return -1, nil
	}
	return h.offset(res)
}

// offset reads how much the server has.
func (h *handing) offset(res *response) (int64, error) {
	offset, err := strconv.ParseInt(res.header.Get("Upload-Offset"), 10, 64)
	if err != nil || offset < 0 || offset > h.file.Size {
		return 0, h.refused(classFatal, "the CRM does not say how much of the file it has: it does not speak tus 1.0 here")
	}
	h.moved(offset)
	return offset, nil
}

// patch sends a piece and gives how much the server has then; -1: it has the upload no more.
func (h *handing) patch(ctx context.Context, address string, offset int64) (int64, error) {
	piece, err := h.next(ctx, offset)
	if err != nil {
		return 0, err
	}
	res, err := h.ask(ctx, func(out *call) {
		out.method, out.url, out.body, out.kind = http.MethodPatch, address, piece, "application/offset+octet-stream"
		out.header.Set("Upload-Offset", strconv.FormatInt(offset, 10))
	}, http.StatusNoContent, http.StatusOK, http.StatusConflict, http.StatusNotFound, http.StatusGone, http.StatusLocked)
	if err != nil {
		return 0, err
	}
	switch res.status {
	case http.StatusNotFound, http.StatusGone:
		return -1, nil
	case http.StatusLocked:
		return 0, h.refused(classTransient, "the CRM still holds the upload of an earlier connection")
	case http.StatusConflict:
	default:
		now, err := h.offset(res)
		if err != nil || now > offset {
			h.odd = 0
			return now, err
		}
	}
	if h.odd++; h.odd > odd {
		return 0, h.refused(classTransient, "the CRM takes no more of the file")
	}
	return h.tusOffset(ctx, address)
}

// next waits for its turn and reads the piece at an offset.
func (h *handing) next(ctx context.Context, offset int64) ([]byte, error) {
	if h.file.Turn != nil {
		if err := h.file.Turn(ctx); err != nil {
			return nil, err
		}
	}
	n := min(h.piece, h.file.Size-offset)
	if int64(cap(h.buf)) < n {
		h.buf = make([]byte, n)
	}
	piece := h.buf[:n]
	if read, err := h.file.ReadAt(piece, offset); int64(read) < n {
		return nil, err
	}
	return piece, nil
}

// moved takes note that the server has so much.
func (h *handing) moved(offset int64) {
	if h.whole++; h.whole >= growAfter {
		h.whole, h.piece = 0, min(2*h.piece, largestPiece)
	}
	if h.file.Moved != nil {
		h.file.Moved(offset)
	}
}

// statusResume is what servers of put_range say when they have a part: 308, with the Range that they have.
const statusResume = http.StatusPermanentRedirect

// putRange asks how much of the file the server has, and sends the rest.
func (h *handing) putRange(ctx context.Context) error {
	offset := int64(0)
	done := false
	var err error
	if h.uploads[h.step.id] != "" { // an earlier attempt began
		if offset, done, err = h.put(ctx, 0, nil); err != nil {
			return err
		}
	} else {
		h.began(ctx, "begun")
	}
	for !done {
		if offset >= h.file.Size {
			return h.refused(classFatal, "the CRM has the whole file and waits for more of it")
		}
		piece, err := h.next(ctx, offset)
		if err != nil {
			return err
		}
		now, all, err := h.put(ctx, offset, piece)
		if err != nil {
			return err
		}
		if h.odd++; now > offset || all {
			h.odd = 0
		}
		if h.odd > odd {
			return h.refused(classTransient, "the CRM takes no more of the file")
		}
		offset, done = now, all
	}
	h.moved(h.file.Size)
	return nil
}

// put sends a piece, or none to ask; it gives how much the server has, and whether that is all.
func (h *handing) put(ctx context.Context, offset int64, piece []byte) (now int64, all bool, err error) {
	size := strconv.FormatInt(h.file.Size, 10)
	res, err := h.ask(ctx, func(out *call) {
		out.method, out.body, out.kind, out.write = http.MethodPut, piece, h.file.Type, true
		if piece == nil {
			out.header.Set("Content-Range", "bytes */"+size)
			return
		}
		out.header.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%s", offset, offset+int64(len(piece))-1, size))
	}, statusResume, http.StatusNotFound, http.StatusGone)
	switch {
	case err != nil:
		return 0, false, err
	case res.status == http.StatusNotFound || res.status == http.StatusGone: // whatever named this address has to name another
		cti.StepsDone(ctx, "")
		return 0, false, h.refused(classTransient, "the CRM has forgotten the upload: it begins anew")
	case res.status != statusResume:
		return h.file.Size, true, nil
	case res.header.Get("Range") == "":
		return 0, false, nil
	}
	_, to, _ := strings.Cut(res.header.Get("Range"), "-")
	last, err := strconv.ParseInt(to, 10, 64)
	if err != nil || last < 0 || last >= h.file.Size {
		return 0, false, h.refused(classFatal, "the CRM does not say in words of HTTP how much of the file it has")
	}
	h.moved(last + 1)
	return last + 1, false, nil
}

// multipart sends the file in one request.
func (h *handing) multipart(ctx context.Context) error {
	if h.file.Turn != nil {
		if err := h.file.Turn(ctx); err != nil {
			return err
		}
	}
	var around bytes.Buffer
	w := multipart.NewWriter(&around)
	for _, p := range h.step.body.parts {
		if err := p.write(w, h.v); err != nil {
			return h.unfit(err)
		}
	}
	head := textproto.MIMEHeader{}
	head.Set("Content-Disposition", multipart.FileContentDisposition(h.step.upload.part, h.file.Name))
	head.Set("Content-Type", h.file.Type)
	if _, err := w.CreatePart(head); err != nil {
		return h.unfit(err)
	}
	before := around.Len()
	if err := w.Close(); err != nil {
		return h.unfit(err)
	}
	text := around.Bytes()
	_, err := h.ask(ctx, func(out *call) {
		out.kind, out.body = w.FormDataContentType(), nil
		out.size = int64(len(text)) + h.file.Size
		out.stream = io.MultiReader(bytes.NewReader(text[:before]), io.NewSectionReader(h.file, 0, h.file.Size), bytes.NewReader(text[before:]))
	})
	if err == nil {
		h.moved(h.file.Size)
	}
	return err
}

// ask makes one request of the handing on: what the step says, changed. Statuses that are part of how it is spoken are no failure.
func (h *handing) ask(ctx context.Context, change func(*call), part ...int) (*response, error) {
	v, err := h.send(ctx, h.step, func() (call, error) {
		out, err := h.request(h.step, "")
		out.upload, out.part = true, part
		if h.step.upload.form == formTus {
			out.header.Set("Tus-Resumable", "1.0.0")
		}
		change(&out)
		return out, err
	})
	if err != nil {
		return nil, h.unfit(err)
	}
	if v.class != "" {
		return nil, v.refused(h.e.doing(h.op.name), h.written)
	}
	return h.last, nil
}

func (h *handing) refused(c class, message string) error {
	return verdict{class: c, message: message}.refused(h.e.doing(h.op.name), true)
}

// began brings to the disk where the server takes the file, before any of it is sent; an empty address takes that back.
func (h *handing) began(ctx context.Context, address string) {
	if h.uploads == nil {
		h.uploads = map[string]string{}
	}
	if h.uploads[h.step.id] = address; address == "" {
		delete(h.uploads, h.step.id)
	}
	h.note(ctx)
}

// timeoutOf is how long a request may take: the usual time, and what its body needs on a slow line.
func timeoutOf(usual time.Duration, out call) time.Duration {
	return usual + time.Duration(max(out.size, int64(len(out.body))))*time.Second/slowLine
}

// upload compiles how a step hands on a file.
func (l *loader) upload(place []string, spec *stepSpec, names scope) *upload {
	declared := spec.Upload
	if declared == nil {
		return nil
	}
	where, u := find(l.root, slices.Concat(place, []string{"upload"})...), &upload{form: declared.Form, part: declared.Part}
	method := strings.ToUpper(spec.Request.Method)
	switch {
	case len(place) < 2 || place[0] != "operations" || place[1] != string(cti.UploadRecording) || len(place) > 2 && place[2] != "steps":
		l.add(where, words("this step has no file to hand on", "此步骤没有可传送的文件"), words("upload belongs into the steps of upload_recording.", "upload 只用于 upload_recording 的步骤。"))
	case !slices.Contains(uploadForms, u.form):
		l.add(where, words("unknown form %q", "未知的形式 %q", u.form), oneOf(u.form, uploadForms))
	case u.form == formTus && method != http.MethodPost:
		l.add(where, words("tus begins with POST", "tus 以 POST 开始"), words("Write method: POST, and the address where uploads begin.", "请写 method: POST 以及创建上传的地址。"))
	case u.form == formPutRange && method != http.MethodPut:
		l.add(where, words("put_range sends with PUT", "put_range 用 PUT 发送"), words("Write method: PUT.", "请写 method: PUT。"))
	case u.form == formMultipart && (method != http.MethodPost && method != http.MethodPut || u.part == ""):
		l.add(where, words("multipart sends with POST or PUT and names its part", "multipart 用 POST 或 PUT 发送，并需指明部分名"), words("Write method: POST and part: file.", "请写 method: POST 和 part: file。"))
	case u.form != formMultipart && u.part != "", u.form != formTus && declared.Metadata != nil:
		l.add(where, words("part belongs to multipart, metadata to tus", "part 只用于 multipart，metadata 只用于 tus"), words("Remove it.", "请删除。"))
	case !spec.Request.JSON.IsZero(), !spec.Request.Raw.IsZero(), spec.Request.Form != nil, spec.Request.Multipart != nil && u.form != formMultipart, !spec.Foreach.IsZero(), spec.Paginate != nil, !spec.Items.IsZero():
		l.add(where, words("the body of this request is the file", "此请求的正文就是文件"), words("Remove json, form, raw, foreach, paginate and items; multipart may have further parts.", "请删除 json、form、raw、foreach、paginate 和 items；multipart 可有其他部分。"))
	}
	u.metadata = l.pairs(declared.Metadata, names)
	return u
}

// handsOn tells whether the steps hand on a file, as those of upload_recording must.
func (l *loader) handsOn(name string, spec operationSpec) {
	if name == string(cti.UploadRecording) && !slices.ContainsFunc(spec.Steps, func(s stepSpec) bool { return s.Upload != nil }) {
		l.add(find(l.root, "operations", name, "steps"), words("no step hands on the file", "没有步骤传送文件"),
			words("Write upload: {form: tus} into the step that does.", "请在传送文件的步骤写 upload: {form: tus}。"))
	}
}

// uploadSpec is how a step hands on the file of a recording.
type uploadSpec struct {
	Form     string               `yaml:"form"`
	Metadata map[string]yaml.Node `yaml:"metadata"` // tus: what the upload is told to be
	Part     string               `yaml:"part"`     // multipart: the name of the part that is the file
}
