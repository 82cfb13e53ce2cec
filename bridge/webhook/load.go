package webhook

import (
	"embed"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"ringside.dev/ringside/app/cti"
)

//go:embed presets/*.yaml
var presets embed.FS

// What a vendor's file begins with.
const (
	schemaVersion = "ringside.dev/v1"
	schemaKind    = "Webhook"
)

// maxFile caps a vendor's file, bytes.
const maxFile = 256 << 10

// Presets lists the vendors that come with Ringside.
func Presets() []string {
	entries, err := presets.ReadDir("presets")
	if err != nil {
		return nil // embedded: there is no such error
	}
	ids := make([]string, len(entries))
	for i, e := range entries {
		ids[i] = strings.TrimSuffix(e.Name(), ".yaml")
	}
	return ids
}

// Load reads a vendor's file: name is a preset's id, or a path with a dot or a slash in it. The error is a *LoadError with everything that
// is wrong, or a cti.Error of kind invalid if there is no such file.
func Load(name string) (*Vendor, error) {
	if !strings.ContainsAny(name, `./\`) {
		text, err := presets.ReadFile("presets/" + name + ".yaml")
		if err != nil {
			return nil, cti.Errorf(cti.Invalid, "there is no webhook preset of this name: choose one of "+strings.Join(Presets(), ", ")+
				", or give the path of a vendor's file", nil)
		}
		return named(name, name+".yaml", text)
	}
	info, err := os.Stat(name)
	if err == nil && info.Size() > maxFile {
		return nil, cti.Errorf(cti.Invalid, "the vendor's file is larger than 256 KiB: is it the right one?", nil)
	}
	var text []byte
	if err == nil {
		text, err = os.ReadFile(name)
	}
	if err != nil {
		return nil, cti.Errorf(cti.Invalid, "the vendor's file cannot be read: check its path", err)
	}
	return named(name, filepath.Base(name), text)
}

// named reads a file, and notes under which name it is found again.
func named(name, file string, text []byte) (*Vendor, error) {
	v, err := read(file, text)
	if err != nil {
		return nil, err
	}
	v.file = name
	return v, nil
}

func read(file string, text []byte) (*Vendor, error) {
	r := &reader{file: file}
	v := &Vendor{methods: []string{"POST"}, content: jsonBody, answer: answer{kind: "application/json"}}
	var root yaml.Node
	if err := yaml.Load(text, &root); err != nil {
		r.badYAML(err)
		return nil, (&LoadError{r.problems}).sorted()
	}
	if len(root.Content) != 1 {
		r.wrong(&root, say("the file is empty; it begins with apiVersion: %s and kind: %s", "文件为空；应以 apiVersion: %s 和 kind: %s 开头", schemaVersion, schemaKind))
		return nil, (&LoadError{r.problems}).sorted()
	}
	r.vendor(root.Content[0], v)
	if len(r.problems) > 0 {
		return nil, (&LoadError{r.problems}).sorted()
	}
	v.headers = slices.DeleteFunc(r.headers, func(name string) bool { return v.sign.at.scope == inHeader && v.sign.at.name == name })
	return v, nil
}

func (r *reader) badYAML(err error) {
	var all *yaml.LoadErrors
	var one *yaml.LoadError
	list := []*yaml.LoadError{}
	switch {
	case errors.As(err, &all):
		list = all.Errors
	case errors.As(err, &one):
		list = append(list, one)
	}
	for _, e := range list {
		w := say("the YAML cannot be read: %s; check indentation, brackets and quotes", "YAML 无法读取：%s；请检查缩进、括号和引号", e.Message)
		r.problems = append(r.problems, Problem{r.file, max(e.Mark.Line, 1), max(e.Mark.Column, 1), w.en, w.zh})
	}
	if len(list) == 0 {
		r.problems = append(r.problems, Problem{r.file, 1, 1, "this is not YAML; check the file", "不是有效的 YAML；请检查文件"})
	}
}

var vendorID = regexp.MustCompile(`^[a-z][a-z0-9-]{0,39}$`)

func (r *reader) vendor(n *yaml.Node, v *Vendor) {
	var sign *yaml.Node
	r.object(n, "vendor", []key{
		{name: "apiVersion", must: true, read: r.exactly(schemaVersion)},
		{name: "kind", must: true, read: r.exactly(schemaKind)},
		{name: "id", must: true, read: r.text(&v.ID, func(s string) *words {
			if vendorID.MatchString(s) {
				return nil
			}
			return say("an id is 1 to 40 of a-z, 0-9 and -, such as my-vendor", "id 应为 1 到 40 个 a-z、0-9 或 -，例如 my-vendor")
		})},
		{name: "name", must: true, read: r.text(&v.Name, nil)},
		{name: "about", read: func(*yaml.Node) {}},
		{name: "verified", must: true, read: r.truth(&v.Verified)},
		{name: "request", must: true, read: func(n *yaml.Node) { r.request(n, v) }},
		{name: "signature", must: true, read: func(n *yaml.Node) { sign = n; r.signature(n, &v.sign) }},
		{name: "fields", must: true, read: func(n *yaml.Node) { r.fields(n, &v.fields) }},
		{name: "events", must: true, read: func(n *yaml.Node) { r.rules(n, &v.rules) }},
	})
	if sign != nil && v.sign.secret == "" && v.sign.recipe != unsigned && v.sign.recipe != "" {
		r.wrong(sign, say("secret: missing; write the name under which the relay keeps it", "secret：缺失；请写中继保存该密钥所用的名称"))
	}
}

var pathForm = regexp.MustCompile(`^/[A-Za-z0-9._~/-]*$`)

func (r *reader) request(n *yaml.Node, v *Vendor) {
	r.object(n, "request", []key{
		{name: "path", must: true, read: r.text(&v.path, func(s string) *words {
			if pathForm.MatchString(s) {
				return nil
			}
			return say("a path begins with / and has letters, digits and -._~ only, such as /my-vendor", "路径以 / 开头，只能含字母、数字和 -._~，例如 /my-vendor")
		})},
		{name: "methods", read: func(n *yaml.Node) {
			v.methods = nil
			r.each(n, func(n *yaml.Node) {
				var method string
				r.text(&method, oneOf("POST", "GET", "PUT"))(n)
				v.methods = append(v.methods, method)
			})
		}},
		{name: "content", read: r.text((*string)(&v.content), oneOf(string(jsonBody), string(formBody), string(queryBody)))},
		{name: "events", read: func(n *yaml.Node) {
			if p, ok := r.place(n); ok && p.scope != inEvent {
				r.wrong(n, say("this is the path in the body of the event, or of the list of them; write it without a scope, such as eventList",
					"此处应为事件或事件列表在正文中的路径；请不带前缀书写，例如 eventList"))
			} else {
				v.list = p.path
			}
		}},
		{name: "answer", read: func(n *yaml.Node) {
			r.object(n, "answer", []key{
				{name: "type", read: r.text(&v.answer.kind, nil)},
				{name: "body", must: true, read: r.text(&v.answer.body, nil)},
			})
		}},
	})
}

func (r *reader) signature(n *yaml.Node, s *signature) {
	encoding, unsignedBody := "hex", false
	s.skew = 5 * time.Minute
	r.object(n, "signature", []key{
		{name: "recipe", must: true, read: r.text((*string)(&s.recipe), oneOf(string(hmacSHA256), string(hmacSHA1), string(concatSHA256), string(concatSHA1),
			string(concatMD5), string(token), string(unsigned)))},
		{name: "secret", read: r.text(&s.secret, nil)},
		{name: "at", read: func(n *yaml.Node) { s.at = r.outside(n) }},
		{name: "prefix", read: r.text(&s.prefix, nil)},
		{name: "encoding", read: r.text(&encoding, oneOf("hex", "base64"))},
		{name: "message", read: func(n *yaml.Node) {
			r.each(n, func(n *yaml.Node) {
				p, ok := parsePart(n.Value)
				if !ok {
					r.wrong(n, say("%q is no part of a request; write raw, sorted, secret, method, path, header:NAME, query:NAME, body:PATH or text:TEXT",
						"%q 不是请求的组成部分；请写 raw、sorted、secret、method、path、header:名称、query:名称、body:路径 或 text:文本", n.Value))
				}
				s.message = append(s.message, p)
			})
		}},
		{name: "with", read: r.text(&s.with, nil)},
		{name: "unsigned_body", read: r.truth(&unsignedBody)},
		{name: "timestamp", read: func(n *yaml.Node) {
			r.object(n, "timestamp", []key{
				{name: "at", must: true, read: func(n *yaml.Node) { s.time = r.outside(n) }},
				{name: "format", must: true, read: r.format(&s.form)},
				{name: "zone", read: r.zone(&s.form)},
				{name: "skew", read: r.span(&s.skew)},
			})
		}},
		{name: "nonce", read: func(n *yaml.Node) { s.nonce = r.outside(n) }},
	})
	s.base64 = encoding == "base64"
	r.sound(n, *s, unsignedBody)
}

// sound refuses recipes that look like protection and are none.
func (r *reader) sound(n *yaml.Node, s signature, unsignedBody bool) {
	if s.recipe == unsigned || s.recipe == "" {
		return
	}
	if !s.at.known() {
		r.wrong(n, say("at: missing; write where the proof stands, such as header:X-Signature or query:token", "at：缺失；请写签名所在位置，例如 header:X-Signature 或 query:token"))
	}
	if s.recipe == token {
		return
	}
	has := func(words ...scope) bool {
		return slices.ContainsFunc(s.message, func(p place) bool { return slices.Contains(words, p.scope) })
	}
	if !has(asRaw, asSorted) && !unsignedBody {
		r.wrong(n, say("message: the body is not signed, so anybody who sees one push could make up others; add raw or sorted, or write unsigned_body: true if the vendor really signs no more",
			"message：正文未参与签名，截获一次推送即可伪造其他推送；请加入 raw 或 sorted；若厂商确实不签正文，请写 unsigned_body: true"))
	}
	if s.recipe.keyed() == has(asSecret) {
		r.wrong(n, say("message: the secret is a part of sha256, sha1 and md5, and of no hmac, which has it as its key", "message：sha256、sha1、md5 须含 secret；hmac 以密钥为键，不得再含 secret"))
	}
	for _, one := range []struct {
		name string
		at   place
	}{{"timestamp", s.time}, {"nonce", s.nonce}} {
		if one.at.known() && !s.covers(one.at) {
			r.wrong(n, say("message: the %s is not signed, so it protects nothing; add its place", "message：%s 未参与签名，起不到保护作用；请加入其位置", one.name))
		}
	}
	if s.nonce.known() && !s.time.known() {
		r.wrong(n, say("nonce: without a timestamp it would have to be remembered for ever; add the timestamp", "nonce：没有时间戳就得永久记住；请加上 timestamp"))
	}
}
