package sim

import (
	"context"
	"sync"

	"ringside.dev/ringside/app/cti"
)

// Exchange is a simulated exchange: one scripted phone for each extension that is asked for. It is a bridge.Exchange, but that its phones
// come and go one by one. The zero Exchange works; its methods are safe for concurrent use.
type Exchange struct {
	mu     sync.Mutex
	phones map[string]*Source
	began  func(extension string, s *Source) // starts a phone while Run runs
}

// Extension gives the phone of an extension, and makes it when it is asked for first.
func (x *Exchange) Extension(extension string) *Source {
	x.mu.Lock()
	defer x.mu.Unlock()
	s := x.phones[extension]
	if s == nil {
		s = New(extension)
		if x.phones == nil {
			x.phones = map[string]*Source{}
		}
		x.phones[extension] = s
		if x.began != nil {
			x.began(extension, s)
		}
	}
	return s
}

// Phone is what the exchange can do for one extension.
func (x *Exchange) Phone(extension string) cti.Phone { return x.Extension(extension).Phone() }

// Run feeds the events of all phones to emit, one at a time, until ctx ends. A second Run beside the first fails with kind conflict.
func (x *Exchange) Run(ctx context.Context, emit func(extension string, e cti.Event)) error {
	var phones sync.WaitGroup
	var one sync.Mutex
	begin := func(extension string, s *Source) {
		phones.Go(func() {
			_ = s.Run(ctx, func(e cti.Event) { // it fails only when it runs twice, which begin excludes
				one.Lock()
				defer one.Unlock()
				emit(extension, e)
			})
		})
	}
	x.mu.Lock()
	if x.began != nil {
		x.mu.Unlock()
		return cti.Errorf(cti.Conflict, "run the simulated exchange: it runs already", nil)
	}
	x.began = begin
	for extension, s := range x.phones {
		begin(extension, s)
	}
	x.mu.Unlock()
	<-ctx.Done()
	x.mu.Lock()
	x.began = nil
	x.mu.Unlock()
	phones.Wait()
	return nil
}
