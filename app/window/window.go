// Package window is the native window: one live window, hidden until a call asks for it, that is shown without taking the keyboard.
// It owns the Wails bindings and nothing else: what is on a card, and what a button does, is the agent's.
package window

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"

	"github.com/wailsapp/wails/v2"
	"github.com/wailsapp/wails/v2/pkg/logger"
	"github.com/wailsapp/wails/v2/pkg/options"
	"github.com/wailsapp/wails/v2/pkg/options/assetserver"
	"github.com/wailsapp/wails/v2/pkg/options/linux"
	"github.com/wailsapp/wails/v2/pkg/options/mac"
	"github.com/wailsapp/wails/v2/pkg/options/windows"

	"ringside.dev/ringside/app"
)

// The window's size in CSS pixels, and the least at which a card can be read.
const (
	width, height       = 420, 560
	minWidth, minHeight = 340, 420
)

// maxLinks is how many clicked links may wait while the agent starts. Only macOS hands them to the program that runs; elsewhere the system runs
// ringside -dial.
const maxLinks = 8

// title is what the window manager shows; it never names a customer.
const title = "Ringside"

// Run shows the agent in its window until ctx ends or the window is told to quit. It owns the main thread.
func Run(ctx context.Context, agent *app.App, assets fs.FS, log *slog.Logger) error {
	if err := beforeShow(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	page, links := &Page{agent: agent, log: log}, make(chan string, maxLinks)
	var running sync.WaitGroup
	var failed error
	err := wails.Run(&options.App{
		Title: title, Width: width, Height: height, MinWidth: minWidth, MinHeight: minHeight,
		StartHidden: true, HideWindowOnClose: true, AlwaysOnTop: true,
		AssetServer: &assetserver.Options{Assets: assets},
		Bind:        []any{page},
		Logger:      quiet{log}, LogLevel: logger.WARNING, LogLevelProduction: logger.WARNING,
		Linux:   &linux.Options{ProgramName: "ringside", WebviewGpuPolicy: linux.WebviewGpuPolicyNever},
		Windows: &windows.Options{DisablePinchZoom: true},
		Mac: &mac.Options{OnUrlOpen: func(link string) {
			select {
			case links <- link:
			default: // clicked faster than any phone dials
			}
		}},
		OnStartup: func(wailsCtx context.Context) {
			page.open(wailsCtx)
			running.Go(func() {
				if failed = agent.Run(ctx); failed != nil || ctx.Err() != nil {
					page.quit()
				}
			})
			running.Go(func() { page.watch(ctx) })
			running.Go(func() { page.dial(ctx, links) })
		},
	})
	cancel()
	running.Wait()
	if err != nil {
		return fmt.Errorf("open the window: %w", err)
	}
	return failed
}

// quiet passes Wails' own messages to our log; none of them holds a payload of ours at these levels.
type quiet struct{ log *slog.Logger }

func (q quiet) Print(message string)   { q.log.Debug(message) }
func (q quiet) Trace(message string)   { q.log.Debug(message) }
func (q quiet) Debug(message string)   { q.log.Debug(message) }
func (q quiet) Info(message string)    { q.log.Info(message) }
func (q quiet) Warning(message string) { q.log.Warn(message) }
func (q quiet) Error(message string)   { q.log.Error(message) }
func (q quiet) Fatal(message string)   { q.log.Error(message) }
