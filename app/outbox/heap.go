package outbox

// heap is a binary heap whose members know their place in it, so that any of them can be moved or taken out in O(log n).
type heap[T member[T]] []T

// member is what a heap needs of its members.
type member[T any] interface {
	before(other T) bool
	place() int // -1: in no heap
	moved(to int)
}

func (h *heap[T]) push(x T) {
	*h = append(*h, x)
	h.up(len(*h) - 1)
}

// remove takes a member out; one that is not in the heap stays out.
func (h *heap[T]) remove(x T) {
	at, last := x.place(), len(*h)-1
	if at < 0 {
		return
	}
	x.moved(-1)
	moved := (*h)[last]
	var none T
	(*h)[last] = none
	*h = (*h)[:last]
	if at == last {
		return
	}
	(*h)[at] = moved
	h.fix(at)
}

// fix brings a member whose order may have changed to its place.
func (h *heap[T]) fix(at int) {
	if h.down(at) == at {
		h.up(at)
	}
}

func (h *heap[T]) up(at int) {
	list := *h
	for at > 0 {
		parent := (at - 1) / 2
		if !list[at].before(list[parent]) {
			break
		}
		list[at], list[parent] = list[parent], list[at]
		list[at].moved(at)
		at = parent
	}
	list[at].moved(at)
}

func (h *heap[T]) down(at int) int {
	list := *h
	for {
		child := 2*at + 1
		if child >= len(list) {
			break
		}
		if child+1 < len(list) && list[child+1].before(list[child]) {
			child++
		}
		if !list[child].before(list[at]) {
			break
		}
		list[at], list[child] = list[child], list[at]
		list[at].moved(at)
		at = child
	}
	list[at].moved(at)
	return at
}
