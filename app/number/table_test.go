package number_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/number"
)

// least is how many spelled numbers each country's table holds.
var least = map[string]int{"CN": 200, "US": 200, "GB": 200, "DE": 200, "JP": 100, "FR": 100, "IN": 100, "BR": 100}

// row is a spelled number with what it is to be read as.
type row struct {
	line    int
	spelled string
	want    cti.Number
}

// site is the first line of a table: the profile of the site that reads it.
type site struct {
	Region        string   `json:"region"`
	AreaCode      string   `json:"area_code"`
	OutsidePrefix string   `json:"outside_prefix"`
	Own           []string `json:"own"`
	Internal      []string `json:"internal"`
	Queues        []string `json:"queues"`
	Privacy       []string `json:"privacy"`
}

func (s site) plan(t testing.TB) *number.Plan {
	t.Helper()
	p := &number.Plan{Region: s.Region, AreaCode: s.AreaCode, OutsidePrefix: s.OutsidePrefix}
	for _, l := range []struct {
		to      *number.List
		entries []string
	}{{&p.Own, s.Own}, {&p.Internal, s.Internal}, {&p.Queues, s.Queues}, {&p.Privacy, s.Privacy}} {
		var err error
		if *l.to, err = number.NewList(l.entries, s.Region); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// unescape turns \t, \\ and \u200b into what they stand for: tables are read by people, too.
var unescape = strings.NewReplacer(`\\`, `\`, `\t`, "\t", `\u00a0`, "\u00a0", `\u200b`, "\u200b", `\u202a`, "\u202a", `\u202c`, "\u202c", `\u3000`, "\u3000")

// tables gives each table with the plan it is read by.
func tables(t testing.TB, each func(region string, p *number.Plan, rows []row)) {
	t.Helper()
	files, err := filepath.Glob("testdata/*.tsv")
	if err != nil || len(files) != len(least) {
		t.Fatalf("%d tables, %v; want %d", len(files), err, len(least))
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
		var s site
		if err := json.Unmarshal([]byte(strings.TrimPrefix(lines[0], "# ")), &s); err != nil {
			t.Fatalf("%s: its first line is no site: %v", file, err)
		}
		var rows []row
		for i, line := range lines[2:] {
			f := strings.Split(line, "\t")
			if len(f) != 5 {
				t.Fatalf("%s:%d has %d fields", file, i+3, len(f))
			}
			spelled := unescape.Replace(f[0])
			class := cti.NumberClass(f[4])
			rows = append(rows, row{line: i + 3, spelled: spelled,
				want: cti.Number{Raw: spelled, E164: f[1], Key: f[2], Ext: f[3], Class: class, Withheld: class == cti.ClassWithheld}})
		}
		each(s.Region, s.plan(t), rows)
	}
}

func TestSpelledNumbersAreRead(t *testing.T) {
	tables(t, func(region string, p *number.Plan, rows []row) {
		if len(rows) < least[region] {
			t.Errorf("%s: %d spelled numbers, want at least %d", region, len(rows), least[region])
		}
		for _, r := range rows {
			got := p.Read(r.spelled)
			if got.Number != r.want {
				t.Errorf("%s.tsv:%d %q\n got  %+v because of %v\n want %+v", region, r.line, r.spelled, got.Number, got.Why, r.want)
			}
			if len(got.Why) == 0 && !got.Withheld {
				t.Errorf("%s.tsv:%d %q: no reason is given", region, r.line, r.spelled)
			}
		}
	})
}

// What was read once is read the same way again, whichever form of it is kept.
func TestReadingAgainChangesNothing(t *testing.T) {
	tables(t, func(region string, p *number.Plan, rows []row) {
		for _, r := range rows {
			if r.want.E164 == "" {
				continue
			}
			if again := p.Parse(r.want.E164); again.E164 != r.want.E164 || again.Key != r.want.Key || again.Class != r.want.Class {
				t.Errorf("%s.tsv:%d %q is read as %+v, and that as %+v", region, r.line, r.spelled, r.want, again)
			}
		}
	})
}
