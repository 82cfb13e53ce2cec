package loopback

import (
	"context"
	"net"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/loopback/door"
)

// DefaultEndpoint is where this user's agent is found.
func DefaultEndpoint() string { return door.Default() }

// Listen opens the endpoint for this user only. An endpoint on which another agent answers is kind conflict; what a killed agent left
// behind is taken over. An empty name means DefaultEndpoint.
func Listen(name string) (net.Listener, error) {
	return listen(orDefault(name), false)
}

// ListenAdmin is Listen for a service, which its computer's administrators (root; Administrators) speak to as well: they could take its place
// anyway.
func ListenAdmin(name string) (net.Listener, error) {
	return listen(orDefault(name), true)
}

// Dial connects to the agent at an endpoint; kind offline when none is running.
func Dial(ctx context.Context, name string) (net.Conn, error) {
	conn, err := dial(ctx, orDefault(name))
	if err != nil {
		return nil, cti.Errorf(cti.Offline, "no running Ringside was found at "+orDefault(name)+": start it, or name its --socket", err)
	}
	return conn, nil
}

func orDefault(name string) string {
	if name == "" {
		return DefaultEndpoint()
	}
	return name
}
