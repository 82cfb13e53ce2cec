package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"ringside.dev/ringside/app/cli"
	"ringside.dev/ringside/app/crm/sandbox"
	"ringside.dev/ringside/bridge/client"
	"ringside.dev/ringside/bridge/wire"
	"ringside.dev/ringside/store/storetest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"ringctl": ringctl})
}

// ringctl is app/cli/ringctl's main.
func ringctl() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := cli.Main(ctx, os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Getenv: os.Getenv})
	stop()
	os.Exit(code)
}

// TestScripts runs testdata/script: one behaviour each. Every script has a training CRM ($CRM) and a socket's path ($SOCK) of its own.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:   filepath.Join("testdata", "script"),
		Setup: surround,
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits": exits, "ready": ready, "outbox": outbox, "card": card, "let": let, "fault": fault, "admin": admin, "traits": traits, "fill": fill, "field": field, "shape": shape,
		},
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}

type worldKey struct{}

func surround(e *testscript.Env) error {
	crm, err := sandbox.Start(context.Background(), sandbox.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	e.Defer(func() { _ = crm.Close() }) // the script is over
	short, err := os.MkdirTemp("", "rs")
	if err != nil {
		return err
	}
	e.Defer(func() { _ = os.RemoveAll(short) }) // the script is over
	e.Values[worldKey{}] = crm
	for name, value := range map[string]string{"CRM": crm.URL(), "SOCK": filepath.Join(short, "a.sock"), "HOME": e.WorkDir, "LANG": "en_GB.UTF-8",
		"RINGSIDE_KEYCHAIN": "env", "RINGSIDE_SECRET_CRM": sandbox.DefaultToken, "RINGSIDE_SECRET_STORE_KEY": storetest.Keys().Text(), "DBUS_SESSION_BUS_ADDRESS": "unix:path=" + short + "/nowhere",
		"XDG_CONFIG_HOME": "", "XDG_STATE_HOME": "", "XDG_RUNTIME_DIR": ""} {
		e.Setenv(name, value)
	}
	e.Setenv("RINGSIDE_SOCKET", e.Getenv("SOCK"))
	return nil
}

// exitCodes are the names scripts may use.
var exitCodes = map[string]int{"ok": cli.ExitOK, "internal": cli.ExitInternal, "invalid": cli.ExitInvalid, "notfound": cli.ExitNotFound,
	"conflict": cli.ExitConflict, "auth": cli.ExitAuth, "denied": cli.ExitDenied, "limited": cli.ExitLimited, "offline": cli.ExitOffline,
	"uncertain": cli.ExitUncertain, "failed": cli.ExitFailed}

// exits NAME program args…: the program ends with that code.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, known := exitCodes[args[0]]
	if !known {
		ts.Fatalf("%s is not the name of an exit code", args[0])
	}
	err := ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d (%s)\n%s%s", got, want, args[0], ts.ReadFile("stdout"), ts.ReadFile("stderr"))
	}
}

// patience is how long a script waits for anything; only a failing one needs it.
const patience = 20 * time.Second

// ready: the agent in the background takes connections, its phone is up and the CRM has answered or could not.
func ready(ts *testscript.TestScript, _ bool, _ []string) {
	watch(ts, func(s wire.Snapshot) bool { return s.Phone.State == wire.LinkUp && s.CRM.State != wire.LinkUnknown })
}

// outbox WAITING REVIEW: waits until so many items wait and need a person.
func outbox(ts *testscript.TestScript, _ bool, args []string) {
	waiting, err := strconv.Atoi(args[0])
	ts.Check(err)
	review, err := strconv.Atoi(args[1])
	ts.Check(err)
	watch(ts, func(s wire.Snapshot) bool { return s.Outbox.Waiting == waiting && s.Outbox.Review == review })
}

// card STATE: waits until there is a card whose call or whose record is in that state.
func card(ts *testscript.TestScript, _ bool, args []string) {
	watch(ts, func(s wire.Snapshot) bool {
		return slices.ContainsFunc(s.Cards, func(c wire.Card) bool { return string(c.State) == args[0] || string(c.Write.State) == args[0] })
	})
}

// watch connects until somebody answers, and then follows the deltas until all is as wanted. Nothing tells when another process
// begins to listen, so connecting is tried again.
func watch(ts *testscript.TestScript, wanted func(wire.Snapshot) bool) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c := client.New(ts.Getenv("SOCK"))
	defer c.Close()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	enough := errors.New("all is as wanted")
	var now wire.Snapshot
	judge := func() error {
		if wanted(now) {
			return enough
		}
		return nil
	}
	for {
		err := c.Watch(ctx, func(s wire.Snapshot) error { now = s; return judge() }, func(d wire.Delta) error {
			if d.Phone != nil {
				now.Phone = *d.Phone
			}
			if d.CRM != nil {
				now.CRM = *d.CRM
			}
			if d.Outbox != nil {
				now.Outbox = *d.Outbox
			}
			if d.Card != nil {
				now.Cards = append(now.Cards, *d.Card)
			}
			return judge()
		})
		switch {
		case errors.Is(err, enough):
			return
		case ctx.Err() != nil:
			ts.Fatalf("the agent did not get there: phone %+v, CRM %+v, outbox %+v", now.Phone, now.CRM, now.Outbox)
		}
		select {
		case <-again.C:
		case <-ctx.Done():
		}
	}
}

