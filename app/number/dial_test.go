package number_test

import (
	"slices"
	"testing"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/number"
)

func TestNumbersAreDialledAsTheSiteDialsThem(t *testing.T) {
	internal, err := number.NewList([]string{"8xxx"}, "CN")
	if err != nil {
		t.Fatal(err)
	}
	shanghai := &number.Plan{Region: "CN", AreaCode: "21", DialPrefix: "9", Internal: internal}
	berlin := &number.Plan{Region: "DE", AreaCode: "30", DialPrefix: "0"}
	boston := &number.Plan{Region: "US", AreaCode: "617"}
	for _, c := range []struct {
		plan             *number.Plan
		written, dialled string
	}{
		{shanghai, "+86 138 0013 8000", "913800138000"},
		{shanghai, "021-65550134", "902165550134"},
		{shanghai, "6555 0134", "902165550134"},
		{shanghai, "+44 20 7946 0958", "900442079460958"},
		{shanghai, "95588", "995588"},
		{shanghai, "400-812-3123", "94008123123"},
		{shanghai, "8012", "8012"},
		{shanghai, "*43", "*43"},
		{berlin, "+49 30 901820", "0030901820"},
		{berlin, "901820", "0030901820"},
		{berlin, "+1 212 555 0123", "00012125550123"},
		{boston, "+44 20 7946 0958", "011442079460958"},
		{boston, "212-555-0123", "2125550123"},
	} {
		if got, err := c.plan.Dial(c.written); err != nil || got != c.dialled {
			t.Errorf("%s in %s dials %q, %v; want %q", c.written, c.plan.Region, got, err, c.dialled)
		}
	}
}

func TestWhatIsNoNumberIsNotDialled(t *testing.T) {
	for _, written := range []string{"", "anonymous", "alice", "138001380001"} {
		if got, err := (&number.Plan{Region: "CN"}).Dial(written); cti.KindOf(err) != cti.Invalid {
			t.Errorf("%q dials %q, %v; want an error of kind invalid", written, got, err)
		}
	}
}

func TestAFieldMayHoldSeveralNumbers(t *testing.T) {
	p := &number.Plan{Region: "CN", AreaCode: "21"}
	for written, want := range map[string][]string{
		"13800138000":                     {"+8613800138000"},
		"13800138000/13900139000":         {"+8613800138000", "+8613900139000"},
		"021-65550134、138 0013 8000":      {"+862165550134", "+8613800138000"},
		"13800138000；021-65550134转8012":   {"+8613800138000", "+862165550134"},
		"021/65550134":                    {"+862165550134"},
		"13800138000 (wife), ask for her": {""},
		"":                                {""},
	} {
		var got []string
		for _, n := range p.WrittenAll(written) {
			got = append(got, n.E164)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q holds %q, want %q", written, got, want)
		}
	}
}
