package baresip

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"ringside.dev/ringside/app/cti"
)

// message is what baresip sends: an event or the reply to a command. Keys of versions 1.0.0 to 4; unknown ones are ignored.
type message struct {
	Event    bool   `json:"event"`
	Response bool   `json:"response"`
	Type     string `json:"type"`

	Account   string `json:"accountaor"`
	Direction string `json:"direction"` // incoming or outgoing
	Peer      string `json:"peeruri"`
	PeerName  string `json:"peerdisplayname"`
	ID        string `json:"id"` // the SIP Call-ID; 1.0.0 leaves it out while an outbound call is being set up
	Param     string `json:"param"`
	LocalDir  string `json:"localaudiodir"`  // from version 4
	RemoteDir string `json:"remoteaudiodir"` // from version 4

	OK    bool   `json:"ok"`
	Data  string `json:"data"`
	Token string `json:"token"`
}

// parse reads one message. Raw control characters, which JSON forbids in texts but a caller may have put there, become spaces.
func parse(raw []byte) (message, error) {
	raw = bytes.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, raw)
	var m message
	if err := json.Unmarshal(raw, &m); err != nil {
		return message{}, fmt.Errorf("message of %d bytes: %w", len(raw), err)
	}
	return m, nil
}

// order is a command. Params is one string for baresip, which splits nothing off it: JSON carries it whole.
type order struct {
	Command string `json:"command"`
	Params  string `json:"params,omitempty"`
	Token   string `json:"token"`
}

func (o order) encode() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // baresip 1.0.0 need not know \u003c
	if err := enc.Encode(o); err != nil {
		return nil, err
	}
	return netstring(bytes.TrimSpace(b.Bytes())), nil
}

// stat is what callstat tells about the current call: text, made for people, the same lines in all versions we know.
type stat struct {
	State     string // INCOMING, OUTGOING, RINGING, EARLY, ESTABLISHED, TERMINATED
	ID        string
	Direction string // incoming or outgoing
	Account   string
	Peer      string
	PeerName  string
	Held      bool // by the agent: not in callstat, but in listcalls
}

// parseStat reads a callstat reply; false when there is no call, or the text is not as we know it. Each line is known by how it
// begins, so that a caller's name cannot pose as another line; the URI is the last <...> of its line.
func parseStat(text string) (stat, bool) {
	var s stat
	for line := range strings.SplitSeq(text, "\n") {
		switch {
		case strings.HasPrefix(line, "===== Call debug (") && s.State == "":
			s.State, _, _ = strings.Cut(strings.TrimPrefix(line, "===== Call debug ("), ")")
		case strings.HasPrefix(line, " local_uri:") && s.Account == "":
			_, s.Account = nameAndURI(strings.TrimPrefix(line, " local_uri:"))
		case strings.HasPrefix(line, " peer_uri:") && s.Peer == "":
			s.PeerName, s.Peer = nameAndURI(strings.TrimPrefix(line, " peer_uri:"))
		case strings.HasPrefix(line, " af=") && s.ID == "":
			_, s.ID, _ = strings.Cut(line, " id=")
			s.ID = strings.TrimSpace(s.ID)
		case strings.HasPrefix(line, " direction:") && s.Direction == "":
			s.Direction = strings.ToLower(strings.TrimSpace(strings.TrimPrefix(line, " direction:")))
		}
	}
	return s, s.State != "" && s.ID != "" && (s.Direction == dirIn || s.Direction == dirOut)
}

func nameAndURI(s string) (name, uri string) {
	s = strings.TrimSpace(s)
	open := strings.LastIndexByte(s, '<')
	if open < 0 || !strings.HasSuffix(s, ">") {
		return "", ""
	}
	name = strings.TrimSpace(s[:open])
	if name == "(null)" {
		name = ""
	}
	return name, s[open+1 : len(s)-1]
}

// listing is what listcalls tells: text, made for people. It knows of holds, and not of directions.
type listing struct {
	lines []line
	count int  // as the phone counted them
	whole bool // of all accounts; otherwise of the one that is in front at the phone
}

type line struct {
	id, state, peer string // the id from about version 4 only
	held            bool   // by the agent
}

// listed is a line of listcalls, "> [line 1]  0:00:02  ESTABLISHED  (on hold)  sip:600@pbx"; later versions write "[line 1, id ID]".
var listed = regexp.MustCompile(`^[> ] \[line \d+(?:, id (\S+))?\] +[\d:]+ +([A-Z]+)  (\(on hold\)|         )  (\S+)$`)

// parseListing reads a listcalls reply; false when it is not as we know it. Later versions write a part for each account, under a heading.
func parseListing(text string) (listing, bool) {
	var all listing
	found := false
	for l := range strings.SplitSeq(text, "\n") {
		n := 0
		if _, err := fmt.Sscanf(l, "--- Active calls (%d) ---", &n); err == nil && n >= 0 {
			found, all.count = true, all.count+n
			continue
		}
		if strings.HasPrefix(l, "User-Agent: ") {
			all.whole = true
		}
		if m := listed.FindStringSubmatch(l); m != nil {
			all.lines = append(all.lines, line{id: m[1], state: m[2], held: m[3] == "(on hold)", peer: m[4]})
		}
	}
	return all, found
}

// accounts reads the number out of a reginfo reply, "--- User Agents (2) ---"; false when it is not there.
func accounts(text string) (int, bool) {
	_, rest, found := strings.Cut(text, "--- User Agents (")
	n := 0
	_, err := fmt.Sscanf(rest, "%d)", &n)
	return n, found && err == nil && n >= 0
}

// remote makes the far end: the user part of the URI is the number. A URI without a user, or an anonymous one, is withheld.
func remote(uri, name string) cti.Remote {
	r := cti.Remote{Name: name, URI: uri}
	r.Raw = user(uri)
	if anonymous(r.Raw) || strings.Contains(strings.ToLower(uri), "@anonymous.invalid") {
		r.Number = cti.Number{Withheld: true}
	}
	return r
}

func anonymous(user string) bool {
	switch strings.ToLower(user) {
	case "", "anonymous", "unknown", "unavailable", "restricted", "private", "withheld":
		return true
	}
	return false
}
