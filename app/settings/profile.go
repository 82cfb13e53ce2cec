package settings

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/number"
)

// version is the profile format this program reads.
const version = 1

// DefaultTenant is the tenant of a profile that names none.
const DefaultTenant = "default"

// More outcomes than these do not fit the wrap-up pane, and an agent in a hurry would not read them.
const (
	maxOutcomes = 40
	maxOutcome  = 80 // characters
)

// fields is the whole profile: every key there is, in the order of the example.
func (r *reader) fields() []field {
	p := &r.profile
	return []field{
		{key: "version", need: write("version: 1", " version: 1"), read: r.version},
		{key: "tenant", read: r.text(&p.Tenant, tenant)},
		{key: "language", read: r.text(&p.Language, oneOf("en", "zh-CN"))},
		{key: "agent", need: write("a section agent: with name: and email:", "包含 name: 和 email: 的 agent: 小节"), within: []field{
			{key: "id", read: r.text(&p.Agent.ID, nil)},
			{key: "name", need: write("the agent's name as the CRM has it", "坐席在 CRM 中的姓名"), read: r.text(&p.Agent.Name, nil)},
			{key: "email", read: r.text(&p.Agent.Email, email)},
		}},
		{key: "phone", need: write("a section phone: with source: and extension:", "包含 source: 和 extension: 的 phone: 小节"), within: []field{
			{key: "source", need: needSource, read: r.text(&p.Phone.Source, r.sourceName)},
			{key: "address", need: needAddress(&p.Phone.Source), read: r.address(&p.Phone.Source, &p.Phone.Address)},
			{key: "program", need: needProgram(&p.Phone.Source), read: r.program(&p.Phone.Source, &p.Phone.Program)},
			{key: "also", read: r.alsoPhones},
			{key: "data", read: r.callData},
			{key: "extension", need: write("the agent's own extension, such as 201", "坐席自己的分机号，例如 201"), read: r.text(&p.Phone.Extension, nil)},
			{key: "exchange", read: r.access(&p.Phone.Exchange)},
		}},
		{key: "region", need: write("the country whose national numbers you dial, such as GB or CN", "拨打国内号码所属的国家或地区，例如 CN 或 GB"),
			read: r.text(&p.Region, region)},
		{key: "own_numbers", read: r.numbers(&p.OwnNumbers)},
		{key: "numbers", within: []field{
			{key: "area_code", read: r.text(&p.Numbers.AreaCode, dialled)},
			{key: "presented_prefix", read: r.text(&p.Numbers.PresentedPrefix, dialled)},
			{key: "outside_prefix", read: r.text(&p.Numbers.OutsidePrefix, dialled)},
			{key: "extensions", read: r.numbers(&p.Numbers.Extensions)},
			{key: "queues", read: r.numbers(&p.Numbers.Queues)},
			{key: "privacy", read: r.numbers(&p.Numbers.Privacy)},
			{key: "mask", read: r.text(&p.Numbers.Mask, oneOf(maskModes()...))},
		}},
		{key: "crm", need: write("a section crm: with connector: and params:", "包含 connector: 和 params: 的 crm: 小节"),
			within: append(connection(r, &p.CRM.Connector, &p.CRM.Params, &p.CRM.Mapping), field{key: "also", read: r.also},
				field{key: "shared_sign_in", read: r.truth(&p.CRM.SharedSignIn)})},
		{key: "customers", within: []field{
			{key: "types", read: r.types},
			{key: "sync_minutes", read: r.syncMinutes},
		}},
		{key: "dialling", within: []field{
			{key: "stop_tags", read: func(path string, n *yaml.Node) { r.choices(path, n, &p.Dialling.StopTags) }},
			{key: "stop_statuses", read: func(path string, n *yaml.Node) { r.choices(path, n, &p.Dialling.StopStatuses) }},
		}},
		{key: "wrapup", need: write("a section wrapup: with a list outcomes:", "包含 outcomes: 列表的 wrapup: 小节"), within: []field{
			{key: "outcomes", need: write("a list of what an agent may choose after a call", "坐席在通话后可选择的结果列表"), read: r.outcomes},
			{key: "seconds", read: r.wrapSeconds},
			{key: "required", read: r.truth(&p.WrapUp.Required)},
			{key: "default", read: r.wrapDefault},
		}},
		{key: "presence", within: []field{
			{key: "reasons", read: r.reasons},
		}},
		{key: "recordings", within: r.recordings(&p.Recordings)},
		{key: "storage", within: []field{
			{key: "recovery_recipient", read: r.text(&p.Storage.RecoveryRecipient, recipient)},
			{key: "keep_calls_days", read: r.keepCalls},
		}},
	}
}

