package settings

import _ "embed"

//go:embed example.en.yaml
var exampleEn []byte

//go:embed example.zh.yaml
var exampleZh []byte

// Example gives a commented profile to begin with, which Load accepts: in Chinese for zh and its variants, else in English.
func Example(lang string) []byte {
	if chinese(lang) {
		return append([]byte(nil), exampleZh...)
	}
	return append([]byte(nil), exampleEn...)
}
