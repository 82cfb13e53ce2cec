package baresip

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ringside.dev/ringside/app/cti"
)

func TestGarbageIsAnErrorAndNeverAMessage(t *testing.T) {
	for name, c := range map[string]struct {
		wire string
		want error
	}{
		"end between messages": {"2:{},", io.EOF},
		"end inside a length":  {"2:{},12", io.ErrUnexpectedEOF},
		"end inside a message": {"2:{},5:{}", io.ErrUnexpectedEOF},
		"HTTP":                 {"2:{},HTTP/1.1 400", errFraming},
		"no comma":             {"2:{},2:{};", errFraming},
		"no length":            {"2:{},:{},", errFraming},
		"negative":             {"2:{},-1:{},", errFraming},
		"one byte too long":    {"2:{},65537:", errFraming},
		"endless zeros":        {"2:{},0000000000000:", errFraming},
		"overflow":             {"2:{},99999999999999999999:", errFraming},
	} {
		t.Run(name, func(t *testing.T) {
			wire := newNetstrings(strings.NewReader(c.wire))
			if b, err := wire.next(); err != nil || string(b) != "{}" {
				t.Fatalf("first message %q, %v", b, err)
			}
			if b, err := wire.next(); !errors.Is(err, c.want) || b != nil {
				t.Errorf("got %q, %v; want %v", b, err, c.want)
			}
		})
	}
	largest := strings.Repeat("x", maxNetstring)
	if b, err := newNetstrings(bytes.NewReader(netstring([]byte(largest)))).next(); err != nil || string(b) != largest {
		t.Errorf("the largest message: %d bytes, %v", len(b), err)
	}
}

// story sends JSON messages through one interpreter and gives the events' essence, one line each.
func story(t *testing.T, messages ...string) []string {
	t.Helper()
	in := newInterpreter(cti.Source{Adapter: "baresip"}, "1001", func() string { return "minted" })
	var got []string
	for _, text := range messages {
		m, err := parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range in.events(m, time.Unix(0, 0).UTC()) {
			line := string(e.Type)
			for _, part := range []string{string(e.Side), string(e.By), e.Call.Refs[cti.RefSIPCallID], e.Call.Refs[refDial]} {
				if part != "" {
					line += " " + part
				}
			}
			if e.Cause != nil {
				line += fmt.Sprintf(" %s/%s", e.Cause.Code, e.Cause.By)
			}
			if e.Transfer != nil {
				line += fmt.Sprintf(" %s %s %s", e.Transfer.Kind, e.Transfer.Role, e.Transfer.To)
			}
			got = append(got, strings.TrimSpace(line))
		}
	}
	return got
}

func msg(typ, dir, more string) string {
	return fmt.Sprintf(`{"event":true,"type":%q,"direction":%q,"peeruri":"sip:600@pbx","id":"a"%s}`, typ, dir, more)
}

