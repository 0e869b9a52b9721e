package invokeapi

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"reprise/endpoint/internal/capture"
)

const (
	// maxContextChars: Lambda API reference, Invoke, X-Amz-Client-Context.
	maxContextChars = 3583
	sdkPrefix       = "sdk:"
)

var (
	invocation = regexp.MustCompile(`^/2015-03-31/functions/([^/]+)/invocations/?$`)
	printable  = regexp.MustCompile(`^[!-~]*$`)
)

// call is one synchronous invocation asked for.
type call struct {
	name, qualifier, tenant string
	region                  string
	body                    []byte
	clientContext, trace    string
	key, scope, notAfter    string // Said by the caller; empty if not.
	sdkID                   string // The SDK's name of the invocation, the same for each of its retries.
	isDurable               bool
}

// badRequest is a request that cannot be served; nothing was sent.
type badRequest struct{ field, message, next string }

func (b *badRequest) Error() string {
	return fmt.Sprintf("%s: %s. %s", b.field, b.message, b.next)
}

// readCall returns the synchronous invocation that a request asks for; nil if it is anything else.
func readCall(r *http.Request, path, query, region string, body []byte) (*call, error) {
	found := invocation.FindStringSubmatch(path)
	if found == nil || r.Method != http.MethodPost {
		return nil, nil
	}
	if kind := r.Header.Get("X-Amz-Invocation-Type"); kind != "" && kind != "RequestResponse" {
		return nil, nil
	}
	name, err := url.PathUnescape(found[1])
	if err != nil {
		return nil, nil // Lambda says what is wrong with it.
	}
	values, _ := url.ParseQuery(query)
	header := r.Header
	asked := &call{
		name: name, qualifier: values.Get("Qualifier"), tenant: header.Get("X-Amz-Tenant-Id"), region: region, body: body,
		clientContext: header.Get("X-Amz-Client-Context"), trace: header.Get("X-Amzn-Trace-Id"),
		isDurable: header.Get("X-Amz-Durable-Execution-Name") != "",
	}
	if id := header.Get("Amz-Sdk-Invocation-Id"); capture.IsKeyText(sdkPrefix + id) {
		asked.sdkID = id
	}
	asked.readContext()
	for _, each := range []struct {
		into   *string
		header string
	}{{&asked.key, headerKey}, {&asked.scope, headerScope}, {&asked.notAfter, headerNotAfter}} {
		if text := header.Get(each.header); text != "" {
			*each.into = text
		}
	}
	return asked, asked.check()
}

// readContext reads custom.reprise of the client context, which is the caller's own and travels on unaltered.
func (c *call) readContext() {
	text, err := base64.StdEncoding.DecodeString(c.clientContext)
	if err != nil || c.clientContext == "" {
		return
	}
	var document struct {
		Custom struct {
			Reprise struct {
				IdempotencyKey string `json:"idempotency_key"`
				Scope          string `json:"scope"`
				NotAfter       string `json:"not_after"`
			} `json:"reprise"`
		} `json:"custom"`
	}
	if json.Unmarshal(text, &document) == nil {
		said := document.Custom.Reprise
		c.key, c.scope, c.notAfter = said.IdempotencyKey, said.Scope, said.NotAfter
	}
}

func (c *call) check() error {
	const keyRule = "must be 1 to 256 printable ASCII characters without blanks"
	if c.key != "" && !capture.IsKeyText(c.key) {
		return &badRequest{headerKey, keyRule, "Send a shorter one, for example a UUID or an order number"}
	}
	if c.scope != "" && !capture.IsKeyText(c.scope) {
		return &badRequest{headerScope, keyRule, "Send a shorter one"}
	}
	if c.scope != "" && c.key == "" {
		return &badRequest{headerScope, "stands without " + headerKey, "Send the key that it is a namespace of"}
	}
	if c.notAfter != "" {
		at, err := time.Parse(time.RFC3339Nano, strings.ToUpper(c.notAfter))
		if err != nil {
			return &badRequest{headerNotAfter, "is no ISO 8601 instant with its offset", "Send one such as 2026-11-29T12:00:00Z"}
		}
		c.notAfter = capture.Instant(at)
	}
	return nil
}

// whyNot returns why a call cannot be captured that should be; empty if it can.
func (c *call) whyNot() string {
	switch {
	case len(c.body) > capture.MaxPayloadBytes:
		return fmt.Sprintf("the payload has %d bytes, over Lambda's limit of %d", len(c.body), capture.MaxPayloadBytes)
	case c.isDurable:
		return "it names a durable execution, which a replay could not"
	case len(c.clientContext) > maxContextChars || !printable.MatchString(c.clientContext):
		return "its client context is none that Lambda takes"
	}
	return ""
}