// fault JSON: the CRM shows this fault from now on; {} is none.
func fault(ts *testscript.TestScript, _ bool, args []string) {
	var f sandbox.Fault
	ts.Check(json.Unmarshal([]byte(args[0]), &f))
	ts.Check(crmOf(ts).SetFault(f))
}

// admin METHOD PATH [BODY]: what the CRM's administrator does; the answer is on stdout.
func admin(ts *testscript.TestScript, _ bool, args []string) {
	const token = "token-of-the-administrator"
	server := crmOf(ts)
	_, err := server.AddUser(sandbox.User{Name: "Mo Bai", Email: "mo.bai@ringside.example", Role: "admin", Token: token})
	ts.Check(err)
	body := strings.Join(args[2:], " ")
	r, err := http.NewRequestWithContext(context.Background(), args[0], server.URL()+os.Expand(args[1], ts.Getenv), strings.NewReader(body))
	ts.Check(err)
	r.Header.Set("Authorization", "Bearer "+token)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	res, err := http.DefaultClient.Do(r)
	ts.Check(err)
	answer, err := io.ReadAll(res.Body)
	ts.Check(errors.Join(err, res.Body.Close()))
	if res.StatusCode >= http.StatusMultipleChoices {
		ts.Fatalf("%s %s: %s %s", args[0], args[1], res.Status, answer)
	}
	_, err = ts.Stdout().Write(answer)
	ts.Check(err)
}

func crmOf(ts *testscript.TestScript) *sandbox.Server {
	server, ok := ts.Value(worldKey{}).(*sandbox.Server)
	if !ok {
		ts.Fatalf("this script has no CRM")
	}
	return server
}

// traits JSON: what the CRM is like.
func traits(ts *testscript.TestScript, _ bool, args []string) {
	var like sandbox.Traits
	ts.Check(json.Unmarshal([]byte(args[0]), &like))
	ts.Check(crmOf(ts).SetTraits(like))
}

// fill FILE…: replaces $CRM, also where the example names its usual address, and $WORK in files.
func fill(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args {
		text := strings.NewReplacer("$CRM", ts.Getenv("CRM"), "http://127.0.0.1:8765", ts.Getenv("CRM"), "$WORK", ts.Getenv("WORK")).Replace(ts.ReadFile(name))
		ts.Check(os.WriteFile(ts.MkAbs(name), []byte(text), 0o600))
	}
}

// let NAME FILE PATH: puts what is at the path into a variable.
func let(ts *testscript.TestScript, _ bool, args []string) {
	ts.Setenv(args[0], fmt.Sprint(at(ts, args[1], args[2])))
}

// field FILE PATH VALUE: the one JSON value in the file has this value at the path, such as .timeline.0.what.
func field(ts *testscript.TestScript, neg bool, args []string) {
	got := fmt.Sprint(at(ts, args[0], args[1]))
	if (got == args[2]) == neg {
		ts.Fatalf("%s is %s", args[1], got)
	}
}

// shape FILE PATH KEY…: what is at the path has these keys and no others; [] stands for an empty list.
func shape(ts *testscript.TestScript, _ bool, args []string) {
	v := at(ts, args[0], args[1])
	var got []string
	switch v := v.(type) {
	case map[string]any:
		for key := range v {
			got = append(got, key)
		}
	case []any:
		if len(v) == 0 {
			got = []string{"[]"}
		}
	}
	want := args[2:]
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		ts.Fatalf("%s has %q, want %q", args[1], got, want)
	}
}

func at(ts *testscript.TestScript, name, path string) any {
	decoder := json.NewDecoder(bytes.NewReader([]byte(ts.ReadFile(name))))
	var v any
	ts.Check(decoder.Decode(&v))
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		ts.Fatalf("%s holds more than one JSON value", name)
	}
	for step := range strings.FieldsFuncSeq(path, func(r rune) bool { return r == '.' }) {
		switch in := v.(type) {
		case map[string]any:
			v = in[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i >= len(in) {
				ts.Fatalf("%s: the list has %d entries", path, len(in))
			}
			v = in[i]
		default:
			ts.Fatalf("%s: there is nothing at %s", path, step)
		}
	}
	return v
}
