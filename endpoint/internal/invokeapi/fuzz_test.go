package invokeapi

import (
	"encoding/base64"
	"net/http"
	"regexp"
	"testing"

	"reprise/endpoint/internal/capture"
)

var instant = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z$`)

// What a caller says is refused by name, or is what every reader of a line takes.
func FuzzSaid(f *testing.F) {
	f.Add("k", "s", "2026-12-01T00:00:00Z", []byte(`{"custom": {"reprise": {"idempotency_key": "k", "reply_to": {"event": true}}}}`))
	f.Add("", "", "9999-12-31T23:59:59-01:00", []byte(`{"custom": {"reprise": null}}`))
	f.Add("", "", "", []byte(`{"custom": {"reprise": {"not_after": "0000-01-01T00:00:00Z", "scope": "\ud800"}}}`))
	f.Fuzz(func(t *testing.T, key, scope, notAfter string, context []byte) {
		header := http.Header{}
		for name, value := range map[string]string{headerKey: key, headerScope: scope, headerNotAfter: notAfter} {
			if value != "" {
				header[name] = []string{value}
			}
		}
		found, err := readSaid(header, base64.StdEncoding.EncodeToString(context))
		if err != nil {
			if bad, is := err.(*badRequest); !is || bad.field == "" || bad.next == "" {
				t.Errorf("got %v", err)
			}
			return
		}
		if found.key != "" && !capture.IsKeyText(found.key) || found.scope != "" && !capture.IsKeyText(found.scope) || found.scope != "" && found.key == "" {
			t.Errorf("said %+v", found)
		}
		if found.notAfter != "" && (!instant.MatchString(found.notAfter) || found.notAfter < "0001") {
			t.Errorf("not after %q", found.notAfter)
		}
	})
}
