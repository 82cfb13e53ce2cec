package leave

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"ringside.dev/ringside/bridge/hook/mailbox"
)

// Usage is what the command line may hold.
const Usage = `--source NAME --event ring|answer|end|out|hold|resume --number N [--name TEXT] [--call-id ID | --id ID] [--to N]
  [--cause CODE] [--by local|remote] [--data NAME=VALUE]... [-- NUMBER]
or --twinkle [--source NAME]

  --source   the phone, as in phone.program of the profile
  --number   the other party's number; or after --, where all that follows is the number
  --call-id  the SIP Call-ID, the same in all events of a call
  --id       the phone's own id of the call, where it has no SIP Call-ID
  --to       the number that was called
  --cause    of an end: normal, busy, no_answer, rejected, abandoned, unreachable, not_found or unknown
  --by       who ended or held the call
  --data     what came with the call, such as order_id=4711
  --twinkle  read the event from the environment Twinkle gives its scripts`

// The words the agent knows.
var (
	events  = []string{"ring", "out", "answer", "end", "hold", "resume"}
	causes  = []string{"normal", "busy", "no_answer", "rejected", "abandoned", "unreachable", "not_found", "unknown"}
	parties = []string{"local", "remote"}
)

// maxArgs is more than any phone gives; what a caller makes of a number must not cost time.
const maxArgs = 256

// parse reads a command line. A value is taken as it stands, also one that looks like an option: a caller may have chosen it.
func parse(args []string, getenv func(string) string) (mailbox.Event, error) {
	e := mailbox.Event{Data: map[string]string{}}
	into := map[string]*string{"source": &e.Source, "event": &e.Event, "number": &e.Number, "name": &e.Name, "call-id": &e.SIPCallID,
		"id": &e.CallID, "to": &e.To, "cause": &e.Cause, "by": &e.By, "data": nil}
	given, twinkle := map[string]bool{}, false
	args = args[:min(len(args), maxArgs)]
	for i := 0; i < len(args); i++ {
		if args[i] == "--" {
			e.Number, given["number"] = strings.Join(args[i+1:], " "), true
			break
		}
		name, value, joined := strings.Cut(strings.TrimPrefix(args[i], "--"), "=")
		target, known := into[name]
		switch {
		case args[i] == "--twinkle":
			twinkle = true
			continue
		case !known || !strings.HasPrefix(args[i], "--"):
			return e, errors.New("an argument is not known; usage: ringctl hook " + Usage) // not which: it may be a number
		case !joined && i+1 == len(args):
			return e, fmt.Errorf("--%s lacks its value", name)
		case !joined:
			i++
			value = args[i]
		}
		given[name] = true
		if target != nil {
			*target = value
			continue
		}
		key, what, _ := strings.Cut(value, "=")
		e.Data[key] = what
	}
	if twinkle {
		return fromTwinkle(e.Source, getenv), nil
	}
	return e, check(e, given)
}

func check(e mailbox.Event, given map[string]bool) error {
	switch {
	case !validSource(e.Source):
		return errors.New("--source must be a name of a-z, 0-9, - and _, such as microsip")
	case !slices.Contains(events, e.Event):
		return errors.New("--event must be one of " + strings.Join(events, ", "))
	case !given["number"] && !given["call-id"] && !given["id"]:
		return errors.New("say which call: --number, --call-id or --id")
	case e.Cause != "" && !slices.Contains(causes, e.Cause):
		return errors.New("--cause must be one of " + strings.Join(causes, ", "))
	case e.By != "" && !slices.Contains(parties, e.By):
		return errors.New("--by must be local or remote")
	}
	return nil
}

func validSource(s string) bool {
	return s != "" && len(s) <= 32 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-_") == ""
}
