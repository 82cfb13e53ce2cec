//go:build linux

package faults

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ringside.dev/ringside/build/faults/simfs"
)

// The whole stack: a real file system on a loop device whose file lies in a simfs. So the log holds what the file system's blocks went through, and what a
// cut leaves is what a disk with a volatile cache could hold; the kernel's own recovery runs when it is mounted.

// stack is a kind of file system.
type stack struct {
	name    string
	size    int64
	make    []string // the command that makes it; the device is appended
	options string   // of the mount
	again   string   // of the mount after a cut
}

var stacks = []stack{
	{name: "ext4", size: 64 << 20, make: []string{"mkfs.ext4", "-q", "-F", "-E", "nodiscard"}, options: "nodiscard"},
	{name: "xfs", size: 304 << 20, make: []string{"mkfs.xfs", "-q", "-f", "-K"}, options: "nodiscard", again: "nouuid"},
	{name: "btrfs", size: 128 << 20, make: []string{"mkfs.btrfs", "-q", "-f", "-K", "-m", "single"}, options: "nodiscard"},
}

// imageName is the disk's file in the simfs.
const imageName = "disk.img"

// needs skips a test where something is missing.
func needs(t *testing.T, commands ...string) {
	t.Helper()
	if os.Getenv("RINGSIDE_SOAK") == "" {
		t.Skip("make soak does this (RINGSIDE_SOAK is not set)")
	}
	if os.Geteuid() != 0 {
		t.Skip("only root makes loop devices and mounts")
	}
	if _, err := os.Stat("/dev/loop-control"); err != nil {
		t.Skip("there are no loop devices here")
	}
	for _, c := range commands {
		if _, err := exec.LookPath(c); err != nil {
			t.Skip(c + " is missing")
		}
	}
}

// shell runs a command and gives what it says.
func shell(name string, args ...string) (string, error) {
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w: %.500s", name, strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out)), nil
}

