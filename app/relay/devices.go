package relay

import (
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"ringside.dev/ringside/app/cti"
)

// devicesFile lists the workstations. It holds no secret.
const devicesFile = "devices.json"

// forgetAfter is how long a revoked or ended workstation stays in the list, for people who wonder.
const forgetAfter = 90 * 24 * time.Hour

// Device is a workstation that was enrolled for an extension. It keeps its ID when its certificate is renewed.
type Device struct {
	ID         string        `json:"id"`
	Extension  string        `json:"extension"`
	Host       string        `json:"host"` // the computer's name, as it said
	EnrolledAt time.Time     `json:"enrolled_at"`
	RevokedAt  time.Time     `json:"revoked_at,omitzero"`
	Certs      []Certificate `json:"certs"` // the newest last
	Connected  bool          `json:"connected,omitempty"`
}

// Certificate is one certificate of a workstation.
type Certificate struct {
	Serial string    `json:"serial"` // hexadecimal
	Until  time.Time `json:"until"`
}

// devices is who may connect: a certificate counts only while it stands here. It is safe for concurrent use.
type devices struct {
	path string
	mu   sync.Mutex
	list []Device
}

func openDevices(dir string) (*devices, error) {
	d := &devices{path: filepath.Join(dir, devicesFile)}
	text, err := readFile(d.path)
	if errors.Is(err, fs.ErrNotExist) {
		return d, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &d.list)
	}
	if err != nil {
		return nil, fmt.Errorf("read the list of workstations %s: %w", d.path, err)
	}
	return d, nil
}

// change changes a copy of the list and takes it over once it is on the disk.
func (d *devices) change(now time.Time, do func(list []Device) ([]Device, error)) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	copied := slices.Clone(d.list)
	for i := range copied {
		copied[i].Certs = slices.Clone(copied[i].Certs)
	}
	list, err := do(copied)
	if err != nil {
		return err
	}
	list = slices.DeleteFunc(list, func(v Device) bool {
		return !v.RevokedAt.IsZero() && now.Sub(v.RevokedAt) > forgetAfter || now.Sub(v.until()) > forgetAfter
	})
	text, err := json.MarshalIndent(list, "", "  ")
	if err == nil {
		err = writeFile(d.path, text)
	}
	if err != nil {
		return fmt.Errorf("keep the list of workstations: %w", err)
	}
	d.list = list
	return nil
}

func (v Device) until() time.Time {
	var last time.Time
	for _, c := range v.Certs {
		if c.Until.After(last) {
			last = c.Until
		}
	}
	return last
}

// add notes a new workstation and gives its id.
func (d *devices) add(extension, host string, cert *x509.Certificate, now time.Time) (id string, err error) {
	id = uuid.NewString()
	return id, d.change(now, func(list []Device) ([]Device, error) {
		return append(list, Device{ID: id, Extension: extension, Host: cti.Clean(host, cti.MaxText), EnrolledAt: now.UTC(), Certs: []Certificate{certOf(cert)}}), nil
	})
}

// renew adds a certificate to a workstation; the one it replaces is good until its end, since the answer may have been lost.
func (d *devices) renew(id string, cert *x509.Certificate, now time.Time) error {
	return d.change(now, func(list []Device) ([]Device, error) {
		i := slices.IndexFunc(list, func(v Device) bool { return v.ID == id && v.RevokedAt.IsZero() })
		if i < 0 {
			return nil, revoked()
		}
		list[i].Certs = slices.DeleteFunc(append(list[i].Certs, certOf(cert)), func(c Certificate) bool { return now.After(c.Until) })
		if extra := len(list[i].Certs) - maxCerts; extra > 0 {
			list[i].Certs = list[i].Certs[extra:]
		}
		return list, nil
	})
}

// maxCerts bounds what one workstation may have at a time.
const maxCerts = 4

// revoke ends all workstations of an extension, or the one that has a certificate of this serial number, and gives their ids.
func (d *devices) revoke(what string, now time.Time) (ids []string, err error) {
	err = d.change(now, func(list []Device) ([]Device, error) {
		for i, v := range list {
			named := v.Extension == what || slices.ContainsFunc(v.Certs, func(c Certificate) bool { return c.Serial == what })
			if named && v.RevokedAt.IsZero() {
				list[i].RevokedAt = now.UTC()
				ids = append(ids, v.ID)
			}
		}
		if len(ids) == 0 {
			return nil, cti.Errorf(cti.NotFound, "no enrolled workstation has the extension or the serial number "+what+": see ringctl relay list", nil)
		}
		return list, nil
	})
	return ids, err
}

// admit gives the workstation of a certificate that is genuine, if it may connect now. Errors are of kind auth and say what to do.
func (d *devices) admit(cert *x509.Certificate, now time.Time) (Device, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	serial := hex(cert.SerialNumber)
	for _, v := range d.list {
		if !slices.ContainsFunc(v.Certs, func(c Certificate) bool { return c.Serial == serial }) {
			continue
		}
		switch {
		case !v.RevokedAt.IsZero():
			return Device{}, revoked()
		case v.Extension != cert.Subject.CommonName:
			return Device{}, cti.Errorf(cti.Auth, "the certificate is of another extension", nil)
		case now.Before(cert.NotBefore), now.After(cert.NotAfter):
			return Device{}, outOfTime(cert, now)
		}
		v.Certs = slices.Clone(v.Certs)
		return v, nil
	}
	return Device{}, cti.Errorf(cti.Auth, "the relay does not know this computer's certificate: enrol it again with ringctl phone enrol", nil)
}

func revoked() error {
	return cti.Errorf(cti.Auth, "this computer's enrolment was revoked at the relay: ask for a new code (ringctl relay enrol) and enrol it again", nil)
}

func outOfTime(cert *x509.Certificate, now time.Time) error {
	const minute = "2006-01-02 15:04"
	return cti.Errorf(cti.Auth, fmt.Sprintf("this computer's certificate is good from %s to %s (UTC), and the relay's clock says %s: "+
		"if one of the clocks is wrong set it right, else enrol this computer again", cert.NotBefore.UTC().Format(minute), cert.NotAfter.UTC().Format(minute), now.UTC().Format(minute)), nil)
}

// until tells when the newest certificate of a workstation ends.
func (d *devices) until(id string) time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, v := range d.list {
		if v.ID == id {
			return v.until()
		}
	}
	return time.Time{}
}

// all lists the workstations by extension.
func (d *devices) all() []Device {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := slices.Clone(d.list)
	slices.SortStableFunc(list, func(a, b Device) int {
		switch {
		case a.Extension < b.Extension:
			return -1
		case a.Extension > b.Extension:
			return 1
		}
		return a.EnrolledAt.Compare(b.EnrolledAt)
	})
	return list
}

// extensions lists those for which a workstation is enrolled, each once.
func (d *devices) extensions() []string {
	var names []string
	for _, v := range d.all() {
		if v.RevokedAt.IsZero() {
			names = append(names, v.Extension)
		}
	}
	return slices.Compact(names)
}

func certOf(c *x509.Certificate) Certificate {
	return Certificate{Serial: hex(c.SerialNumber), Until: c.NotAfter.UTC()}
}

func hex(n *big.Int) string { return n.Text(16) }
