package crm

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/textproto"
	"net/url"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// body is what a request carries, compiled: at most one of its parts is there.
type body struct {
	json  *tree
	form  []pair
	parts []formPart
	raw   *template
	kind  string // media type of raw
}

// formPart is one part of multipart/form-data.
type formPart struct {
	name    string
	value   *template
	content *template // of a file
	file    *template // its name
	kind    *template // its media type
}

const (
	typeJSON = "application/json"
	typeForm = "application/x-www-form-urlencoded"
	typeText = "text/plain; charset=utf-8"
)

// work gives the bytes and their media type; no body is nil.
func (b body) work(v vars) (content []byte, kind string, err error) {
	switch {
	case b.json != nil:
		value, err := b.json.value(v)
		if err != nil {
			return nil, "", err
		}
		content, err = json.Marshal(value)
		return content, typeJSON, err
	case b.form != nil:
		return formOf(b.form, v)
	case b.parts != nil:
		return partsOf(b.parts, v)
	case b.raw != nil:
		text, err := b.raw.text(v)
		return []byte(text), b.kind, err
	}
	return nil, "", nil
}

// formOf writes a form; a list gives its name several times, an empty value drops it.
func formOf(pairs []pair, v vars) ([]byte, string, error) {
	form := url.Values{}
	for _, p := range pairs {
		value, err := p.value.value(v)
		if err != nil {
			return nil, "", err
		}
		for _, text := range texts(value) {
			form.Add(p.name, text)
		}
	}
	return []byte(form.Encode()), typeForm, nil
}

func partsOf(parts []formPart, v vars) ([]byte, string, error) {
	var out bytes.Buffer
	w := multipart.NewWriter(&out)
	for _, p := range parts {
		if err := p.write(w, v); err != nil {
			return nil, "", err
		}
	}
	err := w.Close()
	return out.Bytes(), w.FormDataContentType(), err
}

func (p formPart) write(w *multipart.Writer, v vars) error {
	if p.content == nil {
		text, err := p.value.text(v)
		if err != nil || text == "" {
			return err
		}
		return w.WriteField(p.name, text)
	}
	var said [3]string
	for i, t := range []*template{p.content, p.file, p.kind} {
		var err error
		if said[i], err = t.text(v); err != nil {
			return err
		}
	}
	if said[2] == "" {
		said[2] = "application/octet-stream"
	}
	if strings.ContainsAny(said[2], "\r\n") {
		return fmt.Errorf("%s: the media type of a file holds a line break", p.content.where)
	}
	head := textproto.MIMEHeader{}
	head.Set("Content-Disposition", multipart.FileContentDisposition(p.name, said[1]))
	head.Set("Content-Type", said[2])
	part, err := w.CreatePart(head)
	if err != nil {
		return err
	}
	_, err = part.Write([]byte(said[0]))
	return err
}

// bodyOf compiles what a request carries.
func (l *loader) bodyOf(place []string, spec *requestSpec, names scope) body {
	given := 0
	for _, there := range []bool{!spec.JSON.IsZero(), spec.Form != nil, spec.Multipart != nil, !spec.Raw.IsZero()} {
		if there {
			given++
		}
	}
	where := find(l.root, slices.Concat(place, []string{"request"})...)
	if given > 1 {
		l.add(where, words("a request has several bodies", "请求有多个正文"), words("Keep one of json, form, multipart and raw.", "json、form、multipart、raw 只保留一个。"))
	}
	if spec.Type != "" && spec.Raw.IsZero() {
		l.add(where, words("type belongs to raw", "type 只用于 raw"), words("Remove type: the other bodies know theirs.", "请删除 type：其他正文自带类型。"))
	}
	b := body{json: l.body(&spec.JSON, names), raw: l.scalar(&spec.Raw, names), kind: spec.Type}
	if b.kind == "" {
		b.kind = typeText
	}
	if spec.Form != nil {
		b.form = l.pairs(spec.Form, names)
	}
	if spec.Multipart != nil {
		b.parts = l.parts(spec.Multipart, names)
	}
	return b
}

func (l *loader) parts(from map[string]yaml.Node, names scope) []formPart {
	out := []formPart{}
	for _, name := range sortedKeys(from) {
		node := from[name]
		if node.Kind != yaml.MappingNode {
			out = append(out, formPart{name: name, value: l.scalar(&node, names)})
			continue
		}
		p := formPart{name: name}
		for i := 0; i+1 < len(node.Content); i += 2 {
			key, value := node.Content[i], node.Content[i+1]
			into, known := map[string]**template{"name": &p.file, "type": &p.kind, "content": &p.content}[key.Value]
			if !known {
				l.add(at(key), words("unknown key %q", "未知的键 %q", key.Value), oneOf(key.Value, []string{"name", "type", "content"}))
				continue
			}
			*into = l.scalar(value, names)
		}
		if p.content == nil {
			l.add(at(&node), words("a file has no content", "文件没有 content"), words(`Write content: "${…}".`, `请写 content: "${…}"。`))
		}
		out = append(out, p)
	}
	return out
}
