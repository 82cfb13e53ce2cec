package local

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/number"
)

// office is a connector with its folder, held: tests look and export themselves.
type office struct {
	*Local

	t        testing.TB
	folder   string
	contacts string
	log      *bytes.Buffer
}

const table = "id,name,company,phone\nc1,Ada Lovelace,Engines,020 7946 0123\nc2,Bob,,020 7946 0124\n"

// open makes one with that contacts file.
func openOffice(t testing.TB, text string) *office {
	t.Helper()
	o := &office{t: t, folder: t.TempDir(), log: &bytes.Buffer{}}
	o.contacts = filepath.Join(o.folder, "contacts.csv")
	o.put(text)
	o.open()
	t.Cleanup(func() { o.Close() })
	return o
}

func (o *office) open() {
	o.t.Helper()
	l, err := Open(map[string]string{ParamContacts: o.contacts, ParamFolder: filepath.Join(o.folder, "out")}, "GB", slog.New(slog.NewTextHandler(o.log, nil)))
	if err != nil {
		o.t.Fatal(err)
	}
	o.Local = l
	l.Hold()
}

// again is what a restart does.
func (o *office) again() {
	o.t.Helper()
	o.Close()
	o.open()
}

// put writes the contacts file.
func (o *office) put(text string) {
	o.t.Helper()
	if err := os.WriteFile(o.contacts, []byte(text), 0o600); err != nil {
		o.t.Fatal(err)
	}
}

// seen lets the file be looked at until it is taken, if it will be: it must have been the same at two looks.
func (o *office) seen() {
	o.Look(time.Now())
	o.Look(time.Now().Add(every))
}

func (o *office) names(raw string) string {
	o.t.Helper()
	found, err := o.Lookup(o.t.Context(), number.Parse(raw, "GB"))
	if err != nil {
		o.t.Fatal(err)
	}
	var names []string
	for _, c := range found {
		names = append(names, c.Name)
	}
	return strings.Join(names, ", ")
}

func (o *office) want(raw, names string) {
	o.t.Helper()
	if got := o.names(raw); got != names {
		o.t.Errorf("%s finds %q, want %q", raw, got, names)
	}
}

func TestAChangedContactsFileIsReadAgain(t *testing.T) {
	o := openOffice(t, table)
	o.want("020 7946 0123", "Ada Lovelace")
	o.put(table + "c3,Carl,,020 7946 0125\n")
	o.Look(time.Now())
	o.want("020 7946 0125", "")
	o.Look(time.Now().Add(every)) // it is quiet by now
	o.want("020 7946 0125", "Carl")
	if s := o.State(); s.Customers != 3 || s.Trouble != "" {
		t.Errorf("the state is %+v", s)
	}
}

