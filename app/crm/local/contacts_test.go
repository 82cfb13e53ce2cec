package local

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/number"
)

func encoded(t *testing.T, enc encoding.Encoding, text string) string {
	t.Helper()
	out, err := enc.NewEncoder().String(text)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// readText reads a contacts file of that content.
func readText(t testing.TB, text, region string) (*contacts, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "contacts")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return readContacts(path, &number.Plan{Region: region})
}

const chinese = "姓名,手机,固定电话,公司,邮箱,标签,状态,负责人,客户编号\r\n陈伟,13800138000,021-6555 0100,晨光贸易,chen@example.cn,重点；续约,跟进中,林月,K1\r\n李娜,+86 139 1390 1390,,,,,,,\r\n"

// chineseWant is what stands in it; who has no id of their own is named below.
var chineseWant = []cti.Customer{
	{ID: "K1", Type: "contact", Name: "陈伟", Company: "晨光贸易", Email: "chen@example.cn", Numbers: []string{"13800138000", "021-6555 0100"},
		Tags: []string{"重点", "续约"}, Status: "跟进中", Owner: "林月"},
	{Type: "contact", Name: "李娜", Numbers: []string{"+86 139 1390 1390"}},
}

// person is a customer of a file without ids.
func person(name string, numbers ...string) cti.Customer {
	return cti.Customer{Type: "contact", Name: name, Numbers: numbers}
}

const ada, bob, carl = "020 7946 0123", "020 7946 0124", "020 7946 0125"

