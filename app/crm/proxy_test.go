package crm

import (
	"net/http"
	"testing"
)

func TestThisMachineIsNeverReachedThroughAProxy(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://proxy.example.com:3128")
	t.Setenv("HTTPS_PROXY", "http://proxy.example.com:3128")
	for _, address := range []string{"http://127.0.0.1:8080/", "http://127.9.9.9/", "https://localhost/", "http://[::1]:1/"} {
		r, err := http.NewRequest(http.MethodGet, address, nil)
		if err != nil {
			t.Fatal(err)
		}
		if proxy, err := proxyFor(r); err != nil || proxy != nil {
			t.Errorf("%s goes through %v, %v", address, proxy, err)
		}
	}
}
