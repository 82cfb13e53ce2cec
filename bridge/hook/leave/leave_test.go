package leave_test

import (
	"bytes"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"ringside.dev/ringside/bridge/hook/leave"
	"ringside.dev/ringside/bridge/hook/mailbox"
)

// post is a mailbox of this test's own, and no agent.
func post(t *testing.T) mailbox.Mailbox {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("RINGSIDE_HOOKS", filepath.Join(dir, "hooks"))
	t.Setenv("RINGSIDE_SOCKET", filepath.Join(dir, "nobody"))
	return mailbox.At(filepath.Join(dir, "hooks"))
}

// leaving is what came of one run.
type leaving struct {
	code           int
	stdout, stderr string
}

func run(env map[string]string, args ...string) leaving {
	var stdout, stderr bytes.Buffer
	code := leave.Main(args, func(name string) string { return env[name] }, &stdout, &stderr)
	return leaving{code, stdout.String(), stderr.String()}
}

// left gives the events in a mailbox without what every one has of its own.
func left(t *testing.T, box mailbox.Mailbox) []mailbox.Event {
	t.Helper()
	names, err := box.List()
	if err != nil {
		t.Fatal(err)
	}
	var events []mailbox.Event
	for _, name := range names {
		e, err := box.Read(name)
		if err != nil {
			t.Fatal(err)
		}
		if age := time.Since(e.At); age < 0 || age > time.Minute || e.ID == "" || e.V != mailbox.Version {
			t.Errorf("%s: at %v, id %q, version %d", name, e.At, e.ID, e.V)
		}
		e.V, e.ID, e.At = 0, "", time.Time{}
		if len(e.Data) == 0 {
			e.Data = nil
		}
		events = append(events, e)
	}
	return events
}

func TestACommandLineLeavesItsEvent(t *testing.T) {
	for line, want := range map[string]mailbox.Event{
		"--source microsip --event ring -- 13800138000":               {Source: "microsip", Event: "ring", Number: "13800138000"},
		"--source microsip --event ring --":                           {Source: "microsip", Event: "ring"},
		"--source other --event ring --number 138 --call-id a@b":      {Source: "other", Event: "ring", Number: "138", SIPCallID: "a@b"},
		"--event=out --source=other --number=138 --id=7 --to=600":     {Source: "other", Event: "out", Number: "138", CallID: "7", To: "600"},
		"--source o --event end --id 7 --cause busy --by remote":      {Source: "o", Event: "end", CallID: "7", Cause: "busy", By: "remote"},
		"--source o --event hold --id 7 --by local":                   {Source: "o", Event: "hold", CallID: "7", By: "local"},
		"--source o --event answer --number 138 --name Chen":          {Source: "o", Event: "answer", Number: "138", Name: "Chen"},
		"--source o --event ring --number --event":                    {Source: "o", Event: "ring", Number: "--event"},
		"--source o --event ring -- --event end --source evil":        {Source: "o", Event: "ring", Number: "--event end --source evil"},
		"--source o --event ring --number 1 --data a=1=2 --data b=":   {Source: "o", Event: "ring", Number: "1", Data: map[string]string{"a": "1=2", "b": ""}},
		"--source o --event ring --number 1 --data noequals":          {Source: "o", Event: "ring", Number: "1", Data: map[string]string{"noequals": ""}},
		"--source o --event ring --number 1 --number 2 --event=end":   {Source: "o", Event: "end", Number: "2"},
		"--source o-_9 --event resume --call-id x --number=a=b":       {Source: "o-_9", Event: "resume", SIPCallID: "x", Number: "a=b"},
		"--source o --event ring -- $(reboot) `id` ; rm -rf ~ | nc x": {Source: "o", Event: "ring", Number: "$(reboot) `id` ; rm -rf ~ | nc x"},
	} {
		box := post(t)
		got := run(nil, strings.Fields(line)...)
		if want := (leaving{}); got != want {
			t.Errorf("%s: %+v, want a silent success", line, got)
		}
		if diff := cmp.Diff([]mailbox.Event{want}, left(t, box)); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", line, diff)
		}
	}
}

