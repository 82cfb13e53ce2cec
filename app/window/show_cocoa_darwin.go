//go:build desktop && cgo

package window

/*
#cgo CFLAGS: -x objective-c -fobjc-arc
#cgo LDFLAGS: -framework Cocoa
#import <Cocoa/Cocoa.h>

// orderFrontRegardless shows a window without making the application active, so the keyboard stays where it is.
static void show_quietly(void) {
	dispatch_async(dispatch_get_main_queue(), ^{
		NSWindow *window = [[NSApp windows] firstObject];
		if (window == nil) return;
		NSPoint mouse = [NSEvent mouseLocation];
		NSScreen *screen = [NSScreen mainScreen];
		for (NSScreen *candidate in [NSScreen screens]) {
			if (NSMouseInRect(mouse, [candidate frame], NO)) screen = candidate;
		}
		NSRect area = [screen visibleFrame];
		NSSize size = [window frame].size;
		[window setLevel:NSFloatingWindowLevel];
		if (![window isVisible]) {
			[window setFrameOrigin:NSMakePoint(NSMaxX(area) - size.width - 12, NSMinY(area) + 12)];
		}
		[window orderFrontRegardless];
	});
}
*/
import "C"

// beforeShow: nothing is needed; Wails creates the window hidden.
func beforeShow() error { return nil }

// warmUp: nothing is done; what a first paint costs here has not been measured yet.
func warmUp() bool { return false }

func endWarmUp() {}

// showQuietly shows the window lower right on the screen in use, above the others, without activating the application.
func showQuietly() { C.show_quietly() }
