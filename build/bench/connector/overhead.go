package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"time"

	"ringside.dev/ringside/app/crm"
	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/number"
)

// siteMapping reads three fields of the site's own.
const siteMapping = `apiVersion: ringside.dev/v1
kind: Mapping
fields:
  customer:
    - {field: contract, from: customer.data.Contract, direction: read, type: enum, values: {Gold: g, Silver: s}}
    - {field: renewal, from: customer.data.Renewal, direction: read, type: time, zone: Asia/Shanghai}
    - {field: branch, from: customer.data.Branch, direction: read}
`

// person is a customer as the training CRM answers, for the code by hand.
type person struct {
	ID           string    `json:"id"`
	Name         string    `json:"name"`
	Company      string    `json:"company"`
	Email        string    `json:"email"`
	Phones       []phone   `json:"phones"`
	Tags         []string  `json:"tags"`
	Status       string    `json:"status"`
	Owner        owner     `json:"owner"`
	OpenTickets  int       `json:"open_tickets"`
	LastActivity time.Time `json:"last_activity_at"`
	Version      int       `json:"version"`
	Fields       fields    `json:"fields"`
}

type phone struct {
	Label  string `json:"label"`
	Number string `json:"number"`
}

type owner struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

type fields struct {
	Contract string `json:"contract"`
	Renewal  string `json:"renewal"`
	Branch   string `json:"branch"`
}

// answer is what a CRM says to a look-up by the last eight digits: five candidates, one of whom has the number.
func answer() ([]byte, error) {
	var page struct {
		Items []person `json:"items"`
	}
	for i := range 5 {
		page.Items = append(page.Items, person{
			ID: fmt.Sprintf("c_%06d", i), Name: "陈丽华", Company: "上海远景物流有限公司", Email: "lihua.chen@yuanjing.example", Tags: []string{"VIP", "物流"},
			Phones: []phone{{"mobile", fmt.Sprintf("13%d 0013 8000", 8-i)}, {"office", "021-6555 0134"}}, Status: "active", Owner: owner{"u_01", "Lin Yue"},
			OpenTickets: 2, LastActivity: time.Now().UTC(), Version: 7, Fields: fields{"g", "2026-12-31T00:00:00Z", "Pudong"},
		})
	}
	return json.Marshal(page)
}

// canned answers at once: what is left is the engine.
type canned []byte

func (c canned) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r, ContentLength: int64(len(c)),
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(c))}, nil
}

type overhead struct{ engine, byHand spread }

func overheadRun(ctx context.Context, n int) (overhead, error) {
	body, err := answer()
	if err != nil {
		return overhead{}, err
	}
	file, err := os.CreateTemp("", "mapping-*.yaml")
	if err != nil {
		return overhead{}, err
	}
	defer func() { _ = os.Remove(file.Name()) }() // a temporary file
	if _, err := file.WriteString(siteMapping); err != nil {
		return overhead{}, err
	}
	if err := file.Close(); err != nil {
		return overhead{}, err
	}
	client := &http.Client{Transport: canned(body)}
	e, err := crm.Open(crm.Config{Connector: "sandbox", Params: map[string]string{"base_url": "http://127.0.0.1:1", "token": "token"}, Region: "CN",
		Mapping: file.Name(), HTTP: client, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return overhead{}, err
	}
	defer e.Close()
	wanted := number.Parse("+8613800138000", "CN")
	engine, err := timed(n, func() (int, error) {
		found, err := e.Lookup(ctx, wanted)
		return len(found), err
	})
	if err != nil {
		return overhead{}, err
	}
	byHand, err := timed(n, func() (int, error) { return handWritten(ctx, client, wanted) })
	return overhead{engine, byHand}, err
}

func timed(n int, look func() (found int, err error)) (spread, error) {
	times := make([]float64, 0, n)
	for range n {
		began := time.Now()
		found, err := look()
		if err != nil {
			return spread{}, err
		}
		if found != 1 {
			return spread{}, fmt.Errorf("%d customers were found, want one", found)
		}
		times = append(times, float64(time.Since(began).Nanoseconds())/1e6)
	}
	return spreadOf(times), nil
}

// handWritten is the yardstick: the same question, its answer read into a struct, the same comparison of numbers.
func handWritten(ctx context.Context, client *http.Client, n cti.Number) (int, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1:1/api/contacts?phone="+n.Key[len(n.Key)-8:], nil)
	if err != nil {
		return 0, err
	}
	res, err := client.Do(r)
	if err != nil {
		return 0, err
	}
	var page struct {
		Items []person `json:"items"`
	}
	err = json.NewDecoder(res.Body).Decode(&page)
	if closed := res.Body.Close(); err == nil {
		err = closed
	}
	found := 0
	for _, p := range page.Items {
		for _, one := range p.Phones {
			if number.Parse(one.Number, "CN").E164 == n.E164 {
				found++
			}
		}
	}
	return found, err
}
