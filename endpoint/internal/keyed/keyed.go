// Package keyed lets a key of a caller's own have one effect, whether a live call has it or the replay of a captured
// one (docs/adr/0023-a-key-is-one-effect.md).
//
// It writes the rows that shared/reprise/capturing/repeat.py writes, under the same conditions: processes of both
// implementations and the replayer share them.
package keyed

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"time"
	"unicode/utf8"

	"reprise/endpoint/internal/aws"
	"reprise/endpoint/internal/capture"
)

const (
	leaseMargin       = 30 * time.Second
	keeps             = 30 * 24 * time.Hour
	liveOwner         = "live/"
	inlineResultBytes = 2048
	tries             = 3
	// storeTimeout bounds each look at the ledger: a caller waits meanwhile.
	storeTimeout = 4 * time.Second

	leased       = "leased"
	succeeded    = "succeeded"
	waiting      = "waiting"
	captured     = "captured"
	deadLettered = "dead_lettered"
)

// Outcomes of calls that were not made.
var (
	AlreadyCaptured = capture.Outcome{Kind: capture.Throttled, Code: "AlreadyCaptured",
		Message: "the call of this key is captured, and was not called again: ask for it by its id"}
	InProgress = capture.Outcome{Kind: capture.Throttled, Code: "CallInProgress",
		Message: "another call of this key is under way: it was not called again"}
	ClaimExpired = capture.Outcome{Kind: capture.Unknown, Code: "LeaseExpired",
		Message: "an earlier call of this key ended without saying how: it was not called again"}
	LedgerAway = capture.Outcome{Kind: capture.Transient, Code: "LedgerAway",
		Message: "whether a captured call of this key has run cannot be told now: it was not called again"}
)

// Call is a call with a key of its caller's own.
type Call struct {
	ID       string
	Function string
	SHA256   string // Of its payload.
	Table    string
	Bucket   string
	Timeout  time.Duration
}

// Begun is what a call is to do: run, under a claim or without one; or not run, and be captured (Owed), or be told of
// the captured call of its key (Told).
type Begun struct {
	claim *claim
	Owed  *capture.Outcome
	Told  *Told
	// IsUnguarded: the ledger may not be written by this caller; it runs as without a key.
	IsUnguarded bool
}

// Told is what is known of the captured call of a key.
type Told struct {
	ID, SHA256, CapturedAt string
	HasEnded               bool
	Payload                []byte // Its late result, if it has ended.
}

type claim struct {
	row item
	// isHeld: the row is the live call's own. If not, it is that of a call that was given up, which is told of a success
	// only.
	isHeld bool
	owner  string
}

// Guard claims the rows of keys for live calls; safe to use from several goroutines.
type Guard struct {
	Client *aws.Client
	open   openCalls
}

func (g *Guard) now() time.Time { now, _ := g.Client.Clock(); return now }

func (g *Guard) table(of Call) table { return table{g.Client, of.Table} }

// Begin claims a call's key, where its target may have captured calls.
func (g *Guard) Begin(of Call) Begun {
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	in := g.table(of)
	if !g.open.mayBe(ctx, in, of.Function, g.now()) {
		return Begun{}
	}
	row := g.row(of)
	made, found, err := g.claim(ctx, in, row)
	switch {
	case aws.IsCode(err, "AccessDeniedException"):
		return Begun{IsUnguarded: true}
	case err != nil:
		// The claim may have been written: nobody is to wait for it.
		g.letGo(ctx, in, &claim{row: row, isHeld: true, owner: row.text("lease_owner")})
		g.letGo(ctx, in, &claim{row: row, owner: row.text("lease_owner")})
		return Begun{Owed: &LedgerAway}
	case made != nil:
		return Begun{claim: made}
	case found.originalSHA256() != of.SHA256:
		return Begun{} // Another payload: not this call.
	}
	return g.told(ctx, of, found)
}

// End says how a live call ended under its claim, before its line is written; an unknown end is said by Wait. Where it
// cannot be said the claim runs out, and the policy for unknown outcomes decides.
func (g *Guard) End(of Call, begun Begun, kind capture.Kind, reply []byte) {
	if begun.claim == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	switch {
	case kind == capture.Succeeded:
		g.succeed(ctx, of, begun.claim, reply)
	case kind != capture.Unknown:
		g.letGo(ctx, g.table(of), begun.claim)
	}
}

// Wait lets a captured call wait that may have run: nobody runs it until its policy has been asked.
func (g *Guard) Wait(of Call, begun Begun, capturedAt string) {
	if begun.claim == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	if !begun.claim.isHeld {
		g.letGo(ctx, g.table(of), begun.claim) // The capture opens the row again, as any later one does.
		return
	}
	g.settle(ctx, g.table(of), begun.claim, waiting, item{
		"captured_at": text(capturedAt), "opened_at": text(capturedAt), "may_have_run": boolean(true),
	})
}