func write(en, zh string) func() *wording { return func() *wording { return &wording{en, zh} } }

// newer tells whether the profile is of a later version. Its other keys are not judged then: they follow rules unknown here.
func (r *reader) newer(root *yaml.Node) bool {
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		if n, err := strconv.Atoi(value.Value); key.Value == "version" && err == nil && n > version {
			r.wrong(value, "version", say("this %[1]s is for a newer Ringside (%[3]d; this one reads %[4]d): update Ringside",
				"此%[2]s适用于更新版本的 Ringside（版本 %[3]d，本程序支持版本 %[4]d）：请更新 Ringside", r.subject.en, r.subject.zh, n, version))
			return true
		}
	}
	return false
}

func (r *reader) version(path string, n *yaml.Node) {
	r.text(new(string), func(s string) *wording {
		if s != strconv.Itoa(version) {
			return say("%s is not a version; write 1", "%s 不是有效的版本；请写 1", quoted(s))
		}
		r.profile.Version = version
		return nil
	})(path, n)
}

// A call log shorter than a month is of no use to reconciliation; longer than ten years is a typing error.
const (
	leastDays = 30
	mostDays  = 3650
)

func (r *reader) keepCalls(path string, n *yaml.Node) {
	r.text(new(string), func(s string) *wording {
		days, err := strconv.Atoi(s)
		if err != nil || days < leastDays || days > mostDays {
			return say("%[1]s is not a number of days from %[2]d to %[3]d; write %[4]d", "%[1]s 不是 %[2]d 到 %[3]d 之间的天数；请写 %[4]d", quoted(s), leastDays, mostDays, cti.DefaultKeepCalls)
		}
		r.profile.Storage.KeepCallsDays = days
		return nil
	})(path, n)
}

func (r *reader) truth(into *bool) func(path string, n *yaml.Node) {
	return func(path string, n *yaml.Node) {
		r.text(new(string), func(s string) *wording {
			*into = s == "true"
			return oneOf("true", "false")(s)
		})(path, n)
	}
}

func (r *reader) types(path string, n *yaml.Node) {
	r.list(path, n, func(path string, n *yaml.Node) {
		var name string
		r.text(&name, nil)(path, n)
		r.profile.Customers.Types = append(r.profile.Customers.Types, name)
	})
}

// More seldom than once a day the index would be stale; the CRM's limits are the connector's business.
const mostSyncMinutes = 24 * 60

func (r *reader) syncMinutes(path string, n *yaml.Node) {
	r.text(new(string), func(s string) *wording {
		minutes, err := strconv.Atoi(s)
		if err != nil || minutes < 1 || minutes > mostSyncMinutes {
			return say("%[1]s is not a number of minutes from 1 to %[2]d; write 5", "%[1]s 不是 1 到 %[2]d 之间的分钟数；请写 5", quoted(s), mostSyncMinutes)
		}
		r.profile.Customers.SyncMinutes = minutes
		return nil
	})(path, n)
}

