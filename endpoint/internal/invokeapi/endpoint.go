// Package invokeapi speaks Lambda's Invoke API on the loopback address: it signs a caller's requests anew, sends them
// on once, gives the answers back, and captures the synchronous invocations that were refused or failed.
package invokeapi

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"

	"reprise/endpoint/internal/aws"
	"reprise/endpoint/internal/capture"
	"reprise/endpoint/internal/credentials"
	"reprise/endpoint/internal/health"
	"reprise/endpoint/internal/keyed"
	"reprise/endpoint/internal/settings"
	"reprise/endpoint/internal/sink"
	"reprise/endpoint/internal/stack"
)

const (
	headerPrefix      = "X-Reprise-"
	headerKey         = "X-Reprise-Idempotency-Key"
	headerScope       = "X-Reprise-Scope"
	headerNotAfter    = "X-Reprise-Not-After"
	headerID          = "X-Reprise-Id"
	headerToken       = "X-Reprise-Status-Token"
	headerNotCaptured = "X-Reprise-Not-Captured"
	headerHop         = "X-Reprise-Hop"

	// maxBodyBytes is above what any operation takes: a function's code of 50 MB, in base64.
	maxBodyBytes = 80 << 20
	// CaptureTimeout bounds how long a caller waits for its call to be kept; then it is told that it was not.
	CaptureTimeout = 5 * time.Second
)

// scope is what an SDK signed its request for: it names the region that the caller means.
var scope = regexp.MustCompile(`^AWS4-HMAC-SHA256 Credential=[^/, ]+/[0-9]{8}/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request`)

// Endpoint serves one caller.
type Endpoint struct {
	Version  string
	Restarts int
	Settings settings.Settings
	Env      func(string) string
	Keys     *credentials.Chain
	Client   *aws.Client
	Stack    *stack.Stack
	Counts   *health.Counts
	Log      *slog.Logger
	// CaptureTimeout is the constant of that name, but in tests.
	CaptureTimeout time.Duration
	// Sink returns where lines go: settings.Stdout, or a log group's name.
	Sink func(group string) sink.Sink
	// Guard lets keys of callers' own have one effect.
	Guard *keyed.Guard

	retries *retries
	// unlisted has each function that was told of: once is enough, as it may be left out on purpose.
	unlisted *sync.Map
	memory   *memory
}

// New returns an endpoint, without anything being asked yet.
func New(e Endpoint) *Endpoint {
	if e.CaptureTimeout == 0 {
		e.CaptureTimeout = CaptureTimeout
	}
	e.retries = &retries{now: func() time.Time { now, _ := e.Client.Clock(); return now }}
	e.memory, e.Guard, e.unlisted = &memory{}, &keyed.Guard{Client: e.Client}, &sync.Map{}
	return &e
}

// ServeHTTP answers one request.
func (e *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/health" && r.Method == http.MethodGet {
		if isLocal(r) {
			e.report().Write(w)
		} else {
			notLocal().write(w)
		}
		return
	}
	region, problem := e.admit(r)
	if problem != nil {
		problem.write(w)
		return
	}
	body, err := readBody(w, r)
	if err != nil {
		var tooLong *http.MaxBytesError
		if errors.As(err, &tooLong) {
			refusal(http.StatusRequestEntityTooLarge, "RequestTooLargeException",
				fmt.Sprintf("the request has more than %d bytes, which no operation of Lambda takes", maxBodyBytes)).write(w)
			return
		}
		e.Counts.Count(health.CallersHungUp)
		panic(http.ErrAbortHandler) // Nothing was sent.
	}
	path, query, _ := strings.Cut(r.RequestURI, "?")
	asked, err := readCall(r, path, query, region, body)
	if err != nil {
		refusal(http.StatusBadRequest, "InvalidParameterValueException", err.Error()).write(w)
		return
	}
	if asked == nil {
		e.Counts.Count(health.Passed)
		e.pass(w, r, path, query, region, body)
		return
	}
	e.Counts.Count(health.Calls)
	if len(body) > bigBytes {
		defer e.memory.giveBackSoon()
	}
	e.serveCall(w, r, path, query, asked)
}