func TestContactsFilesAreRead(t *testing.T) {
	utf16 := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM)
	for _, test := range []struct {
		name, text string
		want       []cti.Customer
		encoding   string
		leftOut    []LeftOut
		spoiled    []LeftOut
		unknown    []string
		torn       string
	}{
		{name: "UTF-8", text: chinese, want: chineseWant},
		{name: "UTF-8 with a byte order mark", text: "\ufeff" + chinese, want: chineseWant},
		{name: "GB18030, as Excel writes it in China", text: encoded(t, simplifiedchinese.GB18030, chinese), want: chineseWant, encoding: encGB18030},
		{name: "GBK", text: encoded(t, simplifiedchinese.GBK, chinese), want: chineseWant, encoding: encGB18030},
		{name: "UTF-16 with tabs, as Excel's Unicode text", text: encoded(t, utf16, strings.ReplaceAll(chinese, ",", "\t")), want: chineseWant, encoding: encUTF16},
		{
			name: "Windows-1252 with semicolons, as Excel writes it in Germany", encoding: encLatin,
			text: encoded(t, charmap.Windows1252, "Name;Firma;Telefon;Phone\nJürgen Groß;Möbel & Söhne;;020 7946 0123\n"),
			want: []cti.Customer{person("Jürgen Groß", ada)}, unknown: []string{"Firma", "Telefon"},
		},
		{name: "the separator named before the table", text: "sep=;\nname;phone\nAda, Countess;020 7946 0123\n", want: []cti.Customer{person("Ada, Countess", ada)}},
		{name: "line ends of an old Mac", text: "name,phone\rAda,020 7946 0123\rBob,020 7946 0124\r", want: []cti.Customer{person("Ada", ada), person("Bob", bob)}},
		{
			name: "quotes around separators, line ends and quotes", text: "name,address,phone\n\"Ada \"\"Countess\"\" King\",\"12 St James's Square,\nLondon\",020 7946 0123\nBob,,020 7946 0124\n",
			want: []cti.Customer{person(`Ada "Countess" King`, ada), person("Bob", bob)}, unknown: []string{"address"},
		},
		{
			name: "several columns of numbers, and several numbers in one", text: "First Name,Last Name,Phone 1 - Value,Phone 2 - Value\nAda,Lovelace,020 7946 0123 ::: 020 7946 0124,020 7946 0125\n",
			want: []cti.Customer{person("Ada Lovelace", ada, bob, carl)},
		},
		{name: "a row for each number of one id", text: "id,name,phone\n7,Ada,020 7946 0123\n7,Ada,020 7946 0124\n",
			want: []cti.Customer{{ID: "7", Type: "contact", Name: "Ada", Numbers: []string{ada, bob}}}},
		{name: "rows copied from our own tables", text: "name,phone\n'=cmd,tel:+442079460123\n", want: []cti.Customer{person("=cmd", "tel:+442079460123")}},
		{name: "a company alone", text: "company,phone\nAcme,020 7946 0123\n", want: []cti.Customer{{Type: "contact", Name: "Acme", Company: "Acme", Numbers: []string{ada}}}},
		{
			name: "a quote that is never closed costs its row alone", text: "name,phone\n\"Ada,020 7946 0123\n" + strings.Repeat("\n", maxRowLines) + "Bob,020 7946 0124\n",
			want: []cti.Customer{person("Bob", bob)}, leftOut: []LeftOut{{2, "a quote is not closed"}},
		},
		{
			name: "bad rows are named by their lines", text: "id,name,phone\n1,Ada,020 7946 0123\n1,Bob,020 7946 0124\n2,Carl,020 7946 0125,and,more\n,,\n" +
				strings.Repeat("x", maxLine+1) + ",y,z\n3,Dan,none\n4,Eve,4.42079E+11\n",
			want: []cti.Customer{{ID: "1", Type: "contact", Name: "Ada", Numbers: []string{ada}}, {ID: "3", Type: "contact", Name: "Dan"}, {ID: "4", Type: "contact", Name: "Eve"}},
			leftOut: []LeftOut{
				{3, "its id is that of another customer above"}, {4, "it has 5 fields, the first row has 3"}, {5, "it has no name and no number"}, {6, "it is longer than 64 KiB"},
			},
			spoiled: []LeftOut{{7, "what stands for a number is none"}, {8, "a number was shortened by a spreadsheet: set the column's format to text and type it again"}},
		},
		{name: "an id like that of a customer on their way", text: "id,name,phone\nnew:leg:key,Ada,020 7946 0123\n", leftOut: []LeftOut{{2, "an id must not begin like that of a customer who is on their way"}}},
		{name: "names of columns that look like data are not repeated", text: "phone,02079460999,a@b.example\n020 7946 0123,,\n", want: []cti.Customer{person("", ada)}, unknown: []string{"…", "…"}},
		{name: "cut within a character", text: chinese[:len(chinese)-len("1390,,,,,,,\r\n")] + "\xe6\x9d", torn: "it ends within a character", want: []cti.Customer{chineseWant[0], person("李娜")},
			spoiled: []LeftOut{{3, "what stands for a number is none"}}},
		{name: "cut within a row", text: "name,phone,company\nAda,020 7946 0123,\nBob,020 79", torn: noEnd, want: []cti.Customer{person("Ada", ada), person("Bob", "020 79")}},
		{name: "cut within quotes", text: "name,phone\nAda,020 7946 0123\n\"Bob", torn: "its last row has a quote that is not closed", want: []cti.Customer{person("Ada", ada)},
			leftOut: []LeftOut{{3, "a quote is not closed"}}},
		{name: "nothing", text: "", torn: "it is empty"},
		{
			name: "vCard 3.0 with folded lines, several numbers, a picture and a group", want: []cti.Customer{
				{ID: "u1", Type: "contact", Name: "陈伟", Company: "晨光贸易, Sales", Email: "chen@example.cn", Numbers: []string{"+86 138 0013 8000", "021-6555 0100"}, Tags: []string{"vip", "new"}},
			},
			text: "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:u1\r\nN:陈;伟;;;\r\nFN:陈\r\n 伟\r\nORG:晨光贸易;Sales\r\nTEL;TYPE=CELL:+86 138 0013\r\n  8000\r\nitem1.TEL;TYPE=WORK:021-6555 0100\r\n" +
				"EMAIL:chen@example.cn\r\nCATEGORIES:vip,new\r\nPHOTO;ENCODING=b:" + strings.Repeat("QUJD", 100) + "\r\n " + strings.Repeat("REVG", 100000) + "\r\nEND:VCARD\r\n" +
				"BEGIN:VCARD\r\nVERSION:4.0\r\nKIND:group\r\nFN:Friends\r\nMEMBER:urn:uuid:1\r\nEND:VCARD\r\n",
		},
		{
			name: "vCard 4.0 without a name for display", text: "BEGIN:VCARD\nVERSION:4.0\nN:Lovelace;Ada;;;\nTEL;VALUE=uri:tel:+44-20-7946-0123\nEND:VCARD\n",
			want: []cti.Customer{person("Ada Lovelace", "tel:+44-20-7946-0123")},
		},
		{
			name: "bad cards are named by their lines", text: "BEGIN:VCARD\nFN:No End\nBEGIN:VCARD\nVERSION:2.1\nFN;ENCODING=QUOTED-PRINTABLE:=E9=99=88\nTEL:1\nEND:VCARD\nBEGIN:VCARD\nVERSION:3.0\nFN:Ada\nTEL:020 7946 0123\nEND:VCARD\n",
			want: []cti.Customer{person("Ada", ada)}, leftOut: []LeftOut{{1, "the card has no end"}, {3, "the card is a vCard 2.1: export it as 3.0 or 4.0"}},
		},
		{name: "cut within a card", text: "BEGIN:VCARD\nVERSION:3.0\nFN:Ada\nTEL:020", torn: "its last card has no end", leftOut: []LeftOut{{1, "the card has no end"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			region := "GB"
			if strings.Contains(test.name, "UTF") || strings.Contains(test.name, "GB") || strings.Contains(test.name, "character") {
				region = "CN"
			}
			got, err := readText(t, test.text, region)
			if err != nil {
				t.Fatal(err)
			}
			for i, c := range got.people {
				if strings.HasPrefix(c.ID, "f-") {
					got.people[i].ID = ""
				}
			}
			if test.encoding == "" {
				test.encoding = encUTF8
			}
			type read struct {
				People           []cti.Customer
				Encoding, Torn   string
				LeftOut, Spoiled []LeftOut
				Unknown          []string
				Count            int
			}
			want := read{test.want, test.encoding, test.torn, test.leftOut, test.spoiled, test.unknown, len(test.leftOut)}
			if diff := cmp.Diff(want, read{got.people, got.encoding, got.torn, got.leftOut, got.spoiled, got.unknown, got.count}); diff != "" {
				t.Errorf("the file is read otherwise (-want +got):\n%s", diff)
			}
		})
	}
}

