// Package credentials finds the caller's own credentials where the SDKs look for them, and keeps them fresh.
//
// In the SDKs' order: environment, web identity token, shared files, container endpoint, instance metadata
// (AWS SDKs and Tools reference guide, "Standardized credential providers").
package credentials

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"reprise/endpoint/internal/exchange"
	"reprise/endpoint/internal/sigv4"
)

const (
	// refreshBefore is how long before their end credentials are asked for anew.
	refreshBefore = 5 * time.Minute
	// askAgainAfter keeps a source that is away from being asked at every call.
	askAgainAfter = 10 * time.Second
	fetchTimeout  = 5 * time.Second
)

// ErrNone: a source of credentials is not configured here.
var ErrNone = errors.New("not configured")

// Found are credentials and their end; no end if none is known.
type Found struct {
	Keys      sigv4.Keys
	ExpiresAt time.Time
}

// Source is one place that credentials come from; ErrNone if it is not configured.
type Source struct {
	Name  string
	Fetch func(ctx context.Context) (Found, error)
}

// Chain asks its sources in order, and remembers what the first gave; safe to use from several goroutines.
type Chain struct {
	sources []Source
	clock   exchange.Clock

	lock    sync.Mutex
	found   *Found
	askedAt time.Time
	asking  *asking // Nil while nobody asks.
}

// asking is one round of the sources, for all who wait for it.
type asking struct {
	done  chan struct{}
	found Found
	err   error
}

// NewChain returns the chain of these sources.
func NewChain(clock exchange.Clock, sources ...Source) *Chain {
	return &Chain{sources: sources, clock: clock}
}

// Keys returns credentials that are valid now.
func (c *Chain) Keys(ctx context.Context) (sigv4.Keys, error) {
	keys, round := c.known(ctx)
	if round == nil {
		return keys, nil
	}
	select {
	case <-round.done:
		return round.found.Keys, round.err
	case <-ctx.Done():
		return sigv4.Keys{}, errors.New("no AWS credentials in time")
	}
}

// known returns the credentials that are valid, or the round that finds some.
func (c *Chain) known(ctx context.Context) (sigv4.Keys, *asking) {
	c.lock.Lock()
	defer c.lock.Unlock()
	now, _ := c.clock()
	if c.found != nil && (c.found.ExpiresAt.IsZero() || now.Before(c.found.ExpiresAt.Add(-refreshBefore))) {
		return c.found.Keys, nil
	}
	isUsable := c.found != nil && now.Before(c.found.ExpiresAt)
	if since := now.Sub(c.askedAt); isUsable && since >= 0 && since < askAgainAfter {
		return c.found.Keys, nil
	}
	c.askedAt = now
	if c.asking == nil {
		c.asking = &asking{done: make(chan struct{})}
		// Not the caller's patience: what is found serves all.
		go c.ask(context.WithoutCancel(ctx), c.asking)
	}
	if isUsable {
		return c.found.Keys, nil // Nobody waits for new ones while the old ones last.
	}
	return sigv4.Keys{}, c.asking
}

func (c *Chain) ask(ctx context.Context, round *asking) {
	round.found, round.err = c.fetch(ctx)
	c.lock.Lock()
	defer c.lock.Unlock()
	if round.err == nil {
		c.found = &round.found
	}
	c.asking = nil
	close(round.done)
}

// Refused forgets credentials that AWS called expired, so that the next call asks for others.
func (c *Chain) Refused(keys sigv4.Keys) {
	c.lock.Lock()
	defer c.lock.Unlock()
	if c.found != nil && c.found.Keys == keys {
		c.found = nil
	}
}

func (c *Chain) fetch(ctx context.Context) (Found, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	tried := ""
	for _, source := range c.sources {
		found, err := source.Fetch(ctx)
		if err == nil && (found.Keys.AccessKeyID == "" || found.Keys.SecretAccessKey == "") {
			err = errors.New("its answer holds no keys")
		}
		if err == nil {
			return found, nil
		}
		if !errors.Is(err, ErrNone) {
			// Whoever configured one means it: others might be somebody else's.
			return Found{}, fmt.Errorf("credentials by %s: %w", source.Name, err)
		}
		tried += ", " + source.Name
	}
	return Found{}, fmt.Errorf("no AWS credentials: none by%s; give this process those of its caller", tried[1:])
}
