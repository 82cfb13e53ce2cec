//go:build desktop && cgo

package window

/*
#cgo pkg-config: gtk+-3.0
#include <gtk/gtk.h>
#include <gdk/gdkx.h>

static GtkWindow *the_window = NULL;

// Called when a window is realized and before it is mapped for the first time: it must not take the focus then either.
static gboolean on_realize(GSignalInvocationHint *hint, guint n, const GValue *values, gpointer data) {
	GObject *object = g_value_get_object(&values[0]);
	// WebKit and GTK realize helper windows of their own; ours is the first ordinary one with something in it.
	if (!GTK_IS_WINDOW(object) || gtk_window_get_window_type(GTK_WINDOW(object)) != GTK_WINDOW_TOPLEVEL) return TRUE;
	if (gtk_bin_get_child(GTK_BIN(object)) == NULL) return TRUE;
	the_window = GTK_WINDOW(object);
	gtk_window_set_focus_on_map(the_window, FALSE);
	return FALSE; // seen: the hook goes
}

static gboolean before_show(void) {
	if (!gtk_init_check(NULL, NULL)) return FALSE;
	g_type_ensure(GTK_TYPE_WINDOW);
	g_signal_add_emission_hook(g_signal_lookup("realize", GTK_TYPE_WIDGET), 0, on_realize, NULL, NULL);
	return TRUE;
}

// The work area of the screen that the pointer is on.
static GdkRectangle active_area(GtkWindow *window) {
	GdkDisplay *display = gtk_widget_get_display(GTK_WIDGET(window));
	GdkDevice *pointer = gdk_seat_get_pointer(gdk_display_get_default_seat(display));
	int x = 0, y = 0;
	gdk_device_get_position(pointer, NULL, &x, &y);
	GdkRectangle area;
	gdk_monitor_get_workarea(gdk_display_get_monitor_at_point(display, x, y), &area);
	return area;
}

// What the window manager's frame adds to the window's size; it is told only while the window is mapped.
static int frame_width = 0, frame_height = 0;

static void measure_frame(void) {
	GdkRectangle outer;
	int width, height;
	gdk_window_get_frame_extents(gtk_widget_get_window(GTK_WIDGET(the_window)), &outer);
	gtk_window_get_size(the_window, &width, &height);
	frame_width = MAX(0, outer.width - width);
	frame_height = MAX(0, outer.height - height);
}

// Where the window stands lower right on that screen, with its frame.
static void lower_right(GtkWindow *window, int *x, int *y) {
	GdkRectangle area = active_area(window);
	int width, height;
	gtk_window_get_size(window, &width, &height);
	*x = area.x + area.width - width - frame_width - 12;
	*y = area.y + area.height - height - frame_height - 12;
}

// map_quietly maps at a place without asking for the focus. GDK tells the window manager only once that a window wants none (EWMH,
// _NET_WM_USER_TIME 0) and takes it back with the next click or key, so it is said anew each time.
static void map_quietly(GtkWindow *window, int x, int y) {
	gtk_window_set_focus_on_map(window, FALSE);
	GdkWindow *gdk = gtk_widget_get_window(GTK_WIDGET(window));
	if (gdk != NULL && GDK_IS_X11_WINDOW(gdk)) gdk_x11_window_set_user_time(gdk, 0);
	gtk_window_move(window, x, y); // for window managers that keep the place a program asks for
	gtk_widget_show(GTK_WIDGET(window));
	gtk_window_move(window, x, y); // for those that place a new window themselves
}

static gboolean warming = FALSE;

static gboolean end_warm_up(gpointer data) {
	measure_frame();
	if (warming) gtk_widget_hide(GTK_WIDGET(the_window));
	warming = FALSE;
	return G_SOURCE_REMOVE;
}

// The first time a page is shown costs five times as much as every later one (process, fonts, layers), so it is shown once with one
// pixel on the screen, before the first call.
static gboolean warm_up(gpointer data) {
	if (the_window == NULL || gtk_widget_get_visible(GTK_WIDGET(the_window))) return G_SOURCE_REMOVE;
	warming = TRUE;
	GdkRectangle area = active_area(the_window);
	map_quietly(the_window, area.x + area.width - 1, area.y + area.height - 1);
	return G_SOURCE_REMOVE;
}

static void warm_up_later(void) { g_idle_add(warm_up, NULL); }

static void end_warm_up_later(void) { g_idle_add(end_warm_up, NULL); }

static gboolean show_quietly(gpointer data) {
	if (the_window == NULL) return G_SOURCE_REMOVE;
	GtkWidget *widget = GTK_WIDGET(the_window);
	gtk_window_set_keep_above(the_window, TRUE);
	if (warming || !gtk_widget_get_visible(widget)) {
		warming = FALSE;
		int x, y;
		lower_right(the_window, &x, &y);
		map_quietly(the_window, x, y);
	}
	return G_SOURCE_REMOVE;
}

// At the priority at which Wails hands scripts to the page, so that the order stays: page first, then window.
static void show_later(void) { g_idle_add(show_quietly, NULL); }
*/
import "C"

import "ringside.dev/ringside/app/cti"

// beforeShow prepares what must be set before Wails makes the window. Call it on the main thread, before wails.Run.
func beforeShow() error {
	if C.before_show() == 0 {
		return cti.Errorf(cti.Invalid, "there is no display: start Ringside in a desktop session, or run the agent without a window: ringctl run", nil)
	}
	return nil
}

// warmUp readies the page for its first call; call it when the page is alive. True means that it will paint now: end the warm-up then.
func warmUp() bool {
	C.warm_up_later()
	return true
}

// endWarmUp hides the window again, unless a call has shown it meanwhile.
func endWarmUp() { C.end_warm_up_later() }

// showQuietly shows the window lower right on the screen in use, above the others, without activating it.
func showQuietly() { C.show_later() }
