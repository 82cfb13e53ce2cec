package recording

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"ringside.dev/ringside/app/cti"
	"ringside.dev/ringside/store/recordings"
	"ringside.dev/ringside/store/spool"
)

// Options say how files are fetched and handed on; all are required.
type Options struct {
	Source Source
	Jobs   *recordings.Store
	Spool  *spool.Spool
	// Hand gives the CRM the file that ctx carries (cti.FileOf), and tells how far it came (cti.StepsDone). It may be repeated with the Steps it told of.
	Hand func(ctx context.Context, w cti.WriteBack) (cti.Receipt, error)
	// Busy tells that something more important is being sent, or could be.
	Busy func() bool
	// Ready makes a write-back due for which Send has news. It may be called again.
	Ready func(w cti.WriteBack)
	Log   *slog.Logger
}

// The limits of the work on files.
const (
	// firstWait is how long after it was told of a recording is fetched: most are still written when the call ends.
	firstWait = 2 * time.Second
	// shortWait and lastWait are how long is waited after a failure: after one with progress, and at most.
	shortWait = 200 * time.Millisecond
	lastWait  = 5 * time.Minute
	// authWait is how long is waited after the CRM refused the sign-in.
	authWait = 30 * time.Second
	// giveWay is how often is looked whether something more important is done.
	giveWay = 100 * time.Millisecond
	// remindEvery is how often it is told again that there is news: the one before may have come too early.
	remindEvery = 3 * time.Second
	// keepFor is for how long a note is kept, and what it names: by then the CRM has it, a person has seen to it, or its call never came to a record.
	keepFor = 30 * 24 * time.Hour
)

// job is what the note of a recording says.
type job struct {
	ID        string        `json:"id"`
	Recording cti.Recording `json:"recording"` // as the policy lets it pass
	URL       string        `json:"url"`       // where it is fetched: this may be a key, and is in no other place
	Told      time.Time     `json:"told"`
	Wanted    time.Time     `json:"wanted,omitzero"` // since its call is over and its record is on the way

	Total    int64             `json:"total,omitempty"` // bytes of the file of which there are parts; 0: not known
	ETag     string            `json:"etag,omitempty"`
	Modified string            `json:"modified,omitempty"`
	Digests  map[string]string `json:"digests,omitempty"`
	Damaged  int               `json:"damaged,omitempty"` // how often it arrived otherwise than its checksum says

	File    spool.File     `json:"file,omitzero"`     // where it is whole
	Write   *cti.WriteBack `json:"write,omitempty"`   // what wants it; nil: nobody yet
	Steps   string         `json:"steps,omitempty"`   // how far the CRM has it, in the connector's words
	Parked  bool           `json:"parked,omitempty"`  // a person has to see to it first
	Dropped bool           `json:"dropped,omitempty"` // nobody wants it; what remains is that this is known
	Done    time.Time      `json:"done,omitzero"`
	Receipt cti.Receipt    `json:"receipt,omitzero"`
}

// state is what is known of a job only while the program runs.
type state struct {
	write    *cti.WriteBack // what wants the file; nil: not yet
	due      time.Time
	attempts int   // failures without progress
	moved    int64 // how far it came, bytes
	best     int64 // how far it ever came
	trouble  *cti.Error
	failed   *cti.Error // for a person
	parked   bool       // it was told, and nobody wanted it again yet
	news     bool       // Send has something to tell
	handing  bool       // moved and best are about the handing on, not the fetching
	verified bool       // the whole file was read in this run and is what was fetched
}

// Files works on the files of recordings, one at a time. It is safe for concurrent use. Make it with Open, then call Run once.
type Files struct {
	Options
	source Source
	jobs   *recordings.Store
	client *http.Client
	first  time.Duration  // firstWait
	random func() float64 // in [0,1): jitter, not a secret
	log    *slog.Logger
	wake   chan struct{}
	part   [pieceSize]byte // of Run alone

	mu      sync.Mutex
	states  map[string]*state
	current string // what Run works on
	stop    context.CancelFunc
	dropped map[string]bool
}

