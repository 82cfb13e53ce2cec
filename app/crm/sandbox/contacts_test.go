package sandbox

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

func search(c *client, spelled string) []string {
	c.t.Helper()
	r := c.do(http.StatusOK, "GET", "/api/contacts?limit=500&phone="+url.QueryEscape(spelled), "")
	ids := []string{}
	for _, v := range read[list[contactView]](c.t, r).Items {
		ids = append(ids, v.ID)
	}
	return ids
}

func TestPhoneSearchFindsEverySpellingAndNobodyElse(t *testing.T) {
	c := dial(t, begin(t, Options{}))
	for _, w := range []struct {
		want    []string
		spelled []string
	}{
		{[]string{"c_000001"}, []string{"13800138000", "+8613800138000", "0086 138 0013 8000", "013800138000", "138-0013-8000", "１３８００１３８０００"}},
		{[]string{"c_000001"}, []string{"02165550134", "+862165550134", "65550134", "(021) 6555-0134", "0086-21-6555 0134"}},
		{[]string{"c_000002"}, []string{"+447700900123", "07700 900123", "00447700900123", "447700900123", "+44 (0)7700 900 123"}},
		{[]string{"c_000003", "c_000004"}, []string{"+442079460999", "020 7946 0999", "79460999", "00442079460999", "2079460999"}},
		{[]string{}, []string{"13800138001", "99999999", "02165550135", "+447700900124x0"}},
	} {
		for _, spelled := range w.spelled {
			if got := search(c, spelled); !slices.Equal(got, w.want) {
				t.Errorf("%s finds %v, want %v", spelled, got, w.want)
			}
		}
	}
	wantRefusal(t, c.do(http.StatusUnprocessableEntity, "GET", "/api/contacts?phone=8000", ""), "invalid", "phone")
	wantRefusal(t, c.do(http.StatusUnprocessableEntity, "GET", "/api/contacts?phone=", ""), "invalid", "phone")
}

func TestNameSearchLooksAtNameMailAndCompany(t *testing.T) {
	c := dial(t, begin(t, Options{}))
	for _, words := range []string{"陈丽华", "LIHUA.CHEN", "上海远景"} {
		r := c.do(http.StatusOK, "GET", "/api/contacts?q="+url.QueryEscape(words), "")
		if got := read[list[contactView]](t, r).Items; len(got) != 1 || got[0].ID != "c_000001" {
			t.Errorf("%s finds %s", words, r.body)
		}
	}
}

func TestContactIsCreatedPatchedAndTagged(t *testing.T) {
	s := begin(t, Options{})
	c := dial(t, s)
	v := read[contactView](t, c.do(http.StatusCreated, "POST", "/api/contacts",
		`{"name":"新来的","company_id":"co_0001","phones":[{"label":"mobile","number":"199 0000 0001"}]}`))
	if v.Company != "上海远景物流有限公司" || v.URL != s.URL()+"/contacts/"+v.ID || v.Status != "active" || v.Owner.ID == "" {
		t.Fatalf("created %+v", v)
	}
	c.do(http.StatusOK, "PATCH", "/api/contacts/"+v.ID, `{"status":"inactive"}`)
	tags := "/api/contacts/" + v.ID + "/tags/" + url.PathEscape("新 客户")
	for range 2 {
		v = read[contactView](t, c.do(http.StatusOK, "PUT", tags, ""))
	}
	if v.Name != "新来的" || v.Status != "inactive" || !slices.Equal(v.Tags, []string{"新 客户"}) {
		t.Fatalf("after patch and tag %+v", v)
	}
	if v = read[contactView](t, c.do(http.StatusOK, "DELETE", tags, "")); len(v.Tags) != 0 {
		t.Fatalf("tags %v", v.Tags)
	}
	wantRefusal(t, c.do(http.StatusUnprocessableEntity, "PATCH", "/api/contacts/"+v.ID, `{"phones":[{"label":"fax","number":"123"}]}`), "invalid", "phones")
	wantRefusal(t, c.do(http.StatusNotFound, "PATCH", "/api/contacts/c_x", `{"name":"x"}`), "not_found", "")
}

