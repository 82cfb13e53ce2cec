package relayed

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"ringside.dev/ringside/app/cti"
)

// explain says in words why there is no connection.
func explain(err error, address string) string {
	var e *cti.Error
	var invalid x509.CertificateInvalidError
	var unknown x509.UnknownAuthorityError
	var dns *net.DNSError
	var header tls.RecordHeaderError
	var timeout net.Error
	switch {
	case errors.As(err, &e):
		return cti.MessageOf(e)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return skewed(invalid.Cert)
	case errors.Is(err, errOtherRelay), errors.As(err, &unknown):
		return "what answers at " + address + " is not the relay this computer knows: check the address; if the relay was set up anew, enrol again; else somebody is between"
	case errors.As(err, &header):
		return "what answers at " + address + " is no relay: check the address and the port"
	case refusedByTLS(err):
		return "the relay refused this computer's certificate: enrol it again with ringctl phone enrol"
	case errors.As(err, &dns):
		return "the name in " + address + " is not known: check the address and this computer's network"
	case errors.Is(err, errNobody):
		return "nothing listens at " + address + ": is the relay running, and the port right?"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, errGone), errors.Is(err, net.ErrClosed), errors.Is(err, io.ErrClosedPipe):
		return "the connection to the relay " + address + " broke off"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "the relay " + address + " does not answer: check the network and the firewall"
	}
	return "the relay " + address + " cannot be reached: " + err.Error()
}

// kindOf tells a relay that is not there from one that is not to be trusted.
func kindOf(err error) cti.Kind {
	var e *cti.Error
	var verify *tls.CertificateVerificationError
	switch {
	case errors.As(err, &e):
		return e.Kind
	case errors.Is(err, errOtherRelay), errors.As(err, &verify):
		return cti.Denied
	case refusedByTLS(err):
		return cti.Auth
	}
	return cti.Offline
}

// skewed tells that the clocks differ by more than the certificate's slack, or that it really ended.
func skewed(c *x509.Certificate) string {
	const day = "2006-01-02 15:04"
	return fmt.Sprintf("the relay's certificate is good from %s to %s (UTC), and this computer's clock says %s: set the clock of this computer, or of the relay, right",
		c.NotBefore.UTC().Format(day), c.NotAfter.UTC().Format(day), time.Now().UTC().Format(day))
}

// refusedByTLS: the other side ended the handshake. The library has no type for it.
func refusedByTLS(err error) bool { return strings.Contains(err.Error(), "remote error: tls") }
