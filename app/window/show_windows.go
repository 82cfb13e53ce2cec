package window

import (
	"unsafe"

	"golang.org/x/sys/windows"
)

// className is the window class Wails registers.
const className = "wailsWindow"

var (
	user32                  = windows.NewLazySystemDLL("user32.dll")
	procFindWindowEx        = user32.NewProc("FindWindowExW")
	procGetWindowThreadPID  = user32.NewProc("GetWindowThreadProcessId")
	procGetCursorPos        = user32.NewProc("GetCursorPos")
	procMonitorFromPoint    = user32.NewProc("MonitorFromPoint")
	procGetMonitorInfo      = user32.NewProc("GetMonitorInfoW")
	procGetWindowRect       = user32.NewProc("GetWindowRect")
	procSetWindowPos        = user32.NewProc("SetWindowPos")
	classPtr, errClassToPtr = windows.UTF16PtrFromString(className)
)

// From winuser.h.
const (
	hwndTopmost         = ^uintptr(0) // (HWND)-1
	swpNoSize           = 0x0001
	swpNoActivate       = 0x0010
	swpShowWindow       = 0x0040
	monitorDefaultToNea = 2
)

type point struct{ X, Y int32 }

type rect struct{ Left, Top, Right, Bottom int32 }

type monitorInfo struct {
	Size     uint32
	Monitor  rect
	WorkArea rect
	Flags    uint32
}

// margin is the gap to the work area's edge, in pixels.
const margin = 12

// beforeShow: nothing is needed; Wails creates the window hidden.
func beforeShow() error { return nil }

// warmUp: nothing is done; what a first paint costs here has not been measured yet.
func warmUp() bool { return false }

func endWarmUp() {}

// showQuietly shows the window lower right on the screen in use, above the others. SWP_NOACTIVATE leaves the keyboard where it is,
// which ShowWindow and Wails' own WindowShow do not.
func showQuietly() {
	hwnd := ownWindow()
	if hwnd == 0 {
		return
	}
	var at point
	var own rect
	info := monitorInfo{Size: uint32(unsafe.Sizeof(monitorInfo{}))}
	procGetCursorPos.Call(uintptr(unsafe.Pointer(&at)))
	packed := uintptr(uint32(at.X)) | uintptr(uint32(at.Y))<<32 // POINT is passed by value
	monitor, _, _ := procMonitorFromPoint.Call(packed, monitorDefaultToNea)
	procGetMonitorInfo.Call(monitor, uintptr(unsafe.Pointer(&info)))
	procGetWindowRect.Call(hwnd, uintptr(unsafe.Pointer(&own)))
	x := info.WorkArea.Right - (own.Right - own.Left) - margin
	y := info.WorkArea.Bottom - (own.Bottom - own.Top) - margin
	procSetWindowPos.Call(hwnd, hwndTopmost, uintptr(x), uintptr(y), 0, 0, swpNoSize|swpNoActivate|swpShowWindow)
}

// ownWindow finds Wails' window of this process.
func ownWindow() uintptr {
	if errClassToPtr != nil {
		return 0
	}
	for hwnd := uintptr(0); ; {
		hwnd, _, _ = procFindWindowEx.Call(0, hwnd, uintptr(unsafe.Pointer(classPtr)), 0)
		if hwnd == 0 {
			return 0
		}
		var pid uint32
		procGetWindowThreadPID.Call(hwnd, uintptr(unsafe.Pointer(&pid)))
		if pid == windows.GetCurrentProcessId() {
			return hwnd
		}
	}
}
