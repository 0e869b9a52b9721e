// Package health counts what happens, and tells it: at /health, and in Lambda as metrics, too.
package health

import (
	"encoding/json"
	"io"
	"net/http"
	"sync"
	"time"
)

// The counts. Those with an upper-case first letter are metrics in Lambda (docs/reference/metrics.md).
const (
	Captured        = "Captured"
	CaptureFailed   = "CaptureFailed"
	ClaimChecks     = "ClaimChecks"
	UnlistedTargets = "UnlistedTargets"
	Calls           = "calls"
	Passed          = "passed"
	RetriesJoined   = "retries_joined"
	AnsweredByRow   = "answered_by_ledger"
	KeysUnguarded   = "keys_unguarded"
	CallersHungUp   = "callers_hung_up"
	UpstreamFaults  = "upstream_faults"
)

var metrics = map[string]bool{Captured: true, CaptureFailed: true, ClaimChecks: true, UnlistedTargets: true}

// Counts are what one process counted; safe to use from several goroutines.
type Counts struct {
	// Metrics gets CloudWatch's embedded metric format; nil where nobody reads it.
	Metrics io.Writer
	Stack   string
	Now     func() time.Time

	lock   sync.Mutex
	totals map[string]int
}

// Count adds one.
func (c *Counts) Count(name string) {
	c.lock.Lock()
	defer c.lock.Unlock()
	if c.totals == nil {
		c.totals = map[string]int{}
	}
	c.totals[name]++
	if c.Metrics != nil && metrics[name] {
		// One line each: they are rare, and a freeze may come at any time.
		line, _ := json.Marshal(map[string]any{
			"_aws": map[string]any{
				"Timestamp": c.Now().UnixMilli(),
				"CloudWatchMetrics": []any{map[string]any{
					"Namespace": "Reprise", "Dimensions": [][]string{{"stack"}},
					"Metrics": []any{map[string]string{"Name": name, "Unit": "Count"}},
				}},
			},
			"stack": c.Stack, name: 1,
		})
		c.Metrics.Write(append(line, '\n'))
	}
}

// Totals returns what was counted.
func (c *Counts) Totals() map[string]int {
	c.lock.Lock()
	defer c.lock.Unlock()
	totals := map[string]int{}
	for name, total := range c.totals {
		totals[name] = total
	}
	return totals
}

// Report is what /health says.
type Report struct {
	Version  string         `json:"version"`
	Stack    string         `json:"stack"`
	Source   string         `json:"source"`
	Upstream string         `json:"upstream"`
	Settings string         `json:"settings"`
	Restarts int            `json:"restarts"`
	Counts   map[string]int `json:"counts"`
}

// Write answers a request for it.
func (r Report) Write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(r)
}
