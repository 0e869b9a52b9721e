package invokeapi

import (
	"sync"
	"time"
)

const (
	// rememberedFor is how long an answer waits for a retry of its SDK: longer than any backoff.
	rememberedFor      = 5 * time.Minute
	maxRememberedBytes = 8 << 20
	entryBytes         = 512
)

// try is one invocation by an SDK's own name: the first send of it runs, its retries get that one's answer.
type try struct {
	done   chan struct{}
	answer *answer // Nil if whoever waited must send for itself.
}

// retries knows the tries that run, and some that ended; safe to use from several goroutines.
//
// A try that ended is remembered if its call was captured, or if its caller hung up before it got the reply: an SDK
// whose patience ended sends again, and the target must not run again for that.
type retries struct {
	now func() time.Time

	lock  sync.Mutex
	tries map[string]*try
	ended []ended // Oldest first.
	bytes int
}

type ended struct {
	key string
	of  *try
	at  time.Time
}

// join returns the try of a name, and whether the caller is its first and has to end it.
func (r *retries) join(key string) (*try, bool) {
	r.lock.Lock()
	defer r.lock.Unlock()
	r.forget()
	if found, is := r.tries[key]; is {
		return found, false
	}
	mine := &try{done: make(chan struct{})}
	if r.tries == nil {
		r.tries = map[string]*try{}
	}
	r.tries[key] = mine
	return mine, true
}

// end gives a try's answer to those who wait for it, and remembers it if that is asked for.
func (r *retries) end(key string, of *try, given *answer, isRemembered bool) {
	r.lock.Lock()
	defer r.lock.Unlock()
	of.answer = given
	close(of.done)
	delete(r.tries, key)
	if given != nil && isRemembered {
		r.remember(key, of)
	}
}

// keep remembers an answer that could not be handed over.
func (r *retries) keep(key string, of *try) {
	r.lock.Lock()
	defer r.lock.Unlock()
	if _, is := r.tries[key]; !is && of.answer != nil {
		r.remember(key, of)
	}
}

func (r *retries) remember(key string, of *try) {
	r.tries[key] = of
	r.ended = append(r.ended, ended{key, of, r.now()})
	r.bytes += len(of.answer.body) + entryBytes
	r.forget()
}

func (r *retries) forget() {
	now := r.now()
	for len(r.ended) > 0 && (r.bytes > maxRememberedBytes || now.Sub(r.ended[0].at) >= rememberedFor || now.Before(r.ended[0].at)) {
		oldest := r.ended[0]
		r.ended = r.ended[1:]
		r.bytes -= len(oldest.of.answer.body) + entryBytes
		if r.tries[oldest.key] == oldest.of {
			delete(r.tries, oldest.key)
		}
	}
}
