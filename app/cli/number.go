package cli

import (
	"context"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/number"
	"ringside.dev/ringside/app/settings"
)

// numberReading is what ringctl number prints.
type numberReading struct {
	Raw       string          `json:"raw"`
	E164      string          `json:"e164,omitempty"`
	Key       string          `json:"key,omitempty"`
	Extension string          `json:"extension,omitempty"`
	Class     cti.NumberClass `json:"class"`
	Why       []number.Step   `json:"why"`
	Dial      string          `json:"dial,omitempty"` // what the phone would be told; none: it cannot be dialled
}

// numberOptions are the site's habits, where they are not those of the profile.
type numberOptions struct{ profile, region, area, outside string }

func (e *env) numberCommand() *cobra.Command {
	var o numberOptions
	c := command("number -- NUMBER", e.say("Show how a number is read: its forms, its class, and why", "显示号码如何识别：各种形式、类别及原因"), 1,
		func(_ context.Context, args []string) error {
			plan, err := o.plan()
			if err != nil {
				return err
			}
			return e.printNumber(plan, args[0])
		})
	c.Flags().StringVar(&o.profile, "profile", DefaultProfile(), e.say("the profile file; without one only the other flags count", "配置文件；没有时只按其他参数"))
	c.Flags().StringVar(&o.region, "region", "", e.say("the country whose national numbers are read, such as CN (default: the profile's)", "国内号码所属的国家或地区，例如 CN（默认按配置文件）"))
	c.Flags().StringVar(&o.area, "area-code", "", e.say("the site's own area code (default: the profile's)", "本地区号（默认按配置文件）"))
	c.Flags().StringVar(&o.outside, "outside-prefix", "", e.say("what the phones put before the numbers of outside callers (default: the profile's)", "话机在外线来电号码前添加的数字（默认按配置文件）"))
	return c
}

// plan is that of the profile, if there is one, with what the flags say instead.
func (o numberOptions) plan() (*number.Plan, error) {
	p, err := settings.Load(o.profile)
	if err != nil && (o.region == "" || cti.KindOf(err) != cti.NotFound) {
		return nil, err
	}
	if o.region != "" {
		p.Region = strings.ToUpper(o.region)
	}
	if o.area != "" {
		p.Numbers.AreaCode = o.area
	}
	if o.outside != "" {
		p.Numbers.PresentedPrefix = o.outside
	}
	return number.NewPlan(p)
}

func (e *env) printNumber(plan *number.Plan, raw string) error {
	n := plan.Read(raw)
	dial, err := plan.Dialled(n.Number)
	if err != nil && cti.KindOf(err) != cti.Invalid {
		return err
	}
	r := numberReading{n.Raw, n.E164, n.Key, n.Ext, n.Class, n.Why, dial}
	if r.Why == nil {
		r.Why = []number.Step{}
	}
	return e.print(r, func() string {
		return table(func(w io.Writer) {
			row(w, e.say("as received", "原始号码"), r.Raw)
			row(w, "E.164", r.E164)
			row(w, e.say("compared by", "比对键"), r.Key)
			row(w, e.say("extension", "分机"), r.Extension)
			row(w, e.say("class", "类别"), e.className(r.Class))
			row(w, e.say("dialled as", "拨打方式"), r.Dial)
			for _, step := range r.Why {
				row(w, e.say("because", "原因"), e.stepName(step))
			}
		})
	})
}

func (e *env) className(c cti.NumberClass) string {
	return string(c) + ": " + map[cti.NumberClass]string{
		cti.ClassPerson:   e.say("an outside line", "外线"),
		cti.ClassService:  e.say("a service, never a person", "服务号码，不代表个人"),
		cti.ClassWithheld: e.say("no number was sent", "未显示号码"),
		cti.ClassOwn:      e.say("one of your own", "本公司号码"),
		cti.ClassInternal: e.say("an extension", "内部分机"),
		cti.ClassPrivacy:  e.say("lent for a while, it tells nobody", "临时隐私号，不能识别客户"),
		cti.ClassInvalid:  e.say("no telephone number", "不是电话号码"),
	}[c]
}

func (e *env) stepName(s number.Step) string {
	return map[number.Step]string{
		number.StepURI:         e.say("it stood in a SIP or tel URI", "号码来自 SIP 或 tel URI"),
		number.StepWide:        e.say("full-width signs were made plain", "全角字符已转换"),
		number.StepExtension:   e.say("an extension was cut off", "已分离分机号"),
		number.StepVanity:      e.say("letters stand for digits", "字母代表数字"),
		number.StepTrunkInside: e.say("(0) was dropped: it is dialled within the country alone", "已去掉 (0)：仅在国内拨打"),
		number.StepOutside:     e.say("the prefix of the outside line was cut off", "已去掉外线前缀"),
		number.StepCarrier:     e.say("the prefix of a carrier was cut off", "已去掉运营商或 IP 电话前缀"),
		number.StepPlus:        e.say("it names its country", "号码带有国家代码"),
		number.StepNoPlus:      e.say("it names its country, without +", "号码带有国家代码，但没有 +"),
		number.StepNational:    e.say("it is a number of this country", "是本国有效号码"),
		number.StepPossible:    e.say("its length is right, though it is in no table of numbers given out", "长度正确，但不在已知号段中"),
		number.StepArea:        e.say("a local number: the site's area code was added", "本地号码：已补上本地区号"),
		number.StepList:        e.say("the profile lists it", "配置文件中列出"),
		number.StepShort:       e.say("it is too short for an outside line", "对外线来说太短"),
		number.StepService:     e.say("it is in a range of service numbers", "属于服务号码段"),
		number.StepNothing:     e.say("nothing in it is a telephone number", "其中没有电话号码"),
	}[s]
}
