package webhook

import (
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"ringside.dev/ringside/app/cti"
)

// reader walks the tree of a vendor's file and collects what is wrong with it.
type reader struct {
	file     string
	problems []Problem
	headers  []string // that places lie in
}

// key is one key of an object.
type key struct {
	name string
	must bool
	read func(n *yaml.Node)
}

func (r *reader) wrong(n *yaml.Node, w *words) {
	r.problems = append(r.problems, Problem{r.file, max(n.Line, 1), max(n.Column, 1), w.en, w.zh})
}

func (r *reader) is(n *yaml.Node, kind yaml.Kind, w *words) bool {
	if n.Kind == kind {
		return true
	}
	r.wrong(n, w)
	return false
}

// pairs gives the keys and values of an object, each key once.
func (r *reader) pairs(n *yaml.Node, each func(key, value *yaml.Node)) {
	if !r.is(n, yaml.MappingNode, say("the value has the wrong shape; write a section of lines like name: value", "值的结构不对；请写由“名称: 值”组成的小节")) {
		return
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		if line := seen[k.Value]; line > 0 {
			r.wrong(k, say("%s: written twice, first in line %d; keep one", "%s：重复出现，首次在第 %d 行；请只保留一个", k.Value, line))
			continue
		}
		seen[k.Value] = k.Line
		each(k, n.Content[i+1])
	}
}

func (r *reader) object(n *yaml.Node, what string, keys []key) {
	written := map[string]bool{}
	r.pairs(n, func(k, v *yaml.Node) {
		i := slices.IndexFunc(keys, func(one key) bool { return one.name == k.Value })
		if i < 0 {
			names := make([]string, len(keys))
			for i, one := range keys {
				names[i] = one.name
			}
			r.wrong(k, say("%s: unknown in %s; known are %s", "%s：%s 中没有此名称；可用：%s", k.Value, what, strings.Join(names, ", ")))
			return
		}
		written[k.Value] = true
		keys[i].read(v)
	})
	if n.Kind != yaml.MappingNode {
		return
	}
	for _, one := range keys {
		if one.must && !written[one.name] {
			r.wrong(n, say("%s: missing in %s; add it", "%s：%s 中缺少此项；请补上", one.name, what))
		}
	}
}

func (r *reader) each(n *yaml.Node, item func(n *yaml.Node)) {
	if r.is(n, yaml.SequenceNode, say("the value has the wrong shape; write a list, such as [a, b]", "值的结构不对；请写列表，例如 [a, b]")) {
		for _, one := range n.Content {
			item(one)
		}
	}
}

func (r *reader) text(into *string, check func(string) *words) func(*yaml.Node) {
	return func(n *yaml.Node) {
		if !r.is(n, yaml.ScalarNode, say("the value has the wrong shape; write a single value", "值的结构不对；请写单个值")) {
			return
		}
		*into = n.Value
		if check == nil {
			return
		}
		if w := check(n.Value); w != nil {
			r.wrong(n, w)
		}
	}
}

func (r *reader) exactly(want string) func(*yaml.Node) {
	return r.text(new(string), func(s string) *words {
		if s == want {
			return nil
		}
		return say("%q is not for this program; write %s", "%q 不适用于本程序；请写 %s", s, want)
	})
}

func oneOf(allowed ...string) func(string) *words {
	return func(s string) *words {
		if slices.Contains(allowed, s) {
			return nil
		}
		return say("%q is not known; write one of %s", "未知的值 %q；可用：%s", s, strings.Join(allowed, ", "))
	}
}

func (r *reader) truth(into *bool) func(*yaml.Node) {
	return func(n *yaml.Node) {
		var s string
		r.text(&s, oneOf("true", "false"))(n)
		*into = s == "true"
	}
}

func (r *reader) span(into *time.Duration) func(*yaml.Node) {
	return func(n *yaml.Node) {
		var s string
		r.text(&s, nil)(n)
		d, err := time.ParseDuration(s)
		if err != nil || d <= 0 || d > time.Hour {
			r.wrong(n, say("%q is not a time of at most an hour; write for instance 5m or 90s", "%q 不是一小时以内的时长；请写例如 5m 或 90s", s))
		}
		*into = d
	}
}

