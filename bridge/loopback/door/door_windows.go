package door

import (
	"os"
	"os/user"
	"time"
)

// pipePrefix begins the name of every local pipe.
const pipePrefix = `\\.\pipe\`

// Default is the pipe of this user's agent: the name carries the user's SID, since pipes share one name space.
func Default() string {
	if name := os.Getenv("RINGSIDE_SOCKET"); name != "" {
		return name
	}
	sid := "unknown"
	if u, err := user.Current(); err == nil {
		sid = u.Uid
	}
	return pipePrefix + "ringside-" + sid
}

// writeLimit is how long the agent may take to read: a pipe without a buffer is written to when somebody reads.
const writeLimit = 50 * time.Millisecond

// send opens the pipe as a file. What still waits when the time is over ends with the program.
func send(name string) bool {
	pipe, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return false
	}
	written := make(chan error, 1)
	go func() {
		_, err := pipe.WriteString(knock)
		written <- err
	}()
	select {
	case err := <-written:
		_ = pipe.Close() // what was written is the agent's
		return err == nil
	case <-time.After(writeLimit):
		return false
	}
}
