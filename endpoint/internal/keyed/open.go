package keyed

import (
	"context"
	"sync"
	"time"
)

const (
	knownFor    = 3 * time.Hour
	believedFor = time.Second
	unreadFor   = 30 * time.Second
)

// openCalls knows whether a target may have captured calls that a caller could repeat: a target without a backlog
// costs a call with a key nothing but a look a second at its gate (shared/reprise/capturing/open_calls.py).
type openCalls struct {
	lock     sync.Mutex
	believed map[string]belief
}

type belief struct {
	until time.Time
	may   bool
}

// mayBe tells whether a call with a key may be one that was captured. A gate that cannot be read says what it said
// last, and at first that there is none: nothing live waits for a gate that is away.
func (o *openCalls) mayBe(ctx context.Context, in table, function string, now time.Time) bool {
	o.lock.Lock()
	last := o.believed[function]
	o.lock.Unlock()
	if now.Before(last.until) && last.until.Sub(now) <= unreadFor {
		return last.may
	}
	until, may := now.Add(believedFor), last.may
	if gate, err := in.get(ctx, gateOf(function)); err == nil {
		may = mayHaveOpen(gate, now)
	} else {
		until = now.Add(unreadFor)
	}
	o.learn(function, belief{until, may})
	return may
}

// note lets every process know of a captured call with a key. Where that cannot be written the call is captured all
// the same.
func (o *openCalls) note(ctx context.Context, in table, function string, now time.Time) {
	if gate, err := in.get(ctx, gateOf(function)); err == nil && gate.number("open_until_ms") < now.Add(knownFor/2).UnixMilli() {
		in.apply(ctx, change{
			operation: "UpdateItem",
			fields:    map[string]any{"Key": keyOf(gateOf(function)), "UpdateExpression": "SET #open = :wanted"},
			// Whoever knows of a longer wait is not to be cut short.
			condition: "attribute_not_exists(#open) OR #open <= :wanted",
			names:     map[string]string{"#open": "open_until_ms"},
			values:    item{":wanted": number(now.Add(knownFor).UnixMilli())},
		})
	}
	o.learn(function, belief{now.Add(believedFor), true})
}

func (o *openCalls) learn(function string, of belief) {
	o.lock.Lock()
	defer o.lock.Unlock()
	if o.believed == nil {
		o.believed = map[string]belief{}
	}
	o.believed[function] = of
}

func gateOf(function string) string { return "gate#" + function }

func mayHaveOpen(gate item, now time.Time) bool {
	nowMs := now.UnixMilli()
	if nowMs < gate.number("open_until_ms") || gate.number("waiting") > 0 ||
		gate.number("folded_objects") > 0 || gate.number("folded_records") > 0 {
		return true
	}
	lastEndMs := max(gate.number("succeeded_at_ms"), gate.number("ended_at_ms"))
	return lastEndMs > 0 && nowMs < lastEndMs+knownFor.Milliseconds()
}
