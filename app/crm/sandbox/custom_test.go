package sandbox

import (
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
)

// lead signs in as somebody who may manage fields.
func lead(t *testing.T, s *Server) *client {
	t.Helper()
	return as(t, s, User{Name: "Lea Lead", Email: "lea@ringside.example", Role: roleLead, Token: "lead-token"})
}

// as signs in as a user that is added.
func as(t *testing.T, s *Server, u User) *client {
	t.Helper()
	if _, err := s.AddUser(u); err != nil {
		t.Fatal(err)
	}
	c := dial(t, s)
	c.token = u.Token
	return c
}

func fieldsOf(c *client, object string) map[string]fieldView {
	c.t.Helper()
	out := map[string]fieldView{}
	for _, f := range read[list[fieldView]](c.t, c.do(http.StatusOK, "GET", "/api/fields/"+object, "")).Items {
		out[f.Name] = f
	}
	return out
}

func TestFieldsAreToldAsRecordsTakeThem(t *testing.T) {
	c := dial(t, begin(t, Options{}))
	for object, wants := range map[string][]fieldView{
		"call": {{Name: "note", Type: kindString, MaxLength: maxText, Writable: true}, {Name: "external_key", Type: kindString, MaxLength: maxLine, Required: true, Writable: true, Unique: true},
			{Name: "direction", Type: kindEnum, Required: true, Writable: true, Values: []string{"in", "out"}}, {Name: "talk_ms", Type: kindInt, Writable: true}, {Name: "agent", Type: kindUser}},
		"contact": {{Name: "name", Type: kindString, MaxLength: maxLine, Required: true, Writable: true}, {Name: "open_tickets", Type: kindInt}, {Name: "tags", Type: kindList, MaxLength: maxTagName, Writable: true}},
		"ticket":  {{Name: "status", Type: kindEnum, Writable: true, Values: []string{"open", "pending", "solved"}}, {Name: "owner", Type: kindUser, Writable: true}},
		"task":    {{Name: "due_at", Type: kindTime, Writable: true}, {Name: "done", Type: kindBool, Writable: true}, {Name: "id", Type: kindString, Unique: true}},
	} {
		got := fieldsOf(c, object)
		for _, want := range wants {
			want.Values = append([]string{}, want.Values...)
			if fmt.Sprint(got[want.Name]) != fmt.Sprint(want) {
				t.Errorf("%s.%s is %+v, want %+v", object, want.Name, got[want.Name], want)
			}
		}
		if _, shown := got["fields"]; shown || len(got) < 10 {
			t.Errorf("%s has %d fields; fields itself is shown: %t", object, len(got), shown)
		}
	}
	wantRefusal(t, c.do(http.StatusNotFound, "GET", "/api/fields/order", ""), "not_found", "")
}

// owners are the kinds of records that take custom fields, each with a body that makes one.
var owners = []struct{ object, path, body string }{
	{"call", "/api/calls/by-key/k", callBody}, {"contact", "/api/contacts/by-key/k", `{"name":"A"}`},
	{"ticket", "/api/tickets/by-key/k", `{"subject":"A"}`}, {"task", "/api/tasks/by-key/k", `{"subject":"A"}`},
}

