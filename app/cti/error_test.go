package cti_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"ringside.dev/ringside/app/cti"
)

func TestKindOfAnError(t *testing.T) {
	limited := &cti.Error{Kind: cti.Limited, Msg: "slow down", RetryAfter: 7 * time.Second}
	for _, test := range []struct {
		name    string
		err     error
		kind    cti.Kind
		message string
		wait    time.Duration
	}{
		{"none", nil, "", "", 0},
		{"ours", limited, cti.Limited, "slow down", 7 * time.Second},
		{"ours, wrapped", fmt.Errorf("send: %w", limited), cti.Limited, "slow down", 7 * time.Second},
		{"unknown is internal and not shown", errors.New("secret path"), cti.Internal, "", 0},
		{"internal is not shown", cti.Errorf(cti.Internal, "secret path", nil), cti.Internal, "", 0},
		{"a passed deadline is offline", fmt.Errorf("get: %w", context.DeadlineExceeded), cti.Offline, "", 0},
		{"ours over a deadline stays ours", cti.Errorf(cti.Uncertain, "no answer", context.DeadlineExceeded), cti.Uncertain, "no answer", 0},
	} {
		if k, m, w := cti.KindOf(test.err), cti.MessageOf(test.err), cti.RetryAfter(test.err); k != test.kind || m != test.message || w != test.wait {
			t.Errorf("%s: %q, %q, %v; want %q, %q, %v", test.name, k, m, w, test.kind, test.message, test.wait)
		}
	}
	cause := errors.New("cause")
	if err := cti.Errorf(cti.Invalid, "wrong", cause); !errors.Is(err, cause) || err.Error() != "wrong: cause" {
		t.Errorf("got %q", err)
	}
}
