package window

import (
	"fmt"
	"os"

	"golang.org/x/sys/windows"
)

// Tell says why the program ends. Started from the desktop it has no standard error: then a message box is all a person can see.
func Tell(text string) {
	if _, err := fmt.Fprintln(os.Stderr, text); err == nil {
		return
	}
	body, err := windows.UTF16PtrFromString(text)
	if err != nil {
		return // a zero byte in it, and nobody to tell
	}
	caption, err := windows.UTF16PtrFromString(title)
	if err != nil {
		return
	}
	_, _ = windows.MessageBox(0, body, caption, windows.MB_OK|windows.MB_ICONERROR|windows.MB_SETFOREGROUND) // the last resort
}