// Tell tells the ledger of a success without a claim, if its key may have been captured meanwhile.
func (g *Guard) Tell(of Call, begun Begun, reply []byte) {
	if begun.claim != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	in := g.table(of)
	if !g.open.mayBe(ctx, in, of.Function, g.now()) {
		return
	}
	made, found, err := g.claim(ctx, in, g.row(of))
	if err != nil {
		return
	}
	if made == nil {
		made = &claim{row: found}
	}
	if (made.isHeld || isAnswerable(made.row)) && made.row.originalSHA256() == of.SHA256 {
		g.succeed(ctx, of, made, reply)
	}
}

// Note lets every process know that a call with a key is captured: whoever calls again because of it is to be known.
func (g *Guard) Note(of Call) {
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout/2)
	defer cancel()
	g.open.note(ctx, g.table(of), of.Function, g.now())
}

// Conflicts tells whether a call's key names another payload already, as far as that can be known now.
func (g *Guard) Conflicts(of Call) bool {
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout/2)
	defer cancel()
	row, err := g.table(of).get(ctx, of.ID)
	return err == nil && row.text("state") != "" && row.originalSHA256() != of.SHA256
}

func (g *Guard) row(of Call) item {
	now := g.now()
	var random [16]byte
	rand.Read(random[:])
	instant := text(capture.Instant(now))
	return item{
		"id": text(of.ID), "state": text(leased), "target": text(of.Function), "sha256": text(of.SHA256),
		"captured_at": instant, "opened_at": instant, "updated_at": instant,
		"attempts": number(0), "refusals": number(0), "due_at_ms": number(0), "lease_from": text(captured),
		"may_have_run": boolean(false), "letter_sent": boolean(false),
		"lease_owner":    text(liveOwner + hex.EncodeToString(random[:])),
		"lease_until_ms": number(now.Add(of.Timeout + leaseMargin).UnixMilli()),
		"expires_at_s":   number(now.Add(keeps).Unix()),
	}
}

// claim writes a row, and returns its claim, or the row that stands in the way.
func (g *Guard) claim(ctx context.Context, in table, row item) (*claim, item, error) {
	isWritten, found, err := in.apply(ctx, change{
		operation: "PutItem", fields: map[string]any{"Item": row},
		condition: "attribute_not_exists(#id)", names: map[string]string{"#id": "id"},
	})
	if err != nil {
		return nil, nil, err
	}
	if !isWritten && found == nil {
		if found, err = in.get(ctx, row.text("id")); err != nil {
			return nil, nil, err
		}
	}
	owner := row.text("lease_owner")
	// Our own row stands in the way when an answered write was sent again.
	if isWritten || found.text("lease_owner") == owner {
		return &claim{row: row, isHeld: true, owner: owner}, nil, nil
	}
	if found.originalSHA256() != row.text("sha256") || found.text("state") != deadLettered {
		return nil, found, nil
	}
	if found.text("claimed_by") == "" {
		now, err := in.claimEnded(ctx, found, owner, row["lease_until_ms"])
		if err != nil {
			return nil, nil, err
		}
		if now.text("claimed_by") == owner {
			return &claim{row: now, owner: owner}, nil, nil
		}
		found = now
	}
	return nil, found, nil
}

// claimEnded lets a live call alone run over the end of a call that was given up, if its row is as it was seen; returns
// the row as it is now.
func (t table) claimEnded(ctx context.Context, dead item, owner string, until json.RawMessage) (item, error) {
	isWritten, _, err := t.apply(ctx, change{
		operation: "UpdateItem", fields: map[string]any{
			"Key": keyOf(dead.text("id")), "UpdateExpression": "SET claimed_by = :owner, claimed_until_ms = :until",
		},
		condition: "#state = :dead AND opened_at = :opened AND updated_at = :updated " +
			"AND (attribute_not_exists(claimed_by) OR claimed_by = :nobody)",
		names: map[string]string{"#state": "state"},
		values: item{
			":owner": text(owner), ":until": until, ":dead": text(deadLettered), ":opened": dead["opened_at"],
			":updated": dead["updated_at"], ":nobody": text(""),
		},
	})
	if isWritten {
		dead["claimed_by"], dead["claimed_until_ms"] = text(owner), until
		return dead, nil
	}
	if err != nil {
		return nil, err
	}
	// Our own claim stands in the way when an answered write was sent again.
	return t.get(ctx, dead.text("id"))
}

