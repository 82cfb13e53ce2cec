package ami

import (
	"strings"

	"ringside.dev/ringside/app/cti"
)

// varSet: a user who may read the class dialplan sees each variable as it is set.
func (m *machine) varSet(b block) {
	variable := strings.TrimLeft(b.get("Variable"), "_")
	wanted := m.wants(variable)
	if variable != "SIPCALLID" && !wanted && (variable != m.config.RecordingVariable || variable == "") {
		return
	}
	c, value := m.seen(b, ""), b.get("Value")
	if c == nil {
		m.lateVariable(b, variable, value)
		return
	}
	switch {
	case value == "":
	case variable == "SIPCALLID":
		keep(&c.callID, cti.Clean(value, cti.MaxText))
	case variable == m.config.RecordingVariable:
		j := m.journeyOf(c.journey)
		keep(&j.recording, value)
		m.touchJourney(j)
	}
	if wanted && value != "" {
		m.learn(m.journeyOf(c.journey), variable, value)
	}
	m.touch(c)
}

// lateVariable is one of a channel that is over.
func (m *machine) lateVariable(b block, variable, value string) {
	if variable == m.config.RecordingVariable && variable != "" {
		m.recorded(b.get("Uniqueid"), b.get("Linkedid"), value, "")
	}
}

func (m *machine) wants(variable string) bool {
	for _, v := range m.config.Variables {
		if v == variable {
			return true
		}
	}
	return false
}

// learn notes a piece of call data for all legs of a journey.
func (m *machine) learn(j *journey, variable, value string) {
	name := dataName(variable)
	if name == "" || j.data[name] == value {
		return
	}
	if j.data == nil {
		j.data = map[string]string{}
	}
	j.data[name] = strings.Clone(cti.Clean(value, cti.MaxURI))
	for l := range j.legs {
		m.tellData(l, name, j.data[name])
	}
}

func (m *machine) tellData(l *leg, name, value string) {
	if l.ended || l.data[name] == value {
		return
	}
	if l.data == nil {
		l.data = map[string]string{}
	}
	l.data[name] = value
	if l.settled && l.begun {
		m.out(l, cti.Event{Type: cti.Info, Data: map[string]string{name: value}})
		return
	}
	l.untold = true
}

// askData asks for the call data that no VarSet told: of the caller's channel, and where that has none, of the agent's.
func (m *machine) askData(l *leg) {
	j := m.journeyOf(l.channel.journey)
	for _, variable := range m.config.Variables {
		if value, known := j.data[dataName(variable)]; known {
			m.tellData(l, dataName(variable), value)
			continue
		}
		first := l.channel
		if from := m.channels[l.channel.by]; from != nil && l.direction == cti.In {
			first = from
		}
		l.open++
		m.askVariable(first, variable, func(value string) {
			if value == "" && first != l.channel && !strings.Contains(variable, "(") {
				m.askVariable(l.channel, variable, func(value string) { m.toldData(l, variable, value) })
				return
			}
			m.toldData(l, variable, value)
		})
	}
}

func (m *machine) toldData(l *leg, variable, value string) {
	if value != "" {
		m.learn(m.journeyOf(l.channel.journey), variable, value)
		m.tellData(l, dataName(variable), m.journeyOf(l.channel.journey).data[dataName(variable)])
	}
	m.answered(l)
}

// presentation tells whether a caller lets others see their number (the exchange knows it all the same, from a trunk that is trusted). The events have it only
// where it changes.
const presentation = "CALLERID(num-pres)"

// askWithheld asks whether the caller of a leg withholds the number: of the channel that began it all, else of the one that dialled the agent.
func (m *machine) askWithheld(l *leg) {
	from := m.channels[l.channel.journey]
	if from == nil || from == l.channel {
		from = m.channels[l.channel.by]
	}
	if from == nil || from == l.channel || l.direction != cti.In {
		return
	}
	l.open++
	l.asksPrivacy = true
	m.askVariable(from, presentation, func(value string) {
		l.asksPrivacy = false
		if strings.HasPrefix(value, "prohib") {
			from.withheld = true
			m.withhold(l)
		}
		if m.answered(l); l.overdue {
			m.identified(l)
		}
	})
}

// withhold takes the caller's number and name out of what a leg has not told yet, and out of what it tells from now on.
func (m *machine) withhold(l *leg) {
	l.remote = nobody
	for i := range l.waiting {
		if e := &l.waiting[i]; e.Type != cti.Conferenced {
			e.Remote = l.remote
		}
	}
}

func (m *machine) askVariable(c *channel, variable string, told func(value string)) {
	m.ask(action{{"Action", "Getvar"}, {"Channel", c.name}, {"Variable", variable}}, func(b block, ok bool) {
		value := ""
		if ok {
			value = b.get("Value")
		}
		told(value)
	})
}

// wantRecording asks for the recording of a call that was just answered, where its name is in a variable that was not seen being set.
func (m *machine) wantRecording(l *leg) {
	j := m.journeyOf(l.channel.journey)
	if m.config.RecordingVariable == "" || j.recording != "" {
		return
	}
	channels := append([]*channel{l.channel}, m.peers(l.channel)...)
	if root := m.channels[j.id]; root != nil {
		channels = append(channels, root)
	}
	for _, c := range channels {
		m.askVariable(c, m.config.RecordingVariable, func(value string) {
			if value != "" {
				keep(&j.recording, value)
				m.touchJourney(j)
			}
		})
	}
}

// tellRecording tells where an answered call is recorded, as soon as that is known, also after its end.
func (m *machine) tellRecording(l *leg) {
	j := m.journeys[l.channel.journey]
	if !l.established || l.purpose == cti.Monitoring || j == nil {
		return
	}
	if j.recording == "" && !m.config.recordsWithoutFile() || l.recorded != nil && *l.recorded == j.recording {
		return
	}
	file := j.recording
	l.recorded = &file
	m.out(l, cti.Event{Type: cti.Info, Recording: m.config.recording(j.recording, l.channel.id, l.journey)})
}

// userEvent: UserEvent: Recording with Uniqueid or Linkedid, and File or URL, is how a script that runs when a recording is complete tells of it.
func (m *machine) userEvent(b block) {
	if strings.EqualFold(b.get("UserEvent"), "Recording") {
		m.recorded(b.get("Uniqueid"), b.get("Linkedid"), b.get("File"), b.get("URL"))
	}
}

// recorded tells the recording of calls that may be over: of the leg with that channel, else of all answered legs of the journey.
func (m *machine) recorded(id, journey, file, url string) {
	if file == "" && url == "" {
		return
	}
	told := false
	tell := func(l *leg) {
		if !l.established || l.purpose == cti.Monitoring {
			return
		}
		told = true
		r := m.config.recording(file, l.channel.id, l.journey)
		if url != "" {
			r.URL = url
		}
		m.out(l, cti.Event{Type: cti.Info, Recording: r})
	}
	if c := m.channels[id]; c != nil && c.leg != nil {
		tell(c.leg)
	} else if l := m.ended[id]; l != nil {
		tell(l)
	}
	if told {
		return
	}
	for _, l := range m.ended {
		if l.journey == journey && journey != "" || l.journey == id {
			tell(l)
		}
	}
	for _, c := range m.channels {
		if c.leg != nil && (c.leg.journey == journey && journey != "" || c.leg.journey == id) {
			tell(c.leg)
		}
	}
}
