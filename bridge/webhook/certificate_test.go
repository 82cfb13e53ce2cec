package webhook

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"
	"time"

	"ringside.dev/ringside/app/cti"
)

func TestARenewedCertificateIsTakenUpAndABrokenOneIsNot(t *testing.T) {
	file, key := filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	put := func() []byte {
		t.Helper()
		pair := serverTLS(t).Certificates[0]
		der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
		if err != nil {
			t.Fatal(err)
		}
		for name, block := range map[string]*pem.Block{file: {Type: "CERTIFICATE", Bytes: pair.Certificate[0]}, key: {Type: "PRIVATE KEY", Bytes: der}} {
			if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return pair.Certificate[0]
	}
	if c, err := Certificate(file, key); c != nil || cti.KindOf(err) != cti.Invalid {
		t.Errorf("files that are not there: %v, want kind invalid", err)
	}
	first := put()
	config, err := Certificate(file, key)
	if err != nil || config.MinVersion != tls.VersionTLS12 {
		t.Fatal(err)
	}
	if got, err := config.GetCertificate(nil); err != nil || !bytes.Equal(got.Certificate[0], first) {
		t.Errorf("the certificate is not the file's: %v", err)
	}
	c, now := &certificate{file: file, key: key}, time.Now()
	shows := func(at time.Time, want []byte) bool {
		t.Helper()
		pair, err := c.get(at)
		if err != nil {
			t.Fatal(err)
		}
		return bytes.Equal(pair.Certificate[0], want)
	}
	if !shows(now, first) {
		t.Error("the certificate is not the file's")
	}
	second := put()
	if !shows(now.Add(lookAgain-1), first) || !shows(now.Add(lookAgain), second) {
		t.Error("a renewed certificate is not taken up after a minute")
	}
	if err := os.WriteFile(key, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if !shows(now.Add(2*lookAgain), second) {
		t.Error("a half-written file took the certificate away")
	}
}
