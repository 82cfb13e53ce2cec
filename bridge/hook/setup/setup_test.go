package setup

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"ringside.dev/ringside/app/cti"
)

var update = flag.Bool("update", false, "write the golden files anew")

const ringhook = "/opt/ring side/ringhook"

func TestHowEachPhoneIsSetUp(t *testing.T) {
	t.Setenv("HOME", "/home/u")
	t.Setenv("USERPROFILE", "/home/u")
	t.Setenv("APPDATA", "/home/u/AppData/Roaming")
	for _, name := range []string{"twinkle", "microsip", "zoiper", "3cx", "other"} {
		path := ringhook
		if name == "twinkle" {
			path = strings.ReplaceAll(path, " ", "")
		}
		p, err := Of(name, path)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var b strings.Builder
		fmt.Fprintf(&b, "verified %v\nsection %q\n", p.Verified, p.Section)
		for _, file := range p.Files {
			fmt.Fprintln(&b, "file", filepath.ToSlash(file))
		}
		for _, line := range p.Lines() {
			fmt.Fprintln(&b, line)
		}
		for _, e := range p.Events {
			fmt.Fprintf(&b, "%s: %s\n", e.Key, e.Value)
		}
		golden(t, name+".golden", []byte(b.String()))
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s:\n%s\nwant:\n%s", name, got, want)
	}
}

func TestAPhoneNobodyKnowsAndAPathTwinkleCannotRunAreRefused(t *testing.T) {
	for _, of := range [][2]string{{"", ringhook}, {"Twinkle", ringhook}, {"../x", ringhook}, {"twinkle", ringhook}, {"twinkle", "/a\tb"}} {
		if _, err := Of(of[0], of[1]); cti.KindOf(err) != cti.Invalid {
			t.Errorf("%q: %v", of, err)
		}
	}
}

