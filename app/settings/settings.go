// Package settings reads a workstation's profile from its YAML file and says everything that is wrong with it at once, in English
// and in 简体中文, with line and column. It opens no connection and knows no connector: whether the CRM has a parameter is the
// connector's business, and what a secret holds is the keychain's.
package settings

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"ringside.dev/ringside/app/cti"
)

// maxFile is far above any profile (the example has 2 KiB) and keeps a wrongly named file from being read whole.
const maxFile = 1 << 20

// Load reads and checks the profile in file under this computer's policy. An error is Problems, all of them at once, and a cti.Error for
// errors.As: notfound if there is no such file, denied if it may not be read, or the policy file does not count, else invalid.
func Load(file string) (cti.Profile, error) {
	policy, err := LoadPolicy(PolicyFile())
	if err != nil {
		return cti.Profile{}, err
	}
	return LoadUnder(policy, file)
}

// LoadUnder is Load under another policy than this computer's.
func LoadUnder(policy Policy, file string) (cti.Profile, error) {
	data, p := profileFile.read(file)
	if p != nil {
		return cti.Profile{}, Problems{*p}
	}
	profile, err := parse(file, data, policy)
	beside(file, &profile.CRM.Connector, &profile.CRM.Mapping)
	for i := range profile.CRM.Also {
		beside(file, &profile.CRM.Also[i].Connector, &profile.CRM.Also[i].Mapping)
	}
	return profile, err
}

