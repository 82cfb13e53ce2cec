package esl

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"ringside.dev/ringside/app/cti"
)

// maxExtensions bounds the extensions snapshots are made for.
const maxExtensions = 8192

// row is one channel in FreeSWITCH's list of them.
type row struct {
	UUID      string `json:"uuid"`
	Direction string `json:"direction"`
	Name      string `json:"name"`
	Number    string `json:"initial_cid_num"`
	Caller    string `json:"initial_cid_name"`
	Dest      string `json:"initial_dest"`
	NumberNow string `json:"cid_num"`
	CallerNow string `json:"cid_name"`
	DestNow   string `json:"dest"`
	App       string `json:"application"`
	Presence  string `json:"presence_id"`
	State     string `json:"callstate"`
	CallUUID  string `json:"call_uuid"`
}

// channels reads the list of channels.
func channels(text string) ([]row, error) {
	var answer struct {
		Rows []row `json:"rows"`
	}
	if err := json.Unmarshal([]byte(text), &answer); err != nil {
		return nil, cti.Errorf(cti.Denied, "the exchange does not list its channels: allow the command show in the user's esl-allowed-api", nil)
	}
	return answer.Rows, nil
}

// watch notes that an extension is wanted; false if it is noted already, or cannot be one.
func (i *interpreter) watch(extension string) bool {
	if i.watched[extension] || len(i.watched) >= maxExtensions || !extensionName.MatchString(extension) {
		return false
	}
	i.watched[extension] = true
	return true
}

// reconcile brings what is known up to date with the exchange's own list, and gives the ids of legs that are new.
func (i *interpreter) reconcile(rows []row, at time.Time) (strangers []string) {
	listed, talking := map[string]bool{}, map[string][]*channel{}
	for n := range rows {
		r := &rows[n]
		if !properID(r.UUID) {
			continue
		}
		delete(i.graves, r.UUID) // it is there
		listed[r.UUID] = true
		c := i.channels[r.UUID]
		if c == nil {
			c = i.begin(r.UUID)
			c.take(r)
			c.extension = i.devices.extension(c.name, r.Presence, i.known)
			c.journey = i.properOther(r.CallUUID)
			if c.leg() {
				strangers = append(strangers, c.id)
			}
		}
		c.stands(r.State)
		if call := cmp.Or(r.CallUUID, r.UUID); r.State == "ACTIVE" || r.State == "HELD" || r.State == "UNHELD" {
			talking[call] = append(talking[call], c)
		}
	}
	for _, id := range slices.Collect(maps.Keys(i.channels)) {
		if c := i.channels[id]; !listed[id] {
			if c.leg() {
				i.bereft[c.extension] = true
			}
			i.bury(c, at)
		}
	}
	for _, both := range talking {
		if len(both) != 2 { // one who waits, or more than can be told apart
			continue
		}
		both[0].joins(both[1])
		both[1].joins(both[0])
	}
	for _, c := range i.channels { // a call to the agent that only rings: who began it is in the same call
		if c.parent == "" && c.outbound && c.journey != c.id && i.channels[c.journey] != nil {
			c.parent = c.journey
		}
	}
	return strangers
}

func (c *channel) take(r *row) {
	c.name = clean(r.Name)
	c.outbound = r.Direction == "outbound"
	c.number, c.caller, c.dest = clean(cmp.Or(r.Number, r.NumberNow)), clean(cmp.Or(r.Caller, r.CallerNow)), clean(cmp.Or(r.Dest, r.DestNow))
	c.listens = r.App == "eavesdrop" || r.App == "userspy"
}

// stands takes a channel's own state.
func (c *channel) stands(state string) {
	switch state {
	case "RINGING", "EARLY":
		if c.outbound && c.stage == untold && c.click == "" {
			c.stage = ringing
		}
	case "ACTIVE", "UNHELD":
		c.answered, c.held = true, false
	case "HELD":
		c.answered, c.held = true, true
	}
}

// joins takes that two channels of one call are both up: they talk.
func (c *channel) joins(with *channel) {
	c.stage = established
	c.meets(with)
}

// privacyVariable is the field of a caller's profile that tells whether they withhold the number (switch_caller.c), which a leg that is dialled for them takes over.
const privacyVariable = "privacy_hide_number"

// variable takes a variable of a channel that began before this connection.
func (i *interpreter) variable(id, name, value string) {
	c := i.channels[id]
	if c == nil {
		return
	}
	switch name {
	case "sip_call_id":
		c.callID = clean(value)
	case clickVariable:
		if number.MatchString(value) && c.outbound {
			c.click = value
			if c.stage == ringing {
				c.stage = begun
			}
		}
	case privacyVariable:
		if value == "true" {
			c.hides()
		}
	case "cc_member_session_uuid":
		if properID(value) {
			c.parent, c.journey = value, value
		}
	}
}

// snapshots makes one for each extension that was asked for, or has a call, or had one before the connection broke.
func (i *interpreter) snapshots(at time.Time) []told {
	wanted := i.bereft
	i.bereft = map[string]bool{}
	maps.Copy(wanted, i.watched)
	for _, c := range i.channels {
		if c.leg() {
			wanted[c.extension] = true
		}
	}
	all := make([]told, 0, len(wanted))
	for _, extension := range slices.Sorted(maps.Keys(wanted)) {
		all = append(all, i.snapshot(extension, at))
	}
	return all
}

// snapshot lists the live legs of an extension.
func (i *interpreter) snapshot(extension string, at time.Time) told {
	list := cti.Event{V: cti.EnvelopeVersion, Type: cti.Snapshot, At: at, Source: i.source, Local: cti.Local{Extension: extension}, Legs: []cti.Event{}}
	for _, id := range slices.Sorted(maps.Keys(i.channels)) {
		c := i.channels[id]
		if !c.leg() || c.extension != extension {
			continue
		}
		e := cti.Event{Type: cti.Established}
		switch {
		case c.stage == established && c.held:
			e = cti.Event{Type: cti.Held, By: cti.ByLocal}
		case c.stage == established:
		case c.outgoing() && c.stage == ringing:
			e = cti.Event{Type: cti.Delivered, Side: cti.SideRemote}
		case c.outgoing():
			c.stage = begun
			e = cti.Event{Type: cti.Originated}
		case c.stage == ringing:
			e = cti.Event{Type: cti.Delivered, Side: cti.SideLocal}
		default:
			continue // it does not ring yet
		}
		list.Legs = append(list.Legs, i.tell(c, when{at: at}, e).event)
	}
	return told{extension, list}
}