func TestEventsOfLaterVersionsAndTheirStories(t *testing.T) {
	announced := `{"event":true,"type":"CALL_LOCAL_SDP","direction":"outgoing","peeruri":"sip:600@pbx","param":"offer"}`
	for name, c := range map[string]struct{ messages, want []string }{
		"unknown types and replies say nothing": {
			[]string{msg("CALL_DTMF_START", "incoming", ""), msg("SOMETHING_NEW", "incoming", ""), msg("CALL_RTCP", "incoming", ""), `{}`,
				`{"response":true,"ok":true,"data":"CALL_CLOSED"}`, `{"event":true,"type":"CALL_CLOSED","direction":"incoming"}`}, nil},
		"outbound in 1.0.0: the attempt's name meets the id": {
			[]string{announced, msg("CALL_RINGING", "outgoing", ""), msg("CALL_ESTABLISHED", "outgoing", "")},
			[]string{"call.originated minted", "call.delivered remote a minted", "call.established a minted"}},
		"outbound from 1.1.0": {
			[]string{announced, msg("CALL_OUTGOING", "outgoing", ""), msg("CALL_CLOSED", "outgoing", `,"param":"486 Busy Here"`)},
			[]string{"call.originated minted", "call.originated a minted", "call.failed a minted busy/remote"}},
		"inbound CALL_RINGING is no second ring": {
			[]string{msg("CALL_INCOMING", "incoming", ""), msg("CALL_RINGING", "incoming", "")}, []string{"call.delivered local a"}},
		"hold by the far end from 3.7": {
			[]string{msg("CALL_ESTABLISHED", "incoming", ""), msg("CALL_HOLD", "incoming", ""), msg("CALL_RESUME", "incoming", "")},
			[]string{"call.established a", "call.held remote a", "call.retrieved remote a"}},
		"own hold from 4": {
			[]string{msg("CALL_ESTABLISHED", "incoming", `,"localaudiodir":"sendrecv"`), msg("CALL_LOCAL_SDP", "incoming", `,"localaudiodir":"sendonly"`),
				msg("CALL_REMOTE_SDP", "incoming", `,"localaudiodir":"sendonly","remoteaudiodir":"recvonly"`), msg("CALL_RTCP", "incoming", `,"localaudiodir":"sendrecv"`)},
			[]string{"call.established a", "call.held local a", "call.retrieved local a"}},
		"ambiguous directions are no hold": {
			[]string{msg("CALL_LOCAL_SDP", "incoming", `,"localaudiodir":"sendonly"`), msg("CALL_ESTABLISHED", "incoming", ""),
				msg("CALL_LOCAL_SDP", "incoming", `,"localaudiodir":"inactive"`), msg("CALL_LOCAL_SDP", "incoming", `,"localaudiodir":"recvonly"`),
				msg("CALL_LOCAL_SDP", "incoming", `,"localaudiodir":"sendonly","remoteaudiodir":"sendonly"`)},
			[]string{"call.established a"}},
		"given on by the far end": {
			[]string{msg("CALL_ESTABLISHED", "incoming", ""), msg("TRANSFER", "incoming", `,"param":"sip:700@pbx"`)},
			[]string{"call.established a", "call.transferred a blind transferee 700"}},
		"registration": {
			[]string{`{"type":"REGISTERING","accountaor":"x"}`, `{"type":"REGISTER_OK","accountaor":"x"}`, `{"type":"REGISTER_FAIL","accountaor":"x","param":"403 Forbidden"}`,
				`{"type":"REGISTER_FAIL","accountaor":"y"}`, `{"type":"REGISTER_OK","accountaor":"x"}`, `{"type":"REGISTER_OK","accountaor":"y"}`},
			[]string{"source.down network/system", "source.up"}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, story(t, c.messages...)); diff != "" {
				t.Errorf("want - got +:\n%s", diff)
			}
		})
	}
}

func TestEndingOfACall(t *testing.T) {
	for _, c := range []struct {
		text string
		dir  cti.Direction
		at   stage
		want string
	}{
		{byPeer, cti.In, begun, "call.cleared abandoned/remote"},
		{byUser, cti.In, begun, "call.cleared rejected/local"},
		{byPeer, cti.In, established, "call.cleared normal/remote"},
		{byUser, cti.Out, established, "call.cleared normal/local"},
		{byUser, cti.Out, ringing, "call.cleared abandoned/local"},
		{byPeer, cti.Out, begun, "call.failed unreachable/remote"},
		{byPeer, cti.In, unseen, "call.cleared unknown/remote"}, // began while we were not connected: it may have been answered
		{byPeer, cti.Out, unseen, "call.cleared unknown/remote"},
		{"404 Not Found", cti.Out, unseen, "call.failed not_found/remote"},
		{"486 Rejected", cti.Out, ringing, "call.failed rejected/remote"},
		{"486 Busy Here", cti.Out, ringing, "call.failed busy/remote"},
		{"600 Busy Everywhere", cti.Out, begun, "call.failed busy/remote"},
		{"603 Decline", cti.Out, ringing, "call.failed rejected/remote"},
		{"480 Temporarily Unavailable", cti.Out, begun, "call.failed no_answer/remote"},
		{"408 Request Timeout", cti.Out, begun, "call.failed no_answer/remote"},
		{"488 Not Acceptable Here", cti.Out, begun, "call.failed media/remote"},
		{"503", cti.Out, begun, "call.failed network/system"},
		{"418 Teapot", cti.Out, begun, "call.failed unknown/remote"},
		{"487 Request Terminated", cti.In, begun, "call.cleared abandoned/remote"},
		{"500 Error", cti.Out, established, "call.cleared normal/remote"},
		{"Local timeout", cti.In, begun, "call.cleared no_answer/system"},
		{"Connection timed out", cti.Out, begun, "call.failed unreachable/system"},
		{"Connection timed out", cti.Out, ringing, "call.failed no_answer/system"},
		{"Connection timed out", cti.In, established, "call.cleared network/system"},
		{"Destination address required", cti.Out, begun, "call.failed unreachable/system"},
		{"rtp stream timeout", cti.In, established, "call.cleared media/system"},
		{"Call transfered", cti.In, established, "call.transferred transferred/local"},
		{"", cti.In, established, "call.cleared unknown/system"},
	} {
		typ, cause := ending(c.text, c.dir, c.at)
		if got := fmt.Sprintf("%s %s/%s", typ, cause.Code, cause.By); got != c.want || cause.Raw != c.text {
			t.Errorf("%q %s at stage %d: %s (raw %q), want %s", c.text, c.dir, c.at, got, cause.Raw, c.want)
		}
	}
}

