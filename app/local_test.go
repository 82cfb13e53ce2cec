package app_test

import (
	"testing"

	"ringside.dev/ringside/app"
	"ringside.dev/ringside/app/cti"
)

// An agent that could not start holds nothing: the next one gets the folder of the tables.
func TestAnAgentThatCannotStartLetsGoOfTheTables(t *testing.T) {
	w := newWorld(t)
	w.start(t)
	config := w.config() // its store is taken
	config.Profile.CRM = cti.CRMProfile{Connector: "local", Params: map[string]string{"folder": t.TempDir()}}
	if _, err := app.New(config); cti.KindOf(err) != cti.Conflict {
		t.Fatalf("New: %v, want conflict", err)
	}
	config.StateDir = t.TempDir()
	config.Profile.Phone.Source = "none such"
	if _, err := app.New(config); err == nil {
		t.Fatal("New opens a phone that is not there")
	}
	config.Profile.Phone.Source = "sim"
	a, err := app.New(config)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
}
