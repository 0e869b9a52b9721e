// Package stack knows what a Reprise stack says of its callers: settings, keys and policy, each remembered for a
// minute, and kept while their store is away.
package stack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"reprise/endpoint/internal/aws"
	"reprise/endpoint/internal/capture"
	"reprise/endpoint/internal/exchange"
	"reprise/endpoint/internal/settings"
)

const (
	rememberedFor = time.Minute
	// refusedFor is how long a source that has said nothing yet is not asked again: not every failing call is to wait
	// for it.
	refusedFor = 5 * time.Second
	// refreshTimeout bounds what is asked for anew: what was said before serves, and the capture needs the rest of its time.
	refreshTimeout = time.Second
	folder         = "/source/"
)

var byDefault = []capture.Kind{capture.Throttled, capture.Transient, capture.Unknown}

// ErrNotTarget: the call is for a function that this caller's calls are not captured of.
var ErrNotTarget = errors.New("not a target")

// Caller is what a call is captured by.
type Caller struct {
	Keys            *capture.Keys
	Targets         []string
	Bucket          string
	CaptureLogGroup string
	LedgerTable     string
	CallTimeout     time.Duration
	outcomes        func(function string) []capture.Kind
}

// Target returns the target that a function's name means, or an ErrNotTarget that says why there is none: both the
// stack and the source's own list must allow it, or its line would end in quarantine.
func (c *Caller) Target(name, qualifier, tenant, region string) (capture.Target, error) {
	target, why := capture.Resolve(name, qualifier, tenant, region, c.Targets)
	if why == "" && !c.Keys.MaySign(target.Function) {
		why = fmt.Sprintf("source %q may not sign for %s", c.Keys.Source, target.Function)
	}
	if why != "" {
		return target, fmt.Errorf("%w: %s", ErrNotTarget, why)
	}
	return target, nil
}

// Captures tells whether a target's policy has calls captured that end so.
func (c *Caller) Captures(function string, kind capture.Kind) bool {
	return slices.Contains(c.outcomes(function), kind)
}

// Stack reads what it says when it is first asked, and again when that is older than a minute.
type Stack struct {
	settings settings.Settings
	client   *aws.Client
	callers  cached[callersDocument]
	keys     cached[*capture.Keys]
	policies cached[policyDocument]
}

// New returns what the settings name.
func New(known settings.Settings, client *aws.Client) *Stack {
	found := &Stack{settings: known, client: client}
	found.callers.clock, found.keys.clock, found.policies.clock = client.Clock, client.Clock, client.Clock
	return found
}

type callersDocument struct {
	Bucket          string   `json:"bucket"`
	CaptureLogGroup string   `json:"capture_log_group"`
	LedgerTable     string   `json:"ledger_table"`
	Targets         []string `json:"targets"`
	PolicyParameter string   `json:"policy_parameter"`
	CallTimeoutS    float64  `json:"call_timeout_s"`
}

// Caller returns what calls are captured by now, within the context's time.
func (s *Stack) Caller(ctx context.Context) (*Caller, error) {
	known := s.settings
	var said callersDocument
	// Whoever was told everything asks nobody, as the package reprise does.
	isComplete := len(known.Targets) > 0 && known.Bucket != "" && known.LedgerTable != "" && known.CallTimeout != 0
	var keys *capture.Keys
	var keysErr error
	var wait sync.WaitGroup
	wait.Go(func() { keys, keysErr = s.keys.get(ctx, s.readKeys) })
	if !isComplete {
		var err error
		said, err = s.callers.get(ctx, s.readCallers)
		if err != nil {
			wait.Wait()
			return nil, err
		}
	}
	var policies policyDocument
	if name := or(known.PolicyParameter, said.PolicyParameter); name != "" && len(known.CaptureOutcomes) == 0 {
		// A policy that cannot be had leaves the defaults, which few would narrow.
		policies, _ = s.policies.get(ctx, func(ctx context.Context) (policyDocument, error) { return s.readPolicies(ctx, name) })
	}
	wait.Wait()
	if keysErr != nil {
		return nil, keysErr
	}
	caller := &Caller{
		Keys: keys, Targets: known.Targets, Bucket: or(known.Bucket, said.Bucket),
		CaptureLogGroup: or(known.CaptureLogGroup, said.CaptureLogGroup), LedgerTable: or(known.LedgerTable, said.LedgerTable),
		CallTimeout: known.CallTimeout, outcomes: policies.captureOn,
	}
	if len(caller.Targets) == 0 {
		caller.Targets = said.Targets
	}
	if caller.CallTimeout == 0 {
		caller.CallTimeout = time.Duration(said.CallTimeoutS * float64(time.Second))
	}
	if caller.CaptureLogGroup == "" {
		caller.CaptureLogGroup = "/reprise/" + known.Stack + "/capture"
	}
	if len(known.CaptureOutcomes) > 0 {
		caller.outcomes = func(string) []capture.Kind { return known.CaptureOutcomes }
	}
	return caller, nil
}

