package webhook

import "net"

// OnListen tells a test where the exchange listens.
func (x *Exchange) OnListen(f func(net.Addr)) { x.opened = f }
