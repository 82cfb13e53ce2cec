package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"ringside.dev/ringside/app/crm/sandbox"
)

// chainTimes is the whole chain: what the phone writes on its wire, until the call's record is readable in the CRM, in milliseconds.
type chainTimes struct {
	readable, crm    spread
	lost, duplicates int
}

// chainRun lets a phone ring, be answered and hung up at once, one call after the other: so the figure is the chain's alone, and no call's length is in it.
func chainRun(ctx context.Context, n int) (chainTimes, error) {
	p, err := newPhone()
	if err != nil {
		return chainTimes{}, err
	}
	defer p.close()
	a, err := startAgentAt(ctx, "{source: baresip, address: "+strconv.Quote(p.address)+`, extension: "1001"}`, "build/bin/ringctl", "run")
	if err != nil {
		return chainTimes{}, err
	}
	defer a.stop()
	var times []float64
	seen := 0 // the sandbox's calls, in the order they came
	for i := range n {
		number := fmt.Sprintf("1370013%04d", i)
		began := time.Now()
		for _, kind := range []string{"CALL_INCOMING", "CALL_ESTABLISHED", "CALL_CLOSED"} {
			if err := p.tell(kind, number); err != nil {
				return chainTimes{}, err
			}
		}
		late := time.After(20 * time.Second)
		for !slices.ContainsFunc(a.crm.Calls()[seen:], func(c sandbox.Call) bool { return strings.HasSuffix(c.Number, number) }) {
			select {
			case <-late:
				return chainTimes{}, fmt.Errorf("the record of %s did not come: %s", number, a.log.String())
			case <-time.After(time.Millisecond): // a bench may; it is the error of the figure
			}
		}
		times = append(times, float64(time.Since(began).Microseconds())/1000)
		seen = len(a.crm.Calls())
	}
	r := chainTimes{readable: spreadOf(times)}
	records := map[string]int{}
	for _, c := range a.crm.Calls() {
		records[c.Number[max(0, len(c.Number)-11):]]++
	}
	for i := range n {
		switch got := records[fmt.Sprintf("1370013%04d", i)]; {
		case got == 0:
			r.lost++
		case got > 1:
			r.duplicates += got - 1
		}
	}
	var answers []float64
	for _, d := range a.crm.AnswerTimes()["PUT /api/calls/by-key/{key}"] {
		answers = append(answers, float64(d.Microseconds())/1000)
	}
	if len(answers) == 0 {
		return chainTimes{}, fmt.Errorf("the sandbox was never told of a call")
	}
	r.crm = spreadOf(answers)
	return r, nil
}

// phone is a baresip's ctrl_tcp: netstrings of JSON, replies without a call in them, and the events it is told to send.
type phone struct {
	listener net.Listener
	address  string
	mu       sync.Mutex
	conn     net.Conn
	there    chan struct{}
}

func newPhone() (*phone, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &phone{listener: l, address: l.Addr().String(), there: make(chan struct{})}
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return // closed
		}
		p.conn = conn
		close(p.there)
		p.obey(bufio.NewReader(conn))
	}()
	return p, nil
}

func (p *phone) close() { _ = p.listener.Close() } // nothing was written to it

func (p *phone) obey(in *bufio.Reader) {
	for {
		size, err := in.ReadString(':')
		length, convErr := strconv.Atoi(strings.TrimSuffix(size, ":"))
		if err != nil || convErr != nil {
			return // the agent has gone
		}
		raw := make([]byte, length+1) // and the comma
		if _, err := io.ReadFull(in, raw); err != nil {
			return
		}
		var order struct{ Command, Token string }
		if json.Unmarshal(raw[:length], &order) != nil {
			return
		}
		data := ""
		switch order.Command {
		case "reginfo":
			data = "\n--- User Agents (1) ---\n> sip:1001@pbx\n\n"
		case "listcalls":
			data = "\n--- Active calls (0) ---\n\n"
		}
		if p.send(map[string]any{"response": true, "ok": true, "data": data, "token": order.Token}) != nil {
			return
		}
	}
}

func (p *phone) tell(kind, number string) error {
	<-p.there
	return p.send(map[string]any{"event": true, "type": kind, "class": "call", "accountaor": "sip:1001@pbx", "direction": "incoming",
		"peeruri": "sip:" + number + "@pbx", "id": "call-" + number, "param": ""})
}

func (p *phone) send(message map[string]any) error {
	raw, err := json.Marshal(message)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	_, err = fmt.Fprintf(p.conn, "%d:%s,", len(raw), raw)
	return err
}
