package servers

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// RT is a Request Tracker of one test.
type RT struct {
	URL string // http://host:port

	// Tokens of people: an agent of the group that the setup file makes, the same with AdminUsers, one outside of the group, and the
	// administrator.
	Agent, Admin, Stranger, Root string

	folder string
}

// rtPackages are Debian's; build/install.sh has the same.
var rtPackages = []string{"request-tracker5", "rt5-db-sqlite", "rt5-standalone", "perl"}

const (
	rtServer = "/usr/share/request-tracker5/libexec/rt-server"
	rtSetup  = "/usr/sbin/rt-setup-database-5"
)

// rtConfig is a site of its own: without RT_SITE_CONFIG_DIR the computer's own configuration would win, and with it its database. Mail
// goes into files. RT hashes the token of each request anew, which by default takes a sixth of a second of a processor.
const rtConfig = `Set($rtname, 'ringside.test');
Set($WebDomain, '127.0.0.1');
Set($WebPath, '');
Set($DatabaseType, 'SQLite');
Set($DatabaseName, $ENV{RINGSIDE_RT} . '/rtdb');
Set($DatabaseHost, '');
Set($Timezone, 'UTC');
Set($VarPath, $ENV{RINGSIDE_RT} . '/var');
Set($MasonDataDir, $ENV{RINGSIDE_RT} . '/mason');
Set($LogToSyslog, undef);
Set($LogToFile, undef);
Set($LogToSTDERR, 'warning');
Set($MailCommand, 'mbox');
Set($BcryptCost, 4);
%s
1;
`

// rtPeople makes those who have a token; their names and tokens are printed.
const rtPeople = `use strict;
use warnings;

our (@Users, @ACL, @Final);

@Users = map { { Name => $_->[0], RealName => $_->[1], EmailAddress => "$_->[0]\@ringside.test", Privileged => 1 } }
    (['agent', 'Alan Turing'], ['admin', 'Grace Hopper'], ['stranger', 'Some Body']);

@ACL = (
    { UserId => 'admin', Right => 'AdminUsers' },
    (map { { GroupDomain => 'UserDefined', GroupId => 'Call agents', Queue => 'General', Right => $_ } }
        qw(SeeQueue ShowTicket CreateTicket ModifyTicket OwnTicket CommentOnTicket ReplyToTicket ShowTicketComments)),
);

@Final = (sub {
    my $group = RT::Group->new(RT->SystemUser);
    $group->LoadUserDefinedGroup('Call agents');
    for my $name (qw(agent admin stranger root)) {
        my $user = RT::User->new(RT->SystemUser);
        $user->Load($name);
        $group->AddMember($user->PrincipalId) if $name eq 'agent' || $name eq 'admin';
        my ($ok, $message, $token) = RT::AuthToken->new(RT->SystemUser)->Create(Owner => $user->Id, Description => 'test');
        print "token $name $token\n";
    }
});
`

// StartRT starts a Request Tracker that is set up with the files of setup, a folder: ringside.initialdata makes the queue, the fields and
// the group of agents; User_Local.pm shows agents the numbers of people; RT_SiteConfig.pm is added to the configuration.
func StartRT(t testing.TB, setup string) *RT {
	t.Helper()
	key := versions(t, rtPackages...) + rtConfig + rtPeople
	files := map[string]string{}
	for _, name := range []string{"ringside.initialdata", "User_Local.pm", "RT_SiteConfig.pm"} {
		text, err := os.ReadFile(filepath.Join(setup, name))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = string(text)
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		key += files[name]
	}
	folder := copied(t, prepared(t, "rt", key, func(ctx context.Context, folder string) error { return prepareRT(ctx, folder, files) }))
	rt := &RT{folder: folder}
	rt.readTokens(t)
	rt.URL = start(t, program{
		name: "perl", env: func(string) []string { return rtEnv(folder) }, log: filepath.Join(folder, "server.log"),
		args: func(port string) []string {
			return []string{rtServer, "--host", "127.0.0.1", "--port", port, "--max-workers", "3"}
		},
		ready: func(base string) string { return base + "/REST/2.0/rt" },
	})
	return rt
}

