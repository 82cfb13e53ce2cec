package number_test

import (
	"strings"
	"testing"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/number"
)

func TestListsNameNumbersRangesAndBeginnings(t *testing.T) {
	l, err := number.NewList([]string{"1001", "20xx", "3000-3099", "021-6000 8888", "+8617012340000-+8617012349999", "+86171999*"}, "CN")
	if err != nil {
		t.Fatal(err)
	}
	own := &number.Plan{Region: "CN", Own: l}
	for raw, want := range map[string]bool{"1001": true, "1002": false, "2099": true, "2100": false, "20991": false, "3050": true, "3100": false,
		"02160008888": true, "+86 21 6000 8889": false, "17012345678": true, "17012350000": false, "17199912345": true, "17199812345": false} {
		if got := own.Parse(raw).Class == cti.ClassOwn; got != want {
			t.Errorf("%s is of the list: %v, want %v", raw, got, want)
		}
	}
}

func TestAnEntryThatCannotBeReadIsNamed(t *testing.T) {
	for _, entry := range []string{"", "abc", "x", "*", "2000-1000"} {
		if _, err := number.NewList([]string{"1001", entry}, "CN"); err == nil || !strings.Contains(err.Error(), `"`+entry+`"`) {
			t.Errorf("%q gave %v", entry, err)
		}
	}
}
