package settings_test

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/secret"
	"ringside.dev/ringside/app/settings"
)

var update = flag.Bool("update", false, "write the golden files")

// A profile in testdata has either a .json, what is read from it, or an .en.txt and a .zh.txt, what is wrong with it.
func TestLoadGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no profiles in testdata: %v", err)
	}
	for _, file := range files {
		file = filepath.ToSlash(file)
		t.Run(filepath.Base(file), func(t *testing.T) {
			p, err := settings.Load(file)
			base := strings.TrimSuffix(file, ".yaml")
			if err == nil {
				golden(t, base+".json", indented(t, p))
				mustNotExist(t, base+".en.txt")
				return
			}
			var problems settings.Problems
			if !errors.As(err, &problems) || cti.KindOf(err) != cti.Invalid {
				t.Fatalf("want Problems of kind invalid, got %#v of kind %s", err, cti.KindOf(err))
			}
			if cti.MessageOf(err) != err.Error() {
				t.Errorf("people would read %q", cti.MessageOf(err))
			}
			golden(t, base+".en.txt", problems.In("en")+"\n")
			golden(t, base+".zh.txt", problems.In("zh-CN")+"\n")
			mustNotExist(t, base+".json")
			mustBeGood(t, p, problems)
		})
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

func mustNotExist(t *testing.T, file string) {
	t.Helper()
	if _, err := os.Stat(file); err == nil {
		t.Errorf("%s is left over from another result", file)
	}
}

// mustBeGood checks what every set of problems promises, whatever it says.
func mustBeGood(t *testing.T, p cti.Profile, problems settings.Problems) {
	t.Helper()
	if !reflect.DeepEqual(p, cti.Profile{}) {
		t.Errorf("a profile with problems was handed out: %+v", p)
	}
	for _, p := range problems {
		if p.En == "" || p.Zh == "" || strings.Contains(p.En+p.Zh, "%!") {
			t.Errorf("bad wording: %+v", p)
		}
		if strings.Contains(p.En+p.Zh, "hunter2") {
			t.Errorf("a secret is quoted: %+v", p)
		}
	}
}

func indented(t *testing.T, p cti.Profile) string {
	t.Helper()
	text, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text) + "\n"
}

// Every field of the profile must be read: one that is added to cti.Profile and forgotten here stays zero.
func TestFullProfileFillsEveryField(t *testing.T) {
	p, err := settings.Load("testdata/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range zeroFields(reflect.ValueOf(p), "Profile") {
		t.Errorf("%s is not read from testdata/full.yaml", name)
	}
}

func zeroFields(v reflect.Value, name string) []string {
	if v.IsZero() {
		return []string{name}
	}
	if v.Kind() != reflect.Struct {
		return nil
	}
	var zero []string
	for i := range v.NumField() {
		zero = append(zero, zeroFields(v.Field(i), name+"."+v.Type().Field(i).Name)...)
	}
	return zero
}

func TestLoadRefusesWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	big := filepath.Join(dir, "big.yaml")
	if err := os.WriteFile(big, slices.Repeat([]byte("# filler\n"), 1<<17), 0o600); err != nil {
		t.Fatal(err)
	}
	locked := filepath.Join(dir, "locked.yaml")
	if err := os.WriteFile(locked, []byte("version: 1\n"), 0o000); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, file string
		kind       cti.Kind
		en, zh     string
	}{
		{"missing", filepath.Join(dir, "none.yaml"), cti.NotFound, "ringctl profile example >", "文件不存在"},
		{"folder", dir, cti.Invalid, "this is a folder", "这是一个文件夹"},
		{"too large", big, cti.Invalid, "larger than 1 MiB", "超过 1 MiB"},
		{"path through a file", filepath.Join(big, "x"), cti.Invalid, "cannot be read", "无法读取"},
		{"locked", locked, cti.Denied, "may not be read", "没有读取"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.name == "locked" && (os.Geteuid() == 0 || runtime.GOOS == "windows") {
				t.Skip("root may read every file, and Windows has no such mode")
			}
			if test.name == "path through a file" && runtime.GOOS == "windows" {
				t.Skip("Windows says that there is no such file")
			}
			_, err := settings.Load(test.file)
			var problems settings.Problems
			if !errors.As(err, &problems) || cti.KindOf(err) != test.kind {
				t.Fatalf("kind %q, want %q: %v", cti.KindOf(err), test.kind, err)
			}
			if !strings.HasPrefix(err.Error(), test.file+": ") || !strings.Contains(problems.In("en"), test.en) {
				t.Errorf("English: %s", problems.In("en"))
			}
			if !strings.Contains(problems.In("zh"), test.zh) {
				t.Errorf("Chinese: %s", problems.In("zh"))
			}
		})
	}
}