func TestACommandLineThatIsWrongSaysSoAndLeavesNothing(t *testing.T) {
	for line, why := range map[string]string{
		"":                                       "--source must be a name",
		"--event ring --number 13800138000":      "--source must be a name",
		"--source Micro/SIP --event ring -- 138": "--source must be a name",
		"--source " + strings.Repeat("a", 33) + " --event ring -- 138": "--source must be a name",
		"--source o --event rings -- 13800138000":                      "--event must be one of ring, out, answer, end, hold, resume",
		"--source o --event ring":                                      "say which call",
		"--source o --event ring --number":                             "--number lacks its value",
		"--source o --event end --number 13800138000 --cause tired":    "--cause must be one of",
		"--source o --event end --number 13800138000 --by me":          "--by must be local or remote",
		"--source o --event ring 13800138000":                          "an argument is not known",
		"--source o --event ring --nubmer 13800138000":                 "an argument is not known",
		"--source o --event ring number 13800138000":                   "an argument is not known",
		"--source o --event ring --number 1 --subject=x":               "an argument is not known",
	} {
		box := post(t)
		got := run(nil, strings.Fields(line)...)
		if got.code != 2 || !strings.Contains(got.stderr, why) || got.stdout != "" {
			t.Errorf("%s: %+v, want exit 2 and %q", line, got, why)
		}
		if strings.Contains(got.stderr, "138") {
			t.Errorf("%s: the number is repeated in %q", line, got.stderr)
		}
		if events := left(t, box); events != nil {
			t.Errorf("%s: left %+v", line, events)
		}
	}
}

// The environment is Twinkle 1.10.2's own, as its scripts were seen to get it.
func TestTwinklesEnvironmentLeavesItsEvent(t *testing.T) {
	in := map[string]string{"TWINKLE_LINE": "1", "SIP_CALL_ID": "a@b", "SIP_FROM": `"Zhang \"San\"" <sip:13800138000@pbx:5060;user=phone>;tag=1`,
		"SIP_FROM_USER": "13800138000", "SIP_TO": "<sip:600@pbx>", "SIP_TO_USER": "600", "SIP_SUBJECT": "order 7"}
	out := map[string]string{"TWINKLE_LINE": "2", "SIP_CALL_ID": "c@d", "SIP_FROM": "<sip:agent@pbx>", "SIP_FROM_USER": "agent",
		"SIP_TO": "Li Si <sips:201@pbx>", "SIP_TO_USER": "201"}
	party := mailbox.Event{Source: "twinkle", Line: "1", SIPCallID: "a@b", Direction: "in", Number: "13800138000", Name: `Zhang "San"`, URI: "sip:13800138000@pbx:5060;user=phone"}
	callee := mailbox.Event{Source: "twinkle", Line: "2", SIPCallID: "c@d", Direction: "out", Number: "201", Name: "Li Si", URI: "sips:201@pbx"}
	for _, test := range []struct {
		env                   map[string]string
		trigger, code, reason string
		want                  mailbox.Event
	}{
		{in, "in_call", "", "", with(party, func(e *mailbox.Event) { e.Event, e.To, e.Data = "ring", "600", map[string]string{"subject": "order 7"} })},
		{in, "in_call_answered", "200", "OK", with(party, func(e *mailbox.Event) { e.Event = "answer" })},
		{in, "in_call_failed", "487", "Request Terminated", ended(party, "abandoned", "remote", "487 Request Terminated")},
		{in, "in_call_failed", "486", "Busy Here", ended(party, "rejected", "local", "486 Busy Here")},
		{in, "in_call_failed", "480", "", ended(party, "no_answer", "local", "480")},
		{in, "in_call_failed", "", "", ended(party, "unknown", "", "")},
		{in, "in_call_failed", "699", "x\x00y", ended(party, "unknown", "", "699 x\x00y")},
		{out, "out_call", "", "", with(callee, func(e *mailbox.Event) { e.Event = "out" })},
		{out, "out_call_answered", "200", "OK", with(callee, func(e *mailbox.Event) { e.Event = "answer" })},
		{out, "out_call_failed", "486", "Busy Here", ended(callee, "busy", "remote", "486 Busy Here")},
		{out, "out_call_failed", "487", "", ended(callee, "abandoned", "local", "487")},
		{out, "out_call_failed", "404", "Not Found", ended(callee, "not_found", "remote", "404 Not Found")},
		{out, "out_call_failed", "480", "", ended(callee, "unreachable", "remote", "480")},
		{in, "local_release", "", "", mailbox.Event{Source: "twinkle", Event: "end", Line: "1", SIPCallID: "a@b", By: "local", Cause: "normal"}},
		{in, "remote_release", "", "", mailbox.Event{Source: "twinkle", Event: "end", Line: "1", SIPCallID: "a@b", By: "remote", Cause: "normal"}},
	} {
		box := post(t)
		env := map[string]string{"TWINKLE_TRIGGER": test.trigger, "SIPSTATUS_CODE": test.code, "SIPSTATUS_REASON": test.reason}
		for name, value := range test.env {
			env[name] = value
		}
		got := run(env, "--twinkle")
		want := leaving{}
		if test.trigger == "in_call" {
			want.stdout = "action=continue\nend\n" // or Twinkle would wait for the end of the program before it rings
		}
		if got != want {
			t.Errorf("%s %s: %+v, want %+v", test.trigger, test.code, got, want)
		}
		if diff := cmp.Diff([]mailbox.Event{test.want}, left(t, box)); diff != "" {
			t.Errorf("%s %s: (-want +got)\n%s", test.trigger, test.code, diff)
		}
	}
}

