package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/wire"
)

// demoOptions say how the demo runs.
type demoOptions struct {
	headless   bool
	window     string // the window's program
	phone      string // sim or baresip
	screenshot string
	keep       bool
}

// DemoResult is what the demo prints with --json.
type DemoResult struct {
	OK         bool           `json:"ok"`
	PopMS      float64        `json:"pop_ms"`    // first ring → card painted (handed out, without a window)
	FilledMS   float64        `json:"filled_ms"` // first ring → customer on the card, painted
	Delivered  int            `json:"delivered"` // records of this call in the CRM
	Duplicates int            `json:"duplicates"`
	Record     map[string]any `json:"record"` // as read back from the CRM
	Timeline   []DemoStep     `json:"timeline"`
	Problems   []string       `json:"problems"` // what does not hold; empty when ok
}

// DemoStep is one line of the timeline, milliseconds since the ring.
type DemoStep struct {
	AtMS float64 `json:"at_ms"`
	What string  `json:"what"`
}

func (e *env) demoCommand() *cobra.Command {
	var o demoOptions
	c := command("demo", e.say("Ring a call and show the whole main job against the training CRM", "模拟一次来电，演示从弹屏到写入练习用 CRM 的全过程"), 0,
		func(ctx context.Context, _ []string) error { return e.demo(ctx, o) })
	c.Flags().BoolVar(&o.headless, "headless", false, e.say("without a window", "不显示窗口"))
	c.Flags().StringVar(&o.window, "window", "", e.say("the window's program (default: ringside beside this one)", "窗口程序（默认：与本程序同目录的 ringside）"))
	c.Flags().StringVar(&o.phone, "phone", "sim", e.say("sim, or baresip for a real SIP call", "sim，或 baresip（真实 SIP 呼叫）"))
	c.Flags().StringVar(&o.screenshot, "screenshot", "", e.say("save a picture of the screen while it rings (needs ImageMagick's import)", "振铃时把屏幕保存为图片（需要 ImageMagick 的 import）"))
	c.Flags().BoolVar(&o.keep, "keep", false, e.say("leave the window open until Ctrl+C", "保持窗口打开，直到按 Ctrl+C"))
	return c
}

// What the demo rings and says, and how long it may take.
const (
	demoLimit    = 2 * time.Minute
	demoTenant   = "demo"
	demoNumber   = "13800138000"
	demoCustomer = "c_000001"
	demoOutcome  = "Delivery arranged"
	demoNote     = "Pallet arrives Tuesday 下周二送货; call back if late."
)

// demo raises the stage, plays, prints what came of it and fails unless everything holds.
func (e *env) demo(ctx context.Context, o demoOptions) error {
	stage, err := e.raise(ctx, o)
	defer stage.strike()
	if err != nil {
		return err
	}
	result, err := stage.play(ctx, o)
	if err != nil {
		return err
	}
	if err := e.report(result); err != nil {
		return err
	}
	if o.keep {
		_, _ = fmt.Fprintln(e.Err, e.say("The window stays open until Ctrl+C.", "窗口保持打开，按 Ctrl+C 结束。")) // only a hint
		select {
		case <-stage.ended:
		case <-ctx.Done():
		}
	}
	return nil
}

// report prints the result; one that is not ok is errFailed.
func (e *env) report(r DemoResult) error {
	if err := e.print(r, func() string { return e.demoText(r) }); err != nil {
		return err
	}
	if !r.OK {
		return fmt.Errorf("%w: %s", errFailed, strings.Join(r.Problems, "; "))
	}
	return nil
}

// play plays the main job: a known customer rings, is answered, the CRM is cut off while the record is on its way, the agent wraps
// up, the CRM comes back, and the record is read back from it.
func (s *stage) play(ctx context.Context, o demoOptions) (DemoResult, error) {
	ctx, cancel := context.WithTimeout(ctx, demoLimit)
	defer cancel()
	p := &play{stage: s, options: o, before: len(s.crm.Calls()), result: DemoResult{Problems: []string{}}}
	for _, scene := range []struct {
		name string
		act  func(context.Context) error
	}{
		{"the ring", p.ring}, {"the answer", p.answer}, {"the end of the call", p.hangUp},
		{"the wrap-up", p.wrapUp}, {"the CRM's return", p.restore}, {"reading the record back", p.readBack},
	} {
		if err := scene.act(ctx); err != nil {
			return DemoResult{}, fmt.Errorf("%s: %w\n%s", scene.name, err, s.said())
		}
	}
	p.result.OK = len(p.result.Problems) == 0
	return p.result, nil
}

// play is one run of the demo.
type play struct {
	*stage
	options demoOptions
	before  int // records the CRM held before
	result  DemoResult
	began   time.Time
	leg     string
	talked  time.Time
	receipt string // the record's id, as the agent was told
}

