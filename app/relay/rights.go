package relay

import (
	"slices"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/settings"
)

// rights is what one extension may do.
type rights []settings.Right

func rightsOf(list []settings.RelayRights, extension string) rights {
	for _, entry := range list {
		if entry.Extensions.Match(extension) {
			return entry.Allow
		}
	}
	return settings.DefaultRights()
}

// needs is the one table from commands to rights: any one of those listed is enough.
var needs = map[cti.Command][]settings.Right{
	cti.CommandAnswer: {settings.RightAnswer}, cti.CommandReject: {settings.RightAnswer, settings.RightHangup}, cti.CommandHangup: {settings.RightHangup},
	cti.CommandHold: {settings.RightHold}, cti.CommandResume: {settings.RightHold}, cti.CommandMute: {settings.RightHold}, cti.CommandUnmute: {settings.RightHold},
	cti.CommandDTMF: {settings.RightDTMF}, cti.CommandTransfer: {settings.RightTransfer}, cti.CommandConsult: {settings.RightTransfer},
	cti.CommandComplete: {settings.RightTransfer}, cti.CommandDial: {settings.RightDial}, cti.CommandPresence: {settings.RightPresence},
}

func (r rights) allow(c cti.Command) bool {
	return slices.ContainsFunc(needs[c], func(one settings.Right) bool { return slices.Contains(r, one) })
}

func (r rights) hear() bool { return slices.Contains(r, settings.RightHear) }

// of keeps the commands that are allowed; never nil, since nil says that nothing is known.
func (r rights) of(commands []cti.Command) []cti.Command {
	allowed := []cti.Command{}
	for _, c := range commands {
		if r.allow(c) && !slices.Contains(allowed, c) {
			allowed = append(allowed, c)
		}
	}
	return allowed
}