func with(e mailbox.Event, change func(*mailbox.Event)) mailbox.Event { change(&e); return e }

func ended(e mailbox.Event, cause, by, reason string) mailbox.Event {
	e.Event, e.Cause, e.By, e.Reason = "end", cause, by, reason
	return e
}

func TestATriggerOfALaterTwinkleIsNoEventAndNoError(t *testing.T) {
	for _, trigger := range []string{"", "in_call_upgraded"} {
		box := post(t)
		if got := run(map[string]string{"TWINKLE_TRIGGER": trigger, "SIP_CALL_ID": "a"}, "--twinkle"); got != (leaving{}) {
			t.Errorf("%q: %+v", trigger, got)
		}
		if events := left(t, box); events != nil {
			t.Errorf("%q: left %+v", trigger, events)
		}
	}
}

func TestTwoTwinklesAreToldApartByTheirName(t *testing.T) {
	box := post(t)
	env := map[string]string{"TWINKLE_TRIGGER": "remote_release", "SIP_CALL_ID": "a"}
	run(env, "--twinkle", "--source", "twinkle-2")
	run(env, "--source", "Not A Name", "--twinkle")
	events := left(t, box)
	if len(events) != 2 || events[0].Source != "twinkle-2" || events[1].Source != "twinkle" {
		t.Errorf("left %+v", events)
	}
}

// A header is what the caller wrote: any of these must leave one event that can be read, within its bounds.
func TestHostileValuesLeaveOneReadableEvent(t *testing.T) {
	long := strings.Repeat("陈", 1<<20)
	for name, header := range map[string]string{
		"long": `"` + long + `" <sip:` + long + `@pbx>`, "no UTF-8": "\"\xff\xfe\" <sip:\xc3\x28@pbx>", "open quote": `"Chen <sip:138@pbx>`,
		"only a quote": `"`, "a lone backslash": `"\`, "open bracket": "<sip:138", "empty": "", "controls": "\"a\r\nb\x1b[2J\" <sip:1>",
		"brackets in quotes": `"<sip:evil@x>" <sip:138@pbx>`,
	} {
		box := post(t)
		env := map[string]string{"TWINKLE_TRIGGER": "in_call", "SIP_CALL_ID": header, "SIP_FROM": header, "SIP_FROM_USER": header,
			"SIP_TO_USER": header, "SIP_SUBJECT": header, "TWINKLE_LINE": header}
		if got := run(env, "--twinkle"); got.code != 0 || got.stderr != "" {
			t.Errorf("%s: %+v", name, got)
		}
		judge(t, name, left(t, box))
	}
	for name, value := range map[string]string{"long": long, "no UTF-8": "\xff\xfe", "an option": "--data", "a brace": `{"v":9}`, "blank": " "} {
		box := post(t)
		args := []string{"--source", "o", "--event", "ring", "--number", value, "--name", value, "--call-id", value, "--to", value}
		for i := range 100 {
			args = append(args, "--data", strconv.Itoa(i)+value+"="+value)
		}
		if got := run(nil, args...); got.code != 0 || got.stderr != "" {
			t.Errorf("%s: %+v", name, got)
		}
		judge(t, name, left(t, box))
	}
}

func judge(t *testing.T, name string, events []mailbox.Event) {
	t.Helper()
	if len(events) != 1 || events[0].Event != "ring" {
		t.Errorf("%s: left %d events", name, len(events))
		return
	}
	e := events[0]
	texts := []string{e.Number, e.Name, e.SIPCallID, e.To, e.Line}
	for key, value := range e.Data {
		texts = append(texts, key)
		if len(value) > 1024 || !utf8.ValidString(value) {
			t.Errorf("%s: data of %d bytes", name, len(value))
		}
	}
	for _, text := range texts {
		if len(text) > 256 || !utf8.ValidString(text) {
			t.Errorf("%s: text of %d bytes, valid %v", name, len(text), utf8.ValidString(text))
		}
	}
	if len(e.Data) > 32 || len(e.URI) > 1024 {
		t.Errorf("%s: %d data, URI of %d bytes", name, len(e.Data), len(e.URI))
	}
}