// Known returns what was said last, without asking; nil if nothing was yet.
func (s *Stack) Known() *Caller {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	caller, err := s.Caller(withoutAsking(ctx))
	if err != nil {
		return nil
	}
	return caller
}

// State says how far the stack is known, for people.
func (s *Stack) State() string {
	if s.Known() != nil {
		return "known"
	}
	for _, err := range []error{s.callers.lastError(), s.keys.lastError()} {
		if err != nil {
			return err.Error()
		}
	}
	return "not asked yet"
}

func (s *Stack) readCallers(ctx context.Context) (callersDocument, error) {
	name := "/" + s.settings.Stack + "/callers"
	text, err := s.parameter(ctx, name)
	if err != nil {
		return callersDocument{}, fmt.Errorf("what stack %q says of its callers cannot be had (parameter %s): %w. "+
			"Set REPRISE_STACK to the stack's name, and allow ssm:GetParameter as `reprise sources add` prints it", s.settings.Stack, name, err)
	}
	var found callersDocument
	if err := json.Unmarshal([]byte(text), &found); err != nil {
		return callersDocument{}, fmt.Errorf("parameter %s is not as expected: deploy the stack again", name)
	}
	return found, nil
}

func (s *Stack) parameter(ctx context.Context, name string) (string, error) {
	var answer struct{ Parameter struct{ Value string } }
	err := s.client.Call(ctx, aws.SSM, "GetParameter", map[string]any{"Name": name}, &answer)
	return answer.Parameter.Value, err
}

func (s *Stack) readKeys(ctx context.Context) (*capture.Keys, error) {
	id := or(s.settings.SecretID, s.settings.Stack+folder+s.settings.Source)
	var answer struct{ Name, SecretString string }
	if err := s.client.Call(ctx, aws.SecretsManager, "GetSecretValue", map[string]any{"SecretId": id}, &answer); err != nil {
		return nil, fmt.Errorf("the key to sign with cannot be had (secret %s): %w. "+
			"Set REPRISE_SOURCE to a source of `reprise sources list`, or make one with `reprise sources add`, which says what its role needs", id, err)
	}
	// The reader of a secret learns the source's name from the secret's own, so that the two cannot differ.
	_, source, is := strings.Cut(answer.Name, folder)
	if !is || !capture.SourceName.MatchString(source) {
		return nil, fmt.Errorf("secret %q is no source's: make one with `reprise sources add`", answer.Name)
	}
	return capture.ReadKeys(answer.SecretString, source)
}

// policyDocument is {"default": {...}, "targets": {"name": {...}}}, of which only `capture_on` is read here.
type policyDocument struct {
	Default policy            `json:"default"`
	Targets map[string]policy `json:"targets"`
}

type policy struct {
	CaptureOn *[]string `json:"capture_on"`
}

var lastPart = regexp.MustCompile(`[^:]*$`)