// told returns what the caller is told of a call that has a row already.
func (g *Guard) told(ctx context.Context, of Call, row item) Begun {
	owner := row.text("lease_owner")
	isLive := len(owner) >= len(liveOwner) && owner[:len(liveOwner)] == liveOwner
	told := &Told{ID: row.text("id"), SHA256: row.originalSHA256(), CapturedAt: row.text("captured_at")}
	until, isClaimed := int64(0), false
	switch {
	case row.text("state") == leased && isLive:
		until, isClaimed = row.number("lease_until_ms"), true
	case row.text("state") == deadLettered && row.text("claimed_by") != "":
		until, isClaimed = row.number("claimed_until_ms"), true
	}
	switch {
	case row.text("state") == succeeded:
		if payload, is := g.result(ctx, of, row); is {
			told.HasEnded, told.Payload = true, payload
		}
	case isClaimed:
		// A live call's: whether that is captured, if it fails, nobody knows. So this one is.
		if until < g.now().UnixMilli() {
			return Begun{Owed: &ClaimExpired}
		}
		return Begun{Owed: &InProgress}
	}
	return Begun{Told: told}
}

func (g *Guard) result(ctx context.Context, of Call, row item) ([]byte, bool) {
	if key := row.text("result_key"); key != "" {
		payload, err := g.Client.GetObject(ctx, of.Bucket, key)
		return payload, err == nil
	}
	_, is := row["result"]
	return []byte(row.text("result")), is
}

func isAnswerable(row item) bool {
	switch row.text("state") {
	case captured, waiting, deadLettered:
		return true
	}
	return false
}

func (g *Guard) succeed(ctx context.Context, of Call, by *claim, reply []byte) {
	result := item{}
	if len(reply) <= inlineResultBytes && utf8.Valid(reply) {
		result["result"] = text(string(reply))
	} else if _, err := g.Client.PutObject(ctx, of.Bucket, "results/"+of.ID, reply); err == nil {
		result["result_key"] = text("results/" + of.ID)
	}
	in := g.table(of)
	if by.isHeld {
		g.settle(ctx, in, by, succeeded, result)
		return
	}
	// Meanwhile another try of it may have been entered, or an operator may have redriven it.
	row := by.row
	for range tries {
		after := item{}
		for name, value := range row {
			after[name] = value
		}
		for _, name := range []string{"reason", "message", "result", "result_key", "claimed_by", "claimed_until_ms"} {
			delete(after, name)
		}
		for name, value := range result {
			after[name] = value
		}
		after["state"], after["updated_at"] = text(succeeded), text(capture.Instant(g.now()))
		unclaimed := ""
		if row.text("claimed_by") == "" {
			unclaimed = "attribute_not_exists(claimed_by) OR "
		}
		isWritten, found, err := in.apply(ctx, change{
			operation: "PutItem", fields: map[string]any{"Item": after},
			// Rows of version 0.1.0 say nothing of `may_have_run`.
			condition: "#state = :state AND opened_at = :opened AND updated_at = :updated " +
				"AND (attribute_not_exists(may_have_run) OR may_have_run = :may) " +
				// A live call that claims it, or lets go of it, changes nothing else.
				"AND (" + unclaimed + "claimed_by = :claim)",
			names: map[string]string{"#state": "state"},
			values: item{
				":state": row["state"], ":opened": row["opened_at"], ":updated": row["updated_at"], ":may": boolean(row.bool("may_have_run")),
				":claim": text(row.text("claimed_by")),
			},
		})
		if isWritten || err != nil || found == nil || !isAnswerable(found) {
			return
		}
		row = found
	}
}

func (g *Guard) settle(ctx context.Context, in table, by *claim, state string, changes item) {
	names := map[string]string{"#state": "state", "#owner": "lease_owner", "#updated": "updated_at"}
	values := item{":after": text(state), ":held": text(leased), ":mine": text(by.owner), ":updated": text(capture.Instant(g.now()))}
	expression := "SET #state = :after, #updated = :updated"
	for name, value := range changes {
		names["#"+name], values[":"+name] = name, value
		expression += ", #" + name + " = :" + name
	}
	in.apply(ctx, change{
		operation: "UpdateItem", fields: map[string]any{"Key": keyOf(by.row.text("id")), "UpdateExpression": expression},
		condition: "#state IN (:held) AND #owner = :mine", names: names, values: values,
	})
}

// letGo deletes the row that a live call began, as if it had not been, or takes its claim off that of another's end.
func (g *Guard) letGo(ctx context.Context, in table, by *claim) {
	if !by.isHeld {
		in.apply(ctx, change{
			operation: "UpdateItem", fields: map[string]any{
				"Key": keyOf(by.row.text("id")), "UpdateExpression": "REMOVE claimed_by, claimed_until_ms",
			},
			condition: "claimed_by = :mine", values: item{":mine": text(by.owner)},
		})
		return
	}
	in.apply(ctx, change{
		operation: "DeleteItem", fields: map[string]any{"Key": keyOf(by.row.text("id"))},
		condition: "attribute_not_exists(#state) OR (#state = :held AND lease_owner = :mine)",
		names:     map[string]string{"#state": "state"},
		values:    item{":held": text(leased), ":mine": text(by.owner)},
	})
}
