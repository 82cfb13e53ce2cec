// Command floor is the yardstick of the pop: it shows an empty Wails window again and again and prints, for each time, the milliseconds
// until the page's own paint (two animation frames after it was told). It must know nothing of Ringside.
package main

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/wailsapp/wails/v2"
	"github.com/wailsapp/wails/v2/pkg/options"
	"github.com/wailsapp/wails/v2/pkg/options/assetserver"
	"github.com/wailsapp/wails/v2/pkg/runtime"
)

const page = `<!doctype html><meta charset="utf-8"><title>floor</title><script>
addEventListener("load", () => {
  window.runtime.EventsOn("shown", () => requestAnimationFrame(() => requestAnimationFrame(() => window.go.main.Floor.Painted())));
  window.go.main.Floor.Ready();
});
</script>`

// Floor is what the page calls.
type Floor struct {
	ready, painted chan struct{}
}

// Ready is the page's word that it listens.
func (f *Floor) Ready() { f.ready <- struct{}{} }

// Painted is the page's word that it has painted.
func (f *Floor) Painted() { f.painted <- struct{}{} }

func main() {
	times := flag.Int("n", 100, "how often")
	rest := flag.Duration("rest", 800*time.Millisecond, "pause while hidden")
	flag.Parse()
	f := &Floor{ready: make(chan struct{}, 1), painted: make(chan struct{}, 1)}
	err := wails.Run(&options.App{
		Title: "floor", Width: 420, Height: 560, StartHidden: true, Bind: []any{f},
		AssetServer: &assetserver.Options{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			if _, err := w.Write([]byte(page)); err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
		})},
		OnStartup: func(ctx context.Context) { go f.run(ctx, *times, *rest) },
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run shows the window; the first three times warm it up and do not count.
func (f *Floor) run(ctx context.Context, times int, rest time.Duration) {
	<-f.ready
	time.Sleep(time.Second)
	for i := -3; i < times; i++ {
		began := time.Now()
		runtime.WindowShow(ctx)
		runtime.EventsEmit(ctx, "shown")
		<-f.painted
		took := time.Since(began)
		if i >= 0 {
			fmt.Printf("%.3f\n", float64(took.Microseconds())/1000)
		}
		runtime.WindowHide(ctx)
		time.Sleep(rest)
	}
	runtime.Quit(ctx)
}
