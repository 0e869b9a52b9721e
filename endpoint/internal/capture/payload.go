package capture

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
)

const (
	// MaxPayloadBytes is Lambda's limit of a synchronous request (Lambda quotas: 6 MB).
	MaxPayloadBytes = 6 << 20
	// MaxLineBytes is the longest capture line that no log path is known to cut (docs/adr/0002).
	MaxLineBytes = 200 << 10
	// recordRoomBytes is left for everything but the payload.
	recordRoomBytes = 32 << 10
	// PayloadBudgetBytes is what a payload may add to a line; one that needs more is kept in S3.
	PayloadBudgetBytes = MaxLineBytes - recordRoomBytes
)

// ClaimCheck is a reference to a payload kept in S3; the version may be empty.
type ClaimCheck struct{ Bucket, Key, VersionID string }

// Payload is how a payload travels: exactly one of the first three is set.
type Payload struct {
	Inline     *string
	GzipBase64 *string
	ClaimCheck *ClaimCheck
	SizeBytes  int
	SHA256     string
}

// Digest returns the hex SHA-256 of a payload.
func Digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// Pack returns a payload that adds at most so many bytes to a line; its second value is false if it needs a
// claim check. Text stays text, so that people can read it in the log.
func Pack(data []byte, budgetBytes int) (Payload, bool) {
	payload := Payload{SizeBytes: len(data), SHA256: Digest(data)}
	if isText(data) {
		text := string(data)
		if stringLength(text) <= budgetBytes {
			payload.Inline = &text
			return payload, true
		}
	}
	var packed bytes.Buffer
	writer, err := gzip.NewWriterLevel(&packed, 6)
	if err != nil {
		panic(err)
	}
	writer.Write(data) // A buffer takes everything.
	writer.Close()
	if base64.StdEncoding.EncodedLen(packed.Len())+2 <= budgetBytes {
		text := base64.StdEncoding.EncodeToString(packed.Bytes())
		payload.GzipBase64 = &text
		return payload, true
	}
	return payload, false
}

func (p Payload) object() Object {
	check := any(nil)
	if p.ClaimCheck != nil {
		check = Object{
			{"bucket", p.ClaimCheck.Bucket}, {"key", p.ClaimCheck.Key}, {"version_id", orNull(p.ClaimCheck.VersionID)},
		}
	}
	return Object{
		{"inline", deref(p.Inline)},
		{"gzip_base64", deref(p.GzipBase64)},
		{"claim_check", check},
		{"size_bytes", p.SizeBytes},
		{"sha256", p.SHA256},
	}
}

func deref(text *string) any {
	if text == nil {
		return nil
	}
	return *text
}

func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}