func TestTicketsAndTasksKeepTheirKeysUnique(t *testing.T) {
	c := dial(t, begin(t, Options{}))
	for path, body := range map[string]string{
		"/api/tickets": `{"external_key":"x","subject":"late","contact_id":"c_000002"}`,
		"/api/tasks":   `{"external_key":"x","subject":"call back","contact_id":"c_000002"}`,
	} {
		id := read[struct{ ID string }](t, c.do(http.StatusCreated, "POST", path, body)).ID
		if p := wantRefusal(t, c.do(http.StatusConflict, "POST", path, body), "duplicate", "external_key"); p.ID != id {
			t.Errorf("%s: refusal names %q, want %q", path, p.ID, id)
		}
	}
	open := read[list[ticket]](t, c.do(http.StatusOK, "GET", "/api/contacts/c_000002/tickets?status=open", "")).Items
	if len(open) != 2 || open[0].Subject != "late" {
		t.Fatalf("open tickets %+v", open)
	}
	c.do(http.StatusOK, "PATCH", "/api/tickets/"+open[0].ID, `{"status":"solved"}`)
	if left := read[list[ticket]](t, c.do(http.StatusOK, "GET", "/api/contacts/c_000002/tickets?status=open", "")).Items; len(left) != 1 {
		t.Fatalf("open tickets after solving %+v", left)
	}
}

func TestUnauthenticatedIsRefusedAndLearnsNothing(t *testing.T) {
	s := begin(t, Options{})
	c := dial(t, s)
	before := len(s.Calls())
	for _, token := range []string{"", "wrong", DefaultToken + "x"} {
		c.token = token
		for route := range s.apiRoutes() {
			method, path, _ := strings.Cut(route, " ")
			path = strings.NewReplacer("{id}", "c_000001", "{key}", "k", "{tag}", "t").Replace(path)
			r := c.do(http.StatusUnauthorized, method, path, callBody)
			if method != http.MethodHead { // whose answers have no body
				wantRefusal(t, r, "unauthorized", "")
			}
			for _, secret := range []string{"陈", "8000", "Whitfield", "c_0000", "example"} {
				if strings.Contains(string(r.body), secret) {
					t.Fatalf("%s tells a stranger %q", route, secret)
				}
			}
		}
	}
	if len(s.Calls()) != before {
		t.Fatal("a stranger wrote a call")
	}
}

func TestWrongPathsMethodsAndBodiesGetTheSameShape(t *testing.T) {
	c := dial(t, begin(t, Options{}))
	wantRefusal(t, c.do(http.StatusNotFound, "GET", "/api/nothing", ""), "not_found", "")
	wantRefusal(t, c.do(http.StatusNotFound, "GET", "/nothing", ""), "not_found", "")
	wantRefusal(t, c.do(http.StatusMethodNotAllowed, "DELETE", "/api/calls", ""), "method_not_allowed", "")
	wantRefusal(t, c.do(http.StatusBadRequest, "POST", "/api/calls", `{"a"`), "bad_json", "")
	wantRefusal(t, c.do(http.StatusRequestEntityTooLarge, "POST", "/api/calls", strings.Repeat(" ", maxBody+1)), "too_large", "")
	wantRefusal(t, c.do(http.StatusUnprocessableEntity, "GET", "/api/calls?limit=0", ""), "invalid", "limit")
	r := c.do(http.StatusOK, "GET", "/api/whoami", "")
	if r.header.Get(requestIDHeader) == "" || !strings.Contains(string(r.body), `"role":"agent"`) {
		t.Fatalf("whoami %v %s", r.header, r.body)
	}
}

func TestPagesShowTheCardOnThisMachineOnly(t *testing.T) {
	c := dial(t, begin(t, Options{}))
	c.token = ""
	card := c.do(http.StatusOK, "GET", "/contacts/c_000001?from=ringside", "", "Accept-Language", "zh-CN,zh;q=0.9")
	for _, want := range []string{"陈丽华", "上海远景物流有限公司", "138 0013 8000", "工单", `lang="zh"`, "物流"} {
		if !strings.Contains(string(card.body), want) {
			t.Errorf("the card lacks %q", want)
		}
	}
	if card.header.Get("Referrer-Policy") != "no-referrer" || card.header.Get("Content-Security-Policy") != "default-src 'none'; style-src 'unsafe-inline'" {
		t.Errorf("headers %v", card.header)
	}
	if found := c.do(http.StatusOK, "GET", "/?q=%2B44+7700+900123", ""); !strings.Contains(string(found.body), "Eleanor Whitfield") {
		t.Error("the list does not find a number")
	}
	c.do(http.StatusNotFound, "GET", "/contacts/c_x", "")
	for _, path := range []string{"/", "/contacts/c_000001"} {
		if r := c.do(http.StatusForbidden, "GET", path, "", "Host", "rebound.example"); strings.Contains(string(r.body), "陈") {
			t.Errorf("%s is shown under a foreign name", path)
		}
	}
}