func (r *reader) format(into *timeFormat) func(*yaml.Node) {
	return func(n *yaml.Node) {
		f, ok := parseFormat(n.Value)
		if !ok {
			r.wrong(n, say("%q is not a form of time; write unix, unix_ms, rfc3339 or a pattern such as yyyy-MM-dd HH:mm:ss Z",
				"%q 不是时间格式；请写 unix、unix_ms、rfc3339 或形如 yyyy-MM-dd HH:mm:ss Z 的格式", n.Value))
		}
		if into.zone != nil && f.unix == 0 {
			f.zone = into.zone
		}
		*into = f
	}
}

func (r *reader) zone(into *timeFormat) func(*yaml.Node) {
	return func(n *yaml.Node) {
		zone, ok := parseZone(n.Value)
		if !ok {
			r.wrong(n, say(`%q is not a zone; write its distance from UTC, such as "+08:00"`, `%q 不是时区；请写与 UTC 的时差，例如 "+08:00"`, n.Value))
			return
		}
		into.zone = zone
	}
}

func (r *reader) place(n *yaml.Node) (place, bool) {
	if n.Kind == yaml.ScalarNode {
		if p, ok := parsePlace(n.Value); ok {
			if p.scope == inHeader {
				r.headers = append(r.headers, p.name)
			}
			return p, true
		}
	}
	r.wrong(n, say("%q is no place in a request; write a path in the event such as call.id, or header:NAME, query:NAME, body:PATH, text:TEXT",
		"%q 不是请求中的位置；请写事件中的路径，例如 call.id，或 header:名称、query:名称、body:路径、text:文本", n.Value))
	return place{}, false
}

// outside reads a place that is there before any event is: for proofs.
func (r *reader) outside(n *yaml.Node) place {
	p, ok := r.place(n)
	if ok && (p.scope == inEvent || p.scope == asText) {
		r.wrong(n, say("a proof stands outside the events; write header:NAME, query:NAME or body:PATH", "签名不在事件内；请写 header:名称、query:名称 或 body:路径"))
	}
	return p
}

// value reads a place, a list of places of which the first that holds something counts, {in: …, out: …}, or {join: [...], with: /}, each
// part of which is a place or such a list.
func (r *reader) value(into *value) func(*yaml.Node) {
	return func(n *yaml.Node) {
		if n.Kind != yaml.MappingNode {
			into.in = [][]place{r.places(n)}
			into.out = into.in
			return
		}
		r.object(n, "a value", []key{
			{name: "in", read: func(n *yaml.Node) { into.in = [][]place{r.places(n)} }},
			{name: "out", read: func(n *yaml.Node) { into.out = [][]place{r.places(n)} }},
			{name: "join", read: func(n *yaml.Node) {
				r.each(n, func(n *yaml.Node) { into.in = append(into.in, r.places(n)) })
				into.out = into.in
			}},
			{name: "with", read: r.text(&into.with, nil)},
		})
	}
}

func (r *reader) places(n *yaml.Node) []place {
	if n.Kind == yaml.ScalarNode {
		p, _ := r.place(n)
		return []place{p}
	}
	var list []place
	r.each(n, func(n *yaml.Node) {
		p, _ := r.place(n)
		list = append(list, p)
	})
	return list
}

func (r *reader) quantity(into *quantity) func(*yaml.Node) {
	return func(n *yaml.Node) {
		unit := ""
		r.object(n, "a length of time", []key{
			{name: "from", must: true, read: r.value(&into.from)},
			{name: "unit", must: true, read: r.text(&unit, oneOf("s", "ms"))},
		})
		into.unit = map[string]time.Duration{"s": time.Second, "ms": time.Millisecond}[unit]
	}
}

