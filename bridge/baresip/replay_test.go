package baresip

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"ringside.dev/ringside/app/cti"
)

var update = flag.Bool("update", false, "write the golden files anew")

// replayed is what a recording comes to: the golden file.
type replayed struct {
	Events []cti.Event
	Calls  []cti.Call
}

// replay reads a recording to its end. Time goes on by a second with every message, attempts are named in order.
func replay(t *testing.T, r io.Reader) replayed {
	t.Helper()
	minted := 0
	in := newInterpreter(cti.Source{Adapter: "baresip", Instance: "127.0.0.1:4444", Confidence: cti.Signalled}, "1001",
		func() string { minted++; return fmt.Sprintf("dial-%d", minted) })
	at := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	ledger := cti.NewLedger("test")
	var got replayed
	index := map[string]int{}
	wire := newNetstrings(r)
	for {
		raw, err := wire.next()
		if errors.Is(err, io.EOF) {
			return got
		}
		if err != nil {
			t.Fatal(err)
		}
		m, err := parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		at = at.Add(time.Second)
		for _, e := range in.events(m, at) {
			got.Events = append(got.Events, e)
			for _, c := range ledger.Apply(e.Clean()) {
				n, known := index[c.After.Leg]
				if !known {
					n = len(got.Calls)
					index[c.After.Leg] = n
					got.Calls = append(got.Calls, cti.Call{})
				}
				got.Calls[n] = c.After
			}
		}
	}
}

var recordedLine = regexp.MustCompile(`(?m)^ *[0-9.]+ (\w+) +<- RAW b'(.*)'$`)

// recorded gives the bytes a phone sent, from the transcript of a session: a Python program's way to write bytes.
func recorded(t testing.TB, file, phone string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	var all []byte
	for _, m := range recordedLine.FindAllSubmatch(text, -1) {
		if string(m[1]) != phone {
			continue
		}
		quoted := bytes.ReplaceAll(bytes.ReplaceAll(m[2], []byte(`"`), []byte(`\"`)), []byte(`\'`), []byte(`'`))
		plain, err := strconv.Unquote(`"` + string(quoted) + `"`)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, plain...)
	}
	if len(all) == 0 {
		t.Fatalf("%s holds nothing of %s", file, phone)
	}
	return all
}

func agentEvents(t testing.TB) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/agent-events.netstrings")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRecordedSessionsBecomeTheGoldenEventsAndCalls(t *testing.T) {
	for name, stream := range map[string][]byte{
		"agent":         agentEvents(t),
		"caller":        recorded(t, "session.txt", "caller"), // every call outbound, and a transferee
		"third":         recorded(t, "session.txt", "third"),  // the target of a transfer
		"broken-agent":  recorded(t, "session-broken-audio.txt", "callee"),
		"broken-caller": recorded(t, "session-broken-audio.txt", "caller"),
	} {
		t.Run(name, func(t *testing.T) {
			got := replay(t, bytes.NewReader(stream))
			text, err := json.MarshalIndent(got, "", " ")
			if err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", name+".golden.json")
			if *update {
				if err := os.WriteFile(golden, append(text, '\n'), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			text, err = os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			var want replayed
			if err := json.Unmarshal(text, &want); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, asRead(t, got)); diff != "" {
				t.Errorf("golden - got +:\n%s", diff)
			}
		})
	}
}

// asRead takes a result through JSON, as the golden one went.
func asRead(t *testing.T, r replayed) replayed {
	t.Helper()
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var back replayed
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	return back
}

// What a person reads in session.txt, scenario by scenario, so that -update cannot hide a wrong reading.
func TestRecordedAgentCallsEndedAsTheTranscriptSays(t *testing.T) {
	type end struct {
		Scenario string
		Ending   cti.Ending
		Code     cti.CauseCode
		By       cti.Party
		Missed   bool
		Number   string
	}
	want := []end{
		{"S1 answered, caller hangs up", cti.EndAnswered, cti.CauseNormal, cti.ByRemote, false, "caller"},
		{"S2 caller gives up", cti.EndAbandoned, cti.CauseAbandoned, cti.ByRemote, true, "caller"},
		{"S3 agent rejects", cti.EndRejected, cti.CauseRejected, cti.ByLocal, true, "caller"},
		{"S4 holds, agent hangs up", cti.EndAnswered, cti.CauseNormal, cti.ByLocal, false, "caller"},
		{"S5 outbound, far end hangs up", cti.EndAnswered, cti.CauseNormal, cti.ByRemote, false, "caller"},
		{"S6 blind transfer", cti.EndTransferred, cti.CauseTransferred, cti.ByLocal, false, "caller"},
		{"S7 first call", cti.EndAnswered, cti.CauseNormal, cti.ByLocal, false, "caller"},
		{"S7 waiting call", cti.EndAnswered, cti.CauseNormal, cti.ByLocal, false, "third"},
		{"S8 nobody", cti.EndFailed, cti.CauseNotFound, cti.ByRemote, false, "nobody"},
	}
	var got []end
	for n, c := range replay(t, bytes.NewReader(agentEvents(t))).Calls {
		if c.State != cti.StateClosed || n >= len(want) {
			t.Fatalf("call %d is %s to %s", n, c.State, c.Remote.Raw)
		}
		got = append(got, end{want[n].Scenario, c.Ending(), c.Cause.Code, c.Cause.By, c.Missed(), c.Remote.Raw})
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("transcript - got +:\n%s", diff)
	}
}

func TestRecordedAnswerWithBrokenAudioNeverConnects(t *testing.T) {
	for _, c := range replay(t, bytes.NewReader(recorded(t, "session-broken-audio.txt", "callee"))).Calls {
		if !c.EstablishedAt.IsZero() {
			t.Errorf("call %v connected, but the transcript has no CALL_ESTABLISHED", c.Refs)
		}
	}
}

func TestTranscriptAndNetstringsAreTheSameSession(t *testing.T) {
	if !bytes.Contains(agentEvents(t), recorded(t, "session.txt", "callee")[:4000]) {
		t.Error("session.txt and agent-events.netstrings differ")
	}
}

func TestRecordedBytesSplitAnywhereAreTheSameMessages(t *testing.T) {
	stream := agentEvents(t)
	want := frames(t, bytes.NewReader(stream))
	if len(want) < 50 {
		t.Fatalf("only %d messages", len(want))
	}
	for cut := range len(stream) {
		got := frames(t, io.MultiReader(bytes.NewReader(stream[:cut]), bytes.NewReader(stream[cut:])))
		if len(got) != len(want) {
			t.Fatalf("cut at byte %d: %d messages, want %d", cut, len(got), len(want))
		}
		for n := range got {
			if !bytes.Equal(got[n], want[n]) {
				t.Fatalf("cut at byte %d: message %d differs", cut, n)
			}
		}
	}
	if diff := cmp.Diff(replay(t, bytes.NewReader(stream)), replay(t, iotest.OneByteReader(bytes.NewReader(stream)))); diff != "" {
		t.Errorf("byte by byte:\n%s", diff)
	}
}

func frames(t *testing.T, r io.Reader) [][]byte {
	t.Helper()
	var all [][]byte
	wire := newNetstrings(r)
	for {
		b, err := wire.next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b)
	}
}