func TestAFileOfOneSizeAndTimeIsReadOnceMore(t *testing.T) {
	o := openOffice(t, table)
	info, err := os.Stat(o.contacts)
	if err != nil {
		t.Fatal(err)
	}
	o.put(strings.Replace(table, "0123", "0199", 1))
	if err := os.Chtimes(o.contacts, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	o.Look(time.Now())
	o.want("020 7946 0199", "")
	o.Look(time.Now().Add(coarse + every))
	o.want("020 7946 0199", "Ada Lovelace")
}

// A file that breaks off is being written: the list of before stays, and who asks is told so. After a minute it is taken as it is.
func TestAHalfWrittenFileKeepsTheOldList(t *testing.T) {
	o := openOffice(t, table)
	for half, why := range map[string]string{"c8,Half,,020 7946 0": noEnd, "c8,\"Half": "its last row has a quote that is not closed"} {
		o.put("id,name,company,phone\nc9,Zoe,,020 7946 0129\n" + half)
		o.seen()
		o.want("020 7946 0129", "")
		if trouble := o.State().Trouble; !strings.Contains(trouble, why) {
			t.Errorf("the trouble is %q, want %q", trouble, why)
		}
	}
	o.put("id,name,company,phone\nc9,Zoe,,020 7946 0129\nc8,\"Half")
	o.seen()
	o.want("020 7946 0123", "Ada Lovelace")
	if _, err := o.Whoami(t.Context()); cti.KindOf(err) != cti.Offline || !strings.Contains(err.Error(), "not whole (its last row has a quote that is not closed)") {
		t.Errorf("Whoami: %v, want offline and why", err)
	}
	o.Look(time.Now().Add(settled + every))
	o.want("020 7946 0129", "Zoe")
	if s := o.State(); s.Trouble != "" || s.LeftOut != 1 || s.Lines[0].Line != 3 {
		t.Errorf("the state is %+v, want line 3 left out", s)
	}
}

func TestAFileThatIsGoneOrEmptyKeepsTheOldList(t *testing.T) {
	o := openOffice(t, table)
	o.put("")
	o.seen()
	o.Look(time.Now().Add(settled + every))
	o.want("020 7946 0123", "Ada Lovelace")
	if err := os.Remove(o.contacts); err != nil {
		t.Fatal(err)
	}
	o.seen()
	o.want("020 7946 0123", "Ada Lovelace")
	if trouble := o.State().Trouble; !strings.Contains(trouble, "cannot be read") {
		t.Errorf("the trouble is %q", trouble)
	}
	o.put(table)
	o.seen()
	if trouble := o.State().Trouble; trouble != "" {
		t.Errorf("with the file back there is still trouble: %s", trouble)
	}
}

// Without a file there is nobody to be found, which is another thing than a stranger; calls are written all the same.
func TestAFileThatIsNotThereYetIsOffline(t *testing.T) {
	o := openOffice(t, table)
	if err := os.Remove(o.contacts); err != nil {
		t.Fatal(err)
	}
	o.again()
	if _, err := o.Lookup(t.Context(), number.Parse("020 7946 0123", "GB")); cti.KindOf(err) != cti.Offline {
		t.Errorf("Lookup: %v, want offline", err)
	}
	if _, err := o.Write(t.Context(), call("k1", "c1")); err != nil {
		t.Errorf("a call is not written: %v", err)
	}
	o.put(table)
	o.seen()
	o.want("020 7946 0123", "Ada Lovelace")
}

// The file is found changed and the tables follow without anybody asking.
func TestItWatchesByItself(t *testing.T) {
	folder := t.TempDir()
	contacts, out := filepath.Join(folder, "contacts.csv"), filepath.Join(folder, "out")
	put := func(text string) {
		if err := os.WriteFile(contacts, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put(table)
	synctest.Test(t, func(t *testing.T) {
		l, err := Open(map[string]string{ParamContacts: contacts, ParamFolder: out}, "GB", slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		put(table + "c3,Carl,,020 7946 0125\n")
		if _, err := l.Write(t.Context(), call("k1", "c1")); err != nil {
			t.Fatal(err)
		}
		<-time.After(3 * every)
		synctest.Wait()
		if found, err := l.Lookup(t.Context(), number.Parse("020 7946 0125", "GB")); err != nil || len(found) != 1 {
			t.Errorf("after the change Lookup gives %d, %v", len(found), err)
		}
		if text, err := os.ReadFile(filepath.Join(out, "calls.csv")); err != nil || !bytes.Contains(text, []byte("k1")) {
			t.Errorf("the table has %q, %v", text, err)
		}
	})
}

// Whoever saves the file as it comes, its customers are found at every moment.
func TestLookUpsNeverMissWhileTheFileIsSaved(t *testing.T) {
	o := openOffice(t, table)
	ctx, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	all.Go(func() {
		for ctx.Err() == nil {
			o.Look(time.Now())
		}
	})
	all.Go(func() {
		for ctx.Err() == nil {
			found, err := o.Lookup(context.WithoutCancel(ctx), number.Parse("020 7946 0123", "GB"))
			if err != nil || len(found) != 1 {
				t.Errorf("Lookup gives %d, %v", len(found), err)
				return
			}
		}
	})
	for i := range 200 {
		text := table + fmt.Sprintf("x%d,Other,,020 7946 0%03d\n", i, i+200)
		for cut := range 4 { // as a program that writes piece by piece
			o.put(text[:len(text)*cut/4])
		}
		o.put(text)
	}
	stop()
	all.Wait()
	o.seen()
	o.Look(time.Now().Add(coarse + every))
	o.want("020 7946 0399", "Other")
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		params map[string]string
		want   string
	}{
		{map[string]string{}, "needs the parameter folder"},
		{map[string]string{ParamFolder: "relative"}, "needs the parameter folder"},
		{map[string]string{ParamFolder: dir, ParamContacts: "contacts.csv"}, "must be a whole path"},
		{map[string]string{ParamFolder: dir, ParamContacts: filepath.Join(dir, "Calls.csv")}, "must not be one that Ringside writes itself (Calls.csv)"},
		{map[string]string{ParamFolder: dir, "token": "x"}, `knows no parameter "token"`},
		{map[string]string{ParamFolder: file}, "cannot be made"},
	} {
		if l, err := Open(test.params, "GB", nil); cti.KindOf(err) != cti.Invalid || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v: %v, %v, want invalid with %q", test.params, l, err, test.want)
		}
	}
	o := openOffice(t, table)
	if _, err := Open(map[string]string{ParamFolder: filepath.Join(o.folder, "out")}, "GB", nil); cti.KindOf(err) != cti.Conflict {
		t.Errorf("a second one on the folder: %v, want conflict", err)
	}
}

// Nothing of a customer is in the log: lines and counts are.
func TestTheLogHasNoCustomers(t *testing.T) {
	o := openOffice(t, table+"c1,Secret Name,,020 7946 0177\n")
	if text := o.log.String(); strings.Contains(text, "Secret") || strings.Contains(text, "7946") || !strings.Contains(text, "line=4") {
		t.Errorf("the log has\n%s\nwant the line 4, and no names and numbers", text)
	}
}