// numbers reads a list of numbers, ranges and beginnings of them.
func (r *reader) numbers(into *[]string) func(string, *yaml.Node) {
	return func(path string, n *yaml.Node) {
		r.list(path, n, func(path string, n *yaml.Node) {
			var entry string
			r.text(&entry, func(s string) *wording {
				if _, err := number.NewList([]string{s}, r.profile.Region); err != nil {
					return say("%s is no number; write one (1001), one with open digits (10xx), a range from a smaller number to a larger one (1000-1999), or a beginning (+86170*)",
						"%s 不是号码；请写一个号码（1001）、含任意位的号码（10xx）、从小到大的号段（1000-1999）或号码开头（+86170*）", quoted(s))
				}
				return nil
			})(path, n)
			*into = append(*into, entry)
		})
	}
}

func maskModes() []string {
	var modes []string
	for _, m := range number.Modes() {
		modes = append(modes, string(m))
	}
	return modes
}

func (r *reader) outcomes(path string, n *yaml.Node) {
	if count := r.choices(path, n, &r.profile.WrapUp.Outcomes); count > maxOutcomes {
		r.wrong(n, path, say("%d outcomes; keep at most %d", "共有 %d 个结果；最多保留 %d 个", count, maxOutcomes))
	}
}

// reasons of not being ready; an exchange may take them as they are, so they are short.
func (r *reader) reasons(path string, n *yaml.Node) {
	if count := r.choices(path, n, &r.profile.Presence.Reasons); count > maxOutcomes {
		r.wrong(n, path, say("%d reasons; keep at most %d", "共有 %d 个原因；最多保留 %d 个", count, maxOutcomes))
	}
}

// choices reads a list of what an agent may choose from, each once, and counts them.
func (r *reader) choices(path string, n *yaml.Node, into *[]string) int {
	first := map[string]*yaml.Node{}
	r.list(path, n, func(path string, n *yaml.Node) {
		var choice string
		r.text(&choice, outcomeText)(path, n)
		name := strings.TrimSpace(choice)
		if was := first[name]; was != nil && name != "" {
			r.twice(path, n, was)
		} else {
			first[name] = n
		}
		*into = append(*into, choice)
	})
	return len(*into)
}

// mostWrapSeconds: who needs an hour after a call is not ready for another reason.
const mostWrapSeconds = 3600

func (r *reader) wrapSeconds(path string, n *yaml.Node) {
	r.text(new(string), func(s string) *wording {
		seconds, err := strconv.Atoi(s)
		if err != nil || seconds < 0 || seconds > mostWrapSeconds {
			return say("%[1]s is not a number of seconds from 0 to %[2]d; write 30, or 0 for none", "%[1]s 不是 0 到 %[2]d 之间的秒数；请写 30，不需要则写 0", quoted(s), mostWrapSeconds)
		}
		r.profile.WrapUp.Seconds = seconds
		return nil
	})(path, n)
}

// wrapDefault is read after the outcomes, one of which it is.
func (r *reader) wrapDefault(path string, n *yaml.Node) {
	r.text(&r.profile.WrapUp.Default, func(s string) *wording {
		if outcomes := r.profile.WrapUp.Outcomes; len(outcomes) > 0 && !slices.Contains(outcomes, s) {
			return say("%[1]s is none of the outcomes above; add it to them, or write one of them", "%[1]s 不在上面的结果列表中；请将其加入列表，或改写为其中之一", quoted(s))
		}
		return nil
	})(path, n)
}

func outcomeText(s string) *wording {
	switch length := utf8.RuneCountInString(s); {
	case strings.ContainsAny(s, "\r\n"):
		return say("more than one line; write it in one line", "超过一行；请写在一行内")
	case length > maxOutcome:
		return say("%d characters; write at most %d", "共 %d 个字符；最多 %d 个", length, maxOutcome)
	}
	return nil
}

// quoted shows what was written, shortened so that a whole file pasted into one value stays readable.
func quoted(s string) string {
	const enough = 40
	if utf8.RuneCountInString(s) > enough {
		s = string([]rune(s)[:enough]) + "…"
	}
	return fmt.Sprintf("%q", s)
}
