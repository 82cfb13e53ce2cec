package settings_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/settings"
)

// directProfile names an exchange, as the phone and as a further source.
const directProfile = `version: 1
agent: {name: Lin Yue, email: lin.yue@ringside.example}
phone:
  source: ami
  address: tls://pbx.example.com:5039
  exchange: {user: ringside, password: "keychain:pbx", variables: [ORDER_ID], params: {context: internal}}
  extension: "1001"
  also:
    - {source: ari, address: "https://pbx.example.com:8089", exchange: {user: ringside, password: "keychain:ari"}}
region: CN
crm: {connector: sandbox, params: {base_url: "http://127.0.0.1:9", token: "keychain:crm"}}
wrapup: {outcomes: [Sold]}
`

func write(t *testing.T, name, text string, mode os.FileMode) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := errors.Join(os.WriteFile(file, []byte(text), mode), os.Chmod(file, mode)); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestAProfileThatNamesAnExchangeIsRefusedUnlessThePolicyAllowsIt(t *testing.T) {
	file := write(t, "profile.yaml", directProfile, 0o600)
	for _, test := range []struct {
		allowed, refused []string
	}{{nil, []string{"phone.source", "phone.also[1].source"}}, {[]string{"ami"}, []string{"phone.also[1].source"}}, {[]string{"ari"}, []string{"phone.source"}}, {[]string{"ami", "ari"}, nil}} {
		p, err := settings.LoadUnder(settings.Policy{DirectSources: test.allowed}, file)
		var problems settings.Problems
		if errors.As(err, &problems); len(problems) != len(test.refused) {
			t.Errorf("with %v allowed: %v", test.allowed, err)
			continue
		}
		for i, where := range test.refused {
			if got := problems[i]; !strings.HasPrefix(got.En, where+":") || !strings.Contains(got.En, "belong into ringctl relay") || !strings.Contains(got.En, "in "+settings.PolicyFile()) ||
				!strings.Contains(got.Zh, settings.PolicyFile()) {
				t.Errorf("with %v allowed: %+v", test.allowed, got)
			}
		}
		if want := (cti.ExchangeAccess{User: "ringside", Password: "keychain:ari"}); err == nil && (p.Phone.Sources()[1].Exchange.User != want.User || p.Phone.Sources()[1].Exchange.Password != want.Password ||
			p.Phone.Exchange.Variables[0] != "ORDER_ID" || p.Phone.Sources()[0].Exchange.Params["context"] != "internal") {
			t.Errorf("read %+v", p.Phone)
		}
	}
}

func TestASecretOfAnExchangeDoesNotStandInAProfile(t *testing.T) {
	file := write(t, "profile.yaml", strings.Replace(directProfile, "keychain:pbx", "hunter2", 1), 0o600)
	_, err := settings.LoadUnder(settings.Policy{DirectSources: []string{"ami", "ari"}}, file)
	if cti.KindOf(err) != cti.Invalid || !strings.Contains(err.Error(), "a secret must not stand in this file") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%v", err)
	}
}

func TestThePolicyIsTheAdministratorsAlone(t *testing.T) {
	if p, err := settings.LoadPolicy(filepath.Join(t.TempDir(), "none.yaml")); err != nil || len(p.DirectSources) != 0 {
		t.Errorf("without a file: %+v, %v", p, err)
	}
	if runtime.GOOS == "windows" || os.Getuid() != 0 {
		t.Skip("only root can write a policy, and on Windows the folder's access list keeps others out")
	}
	const text = "version: 1\ndirect_sources: [ami]\n"
	file := write(t, "policy.yaml", text, 0o644)
	if p, err := settings.LoadPolicy(file); err != nil || len(p.DirectSources) != 1 || p.DirectSources[0] != "ami" {
		t.Errorf("read %+v, %v", p, err)
	}
	for _, mode := range []os.FileMode{0o664, 0o646} {
		if p, err := settings.LoadPolicy(write(t, "policy.yaml", text, mode)); cti.KindOf(err) != cti.Denied || len(p.DirectSources) != 0 {
			t.Errorf("mode %o: %+v, %v", mode, p, err)
		}
	}
	if err := os.Chown(file, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	if p, err := settings.LoadPolicy(file); cti.KindOf(err) != cti.Denied || len(p.DirectSources) != 0 || !strings.Contains(err.Error(), "belongs to user 65534") {
		t.Errorf("of another user: %+v, %v", p, err)
	}
}

func TestAMistakeInThePolicyAllowsNothing(t *testing.T) {
	if runtime.GOOS != "windows" && os.Getuid() != 0 {
		t.Skip("only root can write a policy")
	}
	for text, say := range map[string]string{
		"version: 1\ndirect_sources: [pbx]\n":  `"pbx" is not known; write ami or ari`,
		"version: 1\ndirect_source: [ami]\n":   "did you mean direct_sources?",
		"version: 2\ndirect_sources: [ami]\n":  "is for a newer Ringside",
		"direct_sources: [ami]\n":              "version: missing",
		"version: 1\ndirect_sources: {ami: 1}": "direct_sources:",
		"":                                     "the policy file is empty",
	} {
		p, err := settings.LoadPolicy(write(t, "policy.yaml", text, 0o644))
		if cti.KindOf(err) != cti.Invalid || len(p.DirectSources) != 0 || !strings.Contains(err.Error(), say) {
			t.Errorf("%q: %+v, %v; want %q", text, p, err, say)
		}
	}
}
