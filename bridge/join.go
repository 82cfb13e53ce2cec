package bridge

import (
	"context"
	"slices"

	"ringside.dev/ringside/app/cti"
)

// Join is several phones as one: what any of them can do, the first that knows the call and can do it does. There is no history: each source
// is asked for its own.
func Join(phones ...cti.Phone) cti.Phone {
	if len(phones) == 1 {
		return phones[0]
	}
	all := cti.Phone{
		Answer:   plain(phones, func(p cti.Phone) func(context.Context, cti.Call) error { return p.Answer }),
		Reject:   plain(phones, func(p cti.Phone) func(context.Context, cti.Call) error { return p.Reject }),
		Hangup:   plain(phones, func(p cti.Phone) func(context.Context, cti.Call) error { return p.Hangup }),
		Hold:     plain(phones, func(p cti.Phone) func(context.Context, cti.Call) error { return p.Hold }),
		Resume:   plain(phones, func(p cti.Phone) func(context.Context, cti.Call) error { return p.Resume }),
		Complete: plain(phones, func(p cti.Phone) func(context.Context, cti.Call) error { return p.Complete }),
		Mute:     with(phones, func(p cti.Phone) func(context.Context, cti.Call, bool) error { return p.Mute }),
		DTMF:     with(phones, func(p cti.Phone) func(context.Context, cti.Call, string) error { return p.DTMF }),
		Transfer: with(phones, func(p cti.Phone) func(context.Context, cti.Call, string) error { return p.Transfer }),
		Consult:  with(phones, func(p cti.Phone) func(context.Context, cti.Call, string) error { return p.Consult }),
		Dial:     free(phones, func(p cti.Phone) func(context.Context, string) error { return p.Dial }),
		Presence: free(phones, func(p cti.Phone) func(context.Context, cti.AgentStatus) error { return p.Presence }),
		Offers: func(c cti.Call) []cti.Command {
			var can []cti.Command
			for _, p := range phones {
				can = append(can, p.Can(c)...)
			}
			slices.Sort(can)
			return slices.Compact(can)
		},
	}
	if i := slices.IndexFunc(phones, func(p cti.Phone) bool { return p.Dial != nil }); i >= 0 {
		all.RingsFirst = phones[i].RingsFirst
	}
	all.TellsHold = slices.ContainsFunc(phones, func(p cti.Phone) bool { return p.TellsHold })
	return all
}

// attempt has the first phone that knows do it. One that does not have the call gives the next its turn; so does one that is not connected, but
// only where twice does no harm: no reply may also mean that it was done.
func attempt[F any](able []F, twice bool, do func(F) error) error {
	var first error
	for _, f := range able {
		err := do(f)
		switch kind := cti.KindOf(err); {
		case err == nil:
			return nil
		case kind != cti.NotFound && (kind != cti.Offline || !twice):
			return err
		case first == nil || cti.KindOf(first) == cti.NotFound && kind == cti.Offline: // a phone that cannot be asked may have it
			first = err
		}
	}
	return first
}

func plain(phones []cti.Phone, of func(cti.Phone) func(context.Context, cti.Call) error) func(context.Context, cti.Call) error {
	able := having(phones, of, func(f func(context.Context, cti.Call) error) bool { return f != nil })
	if len(able) == 0 {
		return nil
	}
	return func(ctx context.Context, c cti.Call) error {
		return attempt(able, true, func(f func(context.Context, cti.Call) error) error { return f(ctx, c) })
	}
}

func with[A any](phones []cti.Phone, of func(cti.Phone) func(context.Context, cti.Call, A) error) func(context.Context, cti.Call, A) error {
	able := having(phones, of, func(f func(context.Context, cti.Call, A) error) bool { return f != nil })
	if len(able) == 0 {
		return nil
	}
	return func(ctx context.Context, c cti.Call, a A) error {
		return attempt(able, false, func(f func(context.Context, cti.Call, A) error) error { return f(ctx, c, a) })
	}
}

func free[A any](phones []cti.Phone, of func(cti.Phone) func(context.Context, A) error) func(context.Context, A) error {
	able := having(phones, of, func(f func(context.Context, A) error) bool { return f != nil })
	if len(able) == 0 {
		return nil
	}
	return func(ctx context.Context, a A) error {
		return attempt(able, false, func(f func(context.Context, A) error) error { return f(ctx, a) })
	}
}

func having[F any](phones []cti.Phone, of func(cti.Phone) F, has func(F) bool) []F {
	var able []F
	for _, p := range phones {
		if f := of(p); has(f) {
			able = append(able, f)
		}
	}
	return able
}
