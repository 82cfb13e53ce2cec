package relay_test

import (
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/settings"
	"ringside.dev/ringside/bridge/relayed"
)

func (w *world) try(address, extension string, keep *memory) (relayed.Trial, error) {
	return relayed.Try(w.t.Context(), relayed.Options{Address: address, Extension: extension, Keep: keep})
}

// wantRefused checks the words with which a trial ends, and that the workstation's source says the same.
func (w *world) wantRefused(address, extension string, keep *memory, kind cti.Kind, words string) {
	w.t.Helper()
	trial, err := w.try(address, extension, keep)
	if cti.KindOf(err) != kind || !strings.Contains(cti.MessageOf(err), words) {
		w.t.Errorf("tried: %+v, %v; want kind %s and %q", trial, err, kind, words)
	}
	st := w.station(w.through(address, extension, keep))
	st.awaitEvents(cti.SourceDown, 1)
	if raw := st.events[0].Cause.Raw; !strings.Contains(raw, words) {
		w.t.Errorf("the workstation says %q, want %q", raw, words)
	}
	st.stop()
}

func TestATrialTellsWhatIsWrong(t *testing.T) {
	w := newWorld(t, full())
	keep := w.enrol("1001")
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	must(t, nobody.Close())
	web, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	go func() {
		for {
			c, err := web.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")) // whoever hears it
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { must(t, web.Close()) })
	w.wantRefused(w.address, "1001", &memory{}, cti.Auth, "this computer is not enrolled at the relay "+w.address+": get a code there with ringctl relay enrol")
	w.wantRefused(w.address, "1001", &memory{text: []byte("{")}, cti.Auth, "is damaged: enrol it again")
	w.wantRefused(w.address, "1002", keep, cti.Invalid, "enrolled for the extension 1001, and the profile says 1002")
	w.wantRefused(nobody.Addr().String(), "1001", keep, cti.Offline, "nothing listens at "+nobody.Addr().String())
	w.wantRefused(web.Addr().String(), "1001", keep, cti.Offline, "is no relay: check the address and the port")
	w.wantRefused("no-such-host.invalid:8470", "1001", keep, cti.Offline, "the name in no-such-host.invalid:8470 is not known")
	w.wantRefused(newWorld(t, full()).address, "1001", keep, cti.Denied, "is not the relay this computer knows")
	if _, err := w.relay.Revoke("1001"); err != nil {
		t.Fatal(err)
	}
	w.wantRefused(w.address, "1001", keep, cti.Auth, "enrolment was revoked at the relay: ask for a new code")
}

// A trial takes no event from a workstation that runs, and not its place.
func TestATrialDisturbsNobody(t *testing.T) {
	s := full()
	s.Rights = []settings.RelayRights{{Extensions: settings.Extensions{"*"}, Allow: []settings.Right{settings.RightHear, settings.RightAnswer}}}
	w := newWorld(t, s)
	keep := w.enrol("1001")
	st := w.station(w.source("1001", keep))
	st.awaitEvents(cti.Snapshot, 1)
	trial, err := w.try(w.address, "1001", keep)
	if err != nil || trial.Relay != "hq-pbx" || trial.Extension != "1001" || !trial.Up || trial.Clock != 0 || !slices.Equal(trial.Can, []cti.Command{cti.CommandAnswer, cti.CommandReject}) ||
		time.Until(trial.Until) < 80*24*time.Hour {
		t.Errorf("%+v, %v", trial, err)
	}
	w.exchange.Extension("1001").Ring("13800138000", "Zhang San")
	st.awaitCall("13800138000", cti.Alerting)
	w.exchange.Extension("1001").Disconnect()
	st.awaitEvents(cti.SourceDown, 1)
	if trial, err := w.try(w.address, "1001", keep); err != nil || trial.Up {
		t.Errorf("without the exchange: %+v, %v", trial, err)
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	if count(st.events, cti.SourceUp) != 1 || !strings.Contains(st.events[len(st.events)-1].Cause.Raw, "lost its connection to the exchange") {
		t.Errorf("the workstation was disturbed: %v", st.events)
	}
}

func TestACodeThatIsNotTakenSaysWhyAndWhatToDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipes()
		w := newWorldAt(t, full(), p)
		enrol := func() string {
			code, err := w.relay.Enrol("1001")
			must(t, err)
			return code
		}
		refused := func(what, code string, kind cti.Kind, words string) {
			t.Helper()
			if keep, err := enrolOver(t, p, code); cti.KindOf(err) != kind || !strings.Contains(cti.MessageOf(err), words) || keep.text != nil || strings.Contains(err.Error(), code) {
				t.Errorf("%s: %v, want kind %s and %q", what, err, kind, words)
			}
		}
		code := enrol()
		refused("a letter wrong", code[:len(code)-1]+map[bool]string{true: "B", false: "A"}[strings.HasSuffix(code, "A")], cti.Invalid, "not copied whole: copy all eight groups")
		refused("half of it", code[:20], cti.Invalid, "not copied whole")
		if _, err := enrolOver(t, p, code); err != nil {
			t.Fatal(err)
		}
		refused("used", code, cti.Auth, "it was used")
		old := enrol()
		pass(15*time.Minute + time.Second)
		refused("ended", old, cti.Auth, "it ended after 15 minutes")
		taken := enrol()
		if _, err := w.relay.Revoke("1001"); err != nil {
			t.Fatal(err)
		}
		refused("taken back with a revocation", taken, cti.Auth, "make another with ringctl relay enrol")
	})
}