func TestRemotePartyOfAURI(t *testing.T) {
	for uri, want := range map[string]cti.Number{
		"sip:13800138000@pbx":                {Raw: "13800138000"},
		"sips:+8613800138000@[::1]:5061;x=1": {Raw: "+8613800138000"},
		"sip:600;phone-context=a:pw@pbx":     {Raw: "600"},
		"sip:%2b44@pbx":                      {Raw: "+44"},
		"tel:+44123;ext=4":                   {Raw: "+44123"},
		"sip:Anonymous@anonymous.invalid":    {Withheld: true},
		"sip:x@anonymous.invalid":            {Withheld: true},
		"sip:pbx:5060":                       {Withheld: true},
		"":                                   {Withheld: true},
		"garbage":                            {Withheld: true},
	} {
		if got := remote(uri, "n"); got.Number != want || got.URI != uri || got.Name != "n" {
			t.Errorf("%q: %+v, want %+v", uri, got, want)
		}
	}
}

func TestFloodsAreBounded(t *testing.T) {
	in := newInterpreter(cti.Source{}, "", func() string { return "x" })
	for n := range 10_000 {
		id := fmt.Sprint(n)
		in.events(message{Type: "CALL_INCOMING", ID: id, Direction: dirIn}, time.Time{})
		in.events(message{Type: "CALL_LOCAL_SDP", Direction: dirOut, Peer: id}, time.Time{})
		in.events(message{Type: "REGISTER_FAIL", Account: id}, time.Time{})
	}
	if len(in.calls) > maxCalls || len(in.dials) > maxDials || len(in.failed) > maxAccounts {
		t.Errorf("%d calls, %d attempts, %d accounts kept", len(in.calls), len(in.dials), len(in.failed))
	}
	if in.calls["9999"] == nil || in.calls["0"] != nil {
		t.Error("not the oldest call was forgotten")
	}
}

func TestStatOfTheCurrentCall(t *testing.T) {
	text := "\n===== Call debug (RINGING) =====\n local_uri: Agent <sip:agent@pbx>\n peer_uri:  Evil <sip:not@me> <sip:600@pbx>\n" +
		" af=AF_INET id=abc@pbx\n direction: Outgoing\nSDP session\n af=AF_INET id=other\n"
	got, ok := parseStat(text)
	want := stat{State: "RINGING", ID: "abc@pbx", Direction: dirOut, Account: "sip:agent@pbx", Peer: "sip:600@pbx", PeerName: "Evil <sip:not@me>"}
	if diff := cmp.Diff(want, got); diff != "" || !ok {
		t.Errorf("%v; want - got +:\n%s", ok, diff)
	}
	for _, text := range []string{"", "\n(no active calls)\n", "===== Call debug (X", " af= id="} {
		if got, ok := parseStat(text); ok {
			t.Errorf("%q was read as %+v", text, got)
		}
	}
}

