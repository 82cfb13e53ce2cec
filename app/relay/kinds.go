package relay

import (
	"log/slog"

	"ringside.dev/ringside/app/settings"
	"ringside.dev/ringside/bridge"
)

// Kinds tells the relay file's reader which exchanges there are. An entry is checked by opening the exchange, which says what cannot work.
func Kinds() []settings.RelayKind {
	var list []settings.RelayKind
	for _, k := range bridge.ExchangeKinds() {
		list = append(list, settings.RelayKind{Name: k.Name, Address: k.Address, User: k.User, Password: k.Password, Check: func(x settings.RelayExchange) error {
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
