package store

// AlarmKind sorts what a person should know about the store.
type AlarmKind string

// The kinds of alarm. Those of a state are told once more, with Over, when it has passed.
const (
	// AlarmRebuilt: the index was damaged, missing or replaced, and was made anew from the journal. Nothing is lost.
	AlarmRebuilt AlarmKind = "rebuilt"
	// AlarmDamage: Count records of the journal cannot be read.
	AlarmDamage AlarmKind = "damage"
	// AlarmKeys: Count records were sealed with a key that is not in the ring. They come back when it is.
	AlarmKeys AlarmKind = "keys"
	// AlarmFull, a state: the disk is full. New calls are refused; what waits is delivered all the same.
	AlarmFull AlarmKind = "full"
	// AlarmIndex, a state: the index cannot be written to nor made anew. Changes go to the journal only.
	AlarmIndex AlarmKind = "index"
)

// Alarm is one message. Msg is for people: it names no customer and says what to do; Err is for the log.
type Alarm struct {
	Kind  AlarmKind
	Msg   string
	Count int
	Over  bool
	Err   error
}

func (o *Options) alarm(a Alarm) {
	o.Log.Warn("store alarm", "kind", string(a.Kind), "message", a.Msg, "count", a.Count, "over", a.Over, "error", a.Err)
	if o.Alarm != nil {
		o.Alarm(a)
	}
}
