package main

import (
	"fmt"
	"slices"
	"strings"
)

// language holds the words of one page.
type language struct {
	title, other, intro, sums, none string
	columns                         []string
	ends                            map[string]string
	of                              func(row) (fault, expected, without string)
}

var english = language{
	title: "Faults", other: "[简体中文](faults.zh-CN.md)",
	intro: "What may go wrong between a call's end and the CRM, what must come of it, and the tests that show it. This page is generated from the tests\n" +
		"(`go run ./build/faultdoc`); the results are those of the last run, of %s. Tests marked “not run” belong to `make soak` or need what that machine did not have.",
	sums:    "Over all fault runs: %d items, %d lost, %d duplicates, %d reordered.",
	none:    "no test: ",
	columns: []string{"#", "Fault", "What must come of it", "Tests", "Last result"},
	ends:    map[string]string{"pass": "passed", "fail": "**failed**", "skip": "skipped", "": "not run"},
	of:      func(r row) (string, string, string) { return r.fault, r.expected, r.without },
}

var chinese = language{
	title: "故障", other: "[English](faults.md)",
	intro:   "从通话结束到写入 CRM 之间可能发生的故障、应有的结果，以及证明它的测试。本页由测试生成（`go run ./build/faultdoc`）；结果来自 %s 的最近一次运行。\n标“未运行”的测试属于 `make soak`，或需要该机器没有的条件。",
	sums:    "全部故障运行合计：%d 条记录，丢失 %d，重复 %d，乱序 %d。",
	none:    "无测试：",
	columns: []string{"#", "故障", "应有的结果", "测试", "最近结果"},
	ends:    map[string]string{"pass": "通过", "fail": "**失败**", "skip": "跳过", "": "未运行"},
	of:      func(r row) (string, string, string) { return r.faultZh, r.expectedZh, r.withoutZh },
}

// page writes the whole page.
func page(guards map[int][]guard, results Results, l language) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n%s\n\n"+l.intro+"\n\n", l.title, l.other, results.At)
	fmt.Fprintf(&b, l.sums+"\n\n", results.Sums["items"], results.Sums["lost"], results.Sums["duplicates"], results.Sums["reordered"])
	fmt.Fprintf(&b, "| %s |\n|%s\n", strings.Join(l.columns, " | "), strings.Repeat("---|", len(l.columns)))
	for n, r := range matrix {
		if n == 0 {
			continue
		}
		fault, expected, without := l.of(r)
		var names, ends []string
		for _, g := range guards[n] {
			names = append(names, "`"+g.name+"` in "+g.pkg)
			if end := l.ends[results.Tests[g.pkg+"/"+g.name]]; !slices.Contains(ends, end) {
				ends = append(ends, end)
			}
		}
		if len(names) == 0 {
			names = []string{l.none + without}
		}
		fmt.Fprintf(&b, "| %d | %s | %s | %s | %s |\n", n, fault, expected, strings.Join(names, "<br>"), strings.Join(ends, ", "))
	}
	return b.String()
}
