package ari_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/asterisktest"
	"ringside.dev/ringside/bridge/baresip/phonetest"
)

// stories are what a call centre does all day, with a real Asterisk and real phones.
var stories = []struct {
	name string
	play func(o *office)
}{
	{"abandoned", func(o *office) {
		c := o.Call(o.t, customer, "Zhang San", agent, nil)
		o.until(agent, 0, cti.Alerting)
		c.Hangup(o.t)
		o.wants([]string{"in 13800138000 Zhang San for 1001: alerting cleared, abandoned by remote"}, nil)
	}},
	{"queue-answered", func(o *office) {
		c := o.Call(o.t, customer, "Zhang San", "600", nil)
		o.do("answer", o.Agent.Answer)
		o.until(agent, 0, cti.Connected)
		c.Hangup(o.t)
		o.wants([]string{"in 13800138000 Zhang San for 600 of queue support: alerting connected cleared, normal by remote"}, nil)
	}},
	{"queue-rings-on-then-answered", func(o *office) {
		o.Call(o.t, customer, "Zhang San", "600", nil)
		o.until(agent, 0, cti.Alerting)
		o.do("answer", o.Colleague.Answer)
		o.until(colleague, 0, cti.Connected)
		o.do("hang up", o.Colleague.Hangup)
		o.wants([]string{"in 13800138000 Zhang San for 600 of queue support: alerting cleared, answered_elsewhere by system"},
			[]string{"in 13800138000 Zhang San for 600 of queue support: alerting connected cleared, normal by local"})
	}},
	{"queue-abandoned", func(o *office) {
		c := o.Call(o.t, customer, "Zhang San", "600", nil)
		o.until(agent, 0, cti.Alerting)
		c.Hangup(o.t)
		o.wants([]string{"in 13800138000 Zhang San for 600 of queue support: alerting cleared, abandoned by remote"}, nil)
	}},
	{"ring-group", func(o *office) {
		c := o.Call(o.t, customer, "Zhang San", "700", nil)
		o.until(agent, 0, cti.Alerting)
		o.do("answer", o.Colleague.Answer)
		o.until(colleague, 0, cti.Connected)
		c.Hangup(o.t)
		o.wants([]string{"in 13800138000 Zhang San for 700: alerting cleared, answered_elsewhere by system"},
			[]string{"in 13800138000 Zhang San for 700: alerting connected cleared, normal by remote"})
	}},
	{"ring-group-refused-then-abandoned", func(o *office) {
		c := o.Call(o.t, customer, "Zhang San", "700", nil)
		o.until(colleague, 0, cti.Alerting)
		o.do("ring", o.Agent.AwaitRing)
		o.do("refuse", o.Agent.Hangup)
		o.until(agent, 0, cti.StateClosed)
		c.Hangup(o.t)
		o.wants([]string{"in 13800138000 Zhang San for 700: alerting cleared, rejected by local"},
			[]string{"in 13800138000 Zhang San for 700: alerting cleared, abandoned by remote"})
	}},
	{"queue-of-local-members", func(o *office) {
		c := o.Call(o.t, customer, "Zhang San", "601", nil)
		o.until(agent, 0, cti.Alerting)
		o.do("answer", o.Colleague.Answer)
		o.until(colleague, 0, cti.Connected)
		c.Hangup(o.t)
		o.wants([]string{"in 13800138000 Zhang San for 601 of queue sales: alerting cleared, answered_elsewhere by system"},
			[]string{"in 13800138000 Zhang San for 601 of queue sales: alerting connected cleared, normal by remote"})
	}},
	{"queue-of-local-members-abandoned", func(o *office) {
		c := o.Call(o.t, customer, "Zhang San", "601", nil)
		o.until(agent, 0, cti.Alerting)
		c.Hangup(o.t)
		o.wants([]string{"in 13800138000 Zhang San for 601 of queue sales: alerting cleared, abandoned by remote"}, nil)
	}},
	{"ring-group-of-local-members-not-answered", func(o *office) {
		o.Call(o.t, customer, "Zhang San", "701", nil)
		o.wants([]string{"in 13800138000 Zhang San for 701: alerting cleared, no_answer by system"},
			[]string{"in 13800138000 Zhang San for 701: alerting cleared, no_answer by system"})
	}},
	{"ring-group-of-local-members", func(o *office) {
		c := o.Call(o.t, customer, "Zhang San", "701", nil)
		o.until(agent, 0, cti.Alerting)
		o.do("answer", o.Colleague.Answer)
		o.until(colleague, 0, cti.Connected)
		c.Hangup(o.t)
		o.wants([]string{"in 13800138000 Zhang San for 701: alerting cleared, answered_elsewhere by system"},
			[]string{"in 13800138000 Zhang San for 701: alerting connected cleared, normal by remote"})
	}},
	{"blind-transfer-by-phone", func(o *office) {
		c := o.connected()
		o.do("transfer", func(ctx context.Context) error { return o.Agent.Transfer(ctx, o.URI(colleague)) })
		o.do("answer", o.Colleague.Answer)
		o.until(colleague, 0, cti.Connected)
		c.Hangup(o.t)
		o.wants([]string{"in 13800138000 Zhang San for 1001: alerting connected cleared, blind transferrer to 1002, transferred by local"},
			[]string{"in 13800138000 Zhang San for 1001: alerting connected cleared, normal by remote"})
	}},
	{"blind-transfer-by-code", func(o *office) {
		c := o.connected()
		o.tones(o.Agent, "#1")
		o.tones(o.Agent, colleague+"#")
		o.do("answer", o.Colleague.Answer)
		o.until(colleague, 0, cti.Connected)
		c.Hangup(o.t)
		o.wants([]string{"in 13800138000 Zhang San for 1001: alerting connected hold connected cleared, blind transferrer to 1002, transferred by local"},
			[]string{"in 13800138000 Zhang San for 1001: alerting connected cleared, normal by remote"})
	}},
	{"attended-transfer-by-code", func(o *office) {
		c := o.connected()
		o.tones(o.Agent, "*2")
		o.tones(o.Agent, colleague+"#")
		o.do("answer", o.Colleague.Answer)
		o.until(colleague, 0, cti.Connected)
		o.do("complete by hanging up", o.Agent.Hangup)
		o.until(agent, 0, cti.StateClosed)
		c.Hangup(o.t)
		o.wants([]string{"in 13800138000 Zhang San for 1001: alerting connected hold cleared, consult transferrer to 1002, transferred by local"},
			[]string{"in 13800138000 Zhang San for 1002: alerting connected cleared, consult target to , normal by remote"})
	}},
	{"attended-transfer-given-up", func(o *office) {
		c := o.connected()
		o.tones(o.Agent, "*2")
		o.tones(o.Agent, colleague+"#")
		o.do("answer", o.Colleague.Answer)
		o.until(colleague, 0, cti.Connected)
		o.do("hang up", o.Colleague.Hangup)
		o.until(agent, 0, cti.Connected)
		c.Hangup(o.t)
		o.wants([]string{"in 13800138000 Zhang San for 1001: alerting connected hold connected cleared, normal by remote"},
			[]string{"in 1001 1001 for 1002: alerting connected cleared, normal by local"})
	}},
	{"colleague", func(o *office) {
		o.dial(o.Agent, colleague)
		o.do("answer", o.Colleague.Answer)
		o.until(agent, 0, cti.Connected)
		o.do("hang up", o.Colleague.Hangup)
		o.wants([]string{"out 1002: initiated connected cleared, normal by remote"},
			[]string{"in 1001 1001 for 1002: alerting connected cleared, normal by local"})
	}},
	{"consultation-by-phone", func(o *office) {
		c := o.connected()
		o.do("hold", o.Agent.Hold)
		o.until(agent, 0, cti.OnHold)
		o.dial(o.Agent, colleague)
		o.do("answer", o.Colleague.Answer)
		o.until(agent, 1, cti.Connected)
		o.do("hang up", o.Colleague.Hangup)
		o.until(agent, 1, cti.StateClosed)
		o.do("resume", o.Agent.Resume)
		o.until(agent, 0, cti.Connected)
		c.Hangup(o.t)
		o.wants([]string{"in 13800138000 Zhang San for 1001: alerting connected hold connected cleared, normal by remote",
			"out 1002 consultation: initiated connected cleared, normal by remote"},
			[]string{"in 1001 1001 for 1002: alerting connected cleared, normal by local"})
	}},
	{"outbound", func(o *office) {
		o.dial(o.Agent, outside)
		o.do("answer", o.Outside.Answer)
		o.until(agent, 0, cti.Connected)
		o.do("the far end holds", o.Outside.Hold)
		if c := o.until(agent, 0, cti.OnHold); len(c.HeldBy) != 1 || c.HeldBy[0] != cti.ByRemote {
			o.t.Errorf("held by %v, want the far end", c.HeldBy)
		}
		o.do("and lets go", o.Outside.Resume)
		o.until(agent, 0, cti.Connected)
		o.do("hang up", o.Agent.Hangup)
		o.wants([]string{"out 13900139000: initiated connected hold connected cleared, normal by local"}, nil)
	}},
	{"outbound-refused", func(o *office) {
		o.dial(o.Agent, outside)
		o.do("ring", o.Outside.AwaitRing)
		o.do("refuse", o.Outside.Hangup)
		o.wants([]string{"out 13900139000: initiated cleared, busy by remote"}, nil)
	}},
	{"outbound-given-up", func(o *office) {
		o.dial(o.Agent, outside)
		o.do("ring", o.Outside.AwaitRing)
		o.until(agent, 0, cti.Initiated)
		o.do("give up", o.Agent.Hangup)
		o.wants([]string{"out 13900139000: initiated cleared, abandoned by local"}, nil)
	}},
	{"outbound-not-found", func(o *office) {
		o.dial(o.Agent, "12345678")
		o.wants([]string{"out 12345678: initiated cleared, not_found by system"}, nil)
	}},
	{"conference", func(o *office) {
		o.dial(o.Agent, "900")
		o.Call(o.t, customer, "Zhang San", "900", nil).AwaitAnswer(o.t)
		o.until(agent, 0, cti.Connected)
		o.Call(o.t, "13700137000", "Li Si", "900", nil).AwaitAnswer(o.t)
		o.await("a third joins", func() bool { return len(o.calls[o.legs[agent][0]].Parties) > 0 })
		o.do("hang up", o.Agent.Hangup)
		o.wants([]string{"out 13800138000 Zhang San: initiated connected cleared, with [13700137000], normal by local"}, nil)
	}},
	{"supervisor", func(o *office) {
		c := o.connected()
		o.dial(o.Colleague, "555"+agent)
		o.await("the supervisor listens", func() bool {
			return len(o.legs[colleague]) > 0 && o.calls[o.legs[colleague][0]].Purpose == cti.Monitoring
		})
		c.Hangup(o.t)
		o.until(agent, 0, cti.StateClosed)
		o.do("hang up", o.Colleague.Hangup)
		o.wants([]string{"in 13800138000 Zhang San for 1001: alerting connected cleared, normal by remote"},
			[]string{"out 5551001 monitoring: initiated cleared, normal by local"})
	}},
	{"parked-and-fetched", func(o *office) {
		c := o.connected()
		o.tones(o.Agent, "*7")
		o.until(agent, 0, cti.StateClosed)
		o.dial(o.Colleague, "71")
		o.until(colleague, 0, cti.Connected)
		c.Hangup(o.t)
		o.wants([]string{"in 13800138000 Zhang San for 1001: alerting connected cleared, normal by local"},
			[]string{"out 13800138000 Zhang San: initiated connected cleared, normal by remote"})
	}},
	{"pick-up", func(o *office) {
		c := o.Call(o.t, customer, "Zhang San", agent, nil)
		o.until(agent, 0, cti.Alerting)
		o.dial(o.Colleague, "*8"+agent)
		o.until(colleague, 0, cti.Connected)
		c.Hangup(o.t)
		o.wants([]string{"in 13800138000 Zhang San for 1001: alerting cleared, answered_elsewhere by system"},
			[]string{"out 13800138000 Zhang San: initiated connected cleared, normal by remote"})
	}},
	{"withheld", func(o *office) {
		o.Call(o.t, "anonymous", "Anonymous", agent, nil)
		o.do("answer", o.Agent.Answer)
		o.until(agent, 0, cti.Connected)
		o.do("hang up", o.Agent.Hangup)
		o.wants([]string{"in withheld Anonymous for 1001: alerting connected cleared, normal by local"}, nil)
	}},
	{"withheld-but-known", func(o *office) { // the exchange knows who it is, and may tell nobody
		for n, dialled := range []string{agent, "600", "601"} {
			c := o.hiding(dialled)
			o.do("answer", o.Agent.Answer)
			o.until(agent, n, cti.Connected)
			c.Hangup(o.t)
			o.until(agent, n, cti.StateClosed)
		}
		o.wants([]string{"in withheld for 1001: alerting connected cleared, normal by remote",
			"in withheld for 600 of queue support: alerting connected cleared, normal by remote",
			"in withheld for 601 of queue sales: alerting connected cleared, normal by remote"}, nil)
	}},
	{"withheld-but-known-transferred", func(o *office) {
		c := o.hiding(agent)
		o.do("answer", o.Agent.Answer)
		o.until(agent, 0, cti.Connected)
		o.tones(o.Agent, "*2")
		o.tones(o.Agent, colleague+"#")
		o.do("answer", o.Colleague.Answer)
		o.until(colleague, 0, cti.Connected)
		o.do("complete by hanging up", o.Agent.Hangup)
		o.until(agent, 0, cti.StateClosed)
		c.Hangup(o.t)
		o.until(colleague, 0, cti.StateClosed)
	}},
	{"withheld-but-known-picked-up", func(o *office) {
		c := o.hiding(agent)
		o.until(agent, 0, cti.Alerting)
		o.dial(o.Colleague, "*8"+agent)
		o.until(colleague, 0, cti.Connected)
		c.Hangup(o.t)
		o.until(colleague, 0, cti.StateClosed)
	}},
	{"withheld-but-known-conference", func(o *office) {
		o.dial(o.Agent, "900")
		o.hiding("900").AwaitAnswer(o.t)
		o.until(agent, 0, cti.Connected)
		o.hiding("900").AwaitAnswer(o.t)
		o.await("a third joins", func() bool { return o.told(agent, cti.Conferenced) })
		o.do("hang up", o.Agent.Hangup)
		o.until(agent, 0, cti.StateClosed)
	}},
	{"data-and-recording", func(o *office) {
		c := o.Call(o.t, customer, "Zhang San", agent, map[string]string{"X-Order-Id": "A-17"})
		o.do("answer", o.Agent.Answer)
		talk := o.until(agent, 0, cti.Connected)
		if talk.Data["order_id"] != "A-17" || talk.Recording == nil || talk.Recording.Name != talk.Refs[cti.RefJourney]+".wav" {
			o.t.Errorf("data %v, recording %+v; want the order's number, and the journey's id as a file", talk.Data, talk.Recording)
		}
		c.Hangup(o.t)
		o.wants([]string{"in 13800138000 Zhang San for 1001: alerting connected cleared, normal by remote"}, nil)
	}},
	{"click-to-dial", func(o *office) {
		o.click(outside)
		o.do("answer", o.Agent.Answer)
		o.do("answer", o.Outside.Answer)
		o.until(agent, 0, cti.Connected)
		o.do("hang up", o.Outside.Hangup)
		o.wants([]string{"out 13900139000 clicked: initiated connected cleared, normal by remote"}, nil)
	}},
	{"click-to-dial-refused-by-the-agent", func(o *office) {
		o.click(outside)
		o.do("ring", o.Agent.AwaitRing)
		o.do("refuse", o.Agent.Hangup)
		o.wants([]string{"out 13900139000 clicked: initiated cleared, rejected by local"}, nil)
	}},
	{"click-to-dial-not-taken-up", func(o *office) {
		o.exchange.RingFor(1)
		o.click(outside)
		o.wants([]string{"out 13900139000 clicked: initiated cleared, no_answer by local"}, nil)
	}},
	{"click-to-dial-refused", func(o *office) {
		o.click(outside)
		o.do("answer", o.Agent.Answer)
		o.do("ring", o.Outside.AwaitRing)
		o.do("refuse", o.Outside.Hangup)
		o.wants([]string{"out 13900139000 clicked: initiated cleared, busy by remote"}, nil)
	}},
	{"click-to-dial-given-up", func(o *office) {
		o.click(outside)
		o.do("answer", o.Agent.Answer)
		o.do("ring", o.Outside.AwaitRing)
		o.do("give up", o.Agent.Hangup)
		o.wants([]string{"out 13900139000 clicked: initiated cleared, abandoned by local"}, nil)
	}},
	{"click-to-dial-given-up-by-command", func(o *office) {
		o.click(outside)
		o.do("answer", o.Agent.Answer)
		o.do("ring", o.Outside.AwaitRing)
		o.do("give up", func(ctx context.Context) error {
			return o.exchange.Phone(agent).Hangup(ctx, o.until(agent, 0, cti.Initiated))
		})
		o.wants([]string{"out 13900139000 clicked: initiated cleared, abandoned by local"}, nil)
	}},
	{"click-to-dial-a-colleague", func(o *office) {
		o.click(colleague)
		o.do("answer", o.Agent.Answer)
		o.do("answer", o.Colleague.Answer)
		o.until(agent, 0, cti.Connected)
		o.do("hang up", o.Agent.Hangup)
		o.wants([]string{"out 1002 clicked: initiated connected cleared, normal by local"},
			[]string{"in 1001 1001 for 1002: alerting connected cleared, normal by remote"})
	}},
}

