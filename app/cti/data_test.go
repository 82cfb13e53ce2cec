package cti

import (
	"strings"
	"testing"
)

func TestDataNamesAreThoseAProfileCanDeclare(t *testing.T) {
	for wire, want := range map[string]string{
		"X-Order-Id": "order_id", "x-order-id": "order_id", "ORDER.ID": "order_id", "IVR digits": "ivr_digits", "_plan": "plan", "level2": "level2",
		"X-" + strings.Repeat("a", 40): strings.Repeat("a", 40), "X-" + strings.Repeat("a", 41): "",
		"": "", "X-": "", "__": "", "2nd": "", "客户": "", "a\x00b": "", "a\u202eb": "", "a$b": "",
	} {
		if got := DataName(wire); got != want {
			t.Errorf("DataName(%q) = %q, want %q", wire, got, want)
		}
	}
}
