package asterisktest

import (
	"bytes"
	"cmp"
	"embed"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/template"
)

//go:embed config
var files embed.FS

var templates = template.Must(template.ParseFS(files, "config/*.conf"))

// empty are files that Asterisk will not do without, though there is nothing to say.
var empty = []string{"acl", "ccss", "cdr", "cel", "geolocation", "musiconhold", "pjproject", "stasis", "stir_shaken", "udptl"}

// prompts are what Asterisk says before it goes on, a tenth of a second of silence each.
var prompts = []string{"pbx-transfer", "pbx-invalid", "beep", "beeperr", "conf-onlyperson", "conf-hasjoin", "conf-hasleft"}

const silence = 0xff // a sample of G.711 µ-law

// settings is what the files of config are filled with.
type settings struct {
	Options
	Dir, Modules string
	first        int
}

// Port gives the port of sip, ami, amis or ari.
func (s settings) Port(name string) (int, error) {
	port, known := map[string]int{"sip": portSIP, "ami": portAMI, "amis": portAMIS, "ari": portARI}[name]
	if !known {
		return 0, fmt.Errorf("asterisktest: no port is called %q", name)
	}
	return s.first + port, nil
}

// Has tells whether this Asterisk has a module: later versions have split some up.
func (s settings) Has(module string) bool {
	_, err := os.Stat(filepath.Join(s.Modules, module))
	return err == nil
}

// configure writes Asterisk's folder.
func (a *Asterisk) configure(root string) error {
	s := settings{Options: a.options, Dir: a.dir, first: a.slot.First,
		Modules: filepath.Join(root, "usr", "lib", "x86_64-linux-gnu", "asterisk", "modules")}
	s.Secret = a.Secret
	s.Read = cmp.Or(s.Read, "call,agent,user,dialplan")
	s.Write = cmp.Or(s.Write, "call,originate,agent,reporting,system")
	for _, folder := range []string{"etc", "lib", "spool", "run", "log"} {
		if err := os.MkdirAll(filepath.Join(a.dir, folder), 0o700); err != nil {
			return err
		}
	}
	data := filepath.Join(a.dir, "data")
	if err := os.MkdirAll(filepath.Join(data, "sounds", "en"), 0o700); err != nil {
		return err
	}
	if err := os.Symlink(filepath.Join(root, "usr", "share", "asterisk", "documentation"), filepath.Join(data, "documentation")); err != nil {
		return err
	}
	for _, name := range prompts {
		if err := os.WriteFile(filepath.Join(data, "sounds", "en", name+".ulaw"), bytes.Repeat([]byte{silence}, 800), 0o600); err != nil {
			return err
		}
	}
	for _, name := range empty {
		if err := os.WriteFile(filepath.Join(a.dir, "etc", name+".conf"), nil, 0o600); err != nil {
			return err
		}
	}
	for _, t := range templates.Templates() {
		var text strings.Builder
		if err := t.Execute(&text, s); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(a.dir, "etc", t.Name()), []byte(text.String()), 0o600); err != nil {
			return err
		}
	}
	return nil
}