func TestDialTargets(t *testing.T) {
	for in, want := range map[string]string{
		"600": "600", "+8613800138000": "+8613800138000", "*62*7#": "*62*7#", " 6\x000\n0 ": "600",
		"sip:600@127.0.0.1:5061": "sip:600@127.0.0.1:5061", "SIPS:a.b@pbx;transport=tls": "SIPS:a.b@pbx;transport=tls",
		"sip:600@[::1]:5060": "sip:600@[::1]:5060",
		// Refused.
		"": "", "\x00": "", "++": "", "abc": "", "6 00": "", "600,4:quit": "", `600"},{"command":"quit"}`: "", "tel:600": "", "sip:600": "",
		"sip:6 00@pbx": "", "sip:600@pbx?Replaces=x": "", "sip:<600>@pbx": "", "sip:600@pbx sip:601@pbx": "",
		strings.Repeat("1", maxDigits+1): "", "sip:" + strings.Repeat("1", maxTarget) + "@pbx": "", "６００": "",
	} {
		got, err := target(in)
		if got != want || (err != nil) != (want == "") || err != nil && cti.KindOf(err) != cti.Invalid {
			t.Errorf("%q: %q, %v; want %q", in, got, err, want)
		}
	}
}

func TestOnlyThisMachinesAddressesAreTaken(t *testing.T) {
	for _, ok := range []string{"127.0.0.1:4444", "[::1]:4444", "localhost:4444", "127.8.8.8:1"} {
		if _, err := New(ok, "1001", nil); err != nil {
			t.Errorf("%s: %v", ok, err)
		}
	}
	for _, bad := range []string{"", "127.0.0.1", "0.0.0.0:4444", "192.168.1.2:4444", "[::]:4444", "phone.example:4444", "127.0.0.1:0", "127.0.0.1:x", ":4444"} {
		if _, err := New(bad, "1001", nil); cti.KindOf(err) != cti.Invalid {
			t.Errorf("%s: %v, want kind invalid", bad, err)
		}
	}
}

// FuzzWire: whatever comes in never panics, and what comes out of it is bounded and well-formed.
func FuzzWire(f *testing.F) {
	stream := agentEvents(f)
	f.Add(stream)
	f.Add(recorded(f, "session.txt", "caller"))
	for cut := 0; cut < len(stream); cut += len(stream) / 16 {
		f.Add(stream[cut:])
	}
	f.Add([]byte(`99999:x`))
	f.Add(netstring([]byte(`{"response":true,"ok":true,"data":"--- Active calls (1) ---\n> [line 1, id a]  0:00:02  ESTABLISHED  (on hold)  sip:600@pbx\n"}`)))
	f.Add(netstring([]byte(msg("CALL_INCOMING", "incoming", `,"peerdisplayname":"\u0000\ud800"`))))
	f.Fuzz(func(t *testing.T, data []byte) {
		in := newInterpreter(cti.Source{Adapter: "baresip"}, "", func() string { return "x" })
		ledger := cti.NewLedger("fuzz")
		wire := newNetstrings(bytes.NewReader(data))
		for {
			raw, err := wire.next()
			if err != nil {
				break
			}
			if len(raw) > maxNetstring {
				t.Fatalf("message of %d bytes", len(raw))
			}
			m, err := parse(raw)
			if err != nil {
				continue
			}
			if list, ok := parseListing(m.Data); ok {
				in.looked(list, time.Time{})
				if calls, named := in.named(list, m.Data); named {
					in.snapshot(calls, time.Time{})
				}
			}
			if s, ok := parseStat(m.Data); ok {
				in.snapshot([]stat{s}, time.Time{})
			}
			for _, e := range in.events(m, time.Time{}) {
				if strings.HasPrefix(string(e.Type), "call.") && len(e.Call.Refs) == 0 {
					t.Fatalf("%s without a reference", e.Type)
				}
				ledger.Apply(e.Clean())
			}
		}
		if len(in.calls) > maxCalls || len(in.dials) > maxDials || len(in.failed) > maxAccounts {
			t.Fatal("memory is not bounded")
		}
	})
}
