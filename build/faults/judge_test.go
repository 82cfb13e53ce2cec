//go:build linux

package faults

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// finding is what a judge says of an image.
type finding struct {
	Problems []string       `json:"problems"`
	Counts   map[string]int `json:"counts"`
}

// request asks for a finding.
type request struct {
	Judge   string   `json:"judge"`
	Dir     string   `json:"dir"`
	Said    []string `json:"said"` // before the cut
	Lenient bool     `json:"lenient"`
}

// judges open an image and compare it with what was said.
var judges = map[string]func(request) finding{
	"bolt":   judgeBolt,
	"log":    judgeLog,
	"rename": judgeRename,
	"store":  judgeStore,
}

// What a judge may use for an image: far more than any good one takes. A damaged tree can be endless.
const (
	judgeCPU    = 10 * time.Second
	judgeMemory = 1 << 30
	judgeWait   = 5 * time.Minute
)

// judgeChild answers requests on its standard input, each with a finding on its standard output.
func judgeChild(string, string) error {
	if err := unix.Setrlimit(unix.RLIMIT_DATA, &unix.Rlimit{Cur: judgeMemory, Max: judgeMemory}); err != nil {
		return err
	}
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var r request
		if err := in.Decode(&r); err != nil {
			return nil //nolint:nilerr // the parent needs it no longer
		}
		stop := endWhenEndless()
		f := judges[r.Judge](r)
		stop()
		if err := out.Encode(f); err != nil {
			return err
		}
	}
}

// endWhenEndless ends the process when it has used more time of the processor than any image needs.
func endWhenEndless() (stop func()) {
	used := func() time.Duration {
		var u unix.Rusage
		_ = unix.Getrusage(unix.RUSAGE_SELF, &u)
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	began, stopped := used(), make(chan struct{})
	go func() {
		for {
			select {
			case <-stopped:
				return
			case <-time.After(time.Second):
				if used()-began > judgeCPU {
					fmt.Fprintln(os.Stderr, "it does not end")
					os.Exit(4)
				}
			}
		}
	}()
	return func() { close(stopped) }
}

// judge is a process that judges images one after the other; when one kills it, that is the finding.
type judge struct {
	cmd    *exec.Cmd
	in     *json.Encoder
	out    *json.Decoder
	stderr strings.Builder
	close  func() error
}

func (j *judge) start() error {
	*j = judge{cmd: exec.Command(os.Args[0])}
	j.cmd.Env = append(os.Environ(), envChild+"=judge")
	in, err := j.cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := j.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	j.cmd.Stderr = &j.stderr
	j.in, j.out, j.close = json.NewEncoder(in), json.NewDecoder(out), in.Close
	return j.cmd.Start()
}

func (j *judge) ask(r request) (finding, error) {
	if j.cmd == nil {
		if err := j.start(); err != nil {
			return finding{}, err
		}
	}
	timer := time.AfterFunc(judgeWait, func() { _ = j.cmd.Process.Kill() })
	defer timer.Stop()
	var f finding
	if err := errors.Join(j.in.Encode(r), j.out.Decode(&f)); err != nil {
		j.end()
		lines := strings.Split(strings.TrimSpace(j.stderr.String()), "\n")
		j.cmd = nil
		return finding{Problems: []string{"whoever opens it dies: " + strings.Join(lines[:min(12, len(lines))], " | ")}}, nil
	}
	return f, nil
}

func (j *judge) end() {
	if j.cmd != nil {
		_ = j.close()
		_ = j.cmd.Wait()
	}
}