var record = flag.Bool("record", false, "write what the real Asterisk sends in each story to testdata/recorded")

func TestStoriesOfARealAsterisk(t *testing.T) {
	for _, s := range stories {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t, asterisktest.Options{})
			s.play(o)
			if strings.HasPrefix(s.name, "withheld") {
				o.discreet()
			}
			if *record && !t.Failed() {
				var file bytes.Buffer
				for _, f := range o.record() {
					if err := json.NewEncoder(&file).Encode(f); err != nil {
						t.Fatal(err)
					}
				}
				if err := os.WriteFile(filepath.Join("testdata", "recorded", s.name+".jsonl"), file.Bytes(), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// What a connection in the midst of calls is told of them, also by an exchange that knows nothing of before.
func TestListsOfARealAsterisk(t *testing.T) {
	for _, s := range []struct {
		name string
		play func(o *office)
	}{
		{"rings, talks, holds, ends", func(o *office) {
			c := o.Call(o.t, customer, "Zhang San", agent, nil)
			o.until(agent, 0, cti.Alerting)
			o.listed([]string{"call.delivered in 13800138000 Zhang San"}, nil)
			o.do("answer", o.Agent.Answer)
			o.until(agent, 0, cti.Connected)
			o.listed([]string{"call.established in 13800138000 Zhang San"}, nil)
			o.do("hold", o.Agent.Hold)
			o.until(agent, 0, cti.OnHold)
			o.relisted([]string{"call.held in 13800138000 Zhang San"}, nil)
			c.Hangup(o.t)
			o.wants([]string{"in 13800138000 Zhang San for 1001: alerting connected hold cleared, normal by remote"}, nil)
			o.listed(nil, nil)
		}},
		{"a caller who is withheld", func(o *office) {
			c := o.hiding(agent)
			o.until(agent, 0, cti.Alerting)
			o.listed([]string{"call.delivered in withheld"}, nil)
			o.do("answer", o.Agent.Answer)
			o.until(agent, 0, cti.Connected)
			o.listed([]string{"call.established in withheld"}, nil)
			c.Hangup(o.t)
			o.wants([]string{"in withheld for 1001: alerting connected cleared, normal by remote"}, nil)
			c = o.hiding("602")
			o.until(agent, 1, cti.Alerting)
			o.relisted([]string{"call.delivered in withheld of queue patient"}, nil)
			o.strange([]string{"call.delivered in withheld"}, nil)
			o.do("answer", o.Agent.Answer)
			o.until(agent, 1, cti.Connected)
			o.listed([]string{"call.established in withheld of queue patient"}, nil)
			c.Hangup(o.t)
			o.until(agent, 1, cti.StateClosed)
			o.discreet()
		}},
		{"a queue", func(o *office) {
			c := o.Call(o.t, customer, "Zhang San", "600", nil)
			o.until(agent, 0, cti.Alerting)
			o.do("answer", o.Agent.Answer)
			o.until(agent, 0, cti.Connected)
			o.listed([]string{"call.established in 13800138000 Zhang San of queue support"}, nil)
			c.Hangup(o.t)
			o.wants([]string{"in 13800138000 Zhang San for 600 of queue support: alerting connected cleared, normal by remote"}, nil)
		}},
		{"dials", func(o *office) {
			o.dial(o.Agent, outside)
			o.do("ring", o.Outside.AwaitRing)
			o.until(agent, 0, cti.Initiated)
			o.await("it rings there", func() bool { return !o.calls[o.legs[agent][0]].DeliveredAt.IsZero() })
			o.relisted([]string{"call.delivered out 13900139000"}, nil)
			o.strange([]string{"call.originated out 13900139000"}, nil)
			o.do("answer", o.Outside.Answer)
			o.until(agent, 0, cti.Connected)
			o.listed([]string{"call.established out 13900139000"}, nil)
			o.do("hang up", o.Agent.Hangup)
			o.wants([]string{"out 13900139000: initiated connected cleared, normal by local"}, nil)
		}},
		{"dials a colleague", func(o *office) {
			o.dial(o.Agent, colleague)
			o.until(colleague, 0, cti.Alerting)
			o.await("it rings there", func() bool { return !o.calls[o.legs[agent][0]].DeliveredAt.IsZero() })
			o.relisted([]string{"call.delivered out 1002"}, []string{"call.delivered in 1001 1001"})
			o.strange([]string{"call.originated out 1002"}, []string{"call.delivered in 1001 1001"})
			o.do("answer", o.Colleague.Answer)
			o.until(agent, 0, cti.Connected)
			o.until(colleague, 0, cti.Connected)
			o.listed([]string{"call.established out 1002"}, []string{"call.established in 1001 1001"})
			o.do("hang up", o.Agent.Hangup)
			o.wants([]string{"out 1002: initiated connected cleared, normal by local"},
				[]string{"in 1001 1001 for 1002: alerting connected cleared, normal by remote"})
		}},
		{"clicks", func(o *office) {
			o.click(outside)
			o.do("ring", o.Agent.AwaitRing)
			o.until(agent, 0, cti.Initiated)
			o.listed([]string{"call.originated out 13900139000 clicked"}, nil)
			o.do("answer", o.Agent.Answer)
			o.await("it rings there", func() bool { return !o.calls[o.legs[agent][0]].DeliveredAt.IsZero() })
			o.relisted([]string{"call.delivered out 13900139000 clicked"}, nil)
			o.strange([]string{"call.originated out 13900139000 clicked"}, nil)
			o.do("answer", o.Outside.Answer)
			o.until(agent, 0, cti.Connected)
			o.listed([]string{"call.established out 13900139000 clicked"}, nil)
			o.do("hang up", o.Outside.Hangup)
			o.wants([]string{"out 13900139000 clicked: initiated connected cleared, normal by remote"}, nil)
		}},
		{"a supervisor listens", func(o *office) {
			c := o.connected()
			o.dial(o.Colleague, "555"+agent)
			o.await("the supervisor listens", func() bool {
				return len(o.legs[colleague]) > 0 && o.calls[o.legs[colleague][0]].Purpose == cti.Monitoring
			})
			o.listed([]string{"call.established in 13800138000 Zhang San"}, []string{"call.originated out 5551001 monitoring"})
			c.Hangup(o.t)
			o.until(agent, 0, cti.StateClosed)
			o.do("hang up", o.Colleague.Hangup)
			o.wants([]string{"in 13800138000 Zhang San for 1001: alerting connected cleared, normal by remote"},
				[]string{"out 5551001 monitoring: initiated cleared, normal by local"})
		}},
		{"a conference", func(o *office) {
			o.dial(o.Agent, "900")
			o.Call(o.t, customer, "Zhang San", "900", nil).AwaitAnswer(o.t)
			o.until(agent, 0, cti.Connected)
			o.listed([]string{"call.established out 13800138000 Zhang San"}, nil)
			o.do("hang up", o.Agent.Hangup)
			o.wants([]string{"out 13800138000 Zhang San: initiated connected cleared, normal by local"}, nil)
		}},
		{"parked", func(o *office) {
			c := o.connected()
			o.tones(o.Agent, "*7")
			o.until(agent, 0, cti.StateClosed)
			o.listed(nil, nil)
			o.dial(o.Agent, "71")
			o.until(agent, 1, cti.Connected)
			o.listed([]string{"call.established out 13800138000 Zhang San"}, nil)
			c.Hangup(o.t)
			o.wants([]string{"in 13800138000 Zhang San for 1001: alerting connected cleared, normal by local",
				"out 13800138000 Zhang San: initiated connected cleared, normal by remote"}, nil)
		}},
		{"asks a colleague by code", func(o *office) {
			c := o.connected()
			o.tones(o.Agent, "*2")
			o.tones(o.Agent, colleague+"#")
			o.do("answer", o.Colleague.Answer)
			o.until(colleague, 0, cti.Connected)
			o.relisted([]string{"call.held in 13800138000 Zhang San"}, []string{"call.established in 1001 1001"})
			o.do("hang up", o.Colleague.Hangup)
			o.until(agent, 0, cti.Connected)
			c.Hangup(o.t)
			o.wants([]string{"in 13800138000 Zhang San for 1001: alerting connected hold connected cleared, normal by remote"},
				[]string{"in 1001 1001 for 1002: alerting connected cleared, normal by local"})
		}},
	} {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			s.play(newOffice(t, asterisktest.Options{}))
		})
	}
}

// What a phone answers, and what Asterisk makes of it: Dial says NOANSWER of everything that is neither busy nor congestion nor a way that is not there.
func TestRefusalsAtARealAsterisk(t *testing.T) {
	for _, test := range []struct{ status, in, out string }{
		{"486 Busy Here", "rejected by local", "busy by remote"},
		{"603 Decline", "rejected by local", "rejected by remote"},
		{"404 Not Found", "no_answer by system", "not_found by system"},
		{"480 Temporarily Unavailable", "no_answer by system", "no_answer by remote"},
		{"503 Service Unavailable", "network by system", "network by system"},
	} {
		t.Run(test.status, func(t *testing.T) {
			refuser := asterisktest.Refuser(t, test.status)
			a := asterisktest.Start(t, asterisktest.Options{Phones: map[string]string{agent: refuser}, Trunk: refuser})
			x := ofReal(t, a, a.ARI(), "", nil)
			o := &office{World: &asterisktest.World{Asterisk: a}, booked: book(t, x), exchange: x}
			a.Call(t, customer, "Zhang San", agent, nil)
			o.until(agent, 0, cti.StateClosed)
			a.Call(t, agent, "Agent", outside, nil)
			o.wants([]string{"in 13800138000 Zhang San for 1001: alerting cleared, " + test.in, "out 13900139000: initiated cleared, " + test.out}, nil)
		})
	}
}

// A user that may only read is told everything, and can do nothing.
func TestReadOnlyAtARealAsterisk(t *testing.T) {
	o := newOffice(t, asterisktest.Options{ReadOnly: true})
	c := o.connected()
	o.listed([]string{"call.established in 13800138000 Zhang San"}, nil)
	talk := o.until(agent, 0, cti.Connected)
	phone := o.exchange.Phone(agent)
	for name, err := range map[string]error{"hang up": phone.Hangup(t.Context(), talk), "dial": phone.Dial(t.Context(), outside)} {
		if cti.KindOf(err) != cti.Denied || cti.MessageOf(err) == "" {
			t.Errorf("%s: %v, want denied", name, err)
		}
	}
	c.Hangup(t)
	o.wants([]string{"in 13800138000 Zhang San for 1001: alerting connected cleared, normal by remote"}, nil)
}

// The number is shown at the agent's phone, and who is called sees the agent's.
func TestClickToDialAtARealAsteriskCallsInTheAgentsName(t *testing.T) {
	o := newOffice(t, asterisktest.Options{})
	o.click(outside)
	o.do("ring", o.Agent.AwaitRing)
	shown := func(p *phonetest.Running) string {
		t.Helper()
		var calls string
		o.do("look", func(ctx context.Context) (err error) { calls, err = p.Calls(ctx); return err })
		return calls
	}
	if calls := shown(o.Agent); !strings.Contains(calls, "sip:"+outside+"@") {
		t.Errorf("the agent's phone shows %q, want %s", calls, outside)
	}
	o.do("answer", o.Agent.Answer)
	o.do("ring", o.Outside.AwaitRing)
	if calls := shown(o.Outside); !strings.Contains(calls, "sip:"+agent+"@") {
		t.Errorf("the phone that is called shows %q, want %s", calls, agent)
	}
}