// Open takes up what an earlier run left: what the CRM has, or nobody wants any more, is removed from the disk.
func Open(o Options) (*Files, error) {
	f := &Files{Options: o, source: o.Source, jobs: o.Jobs, client: o.Source.client(), log: o.Log, wake: make(chan struct{}, 1), first: firstWait, random: rand.Float64,
		states: map[string]*state{}, dropped: map[string]bool{}}
	named, unknown := map[string]bool{}, false
	err := f.jobs.Each(func(id string) error {
		j, err := f.load(id)
		if err != nil {
			f.log.Warn("the note of a recording cannot be read", "recording", id, "err", err)
			unknown = true // it may name a file
			return nil
		}
		if time.Since(j.Told) > keepFor {
			return f.jobs.Remove(id)
		}
		named[j.File.ID] = j.File.ID != ""
		if !j.Wanted.IsZero() && j.Done.IsZero() && !j.Dropped {
			f.states[id] = &state{due: time.Now(), write: j.Write, parked: j.Parked}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if _, err := f.Spool.Sweep(func(id string) bool { return unknown || named[id] }, 0); err != nil {
		f.log.Warn("what nobody needs of the spool was not removed", "err", err)
	}
	return f, nil
}

// Note writes down where the file of a recording is, and gives its name here; "" where there is no address that it may be fetched from. The same
// recording has the same name, whoever tells of it: a newer address takes the place of an older one.
func (f *Files) Note(r cti.Recording) (string, error) {
	address := f.source.address(r)
	if address == "" {
		return "", nil
	}
	id := cti.ID("recording", cmp.Or(stableID(r.ID), Policy{}.stripped(r.URL), r.URL))
	f.mu.Lock()
	defer f.mu.Unlock()
	j, err := f.load(id)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		j = &job{ID: id, Told: time.Now().UTC()}
	case err != nil:
		return "", err
	case !j.Done.IsZero() || j.Dropped || j.URL == address:
		return id, nil
	}
	j.URL, j.Recording = address, Policy{Links: cti.LinksID}.Admit(r)
	j.Recording.URL = ""
	if err := f.keep(j); err != nil {
		return "", err
	}
	if s := f.states[id]; s != nil {
		s.due, s.attempts = time.Now(), 0
		f.nudge()
	}
	return id, nil
}

// Wanted tells that the call of a recording is over and its record is on the way: its file is fetched from now on, whether the CRM can be reached or not,
// for addresses expire.
func (f *Files) Wanted(id string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.wanted(id)
}

func (f *Files) wanted(id string) error {
	if f.states[id] != nil {
		return nil
	}
	j, err := f.load(id)
	if err != nil {
		return err
	}
	if !j.Done.IsZero() || j.Dropped {
		return nil
	}
	if j.Wanted.IsZero() {
		j.Wanted = time.Now().UTC()
		if err := f.keep(j); err != nil {
			return err
		}
	}
	f.states[id] = &state{due: j.Wanted.Add(f.first)}
	f.nudge()
	return nil
}

// Send tells how far the file of a write-back is: the CRM's receipt, offline while it is on its way, or what a person has to see to. After that it is tried
// again from the beginning.
func (f *Files) Send(w cti.WriteBack) (cti.Receipt, error) {
	id := w.Recording.File
	f.mu.Lock()
	defer f.mu.Unlock()
	j, err := f.load(id)
	if errors.Is(err, fs.ErrNotExist) || err == nil && j.Dropped {
		return cti.Receipt{}, cti.Errorf(cti.Invalid, "the file of this recording is no longer in Ringside's folder: attach it in the CRM by hand, then discard this", nil)
	}
	if err != nil {
		return cti.Receipt{}, err
	}
	if !j.Done.IsZero() {
		delete(f.states, id)
		return j.Receipt, nil
	}
	if err := f.wanted(id); err != nil {
		return cti.Receipt{}, err
	}
	s := f.states[id]
	if s.failed == nil && (j.Write == nil || !j.Write.Equal(w) || j.Parked) {
		j.Write, j.Parked = &w, false
		if err := f.keep(j); err != nil {
			return cti.Receipt{}, err
		}
	}
	if s.write == nil && s.handing { // the file waited for this
		s.due = time.Now()
	}
	s.news, s.write = false, &w
	if failed := s.failed; failed != nil {
		s.failed, s.trouble, s.write, s.parked = nil, nil, nil, true
		return cti.Receipt{}, failed
	}
	if s.parked {
		s.parked, s.attempts, s.due = false, 0, time.Now()
	}
	f.nudge()
	if s.trouble != nil && s.trouble.Kind == cti.Auth {
		t := s.trouble
		s.trouble = nil
		return cti.Receipt{}, t
	}
	return cti.Receipt{}, cti.Errorf(cti.Offline, f.onItsWay(j, s), nil)
}

// onItsWay says for a person how far it is.
func (f *Files) onItsWay(j *job, s *state) string {
	words := "the recording waits for its turn to be fetched"
	const mb = 1 << 20
	switch {
	case j.File.ID != "":
		words = fmt.Sprintf("the recording is on its way to the CRM: %d of %d MB", s.moved/mb, (j.File.Size+mb-1)/mb)
	case s.moved > 0:
		words = fmt.Sprintf("the recording is being fetched: %d of %d MB", s.moved/mb, (j.Total+mb-1)/mb)
	}
	if s.trouble != nil {
		words += " (" + s.trouble.Msg + ")"
	}
	return words
}

// Drop forgets a recording that a person does not want in the CRM. What is in work is stopped.
func (f *Files) Drop(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dropped[id] = true
	if f.current == id {
		f.stop()
	}
	f.nudge()
}

// Run works on one file after the other until ctx ends. What was not finished goes on in the next run.
func (f *Files) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		f.forget()
		id, wait := f.next()
		if id != "" {
			f.work(ctx, id)
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-f.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
	f.client.CloseIdleConnections()
	return nil
}

func (f *Files) nudge() {
	select {
	case f.wake <- struct{}{}:
	default: // one is waiting already
	}
}

// next gives what is due first, or how long nothing is. It reminds of what nobody has asked for yet.
func (f *Files) next() (id string, wait time.Duration) {
	f.mu.Lock()
	var remind []cti.WriteBack
	now := time.Now()
	first := now.Add(time.Minute)
	for one, s := range f.states {
		switch {
		case s.news && s.write != nil:
			remind = append(remind, *s.write)
			first = earlier(first, now.Add(remindEvery))
		case s.failed != nil || s.parked:
		case s.due.Before(first):
			id, first = one, s.due
		}
	}
	f.mu.Unlock()
	for _, w := range remind {
		f.Ready(w)
	}
	if wait = time.Until(first); id == "" || wait > 0 {
		return "", max(wait, time.Millisecond)
	}
	return id, 0
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// forget removes what was dropped. The note stays without all that was in it: the phone system may tell of the recording again.
func (f *Files) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for id := range f.dropped {
		j, err := f.load(id)
		if err == nil && j.File.ID != "" {
			err = f.Spool.Remove(j.File.ID)
		}
		if err == nil {
			err = f.jobs.Clear(id)
		}
		if err == nil {
			err = f.keep(&job{ID: id, Told: j.Told, Dropped: true})
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			f.log.Warn("a discarded recording was not removed", "recording", id, "err", err)
		}
		delete(f.states, id)
		delete(f.dropped, id)
	}
}

// work brings a file as far as it comes.
func (f *Files) work(ctx context.Context, id string) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	f.mu.Lock()
	f.current, f.stop = id, cancel
	s := f.states[id]
	s.moved = 0
	var w *cti.WriteBack
	if s.write != nil {
		one := *s.write
		w = &one
	}
	f.mu.Unlock()
	done, err := f.guarded(ctx, id, w)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.current = ""
	switch {
	case ctx.Err() != nil:
	case err != nil:
		f.failed(id, s, err)
	case done:
		s.news, s.due = true, time.Now().Add(time.Hour)
	default: // it waits for the write-back
		s.handing, s.trouble, s.attempts, s.moved, s.best, s.due = true, nil, 0, 0, 0, time.Now().Add(time.Hour)
		if s.write != nil && w == nil { // that came meanwhile
			s.due = time.Now()
		}
	}
}

// guarded makes a panic a failed attempt, not the end of the agent.
func (f *Files) guarded(ctx context.Context, id string, w *cti.WriteBack) (done bool, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = cti.Errorf(cti.Internal, "the work on a recording failed", fmt.Errorf("panic: %v", p))
		}
	}()
	return f.bring(ctx, id, w)
}

