package ari_test

import (
	"bytes"
	"encoding/binary"
	"log/slog"
	"strconv"
	"strings"
	"testing"

	"ringside.dev/ringside/bridge"
	"ringside.dev/ringside/bridge/ari"
	"ringside.dev/ringside/bridge/asterisktest"
	"ringside.dev/ringside/bridge/sourcetest"
)

// ofReal is the exchange as a real Asterisk has it, at this address.
func ofReal(t *testing.T, a *asterisktest.Asterisk, address, app string, variables []string) *ari.Exchange {
	t.Helper()
	x, err := ari.New(ari.Config{URL: "http://" + address, User: asterisktest.Username, Password: a.Secret, App: app, Instance: "pbx-1", Context: "from-internal",
		Variables: variables, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// The first byte of a WebSocket frame with a whole text (RFC 6455, 5.2).
const wholeText = 0x81

// frames splits what the REST interface says: answers of HTTP whole, and frames of the WebSocket, which an exchange does not mask.
func frames(data []byte, _ bool) (int, []byte, error) {
	if bytes.HasPrefix(data, []byte("HTTP/")) {
		head, _, whole := bytes.Cut(data, []byte("\r\n\r\n"))
		if !whole {
			return 0, nil, nil
		}
		size := len(head) + len("\r\n\r\n")
		for line := range strings.Lines(string(head)) {
			if name, value, _ := strings.Cut(line, ":"); strings.EqualFold(name, "Content-Length") {
				n, err := strconv.Atoi(strings.TrimSpace(value))
				if err != nil {
					return 0, nil, err
				}
				size += n
			}
		}
		if len(data) < size {
			return 0, nil, nil
		}
		return size, data[:size], nil
	}
	if len(data) < 2 {
		return 0, nil, nil
	}
	size := 2 + int(data[1])
	switch data[1] {
	case 126:
		if len(data) < 4 {
			return 0, nil, nil
		}
		size = 4 + int(binary.BigEndian.Uint16(data[2:]))
	case 127:
		if len(data) < 10 {
			return 0, nil, nil
		}
		size = 10 + int(binary.BigEndian.Uint64(data[2:]))
	}
	if len(data) < size {
		return 0, nil, nil
	}
	return size, data[:size], nil
}

// A real Asterisk, real phones, and a customer who says whatever they like.
func TestConformanceWithARealAsterisk(t *testing.T) {
	sourcetest.Run(t, func(t *testing.T) sourcetest.Rig {
		w := asterisktest.NewWorld(t, asterisktest.Options{})
		line := sourcetest.NewLine(t, w.ARI(), frames)
		rig := w.Rig(bridge.Extension(ofReal(t, w.Asterisk, line.Address(), "", []string{"ORDER_ID", "LEVEL"}), asterisktest.AgentExtension), line)
		line.SpeakWhere(func(message []byte) bool { return bytes.HasPrefix(message, []byte("HTTP/1.1 101 ")) })
		rig.Garbage = func(t *testing.T, raw []byte) { // as a text of the WebSocket's, and as no frame at all
			t.Helper()
			head := []byte{wholeText, 126}
			line.Inject(t, append(binary.BigEndian.AppendUint16(head, uint16(len(raw))), raw...))
			line.Inject(t, raw)
		}
		rig.Disorder = func(*testing.T) {
			line.Disorder(func(message []byte) bool { return message[0] == wholeText })
		}
		return rig
	})
}