func TestACustomFieldOfEachTypeIsWrittenAndReadBack(t *testing.T) {
	values := map[string]struct{ given, kept string }{
		"string": {`"é"`, "é"}, "int": {`-7`, "-7"}, "float": {`1.5`, "1.5"}, "bool": {`false`, "false"}, "enum": {`"b"`, "b"},
		"time": {`"2026-11-02T08:00:00+08:00"`, "2026-11-02T00:00:00.000Z"}, "list": {`["x","y"]`, "[x y]"}, "user": {`"wu.jun@ringside.example"`, "u_04"},
	}
	for _, owner := range owners {
		t.Run(owner.object, func(t *testing.T) {
			file := ""
			if owner.object == "call" { // one of them goes by way of the disk
				file = filepath.Join(t.TempDir(), "crm.json")
			}
			s := begin(t, Options{File: file})
			boss, c := lead(t, s), dial(t, s)
			for kind := range values {
				choices := ""
				if kind == kindEnum {
					choices = `,"values":["a","b"]`
				}
				boss.do(http.StatusCreated, "POST", "/api/fields/"+owner.object, fmt.Sprintf(`{"name":"my_%s","type":%q%s}`, kind, kind, choices))
				if f := fieldsOf(c, owner.object)["my_"+kind]; f.Type != kind || !f.Custom || !f.Writable || f.MaxLength != maxLine {
					t.Errorf("it is told as %+v", f)
				}
			}
			c.do(http.StatusCreated, "PUT", owner.path, owner.body)
			var given []string
			for kind, v := range values {
				given = append(given, fmt.Sprintf(`"my_%s":%s`, kind, v.given))
			}
			c.do(http.StatusOK, "PUT", owner.path, `{"fields":{`+strings.Join(given, ",")+`}}`)
			if file != "" {
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				c = dial(t, begin(t, Options{File: file}))
			}
			got := read[struct{ Fields map[string]any }](t, c.do(http.StatusOK, "PUT", owner.path, `{}`)).Fields
			for kind, v := range values {
				if spell(got["my_"+kind]) != v.kept {
					t.Errorf("my_%s is %v, want %s", kind, got["my_"+kind], v.kept)
				}
			}
			found := read[list[row]](t, c.do(http.StatusOK, "GET", "/api/"+owner.object+"s?fields.my_int=-7&fields.my_string="+url.QueryEscape("é"), ""))
			if none := read[list[row]](t, c.do(http.StatusOK, "GET", "/api/"+owner.object+"s?fields.my_int=7", "")); found.Total != 1 || none.Total != 0 {
				t.Errorf("by its values %d are found, by others %d", found.Total, none.Total)
			}
			left := read[struct{ Fields map[string]any }](t, c.do(http.StatusOK, "PUT", owner.path, `{"fields":{"my_int":null,"my_string":""}}`)).Fields
			if _, has := left["my_int"]; has || len(left) != len(values)-2 {
				t.Errorf("cleared they are %v", left)
			}
		})
	}
}

func TestWrongValuesOfCustomFieldsAreRefusedByName(t *testing.T) {
	for _, owner := range owners {
		t.Run(owner.object, func(t *testing.T) {
			s := begin(t, Options{})
			boss, c := lead(t, s), dial(t, s)
			for _, field := range []string{`{"name":"short","type":"string","max_length":3,"unique":true}`, `{"name":"n","type":"int"}`, `{"name":"f","type":"float"}`, `{"name":"b","type":"bool"}`,
				`{"name":"e","type":"enum","values":["a"]}`, `{"name":"at","type":"time"}`, `{"name":"l","type":"list","max_length":3}`, `{"name":"u","type":"user"}`} {
				boss.do(http.StatusCreated, "POST", "/api/fields/"+owner.object, field)
			}
			first := read[row](t, c.do(http.StatusCreated, "PUT", owner.path, owner.body))
			c.do(http.StatusOK, "PUT", owner.path, `{"fields":{"short":"one"}}`)
			for _, one := range []struct{ fields, code, field string }{
				{`{"colour":"red"}`, "unknown_field", "colour"}, {`{"short":"four"}`, "too_long", "short"}, {`{"short":7}`, "wrong_type", "short"}, {`{"n":1.5}`, "wrong_type", "n"},
				{`{"n":1e300}`, "wrong_type", "n"}, {`{"n":"1"}`, "wrong_type", "n"}, {`{"f":"1"}`, "wrong_type", "f"}, {`{"b":1}`, "wrong_type", "b"}, {`{"e":"z"}`, "unknown_value", "e"},
				{`{"e":1}`, "wrong_type", "e"}, {`{"at":"noon"}`, "wrong_type", "at"}, {`{"l":"x"}`, "wrong_type", "l"}, {`{"l":["x",1]}`, "wrong_type", "l"}, {`{"l":["four"]}`, "too_long", "l"},
				{`{"u":"u_99"}`, "unknown_value", "u"}, {`[]`, "invalid", "fields"}, {`null`, "invalid", "fields"},
			} {
				wantRefusal(t, c.do(http.StatusUnprocessableEntity, "PUT", owner.path, `{"fields":`+one.fields+`}`), one.code, one.field)
			}
			other := owner.path + "2"
			c.do(http.StatusCreated, "PUT", other, owner.body)
			if p := wantRefusal(t, c.do(http.StatusConflict, "PUT", other, `{"fields":{"short":"one"}}`), "duplicate", "short"); p.ID != first.ID {
				t.Errorf("the refusal names %s, want %s", p.ID, first.ID)
			}
			c.do(http.StatusOK, "PUT", owner.path, `{"fields":{"short":"one"}}`) // its own value is no duplicate
			c.do(http.StatusOK, "PUT", owner.path, `{"fields":{"short":null}}`)
			c.do(http.StatusOK, "PUT", other, `{"fields":{"short":"one"}}`)
		})
	}
}