// failed decides when it is tried again, or that a person has to see to it. Progress is as good as success: a line that breaks once a second
// brings a file all the same.
func (f *Files) failed(id string, s *state, err error) {
	known := (*cti.Error)(nil)
	if !errors.As(err, &known) {
		known = &cti.Error{Kind: cti.Internal, Msg: "the recording could not be kept on this computer: see whether its disk is full", Err: err}
	}
	f.log.Warn("a recording did not get through", "recording", id, "kind", known.Kind, "moved", s.moved, "err", err)
	switch known.Kind {
	case cti.Invalid, cti.NotFound, cti.Conflict, cti.Denied:
		s.failed, s.news = known, true
		if err := f.withdraw(id); err != nil {
			f.log.Warn("that a recording waits for a person was not saved", "recording", id, "err", err)
		}
		return
	case cti.Auth:
		s.trouble, s.news, s.due = known, s.write != nil, time.Now().Add(authWait)
		return
	default:
	}
	if s.moved > s.best {
		s.attempts, s.best = 0, s.moved
	}
	wait := time.Duration(f.random() * float64(shortWait))
	if s.attempts > 0 {
		window := lastWait
		if s.attempts < 10 {
			window = min(lastWait, time.Second<<s.attempts)
		}
		wait = time.Duration(f.random() * float64(window))
	}
	s.attempts++
	s.trouble, s.due = known, time.Now().Add(max(wait, min(known.RetryAfter, lastWait)))
}

