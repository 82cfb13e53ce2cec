package relay

import (
	"net"
	"net/netip"
	"sync"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/app/settings"
	"ringside.dev/ringside/bridge/relayed"
)

// Enrol makes a one-time code for a workstation of an extension.
func (r *Relay) Enrol(extension string) (string, error) {
	if !settings.IsExtension(extension) {
		return "", cti.Errorf(cti.Invalid, "this is no extension: 1 to 32 of letters, digits, dot, dash and underscore", nil)
	}
	if r.lineOf(extension) == nil {
		return "", cti.Errorf(cti.NotFound, "no exchange of the relay has the extension "+extension+": add it under exchanges, extensions: in the relay file, and start the relay anew", nil)
	}
	code, err := r.codes.issue(extension, r.authority.cert.Raw, time.Now())
	if err != nil {
		return "", err
	}
	r.log.Info("code given out", "extension", extension)
	return code.String(), nil
}

// enrolling serves a workstation that has a code.
func (r *Relay) enrolling(link *relayed.Link, from net.Addr) {
	answer := relayed.Message{T: relayed.TEnrolled}
	given, err := r.enrolled(link, from)
	if err != nil {
		r.log.Warn("enrolment refused", "from", from, "kind", cti.KindOf(err), "err", err)
		answer = relayed.Message{T: relayed.TRefuse, Refusal: relayed.Refuse(err)}
	}
	answer.Enrolled = given
	if err := link.Write(answer); err != nil {
		r.log.Warn("enrolment not answered", "from", from, "err", err)
		return
	}
	if _, err := link.Read(relayed.PartingWithin); err == nil { // the other side hangs up when it has the answer
		r.log.Warn("more was sent than asked for", "from", from)
	}
}

func (r *Relay) enrolled(link *relayed.Link, from net.Addr) (*relayed.Enrolled, error) {
	m, err := link.Read(relayed.HelloWithin)
	if err != nil {
		return nil, cti.Errorf(cti.Invalid, "nothing was asked", err)
	}
	if m.T != relayed.TEnrol || m.Enrol == nil {
		return nil, cti.Errorf(cti.Invalid, "no enrolment was asked for", nil)
	}
	if _, err := checkRequest(m.Enrol.CSR); err != nil {
		return nil, err // before the code is used up
	}
	now := time.Now()
	extension, err := r.codes.redeem(m.Enrol.ID, m.Enrol.Proof, host(from), now)
	if err != nil {
		return nil, err
	}
	l := r.lineOf(extension)
	if l == nil {
		return nil, cti.Errorf(cti.NotFound, "no exchange of the relay has this extension any more", nil)
	}
	cert, err := r.authority.certify(m.Enrol.CSR, extension, now)
	if err != nil {
		return nil, err
	}
	device, err := r.devices.add(extension, m.Enrol.Host, cert, now)
	if err != nil {
		return nil, err
	}
	l.enrol(device, now)
	r.log.Info("workstation enrolled", "extension", extension, "device", device, "serial", hex(cert.SerialNumber), "from", from)
	return &relayed.Enrolled{Name: r.cfg.Settings.Name, Cert: cert.Raw, Grant: l.grant()}, nil
}

// host is who an address is, whatever the port. A computer has all the addresses of its IPv6 network, but for those of the link.
func host(a net.Addr) string {
	at, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return a.String()
	}
	h := at.Addr().Unmap()
	if h.Is6() && !h.IsLinkLocalUnicast() && !h.IsLoopback() {
		if network, err := h.Prefix(64); err == nil {
			return network.String()
		}
	}
	return h.String()
}

// Revoke ends the enrolment of all workstations of an extension, or of the one with a certificate of this serial number, at once.
func (r *Relay) Revoke(what string) (n int, err error) {
	r.codes.forget(what)
	ids, err := r.devices.revoke(what, time.Now())
	if err != nil {
		return 0, err
	}
	gone := map[string]bool{}
	for _, id := range ids {
		gone[id] = true
	}
	r.mu.Lock()
	var open []*conn
	for c := range r.conns {
		if gone[c.device.ID] {
			open = append(open, c)
		}
	}
	lines := r.allLines()
	r.mu.Unlock()
	var leaving sync.WaitGroup
	for _, c := range open {
		leaving.Go(func() { c.refuse(revoked()) })
	}
	leaving.Wait()
	for _, l := range lines {
		for id := range gone {
			l.discharge(id)
		}
	}
	r.log.Info("enrolment revoked", "what", what, "workstations", len(ids), "connected", len(open))
	return len(ids), nil
}

// List lists the workstations.
func (r *Relay) List() []Device {
	list := r.devices.all()
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range list {
		for c := range r.conns {
			list[i].Connected = list[i].Connected || c.device.ID == list[i].ID
		}
	}
	return list
}