// readTable reads {from: PLACE, to: {WORD: MEANING}, otherwise: MEANING}.
func readTable[T any](r *reader, into *table[T], meaning func(n *yaml.Node) T) func(*yaml.Node) {
	return func(n *yaml.Node) {
		into.to = map[string]T{}
		r.object(n, "a table", []key{
			{name: "from", must: true, read: r.value(&into.from)},
			{name: "to", must: true, read: func(n *yaml.Node) {
				r.pairs(n, func(k, v *yaml.Node) { into.to[k.Value] = meaning(v) })
			}},
			{name: "otherwise", read: func(n *yaml.Node) {
				one := meaning(n)
				into.otherwise = &one
			}},
		})
	}
}

// word reads one of several words as T.
func word[T ~string](r *reader, allowed ...T) func(n *yaml.Node) T {
	names := make([]string, len(allowed))
	for i, a := range allowed {
		names[i] = string(a)
	}
	return func(n *yaml.Node) T {
		var s string
		r.text(&s, oneOf(names...))(n)
		return T(s)
	}
}

func into[T any](to *T, read func(*yaml.Node) T) func(*yaml.Node) {
	return func(n *yaml.Node) { *to = read(n) }
}

func (r *reader) directions() func(*yaml.Node) direction { return word(r, dirIn, dirOut, dirBack) }

func (r *reader) parties() func(*yaml.Node) cti.Party {
	return word(r, cti.ByLocal, cti.ByRemote, cti.BySystem, cti.ByUnknown)
}

// cause reads a code, or {code: …, by: …}.
func (r *reader) cause(n *yaml.Node) cti.Cause {
	codes := word(r, cti.CauseNormal, cti.CauseBusy, cti.CauseNoAnswer, cti.CauseRejected, cti.CauseAbandoned, cti.CauseAnsweredElsewhere,
		cti.CauseTransferred, cti.CauseUnreachable, cti.CauseNotFound, cti.CauseNetwork, cti.CauseMedia, cti.CauseUnknown)
	var c cti.Cause
	if n.Kind == yaml.ScalarNode {
		c.Code = codes(n)
		return c
	}
	r.object(n, "cause", []key{{name: "code", read: into(&c.Code, codes)}, {name: "by", read: into(&c.By, r.parties())}})
	return c
}

func (r *reader) fields(n *yaml.Node, f *fields) {
	r.object(n, "fields", []key{
		{name: "extension", must: true, read: r.value(&f.extension)},
		{name: "number", must: true, read: r.value(&f.number)},
		{name: "refs", must: true, read: func(n *yaml.Node) { f.refs = r.named(n, r.refName) }},
		{name: "direction", read: readTable(r, &f.direction, r.directions())},
		{name: "name", read: r.value(&f.name)},
		{name: "uri", read: r.value(&f.uri)},
		{name: "account", read: r.value(&f.account)},
		{name: "dialled", read: r.value(&f.dialled)},
		{name: "queue", read: r.value(&f.queue)},
		{name: "queue_wait", read: r.quantity(&f.wait)},
		{name: "transfer_to", read: r.value(&f.transferTo)},
		{name: "reason", read: r.value(&f.reason)},
		{name: "id", read: r.value(&f.id)},
		{name: "time", read: r.value(&f.time)},
		{name: "format", read: r.format(&f.format)},
		{name: "zone", read: r.zone(&f.format)},
		{name: "cause", read: readTable(r, &f.cause, r.cause)},
		{name: "by", read: readTable(r, &f.by, r.parties())},
		{name: "data", read: func(n *yaml.Node) { f.data = r.named(n, dataNameProblem) }},
		{name: "data_members", read: func(n *yaml.Node) { f.members = r.places(n) }},
		{name: "recording", read: func(n *yaml.Node) {
			r.object(n, "recording", []key{
				{name: "id", read: r.value(&f.recording.id)},
				{name: "url", read: r.value(&f.recording.url)},
				{name: "name", read: r.value(&f.recording.name)},
				{name: "type", read: r.value(&f.recording.kind)},
				{name: "length", read: r.quantity(&f.recording.length)},
			})
		}},
	})
	if f.wait.unit == 0 {
		f.wait.unit = time.Second
	}
	if n.Kind == yaml.MappingNode && f.time.known() && f.format == (timeFormat{}) {
		r.wrong(n, say("format: missing beside time; write unix, unix_ms, rfc3339 or a pattern", "有 time 却缺少 format；请写 unix、unix_ms、rfc3339 或时间格式"))
	}
}

