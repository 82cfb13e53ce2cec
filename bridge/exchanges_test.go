package bridge

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/bridge/ami"
	"ringside.dev/ringside/bridge/ari"
	"ringside.dev/ringside/bridge/esl"
	"ringside.dev/ringside/bridge/sim"
	"ringside.dev/ringside/bridge/webhook"
)

var (
	_ Exchange = (*sim.Exchange)(nil)
	_ Exchange = (*ami.Exchange)(nil)
	_ Exchange = (*ari.Exchange)(nil)
	_ Exchange = (*esl.Exchange)(nil)
	_ Exchange = (*webhook.Exchange)(nil)
)

// anExchange is one that can be opened, with what a test changes.
func anExchange(kind, address string, params ...string) ExchangeConfig {
	c := ExchangeConfig{Kind: kind, Name: "hq", Address: address, User: "ringside", Password: "s3cret-and-long-enough", Params: map[string]string{}}
	for i := 0; i+1 < len(params); i += 2 {
		c.Params[params[i]] = params[i+1]
	}
	return c
}

func TestExchangesOpenEncryptedOrOnThisComputer(t *testing.T) {
	for _, c := range []ExchangeConfig{
		anExchange("sim", ""),
		anExchange("ami", "127.0.0.1:5038"), anExchange("ami", "localhost:5038"), anExchange("ami", "[::1]:5038"), anExchange("ami", "tls://pbx.example.com:5039"),
		anExchange("ami", "tls://pbx.example.com:5039", "channels", "PJSIP/{ext} SIP/{ext}", "context", "internal", "recording_variable", "MIXMONITOR_FILENAME",
			"recording_url", "https://pbx.example.com/recordings/{file}", "tls_name", "pbx"),
		anExchange("ari", "http://127.0.0.1:8088"), anExchange("ari", "https://pbx.example.com:8089"),
		anExchange("ari", "https://pbx.example.com:8089/asterisk", "app", "ringside-2", "context", "internal", "devices", "1001=PJSIP/desk1 PJSIP/soft1; 1002=PJSIP/desk2;"),
		anExchange("esl", "127.0.0.1:8021"), anExchange("esl", "tls://pbx.example.com:8022", "tls_name", "pbx"),
		anExchange("esl", "127.0.0.1:8021", "devices", "1001=1001@pbx.example.com sofia/internal/desk1@", "domain", "pbx.example.com", "context", "default",
			"agent_domain", "pbx.example.com", "phone_events", "yes"),
		anExchange("webhook", "127.0.0.1:8443", "vendor", "udesk"),
	} {
		x, err := OpenExchange(c)
		if err != nil || x == nil {
			t.Errorf("%s at %s %v: %v", c.Kind, c.Address, c.Params, err)
		}
	}
}

func TestAnExchangeIsNotSpokenUnencryptedOverANetwork(t *testing.T) {
	for _, c := range []ExchangeConfig{
		anExchange("ami", "pbx.example.com:5038"), anExchange("ami", "10.0.0.5:5038"), anExchange("ami", "0.0.0.0:5038"), anExchange("ami", "[fe80::1]:5038"),
		anExchange("ami", "127.0.0.1.example.com:5038"), anExchange("ami", "localhost.example.com:5038"), anExchange("ari", "http://pbx.example.com:8088"),
		anExchange("ari", "http://10.0.0.5:8088"), anExchange("ari", "http://127.0.0.1@10.0.0.5:8088"), anExchange("ari", "ws://127.0.0.1:8088"),
		anExchange("esl", "pbx.example.com:8021"), anExchange("esl", "10.0.0.5:8021"), anExchange("esl", "0.0.0.0:8021"),
		anExchange("esl", "localhost.example.com:8021"), anExchange("webhook", "0.0.0.0:8443", "vendor", "udesk"), anExchange("webhook", ":8443", "vendor", "udesk"),
	} {
		x, err := OpenExchange(c)
		if x != nil || cti.KindOf(err) != cti.Invalid {
			t.Errorf("%s at %s: %v, %v; want it refused", c.Kind, c.Address, x, err)
		}
		if err != nil && strings.Contains(err.Error(), c.Password) {
			t.Errorf("%s at %s tells the secret: %v", c.Kind, c.Address, err)
		}
	}
	for _, c := range []ExchangeConfig{anExchange("ami", "pbx.example.com:5038"), anExchange("ari", "http://pbx.example.com:8088"), anExchange("esl", "pbx.example.com:8021")} {
		if _, err := OpenExchange(c); !strings.Contains(cti.MessageOf(err), "unencrypted") {
			t.Errorf("%s: %v does not say why", c.Kind, err)
		}
	}
}

func TestWhatAnExchangeDoesNotKnowIsRefused(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(empty, []byte("no certificate\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for say, c := range map[string]ExchangeConfig{
		"there is no exchange of kind pbx":                               anExchange("pbx", "127.0.0.1:1"),
		"params.contex is none that ami knows: tls_ca":                   anExchange("ami", "127.0.0.1:5038", "contex", "internal"),
		"begins with tls:// where":                                       anExchange("ami", "http://127.0.0.1:5038"),
		"params.tls_ca names a file that cannot be read: " + empty + "x": anExchange("ami", "tls://pbx.example.com:5039", "tls_ca", empty+"x"),
		"params.tls_ca names a file without a certificate":               anExchange("ari", "https://pbx.example.com:8089", "tls_ca", empty),
		"params.devices is written like":                                 anExchange("ari", "https://pbx.example.com:8089", "devices", "1001"),
		"as its channels begin":                                          anExchange("ari", "https://pbx.example.com:8089", "devices", "1001=desk"),
		"a device is a user (1001@pbx.example)":                          anExchange("esl", "127.0.0.1:8021", "devices", "1001=a$b"),
		"params.phone_events is yes or no":                               anExchange("esl", "127.0.0.1:8021", "phone_events", "maybe"),
		"params.vendor is missing: one of cec, ":                         anExchange("webhook", "127.0.0.1:8443"),
	} {
		if x, err := OpenExchange(c); x != nil || cti.KindOf(err) != cti.Invalid || !strings.Contains(cti.MessageOf(err), say) {
			t.Errorf("%s: %v, %v", say, x, err)
		}
	}
}
