package settings

import (
	"net"
	"net/mail"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var agePublicKey = regexp.MustCompile(`^age1[a-z0-9]{58,}$`)

// recipient looks at the form only; whether the key is one, the store finds out when it seals for it.
func recipient(s string) *wording {
	switch {
	case agePublicKey.MatchString(s):
		return nil
	case strings.HasPrefix(s, "AGE-SECRET-KEY"):
		return say("this is the secret half of the recovery key, which never belongs into a profile; write the public one that begins with age1, and make a new pair",
			"这是恢复密钥的私钥部分，绝不能写入配置文件；请写以 age1 开头的公钥，并重新生成一对密钥")
	}
	return say("%s is not an age public key; make a pair with age-keygen and write the one that begins with age1",
		"%s 不是 age 公钥；请用 age-keygen 生成密钥对，并写入以 age1 开头的公钥", quoted(s))
}

var tenantName = regexp.MustCompile(`^[a-z0-9-]{1,63}$`)

func tenant(s string) *wording {
	if tenantName.MatchString(s) {
		return nil
	}
	return say("%s is not a tenant; write 1 to 63 of a-z, 0-9 and -, such as default", "%s 不是有效的租户；请写 1 到 63 个 a-z、0-9 或 -，例如 default", quoted(s))
}

func oneOf(allowed ...string) func(string) *wording {
	return func(s string) *wording {
		if slices.Contains(allowed, s) {
			return nil
		}
		return say("%[1]s is not known; write %[2]s", "未知的值 %[1]s；请写 %[3]s", quoted(s),
			strings.Join(allowed, " or "), strings.Join(allowed, " 或 "))
	}
}

var digits = regexp.MustCompile(`^[0-9]{1,6}$`)

func dialled(s string) *wording {
	if digits.MatchString(s) {
		return nil
	}
	return say("%s is not what one dials before a number; write 1 to 6 digits, such as 9 or 021", "%s 不是号码前加拨的数字；请写 1 到 6 位数字，例如 9 或 021", quoted(s))
}

func email(s string) *wording {
	a, err := mail.ParseAddress(s)
	if err == nil && a.Address == s {
		return nil
	}
	return say("%s is not an e-mail address; write one such as anna@example.com", "%s 不是电子邮件地址；请写成 anna@example.com 的形式", quoted(s))
}

// loopback admits only this machine: ctrl_tcp has no password, so on any other address whoever reaches it can place calls.
func loopback(s string) *wording {
	host, port, err := net.SplitHostPort(s)
	number, portErr := strconv.ParseUint(port, 10, 16)
	if err != nil || portErr != nil || number == 0 || host == "" {
		return say("%s is not host:port; write 127.0.0.1:4444", "%s 不是“主机:端口”的形式；请写 127.0.0.1:4444", quoted(s))
	}
	ip, err := netip.ParseAddr(host)
	if host == "localhost" || err == nil && ip.IsLoopback() {
		return nil
	}
	return say("%s is not this computer, and ctrl_tcp has no password: anybody who reaches it could place calls; "+
		"write ctrl_tcp_listen 127.0.0.1:4444 in baresip's config and 127.0.0.1:4444 here",
		"%s 不是本机地址，而 ctrl_tcp 没有密码：任何能访问它的人都可以拨打电话；"+
			"请在 baresip 的 config 中写 ctrl_tcp_listen 127.0.0.1:4444，并在此处写 127.0.0.1:4444", quoted(s))
}

// briaAddress admits only this machine: Bria's interface is for programs beside it.
func briaAddress(s string) *wording {
	if loopback(s) == nil {
		return nil
	}
	return say("%s is not host:port of this computer; leave address out: Bria listens at 127.0.0.1:9002", "%s 不是本机的“主机:端口”；请去掉 address：Bria 监听 127.0.0.1:9002", quoted(s))
}

// regions are the codes of ISO 3166-1 alpha-2, and XK, which has numbers (+383) but no code there yet.
const regions = " AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ" +
	" CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR" +
	" GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP" +
	" KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT" +
	" MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW" +
	" SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ" +
	" UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW "

func region(s string) *wording {
	upper := strings.ToUpper(strings.TrimSpace(s))
	known := len(upper) == 2 && strings.Contains(regions, " "+upper+" ")
	switch {
	case known && s == upper:
		return nil
	case known:
		return say("%s must be two capital letters; write %s", "%s 必须是两个大写字母；请写 %s", quoted(s), upper)
	case upper == "UK":
		return say("%s is not the code of the United Kingdom; write GB", "%s 不是英国的代码；请写 GB", quoted(s))
	}
	return say("%s is not a country's code; write the two capital letters of ISO 3166-1, such as GB or CN",
		"%s 不是国家或地区代码；请写 ISO 3166-1 的两个大写字母，例如 CN 或 GB", quoted(s))
}
