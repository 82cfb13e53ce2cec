package handlers

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"ringside.dev/ringside/app/cti"
)

// entry is the desktop entry that opens the links (freedesktop.org, Desktop Entry and MIME applications specifications).
const entry = "ringside-dial.desktop"

// before marks who opened a scheme before, in our own group of mimeapps.list, which others leave alone.
const before = "[Ringside Before]"

// defaults is the group of mimeapps.list that says what opens what.
const defaults = "[Default Applications]"

func install(command []string, schemes []string) error {
	path, err := writeEntry(command)
	if err != nil {
		return fmt.Errorf("write %s: %w", entry, err)
	}
	return edit(func(list groups) {
		for _, scheme := range schemes {
			kind := "x-scheme-handler/" + scheme
			if was, _ := list.get(defaults, kind); first(was) != filepath.Base(path) {
				list.set(before, kind, was)
			}
			list.set(defaults, kind, entry)
		}
	})
}

func remove(schemes []string) error {
	left := false
	err := edit(func(list groups) {
		for _, scheme := range schemes {
			kind := "x-scheme-handler/" + scheme
			if now, _ := list.get(defaults, kind); first(now) == entry {
				was, _ := list.get(before, kind)
				list.set(defaults, kind, was)
			}
			list.set(before, kind, "")
		}
		left = slices.ContainsFunc(Schemes(), func(scheme string) bool {
			now, _ := list.get(defaults, "x-scheme-handler/"+scheme)
			return first(now) == entry
		})
	})
	if err != nil || left {
		return err
	}
	dir, err := base("XDG_DATA_HOME", ".local/share")
	if err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(dir, "applications", entry)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func owner(scheme string) (program string, ours bool, err error) {
	path, err := mimeapps()
	if err != nil {
		return "", false, err
	}
	list, err := read(path)
	if err != nil {
		return "", false, err
	}
	was, _ := list.get(defaults, "x-scheme-handler/"+scheme)
	return first(was), first(was) == entry, nil
}

func first(list string) string {
	name, _, _ := strings.Cut(list, ";")
	return strings.TrimSpace(name)
}

// writeEntry makes the desktop entry; it is offered in no menu, for without a link it has nothing to do.
func writeEntry(command []string) (string, error) {
	dir, err := base("XDG_DATA_HOME", ".local/share")
	if err != nil {
		return "", err
	}
	var quoted []string
	for _, arg := range command {
		if strings.ContainsAny(arg, "\n\r\x00%") { // GLib looks for a program with %% in its name when it reads %%
			return "", cti.Errorf(cti.Invalid, "the program's path holds a character that an entry of the desktop cannot hold: move the program", nil)
		}
		quoted = append(quoted, `"`+strings.NewReplacer(`\`, `\\\\`, `"`, `\\"`, "`", "\\\\`", `$`, `\\$`).Replace(arg)+`"`)
	}
	var kinds strings.Builder
	for _, scheme := range Schemes() {
		kinds.WriteString("x-scheme-handler/" + scheme + ";")
	}
	text := "[Desktop Entry]\nType=Application\nName=Ringside\nName[zh_CN]=Ringside\nComment=Call the number of a link\nComment[zh_CN]=拨打链接中的号码\n" +
		"Exec=" + strings.Join(quoted, " ") + " -- %u\nMimeType=" + kinds.String() + "\nTerminal=false\nNoDisplay=true\n"
	path := filepath.Join(dir, "applications", entry)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	return path, replace(path, text)
}

// edit changes mimeapps.list, of which what it does not touch stays as it is.
func edit(change func(groups)) error {
	path, err := mimeapps()
	if err != nil {
		return err
	}
	list, err := read(path)
	if err != nil {
		return err
	}
	change(list)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return replace(path, list.text())
}

func mimeapps() (string, error) {
	dir, err := base("XDG_CONFIG_HOME", ".config")
	return filepath.Join(dir, "mimeapps.list"), err
}

func base(variable, usual string) (string, error) {
	if dir := os.Getenv(variable); filepath.IsAbs(dir) {
		return dir, nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", cti.Errorf(cti.Invalid, "this user has no home folder", err)
	}
	return filepath.Join(home, usual), nil
}

func replace(path, text string) error {
	if err := os.WriteFile(path+".tmp", []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".tmp", path)
}

// groups are the lines of a key file, kept as they are.
type groups struct{ lines *[]string }

func read(path string) (groups, error) {
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return groups{}, err
	}
	lines := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	if len(text) == 0 {
		lines = nil
	}
	return groups{&lines}, nil
}

func (g groups) text() string {
	if len(*g.lines) == 0 {
		return ""
	}
	return strings.Join(*g.lines, "\n") + "\n"
}

// find gives the line of a key, or -1, and the line after the group's last one, or -1 where there is no such group.
func (g groups) find(group, key string) (at, end int) {
	at, end, in := -1, -1, false
	for i, line := range *g.lines {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "["):
			in = line == group
		case in && strings.HasPrefix(line, key+"="):
			at = i
		}
		if in && line != "" {
			end = i + 1
		}
	}
	return at, end
}

func (g groups) get(group, key string) (value string, there bool) {
	at, _ := g.find(group, key)
	if at < 0 {
		return "", false
	}
	_, value, _ = strings.Cut((*g.lines)[at], "=")
	return strings.TrimSpace(value), true
}

// set writes a key; an empty value takes it away, with a group of ours that has nothing left.
func (g groups) set(group, key, value string) {
	at, end := g.find(group, key)
	switch {
	case value == "" && at < 0:
	case value == "":
		*g.lines = slices.Delete(*g.lines, at, at+1)
		if _, end := g.find(before, ""); group == before && end > 0 && (*g.lines)[end-1] == before {
			*g.lines = slices.Delete(*g.lines, end-1, end)
		}
	case at >= 0:
		(*g.lines)[at] = key + "=" + value
	case end >= 0:
		*g.lines = slices.Insert(*g.lines, end, key+"="+value)
	default:
		*g.lines = append(*g.lines, group, key+"="+value)
	}
}
