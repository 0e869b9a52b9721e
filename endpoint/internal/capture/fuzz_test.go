package capture

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// Seeds run with every test; `go test -fuzz FuzzLine ./internal/capture` looks for more.
func FuzzLine(f *testing.F) {
	for _, seed := range []string{"", "{}", oddText, "\xff\xfe", "\u2028\n{\"event\": 1}", "\x00\x1b[31m"} {
		f.Add(seed, []byte(seed))
	}
	keys, err := ReadKeys(`{"current": "k1", "k1": "`+strings.Repeat("0", 32)+`", "targets": ["*"]}`, "web-shop")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string, body []byte) {
		payload, isPacked := Pack(body, 1<<20)
		if !isPacked {
			t.Skip()
		}
		outcome := ClassifyError(text, 429, text)
		if line := outcome.Message; utf8.RuneCountInString(line) > maxMessageChars || strings.ContainsFunc(line, func(char rune) bool { return !unicode.IsPrint(char) && char != ' ' }) {
			t.Errorf("message %q", line)
		}
		line := Record{ID: text, Payload: payload, Outcome: outcome, Trace: text, ClientContext: text, Scope: text}.Line(keys)
		for _, char := range line {
			if char < ' ' || char > '~' {
				t.Fatalf("byte %x in %q", char, line)
			}
		}
		var read struct {
			ID      string
			Payload struct{ Inline *string }
		}
		if err := json.Unmarshal(line, &read); err != nil {
			t.Fatal(err)
		}
		if read.ID != strings.ToValidUTF8(text, "\ufffd") && utf8.ValidString(text) {
			t.Errorf("%q became %q", text, read.ID)
		}
		if payload.Inline != nil && *read.Payload.Inline != string(body) {
			t.Errorf("%q became %q", body, *read.Payload.Inline)
		}
	})
}

func FuzzResolve(f *testing.F) {
	const arn = "arn:aws:lambda:eu-west-1:123456789012:function:"
	f.Add("orders", "", "", "eu-west-1", arn+"orders")
	f.Add(arn+"orders:live", "live", "t", "", arn+"*")
	f.Add("123456789012:function:orders", "$LATEST", "", "eu-west-1", "*")
	f.Fuzz(func(t *testing.T, name, qualifier, tenant, region, entry string) {
		found, why := Resolve(name, qualifier, tenant, region, []string{entry})
		if why == "" && (!functionARN.MatchString(found.Function) || !allows(entry, found.Function) || strings.ContainsAny(found.Qualifier+found.TenantID, "\r\n")) {
			t.Errorf("%q became %+v by %q", name, found, entry)
		}
	})
}