// beside makes paths in a profile begin where the profile lies; names of presets stay names.
func beside(file string, paths ...*string) {
	for _, p := range paths {
		if strings.ContainsAny(*p, `./\`) && !filepath.IsAbs(*p) {
			*p = filepath.ToSlash(filepath.Join(filepath.Dir(file), *p))
		}
	}
}

// SecretNames lists the secrets a profile refers to, sorted, each once.
func SecretNames(p cti.Profile) []string {
	var names []string
	all := []map[string]string{p.CRM.Params}
	for _, s := range p.Phone.Sources() {
		all = append(all, s.Exchange.Params, map[string]string{"password": s.Exchange.Password})
	}
	for _, t := range p.CRM.Also {
		all = append(all, t.Params)
	}
	for _, params := range all {
		for _, value := range params {
			if name, ok := strings.CutPrefix(value, secretPrefix); ok {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// subject is a kind of file, as the messages name it.
type subject struct {
	en, zh  string // what it is
	example string // the command that prints one
	name    string // what it is usually called
}

var profileFile = subject{"profile", "配置文件", "ringctl profile example", "profile.yaml"}

func (f subject) read(file string) (_ []byte, p *Problem) {
	about := func(kind cti.Kind, w *wording) *Problem {
		return &Problem{File: file, Kind: kind, En: w.en, Zh: w.zh}
	}
	info, err := os.Stat(file)
	if err == nil && info.IsDir() {
		return nil, about(cti.Invalid, say("this is a folder: name the %[1]s file in it",
			"这是一个文件夹：请指定其中的%[2]s", f.en, f.zh))
	}
	var data []byte
	if err == nil {
		data, err = readFile(file)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, about(cti.NotFound, say("there is no such file; make a %[1]s with: %[3]s > %[4]s, then edit it",
			"文件不存在；请先生成%[2]s：%[3]s > %[4]s，然后编辑它", f.en, f.zh, f.example, f.name))
	case errors.Is(err, fs.ErrPermission):
		return nil, about(cti.Denied, say("this file may not be read: give your user the right to read it",
			"没有读取此文件的权限：请为当前用户授予读取权限"))
	case err != nil:
		return nil, about(cti.Invalid, say("this file cannot be read: %v", "无法读取此文件：%v", err))
	case len(data) > maxFile:
		return nil, about(cti.Invalid, say("this file is larger than 1 MiB: it is not a %[1]s, check the path",
			"文件超过 1 MiB：这不是%[2]s，请检查路径", f.en, f.zh))
	}
	return data, nil
}

// readFile reads at most one byte more than maxFile, so that a pipe or a growing file cannot fill the memory either.
func readFile(file string) (data []byte, err error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return io.ReadAll(io.LimitReader(f, maxFile+1))
}

// parse reads the one document of a profile. Only its tree comes from the YAML library: the fields are taken from the tree by
// hand, because decoding into a struct neither finds all problems nor keeps the text of an unquoted number.
func parse(file string, data []byte, policy Policy) (cti.Profile, error) {
	r := &reader{file: file, subject: profileFile, policy: policy, profile: cti.Profile{Tenant: DefaultTenant}}
	r.all = r.fields()
	root := r.document(data)
	if root != nil && !r.newer(root) {
		r.section("", root, root, r.all)
	}
	if len(r.problems) > 0 {
		slices.SortStableFunc(r.problems, byPlace)
		return cti.Profile{}, r.problems
	}
	return r.profile, nil
}

// document gives the root section of the only document, or nil after saying why there is none.
func (r *reader) document(data []byte) *yaml.Node {
	loader, err := yaml.NewLoader(bytes.NewReader(data))
	if err != nil {
		r.notYAML(data, err)
		return nil
	}
	var doc, more yaml.Node
	switch err := loader.Load(&doc); {
	case errors.Is(err, io.EOF), err == nil && empty(doc.Content[0]):
		r.wrong(nil, "", say("the %[1]s is empty; see what belongs in it with: %[3]s",
			"%[2]s是空的；查看应有的内容：%[3]s", r.subject.en, r.subject.zh, r.subject.example))
		return nil
	case err != nil:
		r.notYAML(data, err)
		return nil
	}
	if err := loader.Load(&more); !errors.Is(err, io.EOF) {
		r.wrong(&more, "", say("a second document begins here (---): keep one %[1]s in a file",
			"此处开始了第二个文档（---）：一个文件只能有一份%[2]s", r.subject.en, "配置"))
	}
	root := doc.Content[0]
	if root.Kind != yaml.MappingNode {
		r.wrong(root, "", say("this is not a %[1]s, which is lines like version: 1; see one with: %[3]s",
			"这不是%[2]s，配置应由 version: 1 这样的行组成；查看示例：%[3]s", r.subject.en, r.subject.zh, r.subject.example))
		return nil
	}
	return root
}

// notYAML explains a syntax error. The library's words are English in both languages; those of its composer are left out,
// because they quote what stands after a * and that may be a password.
func (r *reader) notYAML(data []byte, err error) {
	at := &yaml.Node{}
	var e *yaml.LoadError
	if !errors.As(err, &e) {
		r.wrong(at, "", say("this is not YAML: %v", "这不是有效的 YAML：%v", err))
		return
	}
	at.Line, at.Column = e.Mark.Line, e.Mark.Column
	switch {
	case e.Stage == yaml.ReaderStage:
		r.wrong(at, "", say("this is not a text file in UTF-8: save it again with the encoding UTF-8",
			"这不是 UTF-8 编码的文本文件：请用 UTF-8 编码重新保存"))
	case e.Stage == yaml.ComposerStage:
		r.wrong(at, "", say("* begins a reference in YAML: put the value in quotes", "在 YAML 中 * 表示引用：请给该值加上引号"))
	case lineBegins(data, e.Mark.Line, "\t"):
		r.wrong(at, "", say("the line begins with a tab: indent with spaces", "此行以制表符开头：请用空格缩进"))
	default:
		r.wrong(at, "", say("this is not YAML: %[1]s%[2]s; check the quotes, brackets and indentation here",
			"这不是有效的 YAML：%[1]s%[3]s；请检查此处的引号、括号和缩进", e.Message,
			begun(" (begun in line %d)", e), begun("（从第 %d 行开始）", e)))
	}
}

// begun names the line where an unfinished quote or bracket begins, which is often far above the place of the error.
func begun(format string, e *yaml.LoadError) string {
	if e.ContextMark.Line == 0 || e.ContextMark.Line == e.Mark.Line {
		return ""
	}
	return fmt.Sprintf(format, e.ContextMark.Line)
}

func lineBegins(data []byte, line int, prefix string) bool {
	lines := bytes.Split(data, []byte("\n"))
	return line > 0 && line <= len(lines) && bytes.HasPrefix(lines[line-1], []byte(prefix))
}
