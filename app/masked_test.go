package app

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/number"
)

// An event may hold numbers in every place where a caller, an exchange or a program can put one: an id made of the number, the header of the
// caller who was not believed, the wording of a cause.
func TestAMaskedEventHoldsNoNumberAnywhere(t *testing.T) {
	p := cti.Profile{Region: "CN", Numbers: cti.NumbersProfile{OutsidePrefix: "9"}}
	plan, err := number.NewPlan(p)
	if err != nil {
		t.Fatal(err)
	}
	const asserted, from, other, id = "13800138000", "13900139000", "13700137000", "1795411938.13"
	e := cti.Event{Type: cti.Transferred, Call: cti.CallRef{Direction: cti.Out, Leg: "leg", Refs: map[string]string{"call_id": from + "-17", "id": asserted + "@pbx", "vendor_asterisk": id}},
		Remote:  cti.Remote{Number: plan.Caller(from, "<sip:"+asserted+"@sbc>"), Name: "Chen " + from, URI: "sip:" + from + "@pbx", Asserted: "<sip:" + asserted + "@sbc>"},
		Dialled: "9" + other, Transfer: &cti.Transfer{To: "9" + other}, Cause: &cti.Cause{Raw: "486 Busy <sip:" + asserted + "@pbx> " + from},
		Data: map[string]string{"callback": "on 139-0013-9000 in the evening", "order_id": "A-7"}, Queue: &cti.Queue{Name: "support " + asserted}}
	e.Legs = []cti.Event{e}
	for _, mode := range []number.Mode{number.MaskMiddle, number.MaskAll} {
		text, err := json.Marshal(masker{mode, plan}.event(e))
		if err != nil {
			t.Fatal(err)
		}
		shown := regexp.MustCompile(`[ -]`).ReplaceAllString(string(text), "")
		for _, n := range []string{asserted, from, other} {
			if strings.Contains(shown, n) {
				t.Errorf("%s: one of the numbers is in %s", mode, text)
			}
		}
		if !strings.Contains(shown, id) || !strings.Contains(shown, "A7") {
			t.Errorf("%s: ids are hidden, too: %s", mode, text)
		}
	}
	if e.Call.Refs["call_id"] != from+"-17" || e.Cause.Raw == "" || e.Queue.Name != "support "+asserted {
		t.Errorf("the event itself was changed: %+v", e)
	}
}
