package ari

import (
	"encoding/json"
	"fmt"
	"time"

	"ringside.dev/ringside/app/cti"
)

// maxID bounds ids of channels and bridges; Asterisk's own limit is 150 (AST_MAX_UNIQUEID).
const maxID = 200

// message is an event of ARI: the parts we know of those we know.
type message struct {
	Type      string `json:"type"`
	Timestamp string `json:"timestamp"`

	Channel *channelSnap `json:"channel"`
	Bridge  *bridgeSnap  `json:"bridge"`

	Caller     *channelSnap `json:"caller"` // of Dial; nil when the exchange itself dials
	Peer       *channelSnap `json:"peer"`
	DialStatus string       `json:"dialstatus"`

	Cause    int    `json:"cause"` // Q.850
	Soft     bool   `json:"soft"`  // of a hang-up that was asked for within the exchange, and not by the channel's device
	Variable string `json:"variable"`
	Value    string `json:"value"`

	Result      string       `json:"result"`
	Exten       string       `json:"exten"`
	Transferee  *channelSnap `json:"transferee"`
	Target      *channelSnap `json:"transfer_target"`
	FirstLeg    *channelSnap `json:"transferer_first_leg"`
	SecondLeg   *channelSnap `json:"transferer_second_leg"`
	Destination string       `json:"destination_bridge"`
	JoinedAs    string       `json:"destination_type"`
	Threeway    *bridgeSnap  `json:"destination_threeway_bridge"`
}

// channelSnap is how a channel stood when something happened.
type channelSnap struct {
	ID         string            `json:"id"`
	Name       string            `json:"name"` // PJSIP/1001-0000000a
	State      string            `json:"state"`
	ProtocolID string            `json:"protocol_id"` // the SIP Call-ID
	Caller     party             `json:"caller"`
	Connected  party             `json:"connected"`
	Dialplan   dialplan          `json:"dialplan"`
	Variables  map[string]string `json:"channelvars"` // those that ari.conf names
}

type party struct {
	Name   string `json:"name"`
	Number string `json:"number"`
}

type dialplan struct {
	Exten   string `json:"exten"`
	App     string `json:"app_name"`
	AppData string `json:"app_data"`
}

type bridgeSnap struct {
	ID         string   `json:"id"`
	Type       string   `json:"bridge_type"`
	Technology string   `json:"technology"`
	Channels   []string `json:"channels"`
}

// parse reads one event. One that names a channel or bridge without a proper id is refused whole.
func parse(raw []byte) (message, error) {
	var m message
	if err := json.Unmarshal(raw, &m); err != nil {
		return message{}, fmt.Errorf("event of %d bytes: %w", len(raw), withoutText(err))
	}
	for _, c := range []*channelSnap{m.Channel, m.Caller, m.Peer, m.Transferee, m.Target, m.FirstLeg, m.SecondLeg} {
		if c != nil && !properID(c.ID) {
			return message{}, fmt.Errorf("event of %d bytes: a channel's id of %d bytes", len(raw), len(c.ID))
		}
	}
	if m.Bridge != nil && !properID(m.Bridge.ID) {
		return message{}, fmt.Errorf("event of %d bytes: a bridge's id of %d bytes", len(raw), len(m.Bridge.ID))
	}
	return m, nil
}

// withoutText gives the kind of a JSON error without the value it quotes, which may be a caller's number.
func withoutText(err error) error {
	return fmt.Errorf("no JSON as expected (%T)", err)
}

func properID(id string) bool { return id != "" && len(id) <= maxID && cti.Clean(id, maxID) == id }

// stamp reads ARI's time, 2026-11-23T05:32:18.118+0000; zero when it is none.
func stamp(s string) time.Time {
	t, err := time.Parse("2006-01-02T15:04:05.000-0700", s)
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}
