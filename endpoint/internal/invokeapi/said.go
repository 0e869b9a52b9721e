package invokeapi

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"reprise/endpoint/internal/capture"
)

const customField = "ClientContext.custom.reprise"

// said is what a caller says of its call beside the payload: by headers, or in the client context, which is its own and
// travels on unaltered (shared/reprise/call/said.py).
type said struct {
	key, scope, notAfter string
	replyTo              capture.Object
}

// readSaid returns what a caller said; a header comes before the client context.
func readSaid(header http.Header, clientContext string) (said, error) {
	custom, err := customOf(clientContext)
	if err != nil {
		return said{}, err
	}
	var found said
	for _, each := range []struct {
		into         *string
		header, name string
	}{{&found.key, headerKey, "idempotency_key"}, {&found.scope, headerScope, "scope"}, {&found.notAfter, headerNotAfter, "not_after"}} {
		field, values := each.header, header[each.header]
		raw, isInContext := custom[each.name]
		switch {
		case len(values) > 0:
			*each.into = values[0]
		case !isInContext || string(raw) == "null":
			continue
		default:
			field = customField + "." + each.name
			if json.Unmarshal(raw, each.into) != nil || raw[0] != '"' {
				return said{}, &badRequest{field, "is no text", "Send text"}
			}
		}
		if err := check(each.into, field, each.name == "not_after"); err != nil {
			return said{}, err
		}
	}
	if found.scope != "" && found.key == "" {
		return said{}, &badRequest{headerScope, "stands without " + headerKey, "Send the key that it is a namespace of"}
	}
	found.replyTo, err = replyTo(custom["reply_to"])
	return found, err
}

func customOf(clientContext string) (map[string]json.RawMessage, error) {
	text, err := base64.StdEncoding.DecodeString(clientContext)
	if err != nil || clientContext == "" || !utf8.Valid(text) {
		return nil, nil // What cannot be read is Lambda's to refuse.
	}
	var document map[string]json.RawMessage
	if json.Unmarshal(text, &document) != nil {
		return nil, nil
	}
	var custom map[string]json.RawMessage
	if json.Unmarshal(document["custom"], &custom) != nil || custom["reprise"] == nil || string(custom["reprise"]) == "null" {
		return nil, nil
	}
	var found map[string]json.RawMessage
	if json.Unmarshal(custom["reprise"], &found) != nil {
		return nil, &badRequest{customField, "must be an object", `Send {"custom": {"reprise": {"idempotency_key": "..."}}}, base64-encoded`}
	}
	return found, nil
}

func check(text *string, field string, isInstant bool) error {
	if !isInstant {
		if !capture.IsKeyText(*text) {
			return &badRequest{field, "must be 1 to 256 printable ASCII characters without blanks",
				"Send a shorter one, for example a UUID or an order number"}
		}
		return nil
	}
	at, is := instantOf(*text)
	if !is {
		return &badRequest{field, "is no instant", "Send ISO 8601 with a time zone, such as 2026-01-31T12:00:00Z"}
	}
	*text = capture.Instant(at)
	return nil
}

// instantOf reads ISO 8601, as far as people write it: long and short, with seconds or without, each kind of zone.
func instantOf(text string) (time.Time, bool) {
	text = strings.Replace(strings.ToUpper(text), " ", "T", 1)
	for _, layout := range []string{"2006-01-02T15:04:05", "2006-01-02T15:04", "20060102T150405", "20060102T1504"} {
		for _, zone := range []string{"Z07:00", "Z0700", "Z07"} {
			at, err := time.Parse(layout+zone, text)
			// The years that every reader of a line knows.
			if year := at.UTC().Year(); err == nil && year >= 1 && year <= 9999 {
				return at, true
			}
		}
	}
	return time.Time{}, false
}

// replyKinds are the places that a late result may go to, and how long what names them may be. Whether the stack allows a
// place its pipeline knows; here a record is kept from being one that no reader takes.
var replyKinds = map[string]int{"queue": 512, "event": 256, "task_token": 2048, "callback_id": 1024, "webhook": 2048}

func isUnprintable(char rune) bool { return !unicode.IsPrint(char) }

func replyTo(raw json.RawMessage) (capture.Object, error) {
	if raw == nil || string(raw) == "null" {
		return nil, nil
	}
	bad := &badRequest{customField + ".reply_to", "is no place for a late result", `Send one of {"queue": "<ARN or URL>"}, {"event": true}, ` +
		`{"task_token": "..."}, {"callback_id": "..."} and {"webhook": "https://..."}`}
	var document map[string]json.RawMessage
	if json.Unmarshal(raw, &document) != nil || len(document) != 1 {
		return nil, bad
	}
	for kind, raw := range document {
		longest, is := replyKinds[kind]
		var value any
		if !is || json.Unmarshal(raw, &value) != nil {
			return nil, bad
		}
		text, isText := value.(string)
		isRight := isText && text != "" && utf8.RuneCountInString(text) <= longest && printable.MatchString(text)
		if kind == "event" {
			isRight = value == true || isText && text != "" && utf8.RuneCountInString(text) <= longest && !strings.ContainsFunc(text, isUnprintable)
		}
		if !isRight {
			bad.message = fmt.Sprintf("%s must be 1 to %d printable characters", kind, longest)
			return nil, bad
		}
		return capture.Object{{Name: kind, Value: value}}, nil
	}
	return nil, bad
}