func rtEnv(folder string) []string {
	return []string{
		"RINGSIDE_RT=" + folder, "RT_SITE_CONFIG=" + filepath.Join(folder, "RT_SiteConfig.pm"), "RT_SITE_CONFIG_DIR=" + filepath.Join(folder, "conf.d"),
		"PERL5LIB=" + filepath.Join(folder, "lib"),
	}
}

func prepareRT(ctx context.Context, folder string, files map[string]string) error {
	for _, name := range []string{"conf.d", "var", "mason", "lib/RT"} {
		if err := os.MkdirAll(filepath.Join(folder, name), 0o700); err != nil {
			return err
		}
	}
	for name, text := range map[string]string{
		"RT_SiteConfig.pm": fmt.Sprintf(rtConfig, files["RT_SiteConfig.pm"]), "lib/RT/User_Local.pm": files["User_Local.pm"],
		"ringside.initialdata": files["ringside.initialdata"], "people.initialdata": rtPeople,
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	tokens := ""
	for _, action := range [][]string{
		{"--action", "init", "--skip-create"},
		{"--action", "insert", "--datafile", filepath.Join(folder, "ringside.initialdata")},
		{"--action", "insert", "--datafile", filepath.Join(folder, "people.initialdata")},
	} {
		said, err := command(ctx, rtEnv(folder), rtSetup, append(action, "--dba", "", "--dba-password", "")...)
		if err != nil {
			return err
		}
		tokens = said
	}
	return os.WriteFile(filepath.Join(folder, "tokens"), []byte(tokens), 0o600)
}

var tokenLine = regexp.MustCompile(`(?m)^token (\w+) (\S+)$`)

func (rt *RT) readTokens(t testing.TB) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(rt.folder, "tokens"))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, line := range tokenLine.FindAllStringSubmatch(string(text), -1) {
		found[line[1]] = line[2]
	}
	rt.Agent, rt.Admin, rt.Stranger, rt.Root = found["agent"], found["admin"], found["stranger"], found["root"]
	if rt.Agent == "" || rt.Admin == "" || rt.Stranger == "" || rt.Root == "" {
		t.Fatalf("not everybody has a token: %s", text)
	}
}

// RTWrites tells which requests change something there: searches are POSTs too.
func RTWrites(r *http.Request, _ []byte) bool {
	return r.Method != http.MethodGet && !strings.HasSuffix(r.URL.Path, "/users") && !strings.HasSuffix(r.URL.Path, "/groups") && !strings.HasSuffix(r.URL.Path, "/attachments")
}

// Add makes something as the administrator and gives its number: kind is user, ticket or queue.
func (rt *RT) Add(t testing.TB, kind string, fields map[string]any) string {
	t.Helper()
	res := rt.ask(t, http.MethodPost, kind, fields)
	where := res.header.Get("Location")
	if res.status != http.StatusCreated || where == "" {
		t.Fatalf("add a %s: status %d, %s", kind, res.status, res.body)
	}
	return where[strings.LastIndexByte(where, '/')+1:]
}

// Set changes something as the administrator: path is below REST/2.0/.
func (rt *RT) Set(t testing.TB, path string, fields map[string]any) {
	t.Helper()
	if res := rt.ask(t, http.MethodPut, path, fields); res.status != http.StatusOK {
		t.Fatalf("set %s: status %d, %s", path, res.status, res.body)
	}
}

// Count tells how many users or groups have this value in a field.
func (rt *RT) Count(t testing.TB, kind, field, value string) int {
	t.Helper()
	return len(rt.search(t, kind, field, value))
}

// AgentRights takes the one who has AdminUsers out of the group of agents, or puts them back into it.
func (rt *RT) AgentRights(t testing.TB, given bool) {
	t.Helper()
	group, user := rt.search(t, "groups", "Name", "Call agents"), rt.search(t, "users", "Name", "admin")
	if len(group) != 1 || len(user) != 1 {
		t.Fatalf("there are %d groups and %d users", len(group), len(user))
	}
	method, path, body := http.MethodDelete, "group/"+group[0]+"/member/"+user[0], any(nil)
	if given {
		method, path, body = http.MethodPut, "group/"+group[0]+"/members", []string{user[0]}
	}
	if res := rt.ask(t, method, path, body); res.status >= http.StatusBadRequest {
		t.Fatalf("%s %s: status %d, %s", method, path, res.status, res.body)
	}
}

