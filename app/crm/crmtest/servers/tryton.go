package servers

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Tryton is a Tryton of one test, with a company Acme.
type Tryton struct {
	URL      string // http://host:port
	Database string

	// Logins of people, all with Password: one of the groups Sales and Sale Opportunity who is an employee of the company, one in no group
	// and of no company, and the administrator, who is of the company too.
	Agent, Stranger, Root string
	Password              string

	folder, session string // session: of the administrator
}

// trytonPackages are Debian's; build/install.sh has the same.
var trytonPackages = []string{"tryton-server", "tryton-modules-party", "tryton-modules-sale-opportunity", "python3-phonenumbers"}

const (
	trytonDatabase = "crm"
	trytonPassword = "Ringside-42pw" //nolint:gosec // of people who are thrown away; Tryton refuses one that repeats letters
	trytonAgent    = "agent"
	trytonStranger = "stranger"
	trytonRoot     = "admin"
)

// trytonPeople is for Tryton's console: a company and those who sign in.
const trytonPeople = `
def one(model, **values):
    return pool.get(model).create([values])[0]

euro = one('currency.currency', name='Euro', symbol='€', code='EUR')
company = one('company.company', party=one('party.party', name='Acme').id, currency=euro.id)
groups = [g.id for g in pool.get('res.group').search([('name', 'in', ['Sales', 'Sale Opportunity'])])]
employee = one('company.employee', party=one('party.party', name='Alan Turing').id, company=company.id)
_ = one('party.category', name='VIP')
_ = one('party.category', name='Press')
_ = one('res.user', login='agent', name='Alan Turing', email='agent@ringside.test', password='Ringside-42pw', groups=[('add', groups)],
    companies=[('add', [company.id])], company=company.id, employees=[('add', [employee.id])], employee=employee.id)
users = pool.get('res.user')
users.write(users.search([('login', '=', 'admin')]), {'companies': [('add', [company.id])], 'company': company.id})
_ = one('res.user', login='stranger', name='Some Body', password='Ringside-42pw')
transaction.commit()
`

// StartTryton starts a Tryton with parties, sales and opportunities.
func StartTryton(t testing.TB) *Tryton {
	t.Helper()
	key := versions(t, trytonPackages...) + trytonPeople
	folder := copied(t, prepared(t, "tryton", key, prepareTryton))
	tr := &Tryton{folder: folder, Database: trytonDatabase, Agent: trytonAgent, Stranger: trytonStranger, Root: trytonRoot, Password: trytonPassword}
	tr.URL = start(t, program{
		name: "trytond", log: filepath.Join(folder, "server.log"),
		args:  func(string) []string { return []string{"-d", trytonDatabase} },
		env:   func(port string) []string { return append(trytonEnv(folder), "TRYTOND_WEB__LISTEN=127.0.0.1:"+port) },
		ready: func(base string) string { return base + "/" },
	})
	tr.signIn(t)
	return tr
}

// trytonEnv is a site of its own: TRYTOND_CONFIG is empty so that the computer's own configuration is not read.
func trytonEnv(folder string) []string {
	return []string{"TRYTOND_CONFIG=", "TRYTOND_DATABASE__PATH=" + folder, "TRYTONPASSFILE=" + filepath.Join(folder, "password")}
}

func prepareTryton(ctx context.Context, folder string) error {
	people := filepath.Join(folder, "people.py")
	for path, text := range map[string]string{
		filepath.Join(folder, trytonDatabase+".sqlite"): "", filepath.Join(folder, "password"): trytonPassword, people: trytonPeople,
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return err
		}
	}
	if _, err := command(ctx, trytonEnv(folder), "trytond-admin", "-d", trytonDatabase, "--email", "admin@ringside.test", "-l", "en",
		"-u", "ir", "res", "party", "sale_opportunity", "--activate-dependencies"); err != nil {
		return err
	}
	said, err := command(ctx, trytonEnv(folder), "sh", "-c", `trytond-console -d "$1" < "$2"`, "sh", trytonDatabase, people)
	if err == nil && strings.Contains(said, "Traceback") { // the console ends well whatever it was told
		err = fmt.Errorf("trytond-console: %s", said)
	}
	return err
}

// trytonReads are the last words of the methods that change nothing.
var trytonReads = []string{"read", "search", "search_read", "search_count", "fields_get", "get_preferences", "get_access", "login", "version"}

// TrytonWrites tells which requests change something there: all are POSTs.
func TrytonWrites(_ *http.Request, body []byte) bool {
	var call struct{ Method string }
	if err := json.Unmarshal(body, &call); err != nil {
		return false
	}
	return !slices.Contains(trytonReads, call.Method[strings.LastIndexByte(call.Method, '.')+1:])
}

// Add makes a record as the administrator and gives its number.
func (tr *Tryton) Add(t testing.TB, model string, values map[string]any) int {
	t.Helper()
	var ids []int
	tr.Call(t, &ids, "model."+model+".create", []any{values}, trytonContext)
	return ids[0]
}

// Set changes a record as the administrator.
func (tr *Tryton) Set(t testing.TB, model string, id int, values map[string]any) {
	t.Helper()
	tr.Call(t, new(any), "model."+model+".write", []int{id}, values, trytonContext)
}

// Remove deletes a record as the administrator.
func (tr *Tryton) Remove(t testing.TB, model string, id int) {
	t.Helper()
	tr.Call(t, new(any), "model."+model+".delete", []int{id}, trytonContext)
}

// Find gives the records of a domain as the administrator sees them, the first made first.
func (tr *Tryton) Find(t testing.TB, model string, domain []any, fields ...string) []map[string]any {
	t.Helper()
	var rows []map[string]any
	tr.Call(t, &rows, "model."+model+".search_read", domain, 0, nil, [][]string{{"id", "ASC"}}, fields, trytonContext)
	return rows
}

// EndSessions ends everybody's but the administrator's, as time does. In the database: neither a new password nor any method ends those of another.
func (tr *Tryton) EndSessions(t testing.TB) {
	t.Helper()
	const program = `import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("delete from ir_session where create_uid <> (select id from res_user where login = 'admin')")
db.commit()`
	if _, err := command(t.Context(), nil, "python3", "-c", program, filepath.Join(tr.folder, trytonDatabase+".sqlite")); err != nil {
		t.Fatal(err)
	}
}

// trytonContext is the company of the seed.
var trytonContext = map[string]any{"company": 1, "language": "en"}

func (tr *Tryton) signIn(t testing.TB) {
	t.Helper()
	var session []any
	tr.Call(t, &session, "common.db.login", tr.Root, map[string]string{"password": tr.Password}, "en")
	tr.session = "Session " + base64.StdEncoding.EncodeToString([]byte(fmt.Sprintf("%s:%v:%v", tr.Root, session[0], session[1])))
}

// Call calls a method as the administrator and reads its result into to.
func (tr *Tryton) Call(t testing.TB, to any, method string, params ...any) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"id": 0, "method": method, "params": params})
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, tr.URL+"/"+tr.Database+"/", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", tr.session)
	res, err := exchange(r)
	if err != nil {
		t.Fatal(err)
	}
	var said struct{ Result, Error json.RawMessage }
	if err := json.Unmarshal(res.body, &said); err != nil || said.Error != nil {
		t.Fatalf("%s: status %d, %v, %s", method, res.status, err, res.body)
	}
	if err := json.Unmarshal(said.Result, to); err != nil {
		t.Fatalf("%s: %v, %s", method, err, said.Result)
	}
}