// must runs a command that has to succeed.
func must(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := shell(name, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// on makes the file system on a file and mounts it, until it is let go or the test ends.
func (s stack) on(t *testing.T, file string) (m mounted) {
	t.Helper()
	must(t, "truncate", "-s", fmt.Sprint(s.size), file)
	device := must(t, "losetup", "--find", "--show", file)
	t.Cleanup(func() { _ = m.letGo() }) // if nobody did
	m = mounted{device: device, dir: t.TempDir()}
	must(t, s.make[0], append(s.make[1:len(s.make):len(s.make)], device)...)
	must(t, "mount", "-t", s.name, "-o", s.options, device, m.dir)
	return m
}

// mounted is a file system that is in use.
type mounted struct{ device, dir string }

func (m mounted) letGo() error {
	_, err := shell("umount", m.dir)
	_, gone := shell("losetup", "--detach", m.device)
	return errors.Join(err, gone)
}

// mount gets at what is in an image. One that cannot be mounted is a finding.
func (s stack) mount(image string) (inside string, unmount func() error, f finding, err error) {
	inside = filepath.Join(image, "inside")
	if err := os.Mkdir(inside, 0o700); err != nil {
		return "", nil, f, err
	}
	device, err := shell("losetup", "--find", "--show", filepath.Join(image, imageName))
	if err != nil {
		return "", nil, f, err
	}
	if _, err := shell("mount", "-t", s.name, "-o", cmp.Or(s.again, "defaults"), device, inside); err != nil {
		_, gone := shell("losetup", "--detach", device)
		return "", nil, finding{Problems: []string{err.Error()}}, gone
	}
	return inside, mounted{device, inside}.letGo, f, nil
}

// cutStack lets the store work on the file system and cuts the power below it.
func cutStack(t *testing.T, s stack, images int, lies bool) tally {
	t.Helper()
	f := newDisk(t, "")
	m := s.on(t, filepath.Join(f.Dir, imageName))
	if err := os.MkdirAll(storeDir(m.dir), 0o700); err != nil {
		t.Fatal(err)
	}
	must(t, "sync", "-f", m.dir)
	from := len(f.Log())
	p := startIn(t, f, m.dir, "store", wordCompact)
	p.said(t, f, from, 400)
	p.kill()
	l := f.Log()
	if err := m.letGo(); err != nil { // two mounts of one file system would be mixed up
		t.Fatal(err)
	}
	c := campaign{log: l, points: between(from, len(l)), images: images, losses: allLosses, judge: "store", mount: s.mount, cut: simfs.Cut{FlushIgnored: lies, Settled: from}}
	if lies {
		c.losses = []simfs.Loss{simfs.Subset, simfs.Torn}
	}
	return c.run(t, lies)
}

// Fault 9: ext4, xfs and btrfs, each with the power cut below it.
func TestStack_powerCut(t *testing.T) {
	needs(t, "losetup") // here too: a test whose parts are all left out has not passed
	for _, s := range stacks {
		t.Run(s.name, func(t *testing.T) {
			needs(t, "losetup", s.make[0])
			want(t, cutStack(t, s, 100, false))
		})
	}
}

// Fault 11: below ext4 a disk that ignores flushes loses what was promised, or the whole file system: the control that the cuts below it cut.
func TestStack_diskThatIgnoresFlushes(t *testing.T) {
	needs(t, "losetup", "mkfs.ext4")
	sum := cutStack(t, stacks[0], 40, true)
	t.Log(sum)
	if sum.Bad == 0 && sum.Counts["lost"] == 0 {
		t.Error("nothing was lost")
	}
}

// Fault 18: ext4 finds an error and turns read-only: nothing is acknowledged any more, and after a mount anew everything that was is there.
func TestStack_ext4TurnsReadOnly(t *testing.T) {
	needs(t, "losetup", "mkfs.ext4")
	f := newDisk(t, "") // for the notes
	s := stacks[0]
	s.options += ",errors=remount-ro"
	file := filepath.Join(t.TempDir(), imageName)
	m := s.on(t, file)
	trigger := fmt.Sprintf("/sys/fs/ext4/%s/trigger_fs_error", filepath.Base(m.device))
	if _, err := os.Stat(trigger); err != nil {
		t.Skip("this kernel cannot make ext4 find an error: " + err.Error())
	}
	if err := os.MkdirAll(storeDir(m.dir), 0o700); err != nil {
		t.Fatal(err)
	}
	p := startIn(t, f, m.dir, "store", wordSlow)
	at := p.said(t, f, 0, 200)
	if err := os.WriteFile(trigger, []byte("1"), 0); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		at = p.await(t, f, at, noteOf("refused"))
	}
	quiet := at
	for range 20 {
		at = p.await(t, f, at, noteOf("refused"))
	}
	p.kill()
	if n := count(f.Log()[quiet:at], noteOf("accepted", "changed")); n > 0 {
		t.Errorf("%d steps were acknowledged on a read-only disk", n)
	}
	l := f.Log()
	if err := m.letGo(); err != nil {
		t.Fatal(err)
	}
	if _, err := shell("fsck.ext4", "-p", file); err != nil && !isFixed(err) {
		t.Fatal(err)
	}
	inside, unmount, found, err := s.mount(filepath.Dir(file))
	if err != nil || len(found.Problems) > 0 {
		t.Fatal(err, found.Problems)
	}
	var j judge
	defer j.end()
	found, err = j.ask(campaign{log: l, judge: "store"}.request(simfs.Cut{At: len(l)}, inside))
	if err := errors.Join(err, unmount()); err != nil || len(found.Problems) > 0 {
		t.Errorf("%v %q", err, found.Problems)
	}
}

// isFixed tells fsck's "errors were corrected".
func isFixed(err error) bool {
	var exit *exec.ExitError
	return errors.As(err, &exit) && exit.ExitCode() == 1
}