// search gives the numbers of what has this value in a field: kind is users or groups.
func (rt *RT) search(t testing.TB, kind, field, value string) []string {
	t.Helper()
	res := rt.ask(t, http.MethodPost, kind+"?fields=id", []map[string]string{{"field": field, "value": value}})
	var page struct{ Items []struct{ ID any } }
	if err := json.Unmarshal(res.body, &page); err != nil || res.status != http.StatusOK {
		t.Fatalf("%s: status %d, %v, %s", kind, res.status, err, res.body)
	}
	var out []string
	for _, item := range page.Items {
		out = append(out, fmt.Sprint(item.ID))
	}
	return out
}

// Get reads a path below REST/2.0/ as the administrator.
func (rt *RT) Get(t testing.TB, path string) map[string]any {
	t.Helper()
	res := rt.ask(t, http.MethodGet, path, nil)
	out := map[string]any{}
	if err := json.Unmarshal(res.body, &out); err != nil || res.status != http.StatusOK {
		t.Fatalf("get %s: status %d, %v, %s", path, res.status, err, res.body)
	}
	return out
}

// Change writes fields as the administrator.
func (rt *RT) Change(t testing.TB, path string, fields map[string]any) {
	t.Helper()
	if res := rt.ask(t, http.MethodPut, path, fields); res.status != http.StatusOK {
		t.Fatalf("change %s: status %d, %s", path, res.status, res.body)
	}
}

// Mail gives all mail that was sent, as text.
func (rt *RT) Mail(t testing.TB) string {
	t.Helper()
	boxes, err := filepath.Glob(filepath.Join(rt.folder, "var", "*.mbox"))
	if err != nil {
		t.Fatal(err)
	}
	all := ""
	for _, box := range boxes {
		text, err := os.ReadFile(box)
		if err != nil {
			t.Fatal(err)
		}
		all += string(text)
	}
	return all
}

func (rt *RT) ask(t testing.TB, method, path string, fields any) answer {
	t.Helper()
	body, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, rt.URL+"/REST/2.0/"+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "token "+rt.Root)
	r.Header.Set("Content-Type", "application/json")
	res, err := exchange(r)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// RTTicket is a ticket as the administrator sees it.
type RTTicket struct {
	ID, Subject, Status, Queue, Owner string
	Requestors                        []string            // numbers of users
	Fields                            map[string][]string // custom ones
}

// Field gives the first value of a custom field; none is "".
func (t RTTicket) Field(name string) string {
	if values := t.Fields[name]; len(values) > 0 {
		return values[0]
	}
	return ""
}

// Tickets gives the tickets that a TicketSQL finds, the first made first; at most 100.
func (rt *RT) Tickets(t testing.TB, query string) []RTTicket {
	t.Helper()
	q := url.Values{
		"query": {query}, "orderby": {"id"}, "per_page": {"100"}, "fields": {"Subject,Status,Queue,Owner,Requestor,CustomFields"},
		"fields[Requestor]": {"id"}, "fields[Queue]": {"Name"}, "fields[Owner]": {"id"},
	}
	res := rt.ask(t, http.MethodGet, "tickets?"+q.Encode(), nil)
	var page struct {
		Items []struct {
			ID, Subject, Status string
			Queue               struct{ Name string }
			Owner               struct{ ID any }
			Requestor           []struct{ ID any }
			CustomFields        []struct {
				Name   string
				Values []string
			}
		}
	}
	if err := json.Unmarshal(res.body, &page); err != nil || res.status != http.StatusOK {
		t.Fatalf("tickets %s: status %d, %v, %s", query, res.status, err, res.body)
	}
	var out []RTTicket
	for _, item := range page.Items {
		ticket := RTTicket{ID: item.ID, Subject: item.Subject, Status: item.Status, Queue: item.Queue.Name, Owner: fmt.Sprint(item.Owner.ID), Fields: map[string][]string{}}
		for _, r := range item.Requestor {
			ticket.Requestors = append(ticket.Requestors, fmt.Sprint(r.ID))
		}
		for _, f := range item.CustomFields {
			ticket.Fields[f.Name] = f.Values
		}
		out = append(out, ticket)
	}
	return out
}