// A file that cannot be a contacts file is refused as a whole, with words that say what to do.
func TestFilesThatAreNoContactsAreRefused(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"no column of numbers", "name,company\nAda,Acme\n", "line 1 must name the columns, and one of them phone, mobile, 电话 or 手机"},
		{"no first row", "Ada,020 7946 0123\n", "line 1 must name the columns"},
	} {
		_, err := readText(t, test.text, "GB")
		if cti.KindOf(err) != cti.Invalid || !strings.Contains(cti.MessageOf(err), test.want) || strings.Contains(err.Error(), "7946") {
			t.Errorf("%s: the error is %v, want invalid with %q and without data", test.name, err, test.want)
		}
	}
	large := filepath.Join(t.TempDir(), "large.csv")
	if err := os.WriteFile(large, []byte("name,phone\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(large, maxFile+1); err != nil { // a hole: it takes no room
		t.Fatal(err)
	}
	if _, err := readContacts(large, &number.Plan{Region: "GB"}); cti.KindOf(err) != cti.Invalid || !strings.Contains(err.Error(), "200 MB") {
		t.Errorf("a file of more than 200 MB: %v, want invalid", err)
	}
	if _, err := readContacts(filepath.Join(t.TempDir(), "none"), &number.Plan{}); cti.KindOf(err) != cti.Offline {
		t.Errorf("a file that is not there: %v, want offline", err)
	}
}
