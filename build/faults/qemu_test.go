//go:build linux

package faults

import (
	"bufio"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A kernel of its own: the child runs in a machine that QEMU emulates, on ext4, says what it has on a serial line, and the machine is gone from one
// moment to the next: whatever only its kernel had is lost. What the disk has then is mounted here and judged.

// kernelDir is where build/install.sh kernel puts Debian's kernel.
const kernelDir = "../bin/kernel"

// kernelModules are what it loads to see its disk, in this order.
var kernelModules = []string{"virtio_ring", "virtio", "virtio_pci_legacy_dev", "virtio_pci_modern_dev", "virtio_pci", "virtio_blk"}

// machine is an emulated computer.
type machine struct {
	kernel, initrd string
}

// newMachine packs the child and what it needs into an initial file system.
func newMachine(t *testing.T) machine {
	t.Helper()
	needs(t, "qemu-system-x86_64", "busybox", "cpio", "losetup", "mkfs.ext4")
	kernels, err := filepath.Glob(filepath.Join(kernelDir, "boot", "vmlinuz-*"))
	if err != nil || len(kernels) != 1 {
		t.Skip("there is no kernel to run: build/install.sh kernel fetches one")
	}
	root := t.TempDir()
	for _, dir := range []string{"bin", "dev", "proc", "disk", "tmp", "modules"} {
		if err := os.Mkdir(filepath.Join(root, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		t.Fatal(err)
	}
	must(t, "cp", busybox, filepath.Join(root, "bin", "busybox"))
	must(t, "env", "CGO_ENABLED=0", "go", "test", "-c", "-o", filepath.Join(root, "child"), ".") // without shared libraries
	for _, name := range kernelModules {
		must(t, "cp", module(t, name), filepath.Join(root, "modules", name+".ko"))
	}
	if err := os.WriteFile(filepath.Join(root, "init"), []byte(initScript()), 0o700); err != nil {
		t.Fatal(err)
	}
	m := machine{kernel: kernels[0], initrd: filepath.Join(t.TempDir(), "initrd")}
	must(t, "sh", "-c", fmt.Sprintf("cd %s && find . | cpio -o -H newc --quiet > %s", root, m.initrd))
	return m
}

// module finds a kernel module.
func module(t *testing.T, name string) (path string) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(kernelDir, "lib", "modules"), func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.Name() == name+".ko" {
			path = p
		}
		return err
	})
	if err != nil || path == "" {
		t.Fatalf("the kernel has no module %s (%v)", name, err)
	}
	return path
}

// initScript is the machine's first process; the child's orders are on the kernel's command line.
func initScript() string {
	lines := []string{"#!/bin/busybox sh", "set -e", "B=/bin/busybox", "$B mount -t proc proc /proc", "$B mount -t devtmpfs dev /dev"}
	for _, name := range kernelModules {
		lines = append(lines, "$B insmod /modules/"+name+".ko")
	}
	lines = append(lines, "$B mount -t ext4 /dev/vda /disk", "$B mkdir -p /disk/state", "$B stty -F "+serialLine+" raw -echo", "/child", "echo the child ended", "$B poweroff -f", "")
	return strings.Join(lines, "\n")
}

// run lets a child work on a disk until it has said so much, and takes the machine away. It gives what was said.
func (m machine) run(t *testing.T, disk, child, mode string, notes int) (said []string) {
	t.Helper()
	console := filepath.Join(t.TempDir(), "console")
	orders := fmt.Sprintf("console=ttyS0 panic=-1 quiet %s=%s %s=/disk %s=%s %s=%s", envChild, child, envDir, envNotes, serialLine, envMode, mode)
	cmd := exec.Command("qemu-system-x86_64", "-m", "768", "-display", "none", "-monitor", "none", "-no-reboot", "-kernel", m.kernel, "-initrd", m.initrd,
		"-append", orders, "-serial", "file:"+console, "-serial", "stdio", "-drive", "file="+disk+",if=virtio,format=raw,cache=writeback")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	limit := time.AfterFunc(3*time.Minute, func() { _ = cmd.Process.Kill() })
	defer limit.Stop()
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			break // what was said in half was not said
		}
		said = append(said, strings.TrimSpace(line))
		if len(said) == notes {
			_ = cmd.Process.Kill()
		}
	}
	_ = cmd.Wait() // it was killed
	if len(said) < notes {
		text, _ := os.ReadFile(console)
		t.Fatalf("the machine said %d things, want %d: %q; its console: %s", len(said), notes, said, text)
	}
	return said
}

// crash has a machine disappear some times, each on a new disk.
func (m machine) crash(t *testing.T, rounds int, child, judgedBy, mode string) (sum tally) {
	t.Helper()
	sum.Counts = map[string]int{}
	rng := rand.New(rand.NewPCG(seed, 1))
	var j judge
	defer j.end()
	for range rounds {
		dir := t.TempDir()
		disk := filepath.Join(dir, imageName)
		must(t, "truncate", "-s", fmt.Sprint(stacks[0].size), disk)
		must(t, "mkfs.ext4", "-q", "-F", disk)
		said := m.run(t, disk, child, mode, 100+rng.IntN(300))
		inside, unmount, found, err := stacks[0].mount(dir)
		if err != nil {
			t.Fatal(err)
		}
		if len(found.Problems) == 0 {
			if found, err = j.ask(request{Judge: judgedBy, Dir: inside, Said: said}); err != nil {
				t.Fatal(err)
			}
			if err := unmount(); err != nil {
				t.Fatal(err)
			}
		}
		sum.add(found, len(said))
		if len(found.Problems) > 0 && sum.Bad <= keptImages {
			sum.First += fmt.Sprintf("\n  %.600q", found.Problems)
		}
	}
	return sum
}

// Fault 10: the kernel is gone from one moment to the next, with all that it had not written.
func TestKernel_crash(t *testing.T) {
	want(t, newMachine(t).crash(t, 40, "store", "store", wordCompact))
}

// The check above must be able to fail: what is not flushed goes with the kernel.
func TestKernel_crashWithoutFlushesIsSeen(t *testing.T) {
	m := newMachine(t)
	want(t, m.crash(t, 5, "bolt", "bolt", "synced"))
	sum := m.crash(t, 5, "bolt", "bolt", "nosync")
	t.Log(sum)
	if sum.Bad == 0 {
		t.Error("nothing was lost: the check is blind")
	}
}