func (d policyDocument) captureOn(function string) []capture.Kind {
	for _, each := range []policy{d.Targets[lastPart.FindString(function)], d.Default} {
		if each.CaptureOn != nil {
			kinds, _ := settings.Outcomes(*each.CaptureOn) // Checked when it was read.
			return kinds
		}
	}
	return byDefault
}

func (s *Stack) readPolicies(ctx context.Context, name string) (policyDocument, error) {
	text, err := s.parameter(ctx, name)
	if err != nil {
		return policyDocument{}, err
	}
	var found policyDocument
	if err := json.Unmarshal([]byte(text), &found); err != nil {
		return policyDocument{}, err
	}
	for _, each := range append([]policy{found.Default}, values(found.Targets)...) {
		if each.CaptureOn != nil {
			if _, err := settings.Outcomes(*each.CaptureOn); err != nil {
				return policyDocument{}, fmt.Errorf("policy document %s: capture_on: %w", name, err)
			}
		}
	}
	return found, nil
}

func values(of map[string]policy) []policy {
	var all []policy
	for _, each := range of {
		all = append(all, each)
	}
	return all
}

func or(first, second string) string {
	if first != "" {
		return first
	}
	return second
}

type notAsking struct{}

func withoutAsking(ctx context.Context) context.Context {
	return context.WithValue(ctx, notAsking{}, true)
}

// cached is a value with an age.
type cached[T any] struct {
	clock exchange.Clock

	lock   sync.Mutex
	isHere bool
	value  T
	wall   time.Time
	steady time.Duration
	err    error
	asking chan struct{} // Closed when the one who asks has an answer.
}

var errNotAsked = errors.New("not asked yet")

// get returns a value that is at most a minute old, or the last one if its source is away.
func (c *cached[T]) get(ctx context.Context, fetch func(context.Context) (T, error)) (T, error) {
	for hasWaited := false; ; hasWaited = true {
		wall, steady := c.clock()
		c.lock.Lock()
		isOld := !c.isHere || wall.Sub(c.wall) >= rememberedFor || wall.Before(c.wall) || steady-c.steady >= rememberedFor
		if !isOld || c.isHere && ctx.Value(notAsking{}) != nil {
			defer c.lock.Unlock()
			return c.value, nil
		}
		if ctx.Value(notAsking{}) != nil {
			defer c.lock.Unlock()
			return c.value, errNotAsked
		}
		if since := steady - c.steady; c.err != nil && !hasWaited && since < refusedFor && wall.Sub(c.wall) < refusedFor && !wall.Before(c.wall) {
			defer c.lock.Unlock()
			return c.value, c.err
		}
		asking := c.asking
		if c.isHere {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, refreshTimeout)
			defer cancel()
		}
		if asking == nil {
			c.asking = make(chan struct{})
			c.lock.Unlock()
			return c.ask(ctx, fetch)
		}
		c.lock.Unlock()
		select {
		case <-asking:
			c.lock.Lock()
			if !c.isHere && hasWaited {
				defer c.lock.Unlock()
				return c.value, c.err
			}
			// What was asked before says nothing of now: the environment may have been frozen meanwhile.
			c.lock.Unlock()
		case <-ctx.Done():
			c.lock.Lock()
			defer c.lock.Unlock()
			if c.isHere {
				return c.value, nil
			}
			return c.value, context.Cause(ctx)
		}
	}
}

func (c *cached[T]) ask(ctx context.Context, fetch func(context.Context) (T, error)) (T, error) {
	value, err := fetch(ctx)
	c.lock.Lock()
	defer c.lock.Unlock()
	close(c.asking)
	c.asking = nil
	c.err = err
	if err == nil {
		c.value, c.isHere = value, true
	}
	// A source that is away is asked again in a minute, too, if it has said something before.
	c.wall, c.steady = c.clock()
	if !c.isHere {
		return c.value, err
	}
	return c.value, nil
}

func (c *cached[T]) lastError() error {
	c.lock.Lock()
	defer c.lock.Unlock()
	return c.err
}