// withdraw has another run not try by itself what a person has to see to.
func (f *Files) withdraw(id string) error {
	j, err := f.load(id)
	if err != nil {
		return err
	}
	j.Write, j.Parked = nil, true
	return f.keep(j)
}

// bring fetches what is not whole yet and hands on what the CRM is to have; done tells that it has it.
func (f *Files) bring(ctx context.Context, id string, w *cti.WriteBack) (done bool, err error) {
	j, err := f.load(id)
	if err != nil {
		return false, err
	}
	if !j.Done.IsZero() {
		return true, nil
	}
	if err := f.verify(j); err != nil {
		return false, err
	}
	if j.File.ID == "" {
		f.begins(id, false)
		if err := (&fetch{Files: f, job: j}).all(ctx); err != nil {
			return false, err
		}
		if err := f.seal(ctx, j); err != nil {
			return false, err
		}
	}
	if w == nil {
		return false, nil
	}
	return true, f.hand(ctx, j, *w)
}

// verify reads a whole file once in each run; one that is damaged or gone is fetched again.
func (f *Files) verify(j *job) error {
	if j.File.ID == "" || f.isVerified(j.ID, nil) {
		return nil
	}
	err := f.Spool.Verify(j.File)
	if cti.KindOf(err) == cti.Conflict {
		f.log.Warn("a recording in the spool is damaged or gone and is fetched again", "recording", j.ID, "err", err)
		name := j.File.ID
		return errors.Join(f.edit(j, func(j *job) { j.File, j.Steps, j.Total = spool.File{}, "", 0 }), f.Spool.Remove(name))
	}
	yes := err == nil
	f.isVerified(j.ID, &yes)
	return err
}

func (f *Files) isVerified(id string, set *bool) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.states[id]
	if s != nil && set != nil {
		s.verified = *set
	}
	return s != nil && s.verified
}

// seal puts the parts together into a file of the spool, checks it against what the phone system said of it, and names it in the note. Only then the parts go.
func (f *Files) seal(ctx context.Context, j *job) error {
	check := map[string]hash.Hash{}
	var into []io.Writer
	for algorithm := range j.Digests {
		check[algorithm] = sums[algorithm]()
		into = append(into, check[algorithm])
	}
	read, write := io.Pipe()
	go func() { write.CloseWithError(f.jobs.WriteTo(io.MultiWriter(append(into, write)...), j.ID)) }()
	file, err := f.Spool.Put(ctx, read)
	_ = read.Close() // ends the other side where Put did not read to the end
	if err != nil {
		return err
	}
	for algorithm, sum := range j.Digests {
		if base64.StdEncoding.EncodeToString(check[algorithm].Sum(nil)) == sum {
			continue
		}
		damaged := cti.Errorf(cti.Offline, "the recording arrived damaged: it is fetched again", nil)
		if j.Damaged+1 >= mostDamaged {
			damaged = cti.Errorf(cti.Invalid, "the recording is not what the phone system's own checksum says, each time it is fetched: have IT look at the phone system, then retry", nil)
		}
		return errors.Join(damaged, f.Spool.Remove(file.ID), f.jobs.Clear(j.ID), f.edit(j, func(j *job) { j.Damaged, j.Total = (j.Damaged+1)%mostDamaged, 0 }))
	}
	if file.Size != j.Total {
		return errors.Join(cti.Errorf(cti.Offline, "a part of the recording was lost on the disk: it is fetched again", nil), f.Spool.Remove(file.ID))
	}
	if err := f.edit(j, func(j *job) { j.File, j.Steps, j.Damaged = file, "", 0 }); err != nil {
		return errors.Join(err, f.Spool.Remove(file.ID))
	}
	yes := true // its sum was taken while it was written
	f.isVerified(j.ID, &yes)
	if err := f.jobs.Clear(j.ID); err != nil {
		f.log.Warn("the parts of a whole recording were not removed", "recording", j.ID, "err", err)
	}
	return nil
}

