package crm_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"ringside.dev/ringside/app/number"
)

func TestLookupKeepsOnlyCandidatesWhoseNumberFits(t *testing.T) {
	for _, c := range []struct {
		name, asked string
		phones      any
		want        int
	}{
		{"the same in another spelling", "+442079460123", []string{"020 7946 0123"}, 1},
		{"one of several", "+442079460123", []string{"020 7946 0999", "(020) 7946-0123"}, 1},
		{"a single value instead of a list", "+442079460123", "020 7946 0123", 1},
		{"only the tail is the same", "+442079460123", []string{"0117 946 0123"}, 0},
		{"national equal, both countries written out", "+442079460123", []string{"+49 2079460123"}, 0},
		{"the CRM holds the local part only", "+442079460123", []string{"7946 0123"}, 1},
		{"a short number inside a long one", "+442079460123", []string{"0123"}, 0},
		{"no number at all", "+442079460123", []string{}, 0},
		{"false for no number", "+442079460123", false, 0},
		{"anonymous", "+442079460123", []string{"anonymous"}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			body, err := json.Marshal(map[string]any{"items": []any{map[string]any{"id": 1, "name": "Ada", "phones": c.phones}}})
			if err != nil {
				t.Fatal(err)
			}
			found, err := open(t, serve(t, answer(200, "application/json", string(body)))).Lookup(t.Context(), number.Parse(c.asked, "GB"))
			if err != nil || len(found) != c.want {
				t.Errorf("found %+v, %v; want %d", found, err, c.want)
			}
		})
	}
}

func TestBlankOKKeepsCandidatesWithoutNumbersAndOffKeepsAll(t *testing.T) {
	base := serve(t, answer(200, "application/json", `{"items":[{"id":1,"name":"Blank"},{"id":2,"name":"Other","phones":["0117 946 0999"]}]}`))
	for verify, want := range map[string]int{"strict": 0, "blank_ok": 1, "off": 2} {
		e := open(t, base, "errors: []", fmt.Sprintf("phone: {verify: %s}", verify))
		found, err := e.Lookup(t.Context(), someNumber())
		if err != nil || len(found) != want {
			t.Errorf("%s: found %+v, %v; want %d", verify, found, err, want)
		}
	}
}

func TestLongIDsStayWhole(t *testing.T) {
	base := serve(t, answer(200, "application/json", `{"items":[{"id":90071992547409931,"name":"Big","phones":["02079460123"]}]}`))
	found, err := open(t, base).Lookup(t.Context(), someNumber())
	if err != nil || len(found) != 1 || found[0].ID != "90071992547409931" {
		t.Errorf("found %+v, %v", found, err)
	}
}

func TestExtensionsAreNotLookedUp(t *testing.T) {
	base := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("the CRM was asked") })
	if found, err := open(t, base).Lookup(t.Context(), number.Parse("204", "GB")); err != nil || found != nil {
		t.Errorf("found %+v, %v", found, err)
	}
}

func TestDeepLinksAreEscapedAndFenced(t *testing.T) {
	e := open(t, "https://crm.example.com")
	link, err := e.Features().DeepLink("contact", `../admin?x=1&y`)
	if want := `https://crm.example.com/people/..%2Fadmin%3Fx=1&y?tab=..%2Fadmin%3Fx%3D1%26y`; err != nil || link != want {
		t.Errorf("the link is %q, %v; want %q", link, err, want)
	}
	for _, id := range []string{"", ".", ".."} {
		if link, err := e.Features().DeepLink("contact", id); err == nil {
			t.Errorf("id %q gives %q", id, link)
		}
	}
	if _, err := e.Features().DeepLink("ticket", "1"); err == nil {
		t.Error("a link that the connector does not have was given")
	}
	out := open(t, "https://crm.example.com", `contact: "${param.base_url}/people`, `contact: "https://evil.example.com/people`)
	if link, err := out.Features().DeepLink("contact", "1"); err == nil {
		t.Errorf("the link leaves the fence: %q", link)
	}
}