// file writes a phone's file as it was before.
func file(t *testing.T, text []byte, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "settings")
	if err := errors.Join(os.WriteFile(path, text, mode), os.Chmod(path, mode)); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func phone(t *testing.T, name string) Phone {
	t.Helper()
	p, err := Of(name, "/opt/ringhook")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const microsip = "[Settings]\r\naccountId=1\r\ncmdCallEnd=C:\\old.exe\r\nCMDINCOMINGCALL=x\r\nlabel=坐席 𝄞\r\n\r\n[Account1]\r\nlabel=办公室\r\ncmdCallEnd=not this one\r\n\r\n[Calls]\r\n0=138\r\n"

// MicroSIP's file is UTF-16LE with a byte order mark and CRLF.
func TestMicroSIPsFileKeepsItsEncodingAndAllElse(t *testing.T) {
	old := encode(microsip, true)
	path := file(t, old, 0o640)
	if err := phone(t, "microsip").Write(path); err != nil {
		t.Fatal(err)
	}
	got := read(t, path)
	text, wide := decode(got)
	want := "[Settings]\r\naccountId=1\r\ncmdCallEnd=\"/opt/ringhook\" --source microsip --event end --\r\n" +
		"cmdIncomingCall=\"/opt/ringhook\" --source microsip --event ring --\r\nlabel=坐席 𝄞\r\n" +
		"cmdOutgoingCall=\"/opt/ringhook\" --source microsip --event out --\r\ncmdCallStart=\"/opt/ringhook\" --source microsip --event answer --\r\n" +
		"cmdCallBusy=\"/opt/ringhook\" --source microsip --event end --cause busy --\r\n\r\n" +
		"[Account1]\r\nlabel=办公室\r\ncmdCallEnd=not this one\r\n\r\n[Calls]\r\n0=138\r\n"
	if !wide || text != want {
		t.Errorf("UTF-16 %v:\n%s\nwant:\n%s", wide, text, want)
	}
	if !bytes.Equal(read(t, path+BackupSuffix), old) {
		t.Error("the file as it was is not beside it")
	}
	for _, name := range []string{path, path + BackupSuffix} {
		if info, err := os.Stat(name); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o640 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	if _, err := os.Stat(path + ".tmp"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a temporary file is left: %v", err)
	}
}

func TestTheFirstBackupStays(t *testing.T) {
	path := file(t, []byte("user_name=agent\nscript_incoming_call=mine\n"), 0o600)
	for _, program := range []string{"/a/ringhook", "/b/ringhook", "/b/ringhook"} {
		p, err := Of("twinkle", program)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Write(path); err != nil {
			t.Fatal(err)
		}
		if text := string(read(t, path)); !strings.HasPrefix(text, "user_name=agent\nscript_incoming_call="+program+" --twinkle\n") || strings.Count(text, "\n") != 9 {
			t.Errorf("the file:\n%s", text)
		}
	}
	if text := string(read(t, path+BackupSuffix)); text != "user_name=agent\nscript_incoming_call=mine\n" {
		t.Errorf("the backup: %q", text)
	}
}

func TestAFileWithoutTheSectionOrWithNothingGetsIt(t *testing.T) {
	for text, begins := range map[string]string{"": "[Settings]\ncmdIncomingCall=", "[Other]\na=b": "[Other]\na=b\n[Settings]\ncmdIncomingCall=",
		"\t[SETTINGS] \n\n[Other]\n": "\t[SETTINGS] \ncmdIncomingCall="} {
		path := file(t, []byte(text), 0o600)
		if err := phone(t, "microsip").Write(path); err != nil {
			t.Fatal(err)
		}
		if got := string(read(t, path)); !strings.HasPrefix(got, begins) || strings.Count(strings.ToLower(got), "[settings]") != 1 {
			t.Errorf("%q became:\n%s", text, got)
		}
	}
}

func TestALinkToTheFileStaysOne(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links need rights there")
	}
	path := file(t, []byte("a=b\n"), 0o600)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if err := phone(t, "twinkle").Write(link); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 || !strings.Contains(string(read(t, path)), "--twinkle") {
		t.Errorf("%v, %v; the file:\n%s", info.Mode(), err, read(t, path))
	}
}

func TestAFileThatCannotBeWrittenWellIsLeftAlone(t *testing.T) {
	half := append(encode("[Settings]\r\n", true), 0x00, 0xD8, 'x', 0x00) // half of a pair
	odd := append(encode("[Settings]\r\n", true), 'x')
	for _, text := range [][]byte{half, odd} {
		path := file(t, text, 0o600)
		if err := phone(t, "microsip").Write(path); cti.KindOf(err) != cti.Invalid {
			t.Errorf("%v", err)
		}
		if !bytes.Equal(read(t, path), text) {
			t.Error("it was changed")
		}
	}
	if err := phone(t, "microsip").Write(filepath.Join(t.TempDir(), "none")); cti.KindOf(err) != cti.NotFound {
		t.Errorf("no file: %v", err)
	}
	for _, name := range []string{"zoiper", "3cx", "other"} {
		path := file(t, []byte("x"), 0o600)
		if err := phone(t, name).Write(path); cti.KindOf(err) != cti.Invalid || string(read(t, path)) != "x" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestThePhonesFileIsFoundWhereThereIsOne(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("USERPROFILE", home)
	p := phone(t, "twinkle")
	if _, err := p.File(); cti.KindOf(err) != cti.NotFound {
		t.Errorf("none: %v", err)
	}
	dir := filepath.Join(home, ".twinkle")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"twinkle.sys", "work.cfg"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := p.File(); err != nil || got != filepath.Join(dir, "work.cfg") {
		t.Errorf("one: %q, %v", got, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "home.cfg"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := p.File(); cti.KindOf(err) != cti.Conflict || !strings.Contains(cti.MessageOf(err), "home.cfg") || !strings.Contains(cti.MessageOf(err), "work.cfg") {
		t.Errorf("two: %v", err)
	}
}
