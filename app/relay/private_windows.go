package relay

import (
	"fmt"
	"os/user"

	"golang.org/x/sys/windows"
)

// private sees to it that nobody but this user, the system and administrators looks into a folder: what lies under ProgramData is readable by
// all of the computer's users else.
func private(dir string) error {
	u, err := user.Current()
	if err != nil {
		return fmt.Errorf("find out who is signed in: %w", err)
	}
	d, err := windows.SecurityDescriptorFromString("D:P(A;OICI;FA;;;" + u.Uid + ")(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)")
	if err != nil {
		return err
	}
	list, _, err := d.DACL()
	if err != nil {
		return err
	}
	return windows.SetNamedSecurityInfo(dir, windows.SE_FILE_OBJECT, windows.DACL_SECURITY_INFORMATION|windows.PROTECTED_DACL_SECURITY_INFORMATION, nil, nil, list, nil)
}
