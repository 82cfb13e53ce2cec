package secret_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"ringside.dev/ringside/app/secret"
)

func TestValueMasksItself(t *testing.T) {
	v := secret.NewValue("hunter2")
	if v.Reveal() != "hunter2" || (secret.Value{}).Reveal() != "" {
		t.Error("Reveal does not give what was wrapped")
	}
	type private struct{ v secret.Value }
	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb+"\n", v)
		fmt.Fprintf(&out, verb+"\n", private{v})
		fmt.Fprintf(&out, verb+"\n", map[string]any{"a": &v})
	}
	log := slog.New(slog.NewJSONHandler(&out, nil))
	log.Info("kept", "secret", v, "in", []any{v})
	slog.New(slog.NewTextHandler(&out, nil)).Info("kept", "secret", v, "in", private{v})
	text, err := json.Marshal(map[string]any{"v": v, "p": &v})
	if err != nil {
		t.Fatal(err)
	}
	out.Write(text)
	for _, leak := range []string{"hunter2", "68756e74657232"} {
		if strings.Contains(out.String(), leak) {
			t.Errorf("leaked %s:\n%s", leak, out.String())
		}
	}
	if !strings.Contains(string(text), `"v":"[secret]"`) {
		t.Errorf("json: %s", text)
	}
}
