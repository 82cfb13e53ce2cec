// Package frontend carries the built window into the binary. It must not know what is in it: without Node, dist holds
// nothing but a placeholder and everything still compiles.
package frontend

import "embed"

// Assets is the window as Vite built it, under dist/.
//
//go:embed all:dist
var Assets embed.FS
