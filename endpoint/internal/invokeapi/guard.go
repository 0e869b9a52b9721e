package invokeapi

import (
	"context"
	"errors"
	"net/http"
	"time"

	"reprise/endpoint/internal/capture"
	"reprise/endpoint/internal/health"
	"reprise/endpoint/internal/keyed"
	"reprise/endpoint/internal/settings"
	"reprise/endpoint/internal/stack"
)

const headerLate = "X-Reprise-Late-Result"

var errConflict = errors.New("the key names a captured call with another payload already: send a key of its own for each payload, or a scope")

// runGuarded makes a call with a key of its caller's own, which has one effect: a captured call of the key that has
// ended, or will, is told of, and the target is not invoked again.
func (e *Endpoint) runGuarded(r *http.Request, path, query string, asked *call) *answer {
	ctx, cancel := context.WithTimeout(context.Background(), e.CaptureTimeout)
	caller, err := e.Stack.Caller(ctx)
	cancel()
	var target capture.Target
	if err == nil {
		target, err = caller.Target(asked.name, asked.qualifier, asked.tenant, asked.region)
	}
	if err != nil {
		if !errors.Is(err, stack.ErrNotTarget) {
			// Without the source's name a key has no id: nothing live waits for it.
			e.Counts.Count(health.KeysUnguarded)
		}
		given, outcome := e.invoke(r, path, query, asked)
		return e.finish(asked, given, outcome)
	}
	of := keyed.Call{
		ID: capture.CallID(target, caller.Keys.Source, asked.scope, asked.key), Function: target.Function,
		SHA256: capture.Digest(asked.body), Table: caller.LedgerTable, Bucket: caller.Bucket, Timeout: caller.CallTimeout,
	}
	if of.Timeout == 0 {
		of.Timeout = settings.LongestCall
	}
	begun := e.Guard.Begin(of)
	switch {
	case begun.Told != nil:
		e.Counts.Count(health.AnsweredByRow)
		if asked.replyTo != nil && !begun.Told.HasEnded {
			// A line of its own, of the same call: its end is told to each that asked for it.
			return e.keep(caller, target, asked, notCalled(keyed.AlreadyCaptured), keyed.AlreadyCaptured, of)
		}
		return e.tell(caller, begun.Told)
	case begun.Owed != nil:
		return e.keep(caller, target, asked, notCalled(*begun.Owed), *begun.Owed, of)
	case begun.IsUnguarded:
		e.Counts.Count(health.KeysUnguarded)
	}
	given, outcome := e.invoke(r, path, query, asked)
	if outcome.Kind == capture.Succeeded {
		e.Guard.End(of, begun, outcome.Kind, given.body)
		if !begun.IsUnguarded {
			e.Guard.Tell(of, begun, given.body)
		}
		return given
	}
	e.Guard.End(of, begun, outcome.Kind, nil)
	if !caller.Captures(target.Function, outcome.Kind) {
		return given
	}
	if why := asked.whyNot(); why != "" {
		return e.notCaptured(given, errors.New(why))
	}
	answered := e.keep(caller, target, asked, given, outcome, of)
	if outcome.Kind == capture.Unknown && answered.isKept {
		e.Guard.Wait(of, begun, answered.capturedAt)
	}
	return answered
}

// notCalled stands for the answer to a call that was not made, should it not be kept either.
func notCalled(outcome capture.Outcome) *answer {
	status := http.StatusBadGateway
	if outcome.Kind == capture.Unknown {
		status = http.StatusGatewayTimeout
	}
	return refusal(status, outcome.Code, outcome.Message)
}

// keep captures a call with a key.
func (e *Endpoint) keep(caller *stack.Caller, target capture.Target, asked *call, given *answer, outcome capture.Outcome, of keyed.Call) *answer {
	if e.Guard.Conflicts(of) {
		if !given.hasRun && outcome.Status == 0 && isNotCalled[outcome.Code] {
			given = refusal(http.StatusConflict, "IdempotencyConflict", errConflict.Error())
		}
		return e.notCaptured(given, errConflict)
	}
	// Before the answer: whoever calls again because of it is to be known.
	e.Guard.Note(of)
	ctx, cancel := context.WithTimeout(context.Background(), e.CaptureTimeout)
	defer cancel()
	found, err := e.capture(ctx, caller, target, asked, outcome)
	if err != nil {
		return e.notCaptured(given, err)
	}
	return found.answer(e.Settings)
}

// tell answers with what is known of the captured call of a key: its late result, or its capture once more.
func (e *Endpoint) tell(caller *stack.Caller, told *keyed.Told) *answer {
	capturedAt, _ := time.Parse(time.RFC3339Nano, told.CapturedAt)
	known := kept{
		id: told.ID, token: caller.Keys.StatusToken(told.ID, told.SHA256, capturedAt.UnixMicro()),
		outcome: keyed.AlreadyCaptured, capturedAt: told.CapturedAt,
	}
	if !told.HasEnded {
		return known.answer(e.Settings)
	}
	header := http.Header{headerID: {known.id}, headerToken: {known.token}, headerLate: {"true"}, "Content-Type": {"application/json"}}
	return &answer{status: http.StatusOK, header: header, body: told.Payload, hasRun: true}
}
