package sandbox

import (
	"embed"
	"fmt"
	"strings"
)

//go:embed data/*.txt
var dataFiles embed.FS

// lists are the words the made-up company is made of, one file of data/ each.
type lists struct {
	cnSurnames, cnGiven, cnBrands, cnCities            [][]string // fields of a line
	cnIndustries, cnMobilePrefixes                     [][]string
	enFirst, enLast, enBrands, enIndustries, enAreas   [][]string
	tags, tickets, notes, products, tasks, usersByLine [][]string
}

func loadLists() (*lists, error) {
	l := &lists{}
	for _, f := range []struct {
		into *[][]string
		name string
		sep  string // "" = the whole line is one field
	}{
		{&l.cnSurnames, "cn_surnames", " "}, {&l.cnGiven, "cn_given", " "}, {&l.cnBrands, "cn_brands", " "},
		{&l.cnCities, "cn_cities", " "}, {&l.cnIndustries, "cn_industries", ""}, {&l.cnMobilePrefixes, "cn_mobile_prefixes", ""},
		{&l.enFirst, "en_first", ""}, {&l.enLast, "en_last", ""}, {&l.enBrands, "en_brands", ""},
		{&l.enIndustries, "en_industries", ""}, {&l.enAreas, "en_area_codes", ""}, {&l.tags, "tags", " "},
		{&l.tickets, "tickets", "\t"}, {&l.notes, "notes", "\t"}, {&l.products, "products", "\t"},
		{&l.tasks, "tasks", "\t"}, {&l.usersByLine, "users", "\t"},
	} {
		raw, err := dataFiles.ReadFile("data/" + f.name + ".txt")
		if err != nil {
			return nil, fmt.Errorf("read list: %w", err)
		}
		for line := range strings.Lines(string(raw)) {
			*f.into = append(*f.into, cut(strings.TrimSpace(line), f.sep))
		}
	}
	return l, nil
}

func cut(line, sep string) []string {
	switch sep {
	case "":
		return []string{line}
	case " ": // names of tags may hold blanks
		if head, tail, two := strings.Cut(line, " "); two && (head == "zh" || head == "en") {
			return []string{head, tail}
		}
	}
	return strings.Split(line, sep)
}
