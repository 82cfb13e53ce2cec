package hook

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/hook/handlers"
)

// commandLimit is how long a phone's command line may take.
const commandLimit = 3 * time.Second

// runner runs a program with arguments, without a shell; stays as in Preset.
type runner func(ctx context.Context, path string, args []string, stays bool) error

// Phone gives the commands that the phone's command line has; none reports a hold, so TellsHold is false. A nil error means that the
// program ended well within 3 s. Errors: offline while Run does not run, when the program is not there, does not run or takes too long;
// notfound for a call of which nothing is known, conflict where the phone would choose between calls, invalid for anything but digits, +, *
// and # to dial.
func (s *Source) Phone() cti.Phone {
	p := cti.Phone{Answer: s.about(cti.CommandAnswer), Reject: s.about(cti.CommandReject), Hangup: s.about(cti.CommandHangup),
		Hold: s.about(cti.CommandHold), Resume: s.about(cti.CommandResume), DTMF: s.aboutTo(cti.CommandDTMF), Transfer: s.aboutTo(cti.CommandTransfer),
		Consult: s.aboutTo(cti.CommandConsult), Dial: s.dial}
	if s.preset.Commands[cti.CommandMute] != nil {
		p.Mute = func(ctx context.Context, c cti.Call, on bool) error {
			if on {
				return s.command(ctx, c, cti.CommandMute, "")
			}
			return s.command(ctx, c, cti.CommandUnmute, "")
		}
	}
	return p
}

func (s *Source) about(what cti.Command) func(ctx context.Context, c cti.Call) error {
	if s.preset.Commands[what] == nil {
		return nil
	}
	return func(ctx context.Context, c cti.Call) error { return s.command(ctx, c, what, "") }
}

func (s *Source) aboutTo(what cti.Command) func(ctx context.Context, c cti.Call, to string) error {
	if s.preset.Commands[what] == nil {
		return nil
	}
	return func(ctx context.Context, c cti.Call, to string) error {
		if what == cti.CommandDTMF && !cti.Digits(to) {
			return cti.Errorf(cti.Invalid, "only 0-9, *, # and A-D can be sent as tones, 64 at most", nil)
		}
		if err := checkDigits(to); what != cti.CommandDTMF && err != nil {
			return err
		}
		return s.command(ctx, c, what, to)
	}
}

// command carries out what is about a call.
func (s *Source) command(ctx context.Context, c cti.Call, what cti.Command, to string) error {
	line, id, err := s.lineOf(c, what)
	if err != nil {
		return err
	}
	s.note(what, id, to)
	if err := s.carryOut(ctx, what, line, to); err != nil {
		s.mu.Lock()
		delete(s.calls.asked, id)
		s.mu.Unlock()
		return err
	}
	return nil
}

// note remembers what the phone is told to do, before it is: its events may be faster than its answer.
func (s *Source) note(what cti.Command, id, to string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls.asked[id] = what
	if what == cti.CommandConsult {
		s.calls.aside = append(s.calls.aside, consultation{main: id, to: to, at: time.Now().UTC()})
	}
}

// lineOf gives the line and the reference of a call that is open.
func (s *Source) lineOf(c cti.Call, what cti.Command) (line, id string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.once.Runs() {
		return "", "", offline("the phone is not listened to", nil)
	}
	i := slices.IndexFunc(s.calls.Open, func(o call) bool { return o.ID != "" && c.Refs[o.Ref] == o.ID })
	if i < 0 {
		return "", "", cti.Errorf(cti.NotFound, "the phone does not have this call any more", nil)
	}
	one := s.calls.Open[i]
	others := 0
	for _, o := range s.calls.Open {
		if o.Source == one.Source {
			others++
		}
	}
	if others > 1 && slices.Contains(s.preset.Alone, what) {
		return "", "", cti.Errorf(cti.Conflict, "the phone has several calls and would choose by itself: use the phone", nil)
	}
	return one.Line, one.ID, nil
}

// oneLine is what a phone calls a line.
var oneLine = regexp.MustCompile(`^[1-9][0-9]?$`)

// carryOut runs the phone's program, once for each part of the command.
func (s *Source) carryOut(ctx context.Context, what cti.Command, line, to string) error {
	path, err := s.preset.find()
	if err != nil {
		return err
	}
	if s.preset.Runs != nil && !s.preset.Runs() {
		return offline(s.preset.Title+" does not run: start it", nil)
	}
	ctx, cancel := context.WithTimeout(ctx, commandLimit)
	defer cancel()
	for _, template := range s.preset.Commands[what] {
		args, ok := filled(template, line, to)
		if !ok {
			continue // the phone did not tell the call's line: there is only one then
		}
		s.told(args)
		if err := s.run(ctx, path, args, s.preset.Stays); err != nil {
			return offline(s.preset.Title+" did not take the command", err)
		}
	}
	return nil
}

