package store_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/outbox"
	"ringside.dev/ringside/store/storetest"
)

// noTrace finds texts in the files of a folder, in the forms in which a program may write them.
func noTrace(t *testing.T, dir string, texts ...string) {
	t.Helper()
	for _, trace := range traces(t, dir, texts...) {
		t.Error(trace)
	}
}

func traces(t *testing.T, dir string, texts ...string) (found []string) {
	t.Helper()
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		content = append(content, path...)
		for _, text := range texts {
			for form, written := range forms(text) {
				if bytes.Contains(content, written) {
					found = append(found, form+" of "+text+" in "+path)
				}
			}
		}
		return nil
	}))
	return found
}

func forms(text string) map[string][]byte {
	wide := []byte{}
	for _, unit := range utf16.Encode([]rune(text)) {
		wide = append(wide, byte(unit), byte(unit>>8))
	}
	f := map[string][]byte{"UTF-8": []byte(text), "UTF-16": wide, "hex": []byte(hex.EncodeToString([]byte(text)))}
	for shift := range 3 { // base64 of it looks different at each place modulo 3
		encoded := base64.RawStdEncoding.EncodeToString(append(bytes.Repeat([]byte{'x'}, shift), text...))
		if inner := encoded[4 : len(encoded)-3]; len(inner) >= 6 {
			f["base64 shifted by "+string(rune('0'+shift))] = []byte(inner)
		}
	}
	return f
}

// secretCall is a call of somebody, and the texts that must not be found.
func secretCall() (cti.Call, outbox.Item, []string) {
	call, it := storetest.Call("leg-of-Jørgen-Tester")
	call.Remote = cti.Remote{Name: "Jørgen Tester", URI: "sip:+442079460958@example.net", Number: cti.Number{Raw: "+44 20 7946 0958", E164: "+442079460958", Key: "2079460958"}}
	call.Refs = map[string]string{cti.RefSIPCallID: "a1b2c3d4e5"}
	it.Lane, it.WriteBack.CustomerID, it.WriteBack.Record = "2079460958", "customer-4711", cti.NewRecord("acme", call, cti.WrapUp{Note: "wants 3 chairs"})
	return call, it, []string{"+44 20 7946 0958", "442079460958", "2079460958", "020 7946", "Jørgen", "Tester", "a1b2c3d4e5", "customer-4711", "3 chairs",
		it.WriteBack.Key, call.Leg, "a person said so", "422 bad number"}
}

func TestNothingAboutACustomerIsInClearInAnyFile(t *testing.T) {
	dir := t.TempDir()
	s := storetest.OpenDir(t, dir)
	call, it, texts := secretCall()
	must(t, s.Track(call, cti.WrapUp{}))
	stored, err := s.Accept(call, cti.WrapUp{Note: "wants 3 chairs"}, []outbox.Item{it})
	must(t, err)
	stored[0].Tries = []outbox.Try{{At: start, Kind: cti.Invalid, Message: "422 bad number"}}
	must(t, s.Save(outbox.Tried, stored[0]))
	stored[0].State, stored[0].Reason = outbox.Discarded, "a person said so"
	must(t, s.Save(outbox.Dropped, stored[0]))
	live := call
	live.Leg = "live " + call.Leg
	must(t, s.Track(live, cti.WrapUp{}))
	must(t, s.Settle())
	must(t, s.Compact())
	noTrace(t, dir, texts...)
	must(t, s.Close())
	must(t, os.Truncate(filepath.Join(dir, "outbox.db"), 5000)) // for a rebuild and a file in quarantine
	must(t, storetest.OpenDir(t, dir).Close())
	noTrace(t, dir, texts...)
}

// A search that finds nothing anywhere proves nothing.
func TestTracesAreFoundWhereTheyAre(t *testing.T) {
	for form, written := range forms("+44 20 7946 0958") {
		dir := t.TempDir()
		must(t, os.WriteFile(filepath.Join(dir, "file"), []byte("....."+string(written)+"..."), 0o600))
		if found := traces(t, dir, "+44 20 7946 0958"); len(found) != 1 || !strings.HasPrefix(found[0], form) {
			t.Errorf("%s: found %v", form, found)
		}
	}
	dir := t.TempDir()
	schema1(t, dir)
	if found := traces(t, dir, "call back on Tuesday"); len(found) == 0 {
		t.Error("schema 1 is in clear text, and nothing was found")
	}
}
