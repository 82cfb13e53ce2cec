// Package pocketbase_test runs the connector engine against PocketBase, a CRM made of collections, in the process of the test.
package pocketbase_test

import (
	"net/http/httptest"
	"testing"

	"github.com/pocketbase/pocketbase/apis"
	"github.com/pocketbase/pocketbase/core"
	_ "github.com/pocketbase/pocketbase/migrations" // its own collections
	"github.com/pocketbase/pocketbase/tools/types"
)

// The agent of the tests, and their password.
const (
	agentEmail = "lin.yue@ringside.example"
	agentName  = "Lin Yue"
	password   = "correct-horse-1"
)

// base is a PocketBase with an agent; nobody else is in it.
type base struct {
	*core.BaseApp

	t   testing.TB
	url string
}

// start runs one until the test ends.
func start(t testing.TB) *base {
	t.Helper()
	b := &base{BaseApp: core.NewBaseApp(core.BaseAppConfig{DataDir: t.TempDir()}), t: t}
	b.must(b.Bootstrap())
	t.Cleanup(func() { b.must(b.ResetBootstrapState()) })
	b.must(b.RunAllMigrations())
	for _, c := range collections(b) {
		b.must(b.Save(c))
	}
	b.agent(agentEmail, agentName)
	router, err := apis.NewRouter(b)
	b.must(err)
	mux, err := router.BuildMux()
	b.must(err)
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	b.url = s.URL
	return b
}

func (b *base) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// agent adds a user.
func (b *base) agent(email, name string) *core.Record {
	users, err := b.FindCollectionByNameOrId("users")
	b.must(err)
	r := core.NewRecord(users)
	r.SetEmail(email)
	r.SetPassword(password)
	r.SetVerified(true)
	r.Set("name", name)
	b.must(b.Save(r))
	return r
}

// add puts a record into a collection, past its rules, and gives its id.
func (b *base) add(collection string, fields map[string]any) string {
	b.t.Helper()
	c, err := b.FindCollectionByNameOrId(collection)
	b.must(err)
	r := core.NewRecord(c)
	r.Load(fields)
	b.must(b.Save(r))
	return r.Id
}

// one gives the record with an id.
func (b *base) one(collection, id string) *core.Record {
	b.t.Helper()
	r, err := b.FindRecordById(collection, id)
	b.must(err)
	return r
}

// collections are those that the connector is made for. Each signed-in user may read and write them; nobody may delete.
func collections(b *base) (all []*core.Collection) {
	signedIn := types.Pointer("@request.auth.id != ''")
	ids := map[string]string{}
	for _, made := range []struct {
		name   string
		fields []core.Field
	}{
		{"contacts", []core.Field{
			&core.TextField{Name: "name", Required: true}, &core.TextField{Name: "company"}, &core.EmailField{Name: "email"}, &core.TextField{Name: "phone"},
			&core.TextField{Name: "mobile"}, &core.TextField{Name: "other"}, &core.TextField{Name: "status"}, &core.TextField{Name: "owner"},
			&core.SelectField{Name: "tags", MaxSelect: 3, Values: []string{"vip", "late", "new"}}, &core.BoolField{Name: "archived"},
		}},
		{"calls", []core.Field{
			contact(), &core.TextField{Name: "leg"}, &core.TextField{Name: "direction"}, &core.TextField{Name: "number"}, &core.DateField{Name: "started", Required: true},
			&core.DateField{Name: "ended"}, &core.NumberField{Name: "talk_ms"}, &core.TextField{Name: "ending"}, &core.TextField{Name: "outcome"},
			&core.TextField{Name: "note", Max: 20_000}, &core.TextField{Name: "agent"}, &core.URLField{Name: "recording"},
		}},
		{"tickets", []core.Field{
			contact(), &core.TextField{Name: "subject", Required: true}, &core.TextField{Name: "body", Max: 20_000}, &core.TextField{Name: "queue"}, &core.TextField{Name: "owner"},
			&core.SelectField{Name: "status", MaxSelect: 1, Values: []string{"open", "pending", "closed"}}, &core.TextField{Name: "priority"}, &core.TextField{Name: "type"},
		}},
		{"notes", []core.Field{contact(), &core.TextField{Name: "ticket"}, &core.TextField{Name: "text", Required: true, Max: 20_000}, &core.DateField{Name: "at"}}},
		{"tasks", []core.Field{
			contact(), &core.TextField{Name: "subject", Required: true}, &core.TextField{Name: "body", Max: 20_000}, &core.DateField{Name: "due"}, &core.TextField{Name: "owner"},
		}},
		{"orders", []core.Field{
			contact(), &core.TextField{Name: "number"}, &core.TextField{Name: "status"}, &core.TextField{Name: "total"}, &core.TextField{Name: "currency"}, &core.DateField{Name: "at"},
		}},
		{"options", []core.Field{&core.TextField{Name: "kind"}, &core.TextField{Name: "name"}}},
	} {
		c := core.NewBaseCollection(made.name)
		ids[made.name] = c.Id
		for _, f := range made.fields {
			if r, ok := f.(*core.RelationField); ok {
				r.CollectionId = ids["contacts"]
			}
			c.Fields.Add(f)
		}
		c.Fields.Add(&core.AutodateField{Name: "created", OnCreate: true}, &core.AutodateField{Name: "updated", OnCreate: true, OnUpdate: true})
		c.ListRule, c.ViewRule, c.CreateRule, c.UpdateRule = signedIn, signedIn, signedIn, signedIn
		all = append(all, c)
	}
	users, err := b.FindCollectionByNameOrId("users")
	b.must(err)
	users.ListRule, users.ViewRule = signedIn, signedIn // agents see whom they can give a matter to
	return append(all, users)
}

func contact() core.Field { return &core.RelationField{Name: "contact", MaxSelect: 1} }
