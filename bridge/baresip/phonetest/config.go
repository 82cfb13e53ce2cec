package phonetest

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"text/template"
)

// configText is a phone without sound hardware on loopback. What it learnt the hard way: net_interface takes an address but not
// "lo"; aubridge serves as microphone and loudspeaker; ausine runs at 48 kHz only, which makes a fine broken sound device.
var configText = template.Must(template.New("config").Parse(`poll_method		{{.Poll}}
sip_listen		127.0.0.1:{{.SIP}}
sip_certificate
audio_player		aubridge,loop-{{.User}}
audio_source		ausine,400
audio_alert		aubridge,alert-{{.User}}
audio_level		no
audio_channels		1
{{if .BrokenAudio}}ausrc_srate		8000
{{else}}ausrc_srate		48000
ausrc_channels		2
{{end}}auplay_srate		8000
audio_buffer		20-160
rtp_tos			184
rtp_ports		{{.RTPFrom}}-{{.RTPTo}}
rtcp_mux		no
jitter_buffer_delay	5-10
rtp_stats		no
rtp_timeout		60
net_interface		127.0.0.1
call_local_timeout	120
call_max_calls		4
module_path		{{.Modules}}
module			g711.so
module			aubridge.so
module			ausine.so
{{if .Meter}}module			vumeter.so
{{end}}module_tmp		uuid.so
module_tmp		account.so
module_app		menu.so
module_app		debug_cmd.so
module_app		ctrl_tcp.so
ctrl_tcp_listen		127.0.0.1:{{.Control}}
`))

type config struct {
	Phone
	Poll, Modules                string
	SIP, Control, RTPFrom, RTPTo int
}

var (
	userName    = regexp.MustCompile(`^[A-Za-z0-9_.+-]{1,32}$`)
	displayName = regexp.MustCompile(`^[^"<>;\\[:cntrl:]]{0,120}$`)
)

// write makes the phone's folder. The phone's account never registers: it is reached at its own address.
func (c config) write(dir string) error {
	if !userName.MatchString(c.User) || c.Also != "" && !userName.MatchString(c.Also) || !displayName.MatchString(c.Display) {
		return fmt.Errorf("phonetest: user %q or display name %q does not fit into baresip's account file", c.User, c.Display)
	}
	var text strings.Builder
	if err := configText.Execute(&text, c); err != nil {
		return err
	}
	account := fmt.Sprintf("%s <sip:%s@127.0.0.1:%d>;regint=0;audio_codecs=PCMU/8000/1\n", `"`+c.Display+`"`, c.User, c.SIP)
	if c.Also != "" {
		account += fmt.Sprintf("<sip:%s@127.0.0.1:%d>;regint=0;audio_codecs=PCMU/8000/1\n", c.Also, c.SIP)
	}
	for name, content := range map[string]string{"config": text.String(), "accounts": account, "contacts": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// modules finds the folder of baresip's modules.
func modules(configured string) (string, error) {
	for _, dir := range []string{configured, "/usr/lib/baresip/modules", "/usr/local/lib/baresip/modules", "/opt/homebrew/lib/baresip/modules"} {
		if dir == "" {
			continue
		}
		if _, err := os.Stat(filepath.Join(dir, "ctrl_tcp.so")); err == nil {
			return dir, nil
		}
	}
	return "", fmt.Errorf("phonetest: no baresip modules found (%s): %w", cmp.Or(configured, "usual places"), ErrNotInstalled)
}