// hand gives the CRM the file. How far it came is on the disk before it goes further; that the CRM has it, before anybody is told so.
func (f *Files) hand(ctx context.Context, j *job, w cti.WriteBack) error {
	content, err := f.Spool.Open(j.File)
	if err != nil {
		return err
	}
	defer content.Close()
	f.begins(j.ID, true)
	from := &watched{ReaderAt: content}
	w.Steps = j.Steps
	ctx = cti.WithSteps(ctx, func(steps string) {
		if err := f.edit(j, func(j *job) { j.Steps = steps }); err != nil {
			f.log.Warn("how far a recording came was not saved", "recording", j.ID, "err", err)
		}
	})
	receipt, err := f.Hand(cti.WithFile(ctx, cti.File{ReaderAt: from, Size: j.File.Size, SHA256: j.File.SHA256,
		Name: cmp.Or(j.Recording.Name, "recording"), Type: cmp.Or(j.Recording.Type, "application/octet-stream"),
		Moved: func(bytes int64) { f.progressed(j.ID, bytes) }, Turn: f.turn}), w)
	if bad := from.err.Load(); err != nil && bad != nil { // not the CRM's fault
		no := false
		f.isVerified(j.ID, &no)
		return cti.Errorf(cti.Offline, "the recording in Ringside's folder cannot be read: it is checked, and fetched again if need be", *bad)
	}
	if err != nil {
		return err
	}
	name := j.File.ID
	if err := f.edit(j, func(j *job) {
		j.Done, j.Receipt, j.URL, j.Steps, j.File, j.Write = time.Now().UTC(), receipt, "", "", spool.File{}, nil
	}); err != nil {
		return err
	}
	if err := f.Spool.Remove(name); err != nil {
		f.log.Warn("a recording that the CRM has was not removed", "recording", j.ID, "err", err)
	}
	f.log.Info("the CRM has a recording", "recording", j.ID)
	return nil
}

// watched remembers that reading failed.
type watched struct {
	io.ReaderAt
	err atomic.Pointer[error]
}

func (w *watched) ReadAt(p []byte, off int64) (int, error) {
	n, err := w.ReaderAt.ReadAt(p, off)
	if err != nil && err != io.EOF {
		w.err.Store(&err)
	}
	return n, err
}

// begins tells which of the two ways a file is on: progress on one is none on the other.
func (f *Files) begins(id string, handing bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if s := f.states[id]; s != nil && s.handing != handing {
		s.handing, s.moved, s.best, s.attempts = handing, 0, 0, 0
	}
}

// progressed notes how much of a file is through.
func (f *Files) progressed(id string, bytes int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if s := f.states[id]; s != nil {
		s.moved = max(s.moved, bytes)
	}
}

// turn waits until nothing more important is to be sent.
func (f *Files) turn(ctx context.Context) error {
	for f.Busy() {
		timer := time.NewTimer(giveWay)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return ctx.Err()
}

func (f *Files) load(id string) (*job, error) {
	text, err := f.jobs.Get(id)
	if err != nil {
		return nil, err
	}
	var j job
	if err := json.Unmarshal(text, &j); err != nil {
		return nil, fmt.Errorf("read the note of a recording: %w", err)
	}
	return &j, nil
}

// edit changes a note, in the memory of who works on it and on the disk. What was told of the recording meanwhile stays.
func (f *Files) edit(j *job, change func(*job)) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	fresh, err := f.load(j.ID)
	if err != nil {
		return err
	}
	change(fresh)
	if err := f.keep(fresh); err != nil {
		return err
	}
	*j = *fresh
	return nil
}

// keep brings a note to the disk.
func (f *Files) keep(j *job) error {
	text, err := json.Marshal(j)
	if err != nil {
		return fmt.Errorf("write the note of a recording: %w", err)
	}
	return f.jobs.Put(j.ID, text)
}
