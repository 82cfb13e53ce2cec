package hook

import (
	"os"
	"path/filepath"
	"strings"

	"ringside.dev/ringside/app/cti"
)

// Preset is what is known of one phone: what its command line can do, and how it is found. Presets holds all there are.
type Preset struct {
	Name  string // phone.program in the profile, and --source of its events
	Title string
	// Programs are the names it is looked for in PATH, Places where it is looked for before, with variables of the environment. None: only
	// tel: links reach it.
	Programs, Places []string
	// Commands are the arguments of what it can do, one program run after the other. %line and %to stand for the call's line and for the
	// checked number or digits.
	Commands map[cti.Command][][]string
	// Alone tells which commands mean all calls, or whichever the phone chooses: with a second call they are refused.
	Alone []cti.Command
	// Stays: the program that is run may become the phone itself, when that did not run; it must not be ended.
	Stays bool
	// Runs tells whether the phone runs, where its program would start it otherwise; nil: that does no harm.
	Runs func() bool

	found string // where the program is; empty: to be looked for
}

// Presets are the phones there are. What each is based on:
//   - twinkle: Twinkle 1.10.2 of Debian 12, driven (bridge/hook/phones_test.go). A consultation is not completed: its "transfer -c" and
//     "transfer -l" send nothing when the far end does not support Replaces (RFC 3891), and say nothing either (observed).
//   - microsip: MicroSIP 3.20's source (read, never run). Later versions know /hangupincoming, /transfer:N and /dtmf:D, which earlier ones
//     dial as if they were numbers; so they are not used.
//   - zoiper, 3cx: nothing of theirs was tried; only the systems' own tel: links are used.
func Presets() []Preset {
	return []Preset{
		{Name: "twinkle", Title: "Twinkle", Programs: []string{"twinkle"}, Places: []string{"/usr/bin/twinkle", "/usr/local/bin/twinkle"},
			Runs: twinkleRuns, Commands: map[cti.Command][][]string{
				cti.CommandAnswer:   onLine("answer"),
				cti.CommandReject:   onLine("reject"),
				cti.CommandHangup:   onLine("bye"),
				cti.CommandHold:     onLine("hold"),
				cti.CommandResume:   onLine("retrieve"),
				cti.CommandMute:     onLine("mute -a on"),
				cti.CommandUnmute:   onLine("mute -a off"),
				cti.CommandDTMF:     onLine("dtmf -r %to"),
				cti.CommandTransfer: onLine("transfer %to"),
				cti.CommandConsult:  onLine("transfer -c %to"),
				cti.CommandDial:     {{"--immediate", "--call", "%to"}},
			}},
		{Name: "microsip", Title: "MicroSIP", Programs: []string{"microsip.exe"}, Stays: true,
			Places: []string{`%LOCALAPPDATA%\MicroSIP\microsip.exe`, `%ProgramFiles%\MicroSIP\microsip.exe`, `%ProgramFiles(x86)%\MicroSIP\microsip.exe`},
			Alone:  []cti.Command{cti.CommandAnswer, cti.CommandReject, cti.CommandHangup},
			Commands: map[cti.Command][][]string{
				cti.CommandAnswer: {{"/answer"}},
				cti.CommandReject: {{"/hangupall"}},
				cti.CommandHangup: {{"/hangupall"}},
				cti.CommandDial:   {{"%to"}},
			}},
		{Name: "zoiper", Title: "Zoiper"},
		{Name: "3cx", Title: "3CX"},
		{Name: "other", Title: "any other phone"},
	}
}

// onLine is a command of Twinkle's, which means the line in front: the call's line is put there first. That holds the other call, as a
// person's choice of the line does.
func onLine(command string) [][]string {
	return [][]string{{"--immediate", "--cmd", "line %line"}, {"--immediate", "--cmd", command}}
}

// PresetOf gives a preset by its name; kind invalid if there is none.
func PresetOf(name string) (Preset, error) {
	var names []string
	for _, p := range Presets() {
		if p.Name == name {
			return p, nil
		}
		names = append(names, p.Name)
	}
	return Preset{}, cti.Errorf(cti.Invalid, "phone.program must be "+strings.Join(names, ", ")+": the phone that runs ringhook", nil)
}

// twinkleRuns: without a running Twinkle, its command line starts one. The socket it takes commands at is there while it runs, and after a
// crash until the next start.
func twinkleRuns() bool {
	home, err := os.UserHomeDir()
	if err != nil {
		return false
	}
	return listens(filepath.Join(home, ".twinkle", ".cmdsock"))
}