func (p *play) note(format string, args ...any) {
	p.result.Timeline = append(p.result.Timeline, DemoStep{AtMS: ms(time.Since(p.began)), What: fmt.Sprintf(format, args...)})
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func (p *play) ring(ctx context.Context) error {
	p.began = time.Now()
	if err := p.caller.ring(ctx); err != nil {
		return err
	}
	p.note("%s rings (%s)", demoNumber, p.options.phone)
	card, err := p.await(ctx, "the card", func(c wire.Card) bool { return c.State == cti.Alerting })
	if err != nil {
		return err
	}
	p.leg = card.Leg
	p.note("pop: number and state, %s", card.Search)
	card, err = p.await(ctx, "the customer", func(c wire.Card) bool { return c.Picked != "" && len(c.History) > 0 && len(c.Tickets) > 0 })
	if err != nil {
		return err
	}
	m := card.Matches[0]
	p.note("customer: %s, %s (%s: %s, %d digits)", m.Customer.Name, m.Customer.Company, m.Grade, m.Rule, m.Digits)
	p.note("%d past calls, %d open tickets on the card", len(card.History), len(card.Tickets))
	if card.Picked != demoCustomer {
		p.problem("the card shows %s, not %s", card.Picked, demoCustomer)
	}
	if err := p.measure(ctx); err != nil {
		return err
	}
	if err := p.photograph(ctx); err != nil {
		return err
	}
	return pause(ctx, 300*time.Millisecond) // it rings
}

// measure reads how fast the card was; with a window, when the page says that it has painted.
func (p *play) measure(ctx context.Context) error {
	for {
		t, err := p.client.Timing(ctx, p.leg)
		if err != nil {
			return err
		}
		if p.options.headless {
			p.result.PopMS, p.result.FilledMS = t.ShownMS, t.FoundMS
			return nil
		}
		if t.PaintedMS >= 0 && t.FilledMS >= 0 {
			p.result.PopMS, p.result.FilledMS = t.PaintedMS, t.FilledMS
			p.note("painted %.1f ms after the ring, with the customer after %.1f ms", t.PaintedMS, t.FilledMS)
			return nil
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return fmt.Errorf("the window did not paint the card: %w", err)
		}
	}
}

func (p *play) answer(ctx context.Context) error {
	if err := p.client.Command(ctx, p.leg, cti.Instruction{Command: cti.CommandAnswer}); err != nil {
		return err
	}
	if _, err := p.await(ctx, "the answer", func(c wire.Card) bool { return c.State == cti.Connected }); err != nil {
		return err
	}
	p.talked = time.Now()
	p.note("answered")
	return pause(ctx, 1200*time.Millisecond) // they talk
}

// hangUp ends the call while the CRM takes the record and loses its answer: the worst moment.
func (p *play) hangUp(ctx context.Context) error {
	if err := p.loseNextAnswer(); err != nil {
		return err
	}
	if err := p.client.Command(ctx, p.leg, cti.Instruction{Command: cti.CommandHangup}); err != nil {
		return err
	}
	card, err := p.await(ctx, "the end", func(c wire.Card) bool { return c.State == cti.StateClosed })
	if err != nil {
		return err
	}
	p.note("hung up after %.1f s of talk: %s; call and record are on the disk", time.Since(p.talked).Seconds(), card.Ending)
	card, err = p.await(ctx, "the lost answer", func(c wire.Card) bool { return c.Write.State == wire.WriteRetrying })
	if err != nil {
		return err
	}
	p.note("the CRM took the record and its answer was lost (%s): will be repeated with the same key", card.Write.Kind)
	return p.refuse()
}

func (p *play) wrapUp(ctx context.Context) error {
	p.note("the CRM is cut off")
	if err := p.client.WrapUp(ctx, p.leg, wire.WrapUpRequest{Outcome: demoOutcome, Note: demoNote}); err != nil {
		return err
	}
	p.note("wrap-up saved on the disk: %q", demoOutcome)
	card, err := p.await(ctx, "a refused attempt", func(c wire.Card) bool { return c.Write.State == wire.WriteRetrying && c.Write.Kind == cti.Offline })
	if err != nil {
		return err
	}
	p.note("attempt %d refused (%s), waits its turn", card.Write.Attempts, card.Write.Kind)
	return nil
}

func (p *play) restore(ctx context.Context) error {
	if err := p.mend(); err != nil {
		return err
	}
	p.note("the CRM is back")
	card, err := p.await(ctx, "the delivery", func(c wire.Card) bool { return c.Write.State == wire.WriteDelivered && !c.WrapUp.SavedAt.IsZero() })
	if err != nil {
		return err
	}
	p.receipt = card.Write.RecordID
	p.note("delivered after %d failed attempts", card.Write.Attempts)
	return p.until(ctx, "an empty outbox", func() bool { return p.outbox == wire.Outbox{} })
}

func (p *play) problem(format string, args ...any) {
	p.result.Problems = append(p.result.Problems, fmt.Sprintf(format, args...))
}

// pause lets the people in the demo take their time.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return errors.New("took too long")
	case <-timer.C:
		return nil
	}
}

func (e *env) demoText(r DemoResult) string {
	var b strings.Builder
	last := 0.0
	fmt.Fprintf(&b, "\n%s\n", e.say("   ms since ring   step", "   振铃后毫秒      步骤"))
	for _, s := range r.Timeline {
		fmt.Fprintf(&b, "  %10.1f  %+9.1f   %s\n", s.AtMS, s.AtMS-last, s.What)
		last = s.AtMS
	}
	fmt.Fprintf(&b, "\n%s\n", e.say("The record, as read back from the CRM:", "从 CRM 读回的记录："))
	b.WriteString(table(func(w io.Writer) {
		for _, name := range recordFields {
			row(w, "  "+name, fmt.Sprint(r.Record[name]))
		}
	}))
	verdict := e.say("\nExactly one record, every field right. Pop after %.1f ms.\n", "\n恰好一条记录，所有字段正确。弹屏用时 %.1f 毫秒。\n")
	if !r.OK {
		verdict = e.say("\nFAILED (pop after %.1f ms).\n", "\n未通过（弹屏用时 %.1f 毫秒）。\n")
	}
	fmt.Fprintf(&b, verdict, r.PopMS)
	return b.String()
}

// beside finds a program in the folder of this one.
func beside(name string) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	path := filepath.Join(filepath.Dir(self), name)
	if _, err := os.Stat(path); err != nil {
		return "", cti.Errorf(cti.NotFound, "the window's program is not at "+path+": build it with make build, name it with --window, or run with --headless", nil)
	}
	return path, nil
}
