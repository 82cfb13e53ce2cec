package loopback_test

import (
	"errors"
	"fmt"
	"os/user"
	"strings"
	"testing"

	"golang.org/x/sys/windows"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/loopback"
)

func pipe(t *testing.T) string {
	t.Helper()
	return fmt.Sprintf(`\\.\pipe\ringside-test-%d-%s`, windows.GetCurrentProcessId(), t.Name())
}

func TestAPipeAnswersAndCanBeOpenedAnew(t *testing.T) {
	name := pipe(t)
	for range 3 {
		l := listen(t, name)
		answers(t, l, name)
		answers(t, l, name)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWithoutAPipeNobodyIsThere(t *testing.T) {
	if _, err := loopback.Dial(t.Context(), pipe(t)); cti.KindOf(err) != cti.Offline {
		t.Errorf("without a pipe: %v, want kind offline", err)
	}
}

func TestALivingAgentIsConflictAndKeepsItsPipe(t *testing.T) {
	if windows.NewLazySystemDLL("ntdll.dll").NewProc("wine_get_version").Find() == nil {
		t.Skip("Wine 8 lets two programs make the first instance of a pipe")
	}
	name := pipe(t)
	first := listen(t, name)
	if _, err := loopback.Listen(name); cti.KindOf(err) != cti.Conflict || !strings.Contains(err.Error(), name) {
		t.Errorf("the second agent gets %v", err)
	}
	answers(t, first, name)
}

func TestOnlyThisUserMayOpenThePipe(t *testing.T) {
	name := pipe(t)
	l := listen(t, name)
	looked, accepted := make(chan struct{}), make(chan error, 1)
	go func() {
		conn, err := l.Accept()
		if err == nil {
			<-looked
			err = conn.Close()
		}
		accepted <- err
	}()
	conn, err := loopback.Dial(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		close(looked)
		if err := errors.Join(<-accepted, conn.Close()); err != nil {
			t.Error(err)
		}
	}()
	handle, ok := conn.(interface{ Fd() uintptr })
	if !ok {
		t.Fatalf("%T has no handle", conn)
	}
	security, err := windows.GetSecurityInfo(windows.Handle(handle.Fd()), windows.SE_KERNEL_OBJECT, windows.DACL_SECURITY_INFORMATION)
	if err != nil {
		t.Fatal(err)
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	text := security.String()
	if !strings.HasPrefix(text, "D:P") || strings.Count(text, "(") != 1 || !strings.Contains(text, "(A;;") || !strings.HasSuffix(text, ";;;"+me.Uid+")") {
		t.Errorf("the pipe's access list is %s, want one entry, for %s", text, me.Uid)
	}
}

// A service's pipe takes administrators as well, and nobody else.
func TestAServicesPipeTakesAdministrators(t *testing.T) {
	name := pipe(t)
	l, err := loopback.ListenAdmin(name)
	if err != nil {
		t.Fatal(err)
	}
	answers(t, l, name)
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

func TestTheDefaultPipeCarriesTheUsersName(t *testing.T) {
	t.Setenv("RINGSIDE_SOCKET", "")
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	if got := loopback.DefaultEndpoint(); !strings.HasSuffix(got, me.Uid) {
		t.Errorf("the pipe is %s, want the SID %s in it", got, me.Uid)
	}
}
