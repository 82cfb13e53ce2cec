package esl

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"ringside.dev/ringside/bridge/tape"
)

func TestFramesAreReadHoweverTheStreamIsCut(t *testing.T) {
	stream := "Content-Type: auth/request\n\n" +
		"\n\nContent-Type: command/reply\r\nReply-Text: +OK accepted\r\n\r\n" + // lines of other programs end so
		"Content-Length: 5\nContent-Type: api/response\n\na\n\n:b" +
		"Content-Length: 0\nContent-Type: text/event-plain\n\n"
	for name, r := range map[string]io.Reader{"whole": strings.NewReader(stream), "by byte": iotest.OneByteReader(strings.NewReader(stream)),
		"by half": iotest.HalfReader(strings.NewReader(stream))} {
		in := newFrames(r, nil)
		var got []string
		for {
			f, err := in.next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			got = append(got, f.kind()+"|"+f.header["Reply-Text"]+"|"+string(f.body))
		}
		want := []string{"auth/request||", "command/reply|+OK accepted|", "api/response||a\n\n:b", "text/event-plain||"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestWhatIsNoFrameEndsTheStream(t *testing.T) {
	for name, test := range map[string]struct {
		stream string
		want   error
	}{
		"end":                    {"", io.EOF},
		"end after a frame":      {"A: b\n\n", io.EOF},
		"cut in a header":        {"Content-Ty", io.ErrUnexpectedEOF},
		"cut after a header":     {"Content-Type: auth/request\n", io.ErrUnexpectedEOF},
		"cut in a body":          {"Content-Length: 10\n\nabc", io.ErrUnexpectedEOF},
		"another protocol":       {"220 this is a mail server\r\n", errFraming},
		"no name":                {": value\n\n", errFraming},
		"a line without end":     {strings.Repeat("x", maxLine+1), errFraming},
		"headers without end":    {strings.Repeat("A: b\n", 3) + manyHeaders(maxHeaders+1), errFraming},
		"nothing but empty ones": {strings.Repeat("\n", maxBlank+2), errFraming},
		"a length below nothing": {"Content-Length: -1\n\n", errFraming},
		"a length that is none":  {"Content-Length: many\n\n", errFraming},
		"a length nothing has":   {"Content-Length: 99999999999999999999\n\n", errFraming},
		"a body that is too big": {"Content-Length: 8388609\n\n", errFraming},
	} {
		in := newFrames(strings.NewReader(test.stream), nil)
		_, err := in.next()
		if err == nil {
			_, err = in.next()
		}
		if !errors.Is(err, test.want) || strings.Contains(err.Error(), "mail server") {
			t.Errorf("%s: %v, want %v, and nothing of what came", name, err, test.want)
		}
	}
}

func manyHeaders(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat("h", i+1) + ": x\n")
	}
	return b.String()
}

func TestAnEventsHeadersAreDecodedAndItsBodyIsItsOwn(t *testing.T) {
	for name, test := range map[string]struct {
		body   string
		header map[string]string
		inner  string
		fails  bool
	}{
		"encoded": {"Event-Name: CHANNEL_CREATE\nCaller-Caller-ID-Name: %E5%BC%A0%E4%B8%89%0D%0AX-Evil%3A%201\nEmpty: \n\n",
			map[string]string{"Event-Name": "CHANNEL_CREATE", "Caller-Caller-ID-Name": "张三\r\nX-Evil: 1", "Empty": ""}, "", false},
		"badly encoded":   {"A: 100%\nB: %zz+1\n\n", map[string]string{"A": "100%", "B": "%zz+1"}, "", false},
		"plus is a plus":  {"A: +8613800138000\nB: +86%20138\n\n", map[string]string{"A": "+8613800138000", "B": "+86 138"}, "", false},
		"twice":           {"Unique-ID: 1\nUnique-ID: 2\n\n", map[string]string{"Unique-ID": "1"}, "", false},
		"body":            {"A: b\nContent-Length: 8\n\n+OK: it\nrest", map[string]string{"A": "b", "Content-Length": "8"}, "+OK: it\n", false},
		"no end":          {"A: b", map[string]string{"A": "b"}, "", false},
		"body too long":   {"A: b\nContent-Length: 80\n\nshort", nil, "", true},
		"body of no size": {"A: b\nContent-Length: -8\n\nshort", nil, "", true},
		"no header":       {"A: b\n13800138000\n\n", nil, "", true},
		"too many":        {manyHeaders(maxFields + 1), nil, "", true},
	} {
		got, err := parseEvent([]byte(test.body))
		if (err != nil) != test.fails || err != nil && strings.Contains(err.Error(), "138") {
			t.Errorf("%s: %v, want failure %v and no number in it", name, err, test.fails)
		}
		if diff := cmp.Diff(test.header, got.header); err == nil && (diff != "" || got.body != test.inner) {
			t.Errorf("%s: body %q, headers (-want +got):\n%s", name, got.body, diff)
		}
	}
}

func TestTheTapeHasFramesAsTheyCame(t *testing.T) {
	var deck tape.Deck
	frames, stop := deck.Listen()
	defer stop()
	stream := "Content-Type: auth/request\n\nContent-Length: 3\nContent-Type: text/event-plain\n\nA:b"
	in := newFrames(strings.NewReader(stream), &deck)
	var got []byte
	for range 2 {
		if _, err := in.next(); err != nil {
			t.Fatal(err)
		}
		raw, err := (<-frames).Data()
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, raw...)
	}
	if string(got) != stream {
		t.Errorf("the tape has %q", got)
	}
}

// FuzzFrames: whatever comes, reading ends, memory is bounded by what came, and what is taken apart was there.
func FuzzFrames(f *testing.F) {
	for _, name := range slices.Sorted(maps.Keys(scenarios)) {
		stream, err := os.ReadFile(filepath.Join("testdata", name+".esl"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(stream)
	}
	f.Add([]byte("Content-Type: auth/request\n\nContent-Length: 99\n\nA: %\n\n"))
	f.Add([]byte("Content-Length: 8388608\nContent-Type: text/event-plain\n\nContent-Length: 5\n\nab"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		in := newFrames(bytes.NewReader(stream), nil)
		read := 0
		for n := 0; ; n++ {
			one, err := in.next()
			if err != nil {
				return
			}
			if read += len(one.body); n > len(stream) || read > len(stream) {
				t.Fatalf("%d frames with %d bytes out of %d", n, read, len(stream))
			}
			e, err := parseEvent(one.body)
			if err == nil && len(e.body) > len(one.body) {
				t.Fatalf("an inner body of %d bytes out of %d", len(e.body), len(one.body))
			}
		}
	})
}
