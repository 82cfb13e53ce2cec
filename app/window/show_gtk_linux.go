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

static void before_show(void) {
	if (!gtk_init_check(NULL, NULL)) return; // Wails says so itself
	g_type_ensure(GTK_TYPE_WINDOW);
	g_signal_add_emission_hook(g_signal_lookup("realize", GTK_TYPE_WIDGET), 0, on_realize, NULL, NULL);
}

// Lower right of the screen that the pointer is on, inside the work area.
static void place(GtkWindow *window) {
	GdkDisplay *display = gtk_widget_get_display(GTK_WIDGET(window));
	GdkDevice *pointer = gdk_seat_get_pointer(gdk_display_get_default_seat(display));
	int x = 0, y = 0, width, height;
	gdk_device_get_position(pointer, NULL, &x, &y);
	GdkRectangle area;
	gdk_monitor_get_workarea(gdk_display_get_monitor_at_point(display, x, y), &area);
	gtk_window_get_size(window, &width, &height);
	GdkWindow *gdk = gtk_widget_get_window(GTK_WIDGET(window));
	int frame_width = width, frame_height = height;
	if (gdk != NULL) {
		GdkRectangle frame;
		gdk_window_get_frame_extents(gdk, &frame);
		if (frame.width >= width && frame.width < width + 64) frame_width = frame.width;
		if (frame.height >= height && frame.height < height + 96) frame_height = frame.height;
	}
	gtk_window_move(window, area.x + area.width - frame_width - 12, area.y + area.height - frame_height - 12);
}

// map_quietly maps without asking for the focus. GDK tells the window manager only once that a window wants none (EWMH,
// _NET_WM_USER_TIME 0) and takes it back with the next click or key, so it is said anew each time.
static void map_quietly(GtkWindow *window) {
	gtk_window_set_focus_on_map(window, FALSE);
	GdkWindow *gdk = gtk_widget_get_window(GTK_WIDGET(window));
	if (gdk != NULL && GDK_IS_X11_WINDOW(gdk)) gdk_x11_window_set_user_time(gdk, 0);
	gtk_widget_show(GTK_WIDGET(window));
}

static gboolean warming = FALSE;

static gboolean warmed(gpointer data) {
	if (warming && the_window != NULL) gtk_widget_hide(GTK_WIDGET(the_window));
	warming = FALSE;
	return G_SOURCE_REMOVE;
}

// The first time a page is shown costs five times as much as every later one (process, fonts, layers), so it is shown once outside
// the screen, before the first call.
static gboolean warm_up(gpointer data) {
	if (the_window == NULL || gtk_widget_get_visible(GTK_WIDGET(the_window))) return G_SOURCE_REMOVE;
	warming = TRUE;
	gtk_window_move(the_window, -10000, -10000);
	map_quietly(the_window);
	gtk_window_move(the_window, -10000, -10000);
	g_timeout_add(400, warmed, NULL);
	return G_SOURCE_REMOVE;
}

static void warm_up_later(void) { g_idle_add(warm_up, NULL); }

static gboolean show_quietly(gpointer data) {
	if (the_window == NULL) return G_SOURCE_REMOVE;
	GtkWidget *widget = GTK_WIDGET(the_window);
	gtk_window_set_keep_above(the_window, TRUE);
	if (warming || !gtk_widget_get_visible(widget)) {
		warming = FALSE;
		place(the_window); // for window managers that honour it
		map_quietly(the_window);
		place(the_window); // for those that place a new window themselves
	}
	return G_SOURCE_REMOVE;
}

static void show_later(void) { g_idle_add_full(G_PRIORITY_HIGH, show_quietly, NULL, NULL); }
*/
import "C"

// beforeShow prepares what must be set before Wails makes the window. Call it on the main thread, before wails.Run.
func beforeShow() { C.before_show() }

// warmUp readies the page for its first call; call it when the page is alive.
func warmUp() { C.warm_up_later() }

// showQuietly shows the window lower right on the screen in use, above the others, without activating it.
func showQuietly() { C.show_later() }
