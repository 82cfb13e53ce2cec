package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"ringside.dev/ringside/app/cli"
)

func TestTheSandboxSaysWhereItIsAndRunsUntilStopped(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	out, write := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- cli.Main(ctx, []string{"sandbox", "--json", "--addr", "127.0.0.1:0", "--control", "127.0.0.1:0", "--token", "a-token",
			"--traits", `{"strict_roles":true}`, "--users", `[{"name":"Lea","email":"lea@ringside.example","role":"lead","token":"lea-token"}]`},
			cli.Streams{In: strings.NewReader(""), Out: write, Err: io.Discard, Getenv: none})
	}()
	var where struct{ URL, Control, Token string }
	if err := json.NewDecoder(out).Decode(&where); err != nil {
		t.Fatal(err)
	}
	if where.Token != "a-token" {
		t.Errorf("it says %+v", where)
	}
	whoami := where.URL + "/api/whoami"
	if status := call(t, http.MethodGet, whoami, where.Token, ""); status != http.StatusOK {
		t.Errorf("the CRM answers %d", status)
	}
	if status := call(t, http.MethodPut, where.Control+"/fault", "", `{"status":503,"count":1}`); status != http.StatusOK {
		t.Errorf("the fault control answers %d", status)
	}
	for _, want := range []int{http.StatusServiceUnavailable, http.StatusOK} {
		if status := call(t, http.MethodGet, whoami, where.Token, ""); status != want {
			t.Errorf("with the fault the CRM answers %d, want %d", status, want)
		}
	}
	for token, want := range map[string]int{where.Token: http.StatusForbidden, "lea-token": http.StatusOK} {
		if status := call(t, http.MethodDelete, where.URL+"/api/contacts/c_000001", token, ""); status != want {
			t.Errorf("%s may delete a contact: %d, want %d", token, status, want)
		}
	}
	select {
	case c := <-code:
		t.Fatalf("it stopped by itself with %d", c)
	default:
	}
	cancel()
	if c := <-code; c != cli.ExitOK {
		t.Errorf("it ends with %d", c)
	}
	var d net.Dialer
	if conn, err := d.DialContext(t.Context(), "tcp", strings.TrimPrefix(where.URL, "http://")); err == nil {
		t.Errorf("it still answers: %v", conn.Close())
	}
}

func call(t *testing.T, method, url, token, body string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Close = true
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil {
		t.Error(err)
	}
	return res.StatusCode
}

func TestASandboxThatCannotStartSaysWhichOptionToCheck(t *testing.T) {
	for name, args := range map[string][]string{
		"control for other machines": {"--control", "0.0.0.0:0"},
		"open with the public token": {"--addr", "0.0.0.0:0"},
		"no address":                 {"--addr", "nowhere.invalid:http:1"},
		"a file that cannot be":      {"--file", "/dev/null/state.json"},
		"a trait that cannot be":     {"--traits", `{"editing":"some"}`},
		"a user without a token":     {"--users", `[{"name":"A","email":"a@ringside.example"}]`},
	} {
		t.Run(name, func(t *testing.T) {
			var out, errs bytes.Buffer
			args := append([]string{"sandbox", "--addr", "127.0.0.1:0", "--control", ""}, args...)
			code := cli.Main(t.Context(), args, cli.Streams{In: strings.NewReader(""), Out: &out, Err: &errs, Getenv: none})
			if code != cli.ExitInvalid || out.Len() != 0 || !strings.Contains(errs.String(), "check --addr, --control, --file, --chaos, --traits and --users") {
				t.Errorf("exit code %d, %q, %q", code, &out, &errs)
			}
		})
	}
}

func TestASandboxsJSONIsReadStrictly(t *testing.T) {
	for _, flag := range []string{"--chaos", "--traits", "--users"} {
		for _, text := range []string{`{"colour":"red"}`, `[{"colour":"red"}]`, `{`} {
			var out, errs bytes.Buffer
			code := cli.Main(t.Context(), []string{"sandbox", "--addr", "127.0.0.1:0", "--control", "", flag, text}, cli.Streams{In: strings.NewReader(""), Out: &out, Err: &errs, Getenv: none})
			if code != cli.ExitInvalid || out.Len() != 0 || !strings.Contains(errs.String(), flag+" is not the JSON that is wanted") {
				t.Errorf("%s %s: exit code %d, %q, %q", flag, text, code, &out, &errs)
			}
		}
	}
}
