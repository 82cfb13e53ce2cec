package crm

import (
	"net/http"
	"net/url"
)

// TransportVia is the transport connectors get, through a proxy that the environment does not name.
func TransportVia(proxy *url.URL) *http.Transport {
	t := newTransport(nil)
	t.Proxy = http.ProxyURL(proxy)
	return t
}