func (r *reader) named(n *yaml.Node, check func(string) *words) map[string]value {
	list := map[string]value{}
	r.pairs(n, func(k, v *yaml.Node) {
		if w := check(k.Value); w != nil {
			r.wrong(k, w)
		}
		var one value
		r.value(&one)(v)
		list[k.Value] = one
	})
	return list
}

func (r *reader) refName(s string) *words {
	if goodName.MatchString(s) {
		return nil
	}
	return say("%q is not a reference's name; write vendor_NAME for the leg's id, journey for the customer's whole way, or a name of a-z, 0-9 and _",
		"%q 不能用作引用名；通话段的标识写 vendor_名称，客户全程写 journey，其他用 a-z、0-9 和 _", s)
}

func dataNameProblem(s string) *words {
	if goodName.MatchString(s) {
		return nil
	}
	return say("%q cannot be a name of call data; write a-z, 0-9 and _, 40 at most, such as order_id", "%q 不能用作通话数据名；请用 a-z、0-9 和 _，最多 40 个字符，例如 order_id", s)
}

var eventTypes = []cti.EventType{cti.Originated, cti.Delivered, cti.Established, cti.Held, cti.Retrieved, cti.Transferred, cti.Conferenced,
	cti.Diverted, cti.Failed, cti.Cleared, cti.Info, cti.Queued, cti.AgentState}

func (r *reader) rules(n *yaml.Node, list *[]rule) {
	r.each(n, func(n *yaml.Node) {
		one := rule{transfer: cti.Transfer{Kind: cti.Blind, Role: cti.Transferrer}}
		r.object(n, "an event", []key{
			{name: "when", must: true, read: func(n *yaml.Node) { one.when = r.conditions(n) }},
			{name: "is", must: true, read: into(&one.is, word(r, eventTypes...))},
			{name: "side", read: into(&one.side, word(r, cti.SideLocal, cti.SideRemote))},
			{name: "by", read: into(&one.by, r.parties())},
			{name: "direction", read: into(&one.direction, r.directions())},
			{name: "purpose", read: into(&one.purpose, word(r, cti.Consultation, cti.Monitoring))},
			{name: "state", read: into(&one.state, word(r, cti.LoggedOn, cti.Ready, cti.NotReady, cti.AfterCall, cti.LoggedOff))},
			{name: "cause", read: func(n *yaml.Node) { one.cause = r.cause(n) }},
			{name: "transfer", read: into(&one.transfer.Kind, word(r, cti.Blind, cti.Consult))},
			{name: "role", read: into(&one.transfer.Role, word(r, cti.Transferrer, cti.Transferee, cti.Target))},
			{name: "at", read: r.value(&one.at)},
			{name: "current", read: into(&one.current, word(r, currentAny, currentRinging))},
		})
		if (one.is == cti.AgentState) != (one.state != "") && one.is != "" {
			r.wrong(n, say("state: belongs to is: agent.state, and only there; add or delete it", "state：只用于且必须用于 is: agent.state；请补上或删去"))
		}
		if one.is == cti.Delivered && one.side == "" {
			r.wrong(n, say("side: missing; write local if it rings at the agent, remote if it rings at the far end", "side：缺失；坐席侧振铃写 local，对方振铃写 remote"))
		}
		*list = append(*list, one)
	})
}

// conditions reads {PLACE: WORD}, {PLACE: [WORD, WORD]}, {PLACE: "*"} for anything and {PLACE: ""} for nothing.
func (r *reader) conditions(n *yaml.Node) []condition {
	var list []condition
	r.pairs(n, func(k, v *yaml.Node) {
		p, _ := r.place(k)
		one := condition{at: p}
		take := func(n *yaml.Node) {
			var s string
			r.text(&s, nil)(n)
			if s == "*" {
				one.present = true
			} else {
				one.want = append(one.want, s)
			}
		}
		if v.Kind == yaml.SequenceNode {
			r.each(v, take)
		} else {
			take(v)
		}
		list = append(list, one)
	})
	return list
}
