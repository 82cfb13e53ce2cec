package ami_test

import (
	"bytes"
	"testing"

	"ringside.dev/ringside/bridge"
	"ringside.dev/ringside/bridge/ami"
	"ringside.dev/ringside/bridge/asterisktest"
	"ringside.dev/ringside/bridge/sourcetest"
)

// ofReal is the exchange as a real Asterisk has it, at this address.
func ofReal(t *testing.T, a *asterisktest.Asterisk, address string) *ami.Exchange {
	t.Helper()
	return exchange(t, ami.Config{Address: address, Username: asterisktest.Username, Secret: func() (string, error) { return a.Secret, nil },
		Instance: "pbx-1", Variables: []string{"ORDER_ID", "LEVEL"}, RecordingVariable: "MIXMONITOR_FILENAME",
		Serves: func(e string) bool { return e == asterisktest.AgentExtension || e == asterisktest.ColleagueExtension }})
}

// blocks splits what the manager interface says.
func blocks(data []byte, _ bool) (int, []byte, error) {
	ends := "\r\n\r\n"
	if bytes.HasPrefix(data, []byte("Asterisk Call Manager")) { // the greeting
		ends = "\r\n"
	}
	if i := bytes.Index(data, []byte(ends)); i >= 0 {
		return i + len(ends), data[:i+len(ends)], nil
	}
	return 0, nil, nil
}

// A real Asterisk, real phones, and a customer who says whatever they like.
func TestConformanceWithARealAsterisk(t *testing.T) {
	sourcetest.Run(t, func(t *testing.T) sourcetest.Rig {
		w := asterisktest.NewWorld(t, asterisktest.Options{})
		line := sourcetest.NewLine(t, w.AMI(), blocks)
		rig := w.Rig(bridge.Extension(ofReal(t, w.Asterisk, line.Address()), asterisktest.AgentExtension), line)
		rig.Disorder = func(*testing.T) {
			line.Disorder(func(message []byte) bool { return bytes.HasPrefix(message, []byte("Event: ")) })
		}
		rig.TellsMute = true
		return rig
	})
}
