package relay

import (
	"errors"
	"log/slog"
	"strings"

	"ringside.dev/ringside/app/settings"
	"ringside.dev/ringside/bridge"
)

// Kinds tells the relay file's reader which exchanges there are. An entry is checked by opening the exchange, which says what cannot work; a
// secret is not read for that, and another stands in its place.
func Kinds() []settings.RelayKind {
	var list []settings.RelayKind
	for _, k := range bridge.ExchangeKinds() {
		list = append(list, settings.RelayKind{Name: k.Name, Address: k.Address, User: k.User, Password: k.Password, Check: func(x settings.RelayExchange) error {
			if x.Password != "" {
				x.Password = strings.Repeat("x", 64)
			}
			_, err := open(x, slog.New(slog.DiscardHandler))
			return err
		}})
	}
	return list
}

// open opens the exchange of an entry; it does not connect yet.
func open(x settings.RelayExchange, log *slog.Logger) (bridge.Exchange, error) {
	return bridge.OpenExchange(bridge.ExchangeConfig{Kind: x.Kind, Name: x.Name, Address: x.Address, User: x.User, Password: x.Password,
		Serves: x.Extensions.Match, Variables: x.Variables, Params: x.Params, Log: log})
}

// Check opens all exchanges of a relay file with their secrets, without connecting. The error has all that is wrong.
func Check(s settings.Relay, secrets Secrets) error {
	var wrong []error
	for _, entry := range s.Exchanges {
		full, err := secrets.withSecrets(entry)
		if err == nil {
			_, err = open(full, slog.New(slog.DiscardHandler))
		}
		wrong = append(wrong, err)
	}
	return errors.Join(wrong...)
}
