package local

import (
	"strings"
	"unicode"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/number"
)

// column is what a column of a contacts file holds.
type column string

// The columns. All but the numbers may stand in several columns, too: the first one with something in it counts.
const (
	colNone    column = ""
	colID      column = "id"
	colName    column = "name"
	colGiven   column = "given name"
	colFamily  column = "family name"
	colCompany column = "company"
	colEmail   column = "email"
	colPhone   column = "phone"
	colTags    column = "tags"
	colStatus  column = "status"
	colOwner   column = "owner"
)

// headers are the names of columns, reduced to their letters: those people write, and those of the exports of Excel, Outlook and Google.
var headers = headersOf(map[column]string{
	colID: "id uid contactid customerid customerno customernumber accountnumber 编号 客户编号 客户id 联系人编号 会员号 会员编号 会员卡号 編號 客戶編號",
	colName: "name fullname displayname contact contactname customer customername client fileas 姓名 名称 名字 客户 客户名 客户名称 客户姓名 联系人 联系人姓名 称呼 " +
		"姓名全称 显示名称 名稱 客戶 客戶名稱 聯絡人",
	colGiven:  "firstname givenname forename 名",
	colFamily: "lastname familyname surname 姓 姓氏",
	colCompany: "company companyname organisation organization organisationname organizationname account accountname business firm " + //nolint:misspell // both spellings are met
		"公司 公司名 公司名称 单位 单位名称 企业 企业名称 组织 公司名稱 單位",
	colEmail: "email emailaddress emailvalue mail emailaddresses 邮箱 邮箱地址 电子邮箱 电子邮件 电子邮件地址 邮件 郵箱 電子郵件",
	colPhone: "phone phonenumber phonevalue phones telephone telephonenumber tel telno mobile mobilephone mobilenumber mobileno cell cellphone number numbers " +
		"landline businessphone workphone officephone homephone otherphone primaryphone companymainphone carphone assistantsphone directphone " +
		"电话 电话号码 手机 手机号 手机号码 移动电话 联系电话 联系方式 座机 固话 固定电话 办公电话 公司电话 单位电话 单位主要电话 商务电话 住宅电话 家庭电话 其他电话 备用电话 " +
		"主要电话 号码 電話 電話號碼 手機 手機號碼 行動電話 聯絡電話",
	colTags:   "tags tag labels groups group groupmembership categories category 标签 分类 类别 分组 组别 標籤 分類",
	colStatus: "status stage customerstatus 状态 客户状态 跟进状态 阶段 狀態",
	colOwner:  "owner ownername accountmanager agent assignedto salesperson salesrep 负责人 归属人 所属人 跟进人 销售 业务员 客户经理 客服 坐席 負責人 業務員",
})

func headersOf(names map[column]string) map[string]column {
	all := map[string]column{}
	for c, list := range names {
		for name := range strings.FieldsSeq(list) {
			all[name] = c
		}
	}
	return all
}

// columnsOf reads the first row of a table. Columns that are not known are named in unknown, but for those whose name looks like a customer's
// data: messages show these names.
func columnsOf(header []string) (columns []column, unknown []string) {
	for _, name := range header {
		c := headers[lettersOf(name)]
		columns = append(columns, c)
		if c == colNone && strings.TrimSpace(name) != "" {
			if name = cti.Clean(name, maxHeader); strings.Contains(name, "@") || len(number.Digits(name)) >= fewestDigits {
				name = "…"
			}
			unknown = append(unknown, name)
		}
	}
	return columns, unknown
}

// maxHeader cuts the names of unknown columns in messages, in bytes: a file without a first row may have anything there.
const maxHeader = 40

// lettersOf reduces a header to its letters: "Phone 2 - Value", "phone_value" and "电话（1）" lose what differs from file to file.
func lettersOf(header string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, header)
}

// separators are what may stand between fields, the likelier first.
var separators = []byte{',', ';', '\t'}

// separatorOf gives the separator with which a first row has the most columns that are known, then the most columns.
func separatorOf(text string) byte {
	best, most := separators[0], -1
	for _, sep := range separators {
		s := splitter{sep: sep}
		s.feed(text)
		columns, _ := columnsOf(s.fields)
		const known = 1000 // counts for more than all that are not
		score := len(columns)
		for _, c := range columns {
			if c != colNone {
				score += known
			}
		}
		if score > most {
			best, most = sep, score
		}
	}
	return best
}
