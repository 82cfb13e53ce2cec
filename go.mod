module ringside.dev/ringside

go 1.26.0

ignore ./frontend/node_modules

require (
	filippo.io/age v1.3.2 // recordings on the disk, and the way back to lost keys
	github.com/Microsoft/go-winio v0.6.4 // the local API on Windows: named pipes
	github.com/coder/websocket v1.8.15 // the events of Asterisk and of Bria
	github.com/emersion/go-vcard v0.0.0-20260618161152-d854b7e0e2d3 // local contacts in vCard files
	github.com/expr-lang/expr v1.17.8 // expressions in connector files
	github.com/gofrs/flock v0.13.2 // one process at a time has the store
	github.com/google/go-cmp v0.7.0 // tests only
	github.com/google/uuid v1.6.0 // uuid5 for ids that are the same after every restart
	github.com/nyaruka/phonenumbers v1.8.1 // libphonenumber
	github.com/oklog/ulid/v2 v2.1.2 // names of recordings
	github.com/rogpeppe/go-internal v1.16.0 // tests only: testscript
	github.com/santhosh-tekuri/jsonschema/v6 v6.0.3 // tests only: checks connector.schema.json
	github.com/spf13/cobra v1.10.2 // ringctl
	github.com/wailsapp/wails/v2 v2.16.0 // the window; pinned by number, the newest a proxy names may be old
	github.com/zalando/go-keyring v0.2.8 // the keychain of the operating system
	go.etcd.io/bbolt v1.5.0 // the store
	go.uber.org/goleak v1.3.0 // tests only
	go.yaml.in/yaml/v4 v4.0.0 // profiles and connectors, with line and column in errors
	golang.org/x/sync v0.24.0 // errgroup: the agent stops as one
	golang.org/x/sys v0.49.0 // peer check, window on Windows
	pgregory.net/rapid v1.3.0 // tests only
)

require (
	github.com/sony/gobreaker/v2 v2.4.0 // the circuit breaker of each CRM endpoint
	golang.org/x/time v0.16.0 // rate: what a CRM endpoint allows
)

require (
	github.com/pkg/browser v0.0.0-20240102092130-5ac0b6a4141c
	golang.org/x/oauth2 v0.38.0
	golang.org/x/text v0.42.0
)

require (
	filippo.io/hpke v0.4.0 // indirect
	git.sr.ht/~jackmordaunt/go-toast/v2 v2.0.3 // indirect
	github.com/bep/debounce v1.2.1 // indirect
	github.com/danieljoos/wincred v1.2.3 // indirect
	github.com/go-ole/go-ole v1.3.0 // indirect
	github.com/godbus/dbus/v5 v5.2.2 // indirect
	github.com/gorilla/websocket v1.5.3 // indirect
	github.com/inconshreveable/mousetrap v1.1.0 // indirect
	github.com/jchv/go-winloader v0.0.0-20210711035445-715c2860da7e // indirect
	github.com/labstack/echo/v4 v4.13.3 // indirect
	github.com/labstack/gommon v0.4.2 // indirect
	github.com/leaanthony/go-ansi-parser v1.6.1 // indirect
	github.com/leaanthony/gosod v1.0.4 // indirect
	github.com/leaanthony/slicer v1.6.0 // indirect
	github.com/leaanthony/u v1.1.1 // indirect
	github.com/mattn/go-colorable v0.1.13 // indirect
	github.com/mattn/go-isatty v0.0.20 // indirect
	github.com/pkg/errors v0.9.1 // indirect
	github.com/rivo/uniseg v0.4.7 // indirect
	github.com/samber/lo v1.49.1 // indirect
	github.com/spf13/pflag v1.0.10 // indirect
	github.com/tkrajina/go-reflector v0.5.8 // indirect
	github.com/valyala/bytebufferpool v1.0.0 // indirect
	github.com/valyala/fasttemplate v1.2.2 // indirect
	github.com/wailsapp/go-webview2 v1.0.22 // indirect
	github.com/wailsapp/mimetype v1.4.1 // indirect
	golang.org/x/crypto v0.57.0 // indirect
	golang.org/x/net v0.59.0 // indirect
	golang.org/x/tools v0.50.0 // indirect
	google.golang.org/protobuf v1.36.11 // indirect
)
