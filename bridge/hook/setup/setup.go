// Package setup knows the settings by which a phone runs ringhook at each event of a call: it gives them as lines, and writes them into the
// phone's own file where that is known. It must not know what the events become.
package setup

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf16"

	"ringside.dev/ringside/app/cti"
)

// Setting is one line of a phone's settings.
type Setting struct{ Key, Value string }

// Phone is how a phone is set up.
type Phone struct {
	Name     string
	Section  string    // of the file, such as [Settings]; empty: it has none
	Settings []Setting // what runs at what
	Events   []Setting // instead, where the phone's own names are not known: ring, answer, …, and what to run
	Files    []string  // where the file may be, as patterns of filepath.Glob; none: it is not known
	Verified bool      // tried with the real phone, or taken from its source
}

// Of gives how a phone is set up that runs the program at path. The error's kind is invalid for a phone of an unknown name.
func Of(name, path string) (Phone, error) {
	p := Phone{Name: name}
	switch name {
	case "twinkle":
		if strings.ContainsAny(path, " \t") { // it cuts a command at every blank and knows no quotes (observed)
			return Phone{}, cti.Errorf(cti.Invalid, "Twinkle cannot run a program whose path holds a blank: move the program, or name a link to it with --program", nil)
		}
		p.Verified = true
		for _, script := range []string{"incoming_call", "in_call_answered", "in_call_failed", "outgoing_call", "out_call_answered", "out_call_failed",
			"local_release", "remote_release"} {
			p.Settings = append(p.Settings, Setting{"script_" + script, path + " --twinkle"})
		}
		if home, err := os.UserHomeDir(); err == nil {
			p.Files = []string{filepath.Join(home, ".twinkle", "*.cfg")}
		}
	case "microsip":
		p.Verified, p.Section = true, "[Settings]"
		for _, s := range []Setting{{"cmdIncomingCall", "ring"}, {"cmdOutgoingCall", "out"}, {"cmdCallStart", "answer"}, {"cmdCallEnd", "end"},
			{"cmdCallBusy", "end --cause busy"}} {
			p.Settings = append(p.Settings, Setting{s.Key, quoted(path) + " --source microsip --event " + s.Value + " --"})
		}
		if dir := os.Getenv("APPDATA"); dir != "" {
			p.Files = []string{filepath.Join(dir, "MicroSIP", "microsip.ini")}
		}
	case "zoiper", "3cx", "other":
		for _, event := range []string{"ring", "out", "answer", "end"} {
			p.Events = append(p.Events, Setting{event, quoted(path) + " --source " + name + " --event " + event + " --"})
		}
	default:
		return Phone{}, cti.Errorf(cti.Invalid, "name the phone: twinkle, microsip, zoiper, 3cx or other", nil)
	}
	return p, nil
}

func quoted(path string) string { return `"` + path + `"` }

// Lines are the settings as the phone's file has them.
func (p Phone) Lines() []string {
	var lines []string
	for _, s := range p.Settings {
		lines = append(lines, s.Key+"="+s.Value)
	}
	return lines
}

// File gives the phone's own file, if there is exactly one where it is looked for. Kinds: notfound, conflict for several.
func (p Phone) File() (string, error) {
	var found []string
	for _, pattern := range p.Files {
		names, err := filepath.Glob(pattern)
		if err != nil {
			return "", err
		}
		found = append(found, names...)
	}
	switch len(found) {
	case 0:
		return "", cti.Errorf(cti.NotFound, "the phone's settings were not found: name the file with --file", nil)
	case 1:
		return found[0], nil
	}
	return "", cti.Errorf(cti.Conflict, "there are several files of settings: name one with --file: "+strings.Join(found, ", "), nil)
}

// BackupSuffix ends the name of the file as it was before.
const BackupSuffix = ".before-ringside"

// Write puts the settings into a file of the phone's and keeps the file as it was beside it, once: a second time the first backup stays. All
// other lines, the file's encoding and its mode stay. The phone must not run, or it may write its own over it. Kind notfound without the
// file, invalid for a phone whose settings are no lines of a file.
func (p Phone) Write(file string) error {
	if len(p.Settings) == 0 {
		return cti.Errorf(cti.Invalid, "this phone is set up by hand, in its own window", nil)
	}
	target, err := filepath.EvalSymlinks(file) // a link stays one
	if errors.Is(err, fs.ErrNotExist) {
		return cti.Errorf(cti.NotFound, "there is no "+file+": start the phone once, then end it", nil)
	}
	if err != nil {
		return err
	}
	old, err := os.ReadFile(target)
	if err != nil {
		return err
	}
	info, err := os.Stat(target)
	if err != nil {
		return err
	}
	text, utf16le := decode(old)
	if !bytes.Equal(encode(text, utf16le), old) {
		return cti.Errorf(cti.Invalid, file+" holds what is no text: put the lines into it by hand", nil)
	}
	changed := encode(p.edit(text), utf16le)
	if bytes.Equal(changed, old) {
		return nil
	}
	if _, err := os.Lstat(file + BackupSuffix); errors.Is(err, fs.ErrNotExist) {
		if err := os.WriteFile(file+BackupSuffix, old, info.Mode().Perm()); err != nil { //nolint:gosec // the file a person named
			return err
		}
	}
	if err := os.WriteFile(target+".tmp", changed, info.Mode().Perm()|0o200); err != nil { //nolint:gosec // the phone's own mode
		return err
	}
	return os.Rename(target+".tmp", target)
}

// edit replaces the lines of these keys, or adds them at the end of the section.
func (p Phone) edit(text string) string {
	end := "\n"
	if strings.Contains(text, "\r\n") {
		end = "\r\n"
	}
	lines := strings.Split(strings.TrimRight(text, "\r\n"), end)
	if text == "" {
		lines = nil
	}
	if p.Section != "" && !slices.ContainsFunc(lines, p.begins) {
		lines = append(lines, p.Section)
	}
	for _, s := range p.Settings {
		lines = p.set(lines, s)
	}
	return strings.Join(lines, end) + end
}

func (p Phone) begins(line string) bool { return strings.EqualFold(strings.TrimSpace(line), p.Section) }

func (p Phone) set(lines []string, s Setting) []string {
	in, last := p.Section == "", len(lines)
	for i, line := range lines {
		if trimmed := strings.TrimSpace(line); p.Section != "" && strings.HasPrefix(trimmed, "[") {
			in = p.begins(line)
		}
		key, _, isSetting := strings.Cut(line, "=")
		if in && isSetting && strings.EqualFold(strings.TrimSpace(key), s.Key) {
			lines[i] = s.Key + "=" + s.Value
			return lines
		}
		if in && strings.TrimSpace(line) != "" {
			last = i + 1
		}
	}
	return slices.Insert(lines, last, s.Key+"="+s.Value)
}

var bom = []byte{0xFF, 0xFE}

// decode reads a file of UTF-16LE, as MicroSIP writes it, or of bytes, which pass through as they are.
func decode(raw []byte) (text string, utf16le bool) {
	if !bytes.HasPrefix(raw, bom) {
		return string(raw), false
	}
	units := make([]uint16, (len(raw)-len(bom))/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(raw[len(bom)+2*i:])
	}
	return string(utf16.Decode(units)), true
}

func encode(text string, utf16le bool) []byte {
	if !utf16le {
		return []byte(text)
	}
	raw := slices.Clone(bom)
	for _, unit := range utf16.Encode([]rune(text)) {
		raw = binary.LittleEndian.AppendUint16(raw, unit)
	}
	return raw
}
