package ami_test

import (
	"testing"
	"time"

	"ringside.dev/ringside/bridge/ami"
	"ringside.dev/ringside/bridge/ami/amitest"
)

// FuzzWire feeds whatever bytes to the reader and the machine: nothing panics, nothing grows beyond what was sent, and whatever is told is told of the
// extension it is about.
func FuzzWire(f *testing.F) {
	session := amitest.Load(f, "session")
	for _, name := range scenes {
		var raw []byte
		for _, b := range session.Scene(f, name).Blocks {
			raw = append(raw, b.Bytes()...)
		}
		f.Add(raw)
	}
	for _, seed := range []string{"Event:\r\n\r\n\r\n", ":\r\n", "Event: Hangup\nUniqueid: 1.1\n\n", "\x00\xff"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		blocks, fields, err := ami.ReadAll(raw)
		if err == nil || blocks > len(raw) || fields > len(raw) {
			t.Fatalf("%d blocks with %d fields of %d bytes: %v", blocks, fields, len(raw), err)
		}
		p := ami.NewPlayer(ami.Config{Serves: func(e string) bool { return len(e) == 4 }})
		p.Take(0, raw)
		p.Pass(time.Minute)
		for extension, events := range p.Events {
			for _, e := range events {
				if e.Type == "" || e.Local.Extension != extension {
					t.Fatalf("told of %q: %+v", extension, e)
				}
			}
			book(events)
		}
		p.Pass(3 * time.Hour)
	})
}