// PowerShell's > and old editors write UTF-16; others write a mark before UTF-8 or Windows line ends.
func TestLoadReadsOtherEncodings(t *testing.T) {
	plain := string(settings.Example("zh"))
	utf16 := []byte{0xff, 0xfe}
	for _, r := range plain {
		utf16 = append(utf16, byte(r), byte(r>>8))
	}
	want, err := load(t, []byte(plain))
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"utf-16":       utf16,
		"utf-8 mark":   []byte("\ufeff" + plain),
		"windows ends": []byte(strings.ReplaceAll(plain, "\n", "\r\n")),
	} {
		got, err := load(t, data)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
}

// Whatever the file holds, Load gives either a profile or problems with both wordings; it never panics.
func FuzzLoad(f *testing.F) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := load(t, data)
		var problems settings.Problems
		switch {
		case errors.As(err, &problems):
			mustBeGood(t, p, nil) // the input itself may hold what the wordings may not
			if len(problems) == 0 || problems[0].En == "" || problems[0].Zh == "" {
				t.Errorf("no wording: %#v", problems)
			}
		case err != nil:
			t.Errorf("not Problems: %v", err)
		case p.Version != 1 || p.Agent.Name == "" || p.Region == "" || len(p.WrapUp.Outcomes) == 0:
			t.Errorf("incomplete: %+v", p)
		}
	})
}

func load(t *testing.T, data []byte) (cti.Profile, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "profile.yaml")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return settings.Load(file)
}

func TestExamplesLoad(t *testing.T) {
	for lang, want := range map[string]string{"en": "en", "": "en", "zh": "zh-CN", "zh-CN": "zh-CN", "ZH_cn": "zh-CN"} {
		p, err := load(t, settings.Example(lang))
		if err != nil {
			t.Errorf("%s: %v", lang, err)
		}
		if p.Language != want {
			t.Errorf("Example(%q) is in %q", lang, p.Language)
		}
	}
}

// Whoever reads only the example must learn of every key, so each stands in it, if only in a comment.
func TestExamplesShowEveryKey(t *testing.T) {
	for _, lang := range []string{"en", "zh"} {
		for _, key := range keys(reflect.TypeFor[cti.Profile]()) {
			if !strings.Contains(string(settings.Example(lang)), key+":") {
				t.Errorf("%s: %s: is not shown", lang, key)
			}
		}
	}
}

func keys(t reflect.Type) []string {
	var all []string
	for i := range t.NumField() {
		f := t.Field(i)
		key, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if key == "" {
			key = strings.ToLower(f.Name)
		}
		all = append(all, key)
		if f.Type.Kind() == reflect.Struct {
			all = append(all, keys(f.Type)...)
		}
	}
	return all
}

func TestExampleCannotBeChanged(t *testing.T) {
	settings.Example("en")[0] = '!'
	if settings.Example("en")[0] == '!' {
		t.Error("a caller changed the embedded example")
	}
}

func TestSecretNames(t *testing.T) {
	p, err := settings.Load("testdata/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	p.CRM.Params["again"] = p.CRM.Params["token"]
	for _, name := range []string{"z", "y", "x", "b", "a"} { // enough for a map's order to be wrong
		p.CRM.Params[name] = "keychain:" + name
	}
	if diff := cmp.Diff([]string{"a", "acme-token", "acme.key_2", "b", "help-desk", "pbx", "x", "y", "z"}, settings.SecretNames(p)); diff != "" {
		t.Error(diff)
	}
	if got := settings.SecretNames(cti.Profile{}); len(got) != 0 {
		t.Errorf("a profile without secrets names %q", got)
	}
}

// A name that the profile may refer to must be one that the keychain takes, and the other way round.
func TestSecretNameRuleIsTheKeychains(t *testing.T) {
	for _, name := range []string{"a", "a-b.c_d", "0", strings.Repeat("a", 64), strings.Repeat("a", 65), "", "A", "-a", ".a", "a b", "a/b", "ä", "a\n"} {
		ref, err := json.Marshal("keychain:" + name)
		if err != nil {
			t.Fatal(err)
		}
		_, err = load(t, []byte(strings.Replace(string(settings.Example("en")), "keychain:sandbox-token", string(ref), 2)))
		if got, want := err == nil, secret.CheckName(name) == nil; got != want {
			t.Errorf("%q: the profile takes it: %v, the keychain: %v", name, got, want)
		}
	}
}
