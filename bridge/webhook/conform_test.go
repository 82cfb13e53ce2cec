package webhook_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge"
	"ringside.dev/ringside/bridge/sourcetest"
	"ringside.dev/ringside/bridge/webhook"
)

var _ bridge.Exchange = (*webhook.Exchange)(nil)

const token = "test-key-0123456789abcdef"

// agentID is the one agent of the small cloud.
const agentID = 397

// cloud is a call centre that pushes as Udesk documents it: a call's whole state each time, and again until it is answered with 200.
type cloud struct {
	mu       sync.Mutex
	wake     *sync.Cond
	address  string
	queue    [][]byte
	ended    bool
	disorder bool
	calls    int
	last     map[string]any // the call that ended last
	byID     map[string]map[string]any
}

func newCloud(t *testing.T) *cloud {
	t.Helper()
	c := &cloud{byID: map[string]map[string]any{}}
	c.wake = sync.NewCond(&c.mu)
	var pushing sync.WaitGroup
	pushing.Go(c.push)
	t.Cleanup(func() {
		c.mu.Lock()
		c.ended = true
		c.wake.Broadcast()
		c.mu.Unlock()
		pushing.Wait()
	})
	return c
}

func (c *cloud) push() {
	client := &http.Client{Timeout: 15 * time.Second}
	defer client.CloseIdleConnections()
	for {
		c.mu.Lock()
		for !c.ended && (len(c.queue) == 0 || c.address == "") {
			c.wake.Wait()
		}
		if c.ended {
			c.mu.Unlock()
			return
		}
		body, url := c.queue[0], "http://"+c.address+"/udesk?token="+token
		c.mu.Unlock()
		r, err := client.Post(url, "application/json", bytes.NewReader(body))
		if err == nil {
			_ = r.Body.Close()
		}
		if err != nil || r.StatusCode != http.StatusOK {
			pause := time.NewTimer(20 * time.Millisecond) // a vendor waits longer
			<-pause.C
			continue
		}
		c.mu.Lock()
		c.queue = c.queue[1:]
		c.mu.Unlock()
	}
}

// tell changes a call and pushes it; in disorder everything comes twice, and what was before comes again after it.
func (c *cloud) tell(t *testing.T, call map[string]any, facts map[string]any) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	before, err := json.Marshal(call)
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(call, facts)
	now, err := json.Marshal(call)
	if err != nil {
		t.Fatal(err)
	}
	c.queue = append(c.queue, now)
	if c.disorder {
		c.queue = append(c.queue, now, before, now)
	}
	c.wake.Broadcast()
}

func stamp() string {
	return time.Now().In(time.FixedZone("", 8*3600)).Format("2006-01-02 15:04:05 -0700")
}

func (c *cloud) ring(t *testing.T, r sourcetest.Ringer) sourcetest.Caller {
	t.Helper()
	c.mu.Lock()
	c.calls++
	id := fmt.Sprintf("%d/%d", c.calls, agentID)
	call := map[string]any{"call_id": fmt.Sprint("case-", c.calls), "conversation_id": c.calls, "agent_id": agentID, "workflow": "in",
		"customer_phone": r.Number, "nick_name": r.Name, "display_number": "01086465040", "ivr_variables": r.Data}
	c.byID[id] = call
	c.mu.Unlock()
	c.tell(t, call, map[string]any{"agent_ring_at": stamp()})
	data := map[string]string{}
	if text := r.Data["X-Order-Id"]; text != "" {
		data = map[string]string{"order_id": text, "level": r.Data["X-Level"]}
	}
	return sourcetest.Caller{Number: r.Number, Data: data, Hangup: func(t *testing.T) { t.Helper(); c.hangup(t, call, "customer", "客户速挂") }}
}

func (c *cloud) hangup(t *testing.T, call map[string]any, side, result string) {
	t.Helper()
	c.mu.Lock()
	c.last = call
	if call["agent_answer_at"] != nil {
		result = "客服接听"
	}
	c.mu.Unlock()
	c.tell(t, call, map[string]any{"agent_hangup_at": stamp(), "customer_hangup_at": stamp(), "drop_side": side, "call_result": result})
}

func (c *cloud) of(t *testing.T, call cti.Call) map[string]any {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	one := c.byID[call.Refs["vendor_udesk"]]
	if one == nil {
		t.Fatalf("the cloud has no call %v", call.Refs)
	}
	return one
}

func rig(t *testing.T) sourcetest.Rig {
	t.Helper()
	v, err := webhook.Load("udesk")
	if err != nil {
		t.Fatal(err)
	}
	x, err := webhook.New(webhook.Options{Vendor: v, Listen: "127.0.0.1:0", Secret: func(string) (string, error) { return token, nil }})
	if err != nil {
		t.Fatal(err)
	}
	c := newCloud(t)
	x.OnListen(func(a net.Addr) {
		c.mu.Lock()
		c.address = a.String()
		c.wake.Broadcast()
		c.mu.Unlock()
	})
	return sourcetest.Rig{
		Source: bridge.Extension(x, fmt.Sprint(agentID)), NoSnapshot: true,
		Ring: func(t *testing.T, name string) sourcetest.Caller {
			t.Helper()
			return c.ring(t, sourcetest.Ringer{Number: fmt.Sprintf("1380013%04d", c.count()), Name: name})
		},
		RingWith: c.ring,
		Recorded: func(t *testing.T) string {
			t.Helper()
			c.tell(t, c.last, map[string]any{"record_url": "https://record.example.com/1.mp3"})
			return "https://record.example.com/1.mp3"
		},
		Disorder: func(*testing.T) { c.disorder = true },
		Agent: sourcetest.Agent{
			Answer: func(t *testing.T, call cti.Call) {
				t.Helper()
				c.tell(t, c.of(t, call), map[string]any{"agent_answer_at": stamp(), "customer_answer_at": stamp()})
			},
			Reject: func(t *testing.T, call cti.Call) { t.Helper(); c.hangup(t, c.of(t, call), "agent", "客服拒接") },
			Hangup: func(t *testing.T, call cti.Call) { t.Helper(); c.hangup(t, c.of(t, call), "agent", "客服拒接") },
		},
	}
}

func (c *cloud) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls
}

func TestACloudThatPushesConforms(t *testing.T) { sourcetest.Run(t, rig) }

func TestAnExchangeTakesNoCommands(t *testing.T) {
	if can := rig(t).Source.Phone().Abilities(); slices.Compact(can) != nil {
		t.Errorf("it offers %v, and no push can carry that out", can)
	}
}

func TestLatency(t *testing.T) { sourcetest.Latency(t, rig) }
