package handlers

import (
	"errors"
	"strings"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"

	"ringside.dev/ringside/app/cti"
)

// The keys, all in HKEY_CURRENT_USER. progID is what a person chooses in Settings, Default apps; Windows 10 and later ask there, once another
// program was chosen for a scheme. A scheme nobody was chosen for goes to the command in its own key.
const (
	classes      = `Software\Classes\`
	progID       = "Ringside.Dial"
	capabilities = `Software\Ringside\Capabilities`
	registered   = `Software\RegisteredApplications`
	command      = `\shell\open\command`
	wasBefore    = "RingsideBefore" // the command before ours
)

func install(args []string, schemes []string) error {
	line, err := commandLine(args)
	if err != nil {
		return err
	}
	if err := write(classes+progID, map[string]string{"": "Ringside", "URL Protocol": ""}); err != nil {
		return err
	}
	if err := write(classes+progID+command, map[string]string{"": line}); err != nil {
		return err
	}
	if err := write(capabilities, map[string]string{"ApplicationName": "Ringside", "ApplicationDescription": "Calls the number of a link"}); err != nil {
		return err
	}
	if err := write(registered, map[string]string{"Ringside": capabilities}); err != nil {
		return err
	}
	for _, scheme := range schemes {
		if err := take(scheme, line); err != nil {
			return err
		}
	}
	return nil
}

func take(scheme, line string) error {
	if err := write(capabilities+`\URLAssociations`, map[string]string{scheme: progID}); err != nil {
		return err
	}
	was, err := value(classes+scheme+command, "")
	if err != nil {
		return err
	}
	values := map[string]string{"": "URL:" + scheme, "URL Protocol": ""}
	if !isOurs(was) {
		values[wasBefore] = was
	}
	if err := write(classes+scheme, values); err != nil {
		return err
	}
	return write(classes+scheme+command, map[string]string{"": line})
}

func remove(schemes []string) error {
	for _, scheme := range schemes {
		if err := giveBack(scheme); err != nil {
			return err
		}
	}
	for _, scheme := range Schemes() {
		if line, err := value(classes+scheme+command, ""); err != nil || isOurs(line) {
			return err
		}
	}
	return unregister()
}

// unregister takes Ringside out of Settings, Default apps.
func unregister() error {
	err := deleteValue(registered, "Ringside")
	for _, key := range []string{capabilities + `\URLAssociations`, capabilities, classes + progID + command, classes + progID + `\shell\open`,
		classes + progID + `\shell`, classes + progID} {
		err = errors.Join(err, deleteKey(key))
	}
	return err
}

// deleteKey removes a key; one with others' keys in it stays.
func deleteKey(key string) error {
	err := registry.DeleteKey(registry.CURRENT_USER, key)
	if missing(err) || errors.Is(err, windows.ERROR_ACCESS_DENIED) {
		return nil
	}
	return err
}

func giveBack(scheme string) error {
	now, err := value(classes+scheme+command, "")
	if err != nil || !isOurs(now) {
		return err
	}
	was, err := value(classes+scheme, wasBefore)
	if err != nil {
		return err
	}
	err = deleteValue(capabilities+`\URLAssociations`, scheme)
	if was != "" {
		return errors.Join(err, write(classes+scheme+command, map[string]string{"": was}), deleteValue(classes+scheme, wasBefore))
	}
	for _, key := range []string{command, `\shell\open`, `\shell`, ""} {
		err = errors.Join(err, deleteKey(classes+scheme+key))
	}
	return err
}

// owner: a person's choice in Settings comes before the scheme's own command.
func owner(scheme string) (program string, ours bool, err error) {
	chosen, err := value(`Software\Microsoft\Windows\Shell\Associations\UrlAssociations\`+scheme+`\UserChoice`, "ProgId")
	if err != nil || chosen != "" {
		return chosen, chosen == progID, err
	}
	line, err := value(classes+scheme+command, "")
	return line, isOurs(line), err
}

// isOurs tells our command by its end, which only ours has.
func isOurs(line string) bool { return strings.HasSuffix(line, ourEnd) }

const ourEnd = ` -- "%1"`

func commandLine(args []string) (string, error) {
	var quoted []string
	for _, arg := range args {
		if strings.ContainsAny(arg, "\"%\r\n") {
			return "", cti.Errorf(cti.Invalid, "the program's path holds a character that its command line cannot hold", nil)
		}
		quoted = append(quoted, `"`+arg+`"`)
	}
	return strings.Join(quoted, " ") + ourEnd, nil
}

func write(key string, values map[string]string) error {
	k, _, err := registry.CreateKey(registry.CURRENT_USER, key, registry.SET_VALUE)
	if err != nil {
		return err
	}
	for name, text := range values {
		err = errors.Join(err, k.SetStringValue(name, text))
	}
	return errors.Join(err, k.Close())
}

// value reads a string; "" where there is none.
func value(key, name string) (string, error) {
	k, err := registry.OpenKey(registry.CURRENT_USER, key, registry.QUERY_VALUE)
	if missing(err) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	text, _, err := k.GetStringValue(name)
	if missing(err) {
		err = nil
	}
	return text, errors.Join(err, k.Close())
}

func deleteValue(key, name string) error {
	k, err := registry.OpenKey(registry.CURRENT_USER, key, registry.SET_VALUE)
	if missing(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if err = k.DeleteValue(name); missing(err) {
		err = nil
	}
	return errors.Join(err, k.Close())
}

func missing(err error) bool { return errors.Is(err, registry.ErrNotExist) }