func TestADeletedContactsUniqueValueIsFree(t *testing.T) {
	s := begin(t, Options{})
	lead(t, s).do(http.StatusCreated, "POST", "/api/fields/contact", `{"name":"no","type":"string","unique":true}`)
	c := dial(t, s)
	c.do(http.StatusOK, "PATCH", "/api/contacts/c_000001", `{"fields":{"no":"1"}}`)
	c.do(http.StatusConflict, "PATCH", "/api/contacts/c_000002", `{"fields":{"no":"1"}}`)
	c.do(http.StatusOK, "DELETE", "/api/contacts/c_000001", "")
	c.do(http.StatusOK, "PATCH", "/api/contacts/c_000002", `{"fields":{"no":"1"}}`)
}

func TestWrongFieldsAreNotAdded(t *testing.T) {
	s := begin(t, Options{})
	c := lead(t, s)
	c.do(http.StatusCreated, "POST", "/api/fields/ticket", `{"name":"mine","type":"string"}`)
	for _, one := range []struct {
		status            int
		body, code, field string
	}{
		{422, `{"name":"My","type":"string"}`, "invalid", "name"}, {422, `{"type":"string"}`, "invalid", "name"}, {422, `{"name":"a","type":"colour"}`, "invalid", "type"},
		{422, `{"name":"a","type":"object"}`, "invalid", "type"}, {422, `{"name":"a","type":"string","max_length":0}`, "invalid", "max_length"},
		{422, `{"name":"a","type":"string","max_length":20001}`, "invalid", "max_length"}, {422, `{"name":"a","type":"enum"}`, "invalid", "values"},
		{422, `{"name":"a","type":"int","values":["1"]}`, "invalid", "values"}, {422, `{"name":"a","type":"enum","values":["x"," "]}`, "invalid", "values"},
		{422, `{"name":"a","type":"enum","values":["four"],"max_length":3}`, "invalid", "values"}, {422, `{"name":"a","type":"list","unique":true}`, "invalid", "unique"},
		{409, `{"name":"mine","type":"int"}`, "duplicate", "name"}, {409, `{"name":"subject","type":"string"}`, "duplicate", "name"}, {409, `{"name":"id","type":"string"}`, "duplicate", "name"},
		{400, `{"name":"a","type":"string","size":3}`, "bad_json", ""}, {400, `[]`, "bad_json", ""},
	} {
		wantRefusal(t, c.do(one.status, "POST", "/api/fields/ticket", one.body), one.code, one.field)
	}
	wantRefusal(t, c.do(http.StatusNotFound, "POST", "/api/fields/order", `{"name":"a","type":"string"}`), "not_found", "")
	if _, there := fieldsOf(c, "ticket")["a"]; there {
		t.Error("a refused field is there")
	}
	if _, there := fieldsOf(c, "task")["mine"]; there {
		t.Error("a ticket's field is a task's as well")
	}
	for i := 1; i < maxCustom; i++ {
		c.do(http.StatusCreated, "POST", "/api/fields/ticket", fmt.Sprintf(`{"name":"f_%d","type":"string"}`, i))
	}
	wantRefusal(t, c.do(http.StatusUnprocessableEntity, "POST", "/api/fields/ticket", `{"name":"more","type":"string"}`), "invalid", "name")
}

func TestLeadsAndAdminsAloneAddFields(t *testing.T) {
	s := begin(t, Options{})
	p := wantRefusal(t, dial(t, s).do(http.StatusForbidden, "POST", "/api/fields/call", `{"name":"a","type":"string"}`), "forbidden", "")
	if p.Message != "the role agent may not manage fields" {
		t.Errorf("it says %q", p.Message)
	}
	for i, role := range []string{roleLead, roleAdmin} {
		c := as(t, s, User{Name: role, Email: role + "@ringside.example", Role: role, Token: role + "-token"})
		c.do(http.StatusCreated, "POST", "/api/fields/call", fmt.Sprintf(`{"name":"a_%d","type":"string"}`, i))
	}
}
