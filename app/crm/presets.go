package crm

import (
	"embed"
	"fmt"
	"path"
	"strings"

	"go.yaml.in/yaml/v4"
)

//go:embed presets/*.yaml
var presetFiles embed.FS

const presetDir = "presets"

// Preset is a connector that comes with Ringside, as the settings window needs it.
type Preset struct {
	ID       string
	Name     string
	Maturity string // verified, contract or draft
	Params   []Param
}

// Presets lists the connectors that come with Ringside, by id.
func Presets() ([]Preset, error) {
	var out []Preset
	for _, id := range presetIDs() {
		text, _ := preset(id)
		var doc document
		if err := yaml.Load(text, &doc); err != nil {
			return nil, fmt.Errorf("read preset %s: %w", id, err)
		}
		out = append(out, Preset{ID: id, Name: doc.Metadata.Name, Maturity: doc.Metadata.Maturity, Params: doc.Params})
	}
	return out, nil
}

func presetIDs() []string {
	files, err := presetFiles.ReadDir(presetDir)
	if err != nil {
		return nil // the directory is part of the program
	}
	var ids []string
	for _, f := range files {
		ids = append(ids, strings.TrimSuffix(f.Name(), ".yaml"))
	}
	return ids
}

func preset(id string) ([]byte, bool) {
	if strings.ContainsAny(id, `./\`) {
		return nil, false
	}
	text, err := presetFiles.ReadFile(path.Join(presetDir, id+".yaml"))
	return text, err == nil
}
