// Package door knows where this user's agent is found, and can knock there. It is apart from loopback so that a program which a phone waits
// for starts without a web server in it; it imports nothing of ours and little of the standard library. It must not know what is asked of
// the agent.
package door

// knock is the whole request: the agent looks into its mailbox. Nobody waits for the answer.
const knock = "POST /v1/hook HTTP/1.1\r\nHost: ringside\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

// Knock tells the agent at an endpoint (empty: Default) that something lies in its mailbox. It tells whether an agent took the connection,
// and never waits for one that does not.
func Knock(endpoint string) bool {
	if endpoint == "" {
		endpoint = Default()
	}
	return send(endpoint)
}