// admit returns the region that a request means, or why it is not served. It takes what the SDKs send, and nothing
// that a web page could make a browser send: this process signs with its caller's credentials.
func (e *Endpoint) admit(r *http.Request) (string, *answer) {
	if r.Header.Get(headerHop) != "" {
		return "", refusal(http.StatusLoopDetected, "LoopDetectedException",
			"the request has come through this endpoint before: REPRISE_UPSTREAM_LAMBDA or AWS_ENDPOINT_URL leads back to it. "+
				"Unset it, or name the engine that stands for Lambda")
	}
	if !isLocal(r) || !strings.HasPrefix(r.RequestURI, "/") {
		return "", notLocal()
	}
	found := scope.FindStringSubmatch(r.Header.Get("Authorization"))
	if found == nil {
		return "", refusal(http.StatusForbidden, "MissingAuthenticationTokenException",
			"the request is not signed: the endpoint serves AWS SDKs and the AWS CLI")
	}
	if found[2] != "lambda" {
		return "", refusal(http.StatusBadRequest, "UnknownOperationException", fmt.Sprintf(
			"the request is for %s, and this endpoint speaks for Lambda only: set AWS_ENDPOINT_URL_LAMBDA, not AWS_ENDPOINT_URL", found[2]))
	}
	return found[1], nil
}

func notLocal() *answer {
	return refusal(http.StatusForbidden, "AccessDeniedException", "the endpoint serves SDKs of its own host: "+
		"set AWS_ENDPOINT_URL_LAMBDA to http://127.0.0.1 and its port, and let no proxy come between")
}

// isLocal tells whether a request names this host, as one whose name was bent to it does not, and no page sent it.
func isLocal(r *http.Request) bool {
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return (host == "localhost" || ip != nil && ip.IsLoopback()) && r.Header.Get("Origin") == "" && r.Header.Get("Sec-Fetch-Site") == ""
}

func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if r.ContentLength > maxBodyBytes {
		return nil, &http.MaxBytesError{Limit: maxBodyBytes}
	}
	if r.ContentLength >= 0 {
		body := make([]byte, r.ContentLength)
		_, err := io.ReadFull(r.Body, body)
		return body, err
	}
	return io.ReadAll(http.MaxBytesReader(w, r.Body, maxBodyBytes))
}

// serveCall serves a synchronous invocation. Once it is under way nothing but its end ends it: if the caller hangs up,
// the target runs all the same, and a retry of its SDK gets that one's answer.
func (e *Endpoint) serveCall(w http.ResponseWriter, r *http.Request, path, query string, asked *call) {
	if asked.sdkID == "" {
		e.run(r, path, query, asked).write(w)
		return
	}
	// All that makes a call another one: some set the SDK's name of it by hand.
	key := strings.Join([]string{
		asked.sdkID, asked.region, path, query, asked.tenant, asked.clientContext, capture.Digest(asked.body),
	}, "\n")
	mine, isFirst := e.retries.join(key)
	for !isFirst {
		select {
		case <-mine.done:
		case <-r.Context().Done():
			panic(http.ErrAbortHandler) // To return would be to answer 200.
		}
		if mine.answer != nil {
			e.Counts.Count(health.RetriesJoined)
			if mine.answer.write(w) != nil {
				e.retries.keep(key, mine)
			}
			return
		}
		mine, isFirst = e.retries.join(key)
	}
	var given *answer
	isRemembered := false
	func() {
		// Whatever happens, nobody waits for ever.
		defer func() { e.retries.end(key, mine, given, isRemembered) }()
		given = e.run(r, path, query, asked)
		hasHungUp := r.Context().Err() != nil
		if hasHungUp {
			e.Counts.Count(health.CallersHungUp)
		}
		isRemembered = given.isKept || hasHungUp && given.hasRun
	}()
	if given.write(w) != nil && given.hasRun {
		e.retries.keep(key, mine)
	}
}

// run makes a call and returns what its caller gets.
func (e *Endpoint) run(r *http.Request, path, query string, asked *call) *answer {
	if asked.key != "" {
		return e.runGuarded(r, path, query, asked)
	}
	given, outcome := e.invoke(r, path, query, asked)
	return e.finish(asked, given, outcome)
}

func (e *Endpoint) invoke(r *http.Request, path, query string, asked *call) (*answer, capture.Outcome) {
	timeout := settings.LongestCall
	if known := e.Stack.Known(); known != nil && known.CallTimeout > 0 {
		if _, err := known.Target(asked.name, asked.qualifier, asked.tenant, asked.region); err == nil {
			timeout = known.CallTimeout
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), timeout)
	defer cancel()
	given, outcome := e.once(ctx, r, path, query, asked)
	if outcome.Status == 0 {
		e.Counts.Count(health.UpstreamFaults)
	}
	return given, outcome
}

