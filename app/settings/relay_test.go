package settings_test

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/settings"
)

// exchanges is what the relay under test has: one that needs everything, one that needs nothing.
var exchanges = []settings.RelayKind{{Name: "pbx", Address: true, User: true, Password: true, Check: func(x settings.RelayExchange) error {
	if x.Address == "refused" {
		return errors.New("what is not encrypted must stay on this computer")
	}
	return nil
}}, {Name: "sim"}}

// A relay file in testdata/relay has either a .json or an .en.txt and a .zh.txt, as profiles have.
func TestLoadRelayGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/relay/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no relay files in testdata: %v", err)
	}
	for _, file := range files {
		file = filepath.ToSlash(file)
		t.Run(filepath.Base(file), func(t *testing.T) {
			r, err := settings.LoadRelay(file, exchanges)
			base := strings.TrimSuffix(file, ".yaml")
			if err == nil {
				text, err := json.MarshalIndent(r, "", "  ")
				if err != nil {
					t.Fatal(err)
				}
				golden(t, base+".json", string(text)+"\n")
				mustNotExist(t, base+".en.txt")
				return
			}
			var problems settings.Problems
			if !errors.As(err, &problems) || cti.KindOf(err) != cti.Invalid {
				t.Fatalf("want Problems of kind invalid, got %#v of kind %s", err, cti.KindOf(err))
			}
			golden(t, base+".en.txt", problems.In("en")+"\n")
			golden(t, base+".zh.txt", problems.In("zh-CN")+"\n")
			mustNotExist(t, base+".json")
			mustBeGood(t, cti.Profile{}, problems)
			if !reflect.DeepEqual(r, settings.Relay{}) {
				t.Errorf("a relay with problems was handed out: %+v", r)
			}
		})
	}
}

func TestFullRelayFillsEveryField(t *testing.T) {
	r, err := settings.LoadRelay("testdata/relay/full.yaml", exchanges)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []any{r, r.Exchanges[0], r.Rights[0]} {
		for _, name := range zeroFields(reflect.ValueOf(part), reflect.TypeOf(part).Name()) {
			t.Errorf("%s is not read from testdata/relay/full.yaml", name)
		}
	}
	want := []string{"credential:relay-key", "file:/etc/ringside/signature", "keychain:pbx"}
	if got := r.SecretRefs(); !reflect.DeepEqual(got, want) {
		t.Errorf("secrets %q, want %q", got, want)
	}
}

func TestExtensionsMatchWhatTheyName(t *testing.T) {
	for _, test := range []struct {
		entry   string
		are     string
		areNone string
	}{
		{"1001", "1001", "1002 10011 100 x"},
		{"10xx", "1000 1099", "100 10000 10x1 1100 10xx"},
		{"10*", "10 1001 10anything", "1 2001"},
		{"*", "1001 reception", ""},
		{"reception", "reception", "Reception reception2"},
		{"exx", "exx", "e12"},
	} {
		for want, list := range map[bool]string{true: test.are, false: test.areNone} {
			for _, extension := range strings.Fields(list) {
				if got := (settings.Extensions{"none", test.entry}).Match(extension); got != want {
					t.Errorf("%s matches %s: %v", test.entry, extension, got)
				}
			}
		}
	}
	for _, bad := range []string{"", "1001\n", "-1", "a b", strings.Repeat("1", 33), "1/2"} {
		if settings.IsExtension(bad) {
			t.Errorf("%q is taken for an extension", bad)
		}
	}
}
