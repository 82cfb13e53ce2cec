package outbox

import (
	"slices"
	"sync"
)

// keys lets one at a time change what has a key. Other keys do not wait: the store brings many to the disk at once.
type keys struct {
	mu   sync.Mutex
	held map[string]*heldKey
}

type heldKey struct {
	turn  chan struct{} // has one element while somebody holds it: the disk may take long, and fake time goes on only past channels
	users int           // who holds it and who waits for it
}

// lock waits until all the keys are free and gives the function that lets go of them.
func (k *keys) lock(names ...string) (unlock func()) {
	names = slices.Compact(slices.Sorted(slices.Values(names))) // in one order, so that nobody waits for each other
	for _, name := range names {
		k.take(name).turn <- struct{}{}
	}
	return func() {
		for _, name := range names {
			k.drop(name)
		}
	}
}

func (k *keys) take(name string) *heldKey {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.held == nil {
		k.held = map[string]*heldKey{}
	}
	h := k.held[name]
	if h == nil {
		h = &heldKey{turn: make(chan struct{}, 1)}
		k.held[name] = h
	}
	h.users++
	return h
}

func (k *keys) drop(name string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	h := k.held[name]
	if h.users--; h.users == 0 {
		delete(k.held, name)
	}
	<-h.turn
}