// finish captures a call whose outcome its target's policy has captured, and returns what its caller gets.
func (e *Endpoint) finish(asked *call, given *answer, outcome capture.Outcome) *answer {
	if outcome.Kind == capture.Succeeded {
		return given
	}
	ctx, cancel := context.WithTimeout(context.Background(), e.CaptureTimeout)
	defer cancel()
	caller, err := e.Stack.Caller(ctx)
	if err != nil {
		if outcome.Kind == capture.Permanent || outcome.Kind == capture.FunctionError {
			return given // Captured only where a policy says so, and none is known.
		}
		return e.notCaptured(given, err)
	}
	target, err := caller.Target(asked.name, asked.qualifier, asked.tenant, asked.region)
	if err != nil {
		if outcome.Kind != capture.Permanent && outcome.Kind != capture.FunctionError {
			e.Counts.Count(health.UnlistedTargets) // What is captured unless somebody says otherwise.
			if _, isTold := e.unlisted.LoadOrStore(asked.region+" "+asked.name, true); !isTold {
				e.Log.Warn("calls of a function are not kept", "function", asked.name, "region", asked.region, "reason", err.Error())
			}
		}
		return given
	}
	if !caller.Captures(target.Function, outcome.Kind) {
		return given
	}
	if why := asked.whyNot(); why != "" {
		return e.notCaptured(given, errors.New(why))
	}
	found, err := e.capture(ctx, caller, target, asked, outcome)
	if err != nil {
		return e.notCaptured(given, err)
	}
	return found.answer(e.Settings)
}

// capture writes a call's line, and returns when whoever reads lines has it.
func (e *Endpoint) capture(ctx context.Context, caller *stack.Caller, target capture.Target, asked *call, outcome capture.Outcome) (kept, error) {
	now, _ := e.Client.Clock()
	now = now.Truncate(time.Microsecond)
	key, id := asked.recordKey(), ""
	if key != "" {
		id = capture.CallID(target, caller.Keys.Source, asked.scope, key)
	} else {
		var random [10]byte
		rand.Read(random[:])
		id = capture.NewCallID(now.UnixMilli(), random)
	}
	payload, isPacked := capture.Pack(asked.body, capture.PayloadBudgetBytes)
	if !isPacked {
		if caller.Bucket == "" {
			return kept{}, errors.New("the payload fits no line, and no bucket is known: set REPRISE_BUCKET")
		}
		// The digest in the key: a repeated key with another payload must not overwrite the first.
		place := "payloads/" + id + "/" + payload.SHA256[:16]
		version, err := e.Client.PutObject(ctx, caller.Bucket, place, asked.body)
		if err != nil {
			return kept{}, fmt.Errorf("the payload fits no line, and could not be kept: %w", err)
		}
		payload.ClaimCheck = &capture.ClaimCheck{Bucket: caller.Bucket, Key: place, VersionID: version}
		e.Counts.Count(health.ClaimChecks)
	}
	line := capture.Record{
		ID: id, CapturedAt: capture.Instant(now), SourceVersion: e.Version, Target: target, Payload: payload,
		ClientContext: asked.clientContext, Outcome: outcome, NotAfter: asked.notAfter, Trace: asked.trace,
		IdempotencyKey: key, Scope: asked.scope, ReplyTo: asked.replyTo,
	}.Line(caller.Keys)
	if len(line) > capture.MaxLineBytes {
		return kept{}, fmt.Errorf("its line has %d bytes, over %d", len(line), capture.MaxLineBytes)
	}
	if err := e.Sink(caller.CaptureLogGroup).Write(ctx, line); err != nil {
		return kept{}, err
	}
	e.Counts.Count(health.Captured)
	return kept{
		id: id, token: caller.Keys.StatusToken(id, payload.SHA256, now.UnixMicro()), outcome: outcome, requestID: outcome.RequestID,
		capturedAt: capture.Instant(now),
	}, nil
}

// recordKey returns the key that a call is known by: its caller's own, or that of its SDK; empty for none.
func (c *call) recordKey() string {
	if c.key == "" && c.sdkID != "" {
		return sdkPrefix + c.sdkID
	}
	return c.key
}

// notCaptured returns the target's own answer, which says that the call should have been kept and was not.
func (e *Endpoint) notCaptured(given *answer, why error) *answer {
	e.Counts.Count(health.CaptureFailed)
	e.Log.Error("call was not captured", "reason", why.Error())
	header := given.header.Clone()
	header[headerNotCaptured] = []string{headerText(why.Error())}
	return &answer{status: given.status, header: header, body: given.body, hasRun: given.hasRun}
}

func headerText(text string) string {
	return strings.Map(func(char rune) rune {
		if char < ' ' || char > '~' {
			return '?'
		}
		return char
	}, capture.Shorten(text))
}

func (e *Endpoint) report() health.Report {
	return health.Report{
		Version: e.Version, Stack: e.Settings.Stack, Source: e.Settings.Source, Upstream: e.upstream(e.Settings.Region),
		Settings: e.Stack.State(), Restarts: e.Restarts, Counts: e.Counts.Totals(),
	}
}
