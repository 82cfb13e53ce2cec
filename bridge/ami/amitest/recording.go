package amitest

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"embed"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The recorded sessions with Asterisk 20.20.1: what a manager user with all rights saw, and one with read=call,agent.
//
//go:embed testdata/*.gz
var recordings embed.FS

// Recording is one session, cut into its scenes.
type Recording struct{ Scenes []Scene }

// Scene is one scenario. Name begins with what the design calls it: S1, Q2.
type Scene struct {
	Name   string
	Blocks []Block
	// CallIDs are the SIP Call-IDs the phones saw, by channel; a manager user without the class dialplan has to ask for them.
	CallIDs map[string]string
}

// Block is what the exchange sent at a time after the session's beginning.
type Block struct {
	At     time.Duration
	Fields []Field
}

// Field is one line of a block.
type Field struct{ Key, Value string }

// Get gives a value of a block.
func (b Block) Get(key string) string {
	for _, f := range b.Fields {
		if f.Key == key {
			return f.Value
		}
	}
	return ""
}

// Bytes is a block as it is on the wire.
func (b Block) Bytes() []byte {
	var out bytes.Buffer
	for _, f := range b.Fields {
		fmt.Fprintf(&out, "%s: %s\r\n", f.Key, f.Value)
	}
	out.WriteString("\r\n")
	return out.Bytes()
}

// Load reads a recording: "session" or "session-slim".
func Load(t testing.TB, name string) Recording {
	t.Helper()
	file, err := recordings.Open("testdata/" + name + ".txt.gz")
	if err != nil {
		t.Fatal(err)
	}
	unpacked, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	r, err := parse(unpacked)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Scene gives the scene whose name begins with a word.
func (r Recording) Scene(t testing.TB, word string) Scene {
	t.Helper()
	for _, s := range r.Scenes {
		if strings.HasPrefix(s.Name, word+" ") {
			return s
		}
	}
	t.Fatalf("there is no scene %s in the recording", word)
	return Scene{}
}

// parse reads the format of the recordings: a line of time and arrow, then indented fields; "######" begins a scene; lines of phones stand between.
func parse(in io.Reader) (Recording, error) {
	r := Recording{Scenes: []Scene{{Name: "login ", CallIDs: map[string]string{}}}}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	var current *Block              // nil while it is none of the exchange's
	phones := map[string][]string{} // the Call-IDs that each extension's phone saw in this scene, in order
	for lines.Scan() {
		line, scene := lines.Text(), &r.Scenes[len(r.Scenes)-1]
		head := strings.Fields(line)
		switch {
		case strings.HasPrefix(line, "###### "):
			scene.match(phones)
			r.Scenes = append(r.Scenes, Scene{Name: strings.TrimPrefix(line, "###### "), CallIDs: map[string]string{}})
			current, phones = nil, map[string][]string{}
		case strings.HasPrefix(line, "    "):
			if key, value, found := strings.Cut(strings.TrimPrefix(line, "    "), ":"); found && current != nil {
				current.Fields = append(current.Fields, Field{key, strings.TrimPrefix(value, " ")})
			}
		case len(head) == 2 && head[1] == "<-":
			at, err := strconv.ParseFloat(head[0], 64)
			if err != nil {
				return r, err
			}
			scene.Blocks = append(scene.Blocks, Block{At: time.Duration(at * float64(time.Second))})
			current = &scene.Blocks[len(scene.Blocks)-1]
		default:
			current = nil
			if extension, id, is := phoneLine(line); is && !slices.Contains(phones[extension], id) {
				phones[extension] = append(phones[extension], id)
			}
		}
	}
	r.Scenes[len(r.Scenes)-1].match(phones)
	return r, lines.Err()
}

var phoneOf = regexp.MustCompile(`\[phone [a-z]+([0-9]+)\] CALL_.* id=(\S+)`)

func phoneLine(line string) (extension, id string, is bool) {
	m := phoneOf.FindStringSubmatch(line)
	if len(m) != 3 || m[2] == "None" {
		return "", "", false
	}
	return m[1], m[2], true
}

// match finds the Call-IDs of the channels: a phone's calls and its channels are in the same order.
func (s *Scene) match(phones map[string][]string) {
	seen := map[string]int{}
	for _, b := range s.Blocks {
		channel := b.Get("Channel")
		_, rest, _ := strings.Cut(channel, "/")
		extension, _, is := strings.Cut(rest, "-")
		if b.Get("Event") != "Newchannel" || !is {
			continue
		}
		if n := seen[extension]; n < len(phones[extension]) {
			s.CallIDs[channel] = phones[extension][n]
		}
		seen[extension]++
	}
}
