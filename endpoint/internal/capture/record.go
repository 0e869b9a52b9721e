package capture

import "time"

// Record is a captured call, schema version 1. Empty texts stand for what was not said.
type Record struct {
	ID             string
	CapturedAt     string
	SourceVersion  string
	Target         Target
	Payload        Payload
	ClientContext  string
	Outcome        Outcome
	NotAfter       string
	Trace          string
	IdempotencyKey string
	Scope          string
	ReplyTo        Object // Where the caller wants its late result; nil if it did not say.
}

// Instant returns an instant as records have it: ISO 8601 in UTC with microseconds.
func Instant(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.000000Z") }

// Content returns what a MAC covers: the record's own fields in the order of the line.
func (r Record) content(source string) Object {
	content := Object{
		{"reprise", 1},
		{"event", "invocation.captured"},
		{"level", "ERROR"},
		{"id", r.ID},
		{"captured_at", r.CapturedAt},
		{"source", Object{{"name", source}, {"version", r.SourceVersion}}},
		{"target", Object{
			{"function", r.Target.Function},
			{"qualifier", orNull(r.Target.Qualifier)},
			{"tenant_id", orNull(r.Target.TenantID)},
		}},
		{"payload", r.Payload.object()},
		{"client_context", orNull(r.ClientContext)},
		{"outcome", r.Outcome.object()},
		{"not_after", orNull(r.NotAfter)},
		{"trace", orNull(r.Trace)},
	}
	// What a caller did not say is left out: lines without them are those of version 0.1.0.
	if r.IdempotencyKey != "" {
		content = append(content, Member{"idempotency_key", r.IdempotencyKey})
	}
	if r.Scope != "" {
		content = append(content, Member{"scope", r.Scope})
	}
	if r.ReplyTo != nil {
		content = append(content, Member{"reply_to", r.ReplyTo})
	}
	return content
}

// Line returns the signed capture line, ASCII, without its newline.
func (r Record) Line(keys *Keys) []byte {
	content := r.content(keys.Source)
	keyID, value := keys.Sign(content)
	return append(content, Member{"mac", Object{{"key_id", keyID}, {"value", value}}}).Encode()
}
