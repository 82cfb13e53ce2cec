package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"ringside.dev/ringside/app/cti"
)

// memoryUse is what the agent without a window holds, in MB of anonymous memory.
type memoryUse struct{ after, growth float64 }

// memoryRun lets calls come in one after another, each answered, ended, and delivered to the CRM.
func memoryRun(ctx context.Context, calls int) (memoryUse, error) {
	a, err := startAgent(ctx, "build/bin/ringctl", "run")
	if err != nil {
		return memoryUse{}, err
	}
	defer a.stop()
	var samples []float64
	for i := range calls {
		if err := a.wholeCall(ctx, fmt.Sprintf("1380013%04d", i)); err != nil {
			return memoryUse{}, err
		}
		mb, err := rssAnon(a.cmd.Process.Pid)
		if err != nil {
			return memoryUse{}, err
		}
		samples = append(samples, mb)
	}
	half, last := median(samples[calls/2-100:calls/2]), median(samples[calls-100:])
	fmt.Printf("\nRssAnon of ringctl run: %.1f MB after %d calls, %.1f MB after %d\n", half, calls/2, last, calls)
	return memoryUse{after: last, growth: last / half}, nil
}

func (a *agent) wholeCall(ctx context.Context, number string) error {
	leg, err := a.ring(ctx, number)
	if err != nil {
		return err
	}
	for _, e := range []cti.Event{{Type: cti.Established}, {Type: cti.Cleared, Cause: &cti.Cause{Code: cti.CauseNormal, By: cti.ByRemote}}} {
		if err := a.feed(ctx, e); err != nil {
			return err
		}
	}
	return until(ctx, "the record of "+leg+" is delivered", func() (bool, error) {
		s, err := a.client.Status(ctx)
		return err == nil && s.Outbox.Waiting == 0 && s.LiveCalls == 0, err
	})
}

// rssAnon reads proc_pid_status(5), in MB.
func rssAnon(pid int) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	_, rest, found := strings.Cut(string(text), "RssAnon:")
	fields := strings.Fields(rest)
	if !found || len(fields) == 0 {
		return 0, fmt.Errorf("the kernel tells no RssAnon")
	}
	kb, err := strconv.ParseFloat(fields[0], 64)
	return kb / 1024, err
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