// filled puts line and number into a command; not ok if it needs a line and there is none.
func filled(template []string, line, to string) (args []string, ok bool) {
	for _, arg := range template {
		if strings.Contains(arg, "%line") && !oneLine.MatchString(line) {
			return nil, false
		}
		args = append(args, strings.NewReplacer("%line", line, "%to", to).Replace(arg))
	}
	return args, true
}

// digits are what may be dialled: nothing else ever reaches a phone's command line. It begins with no - and no /, so it is no option.
var digits = regexp.MustCompile(`^[0-9+*#]*[0-9*#][0-9+*#]*$`)

const maxDigits = 64

func checkDigits(s string) error {
	if len(s) > maxDigits || !digits.MatchString(s) {
		return cti.Errorf(cti.Invalid, "this phone takes digits, +, * and # only, 64 at most", nil)
	}
	return nil
}

func (s *Source) dial(ctx context.Context, number string) error {
	if !s.once.Runs() {
		return offline("the phone is not listened to", nil)
	}
	if err := checkDigits(number); err != nil {
		return err
	}
	if s.preset.Commands[cti.CommandDial] != nil {
		return s.carryOut(ctx, cti.CommandDial, "", number)
	}
	return s.open(ctx, number)
}

// open hands a link to whatever program the system has for it. Where that is Ringside itself, it would come back.
func (s *Source) open(ctx context.Context, number string) error {
	schemes := []string{"tel", "callto"}
	free := slices.IndexFunc(schemes, func(scheme string) bool { return !handlers.Ours(scheme) })
	if free < 0 {
		return cti.Errorf(cti.Invalid, "Ringside opens tel: and callto: links itself, so they cannot reach the phone: let the phone have callto: "+
			"(ringctl handlers remove callto)", nil)
	}
	ctx, cancel := context.WithTimeout(ctx, commandLimit)
	defer cancel()
	path, args := opener(schemes[free] + ":" + number)
	s.told(args)
	if err := s.run(ctx, path, args, true); err != nil {
		return offline("no program of this computer takes "+schemes[free]+": links", err)
	}
	return nil
}

func opener(link string) (path string, args []string) {
	switch runtime.GOOS {
	case "windows":
		return filepath.Join(os.Getenv("SystemRoot"), "System32", "rundll32.exe"), []string{"url.dll,FileProtocolHandler", link}
	case "darwin":
		return "/usr/bin/open", []string{link}
	}
	return "xdg-open", []string{link}
}

// find gives the path of the phone's program.
func (p Preset) find() (string, error) {
	if p.found != "" {
		return p.found, nil
	}
	for _, place := range p.Places {
		path, whole := expand(place)
		if info, err := os.Stat(path); whole && err == nil && !info.IsDir() {
			return path, nil
		}
	}
	for _, name := range p.Programs {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", offline(p.Title+" was not found on this computer: install it, or put its folder into PATH", nil)
}

var variable = regexp.MustCompile(`%[^%]+%`)

// expand fills in the variables of a place; whole is false if one of them is not set.
func expand(place string) (path string, whole bool) {
	whole = true
	return variable.ReplaceAllStringFunc(place, func(name string) string {
		value := os.Getenv(strings.Trim(name, "%"))
		whole = whole && value != ""
		return value
	}), whole
}

// runProgram runs a program until it ends, or for as long as ctx allows. What it says is nobody's.
func runProgram(ctx context.Context, path string, args []string, stays bool) error {
	if stays {
		return startProgram(ctx, path, args)
	}
	cmd := exec.CommandContext(ctx, path, args...) //nolint:gosec // a preset's program, with checked arguments
	cmd.WaitDelay = time.Second
	return cmd.Run()
}

// startProgram starts a program that may go on for ever, and waits whether it ends badly while ctx lives.
func startProgram(ctx context.Context, path string, args []string) error {
	cmd := exec.Command(path, args...) //nolint:gosec,noctx // it outlives the command: it may be the phone
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return nil
		}
		return ctx.Err()
	}
}

// listens tells whether somebody takes connections at a socket.
func listens(path string) bool {
	conn, err := net.DialTimeout("unix", path, time.Second)
	if err != nil {
		return false
	}
	_ = conn.Close() // it was only to see
	return true
}

func offline(what string, err error) error {
	return cti.Errorf(cti.Offline, what, err)
}
