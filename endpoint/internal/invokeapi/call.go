package invokeapi

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"

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
	said
	sdkID     string // The SDK's name of the invocation, the same for each of its retries.
	encoding  string // Of the body, if it is encoded.
	isDurable bool
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
		encoding: header.Get("Content-Encoding"), isDurable: header.Get("X-Amz-Durable-Execution-Name") != "",
	}
	if id := header.Get("Amz-Sdk-Invocation-Id"); capture.IsKeyText(sdkPrefix + id) {
		asked.sdkID = id
	}
	asked.said, err = readSaid(header, asked.clientContext)
	return asked, err
}

// whyNot returns why a call cannot be captured that should be; empty if it can.
func (c *call) whyNot() string {
	switch {
	case len(c.body) > capture.MaxPayloadBytes:
		return fmt.Sprintf("the payload has %d bytes, over Lambda's limit of %d", len(c.body), capture.MaxPayloadBytes)
	case c.encoding != "":
		return "its payload is encoded, which a replay could not say"
	case c.isDurable:
		return "it names a durable execution, which a replay could not"
	case len(c.clientContext) > maxContextChars || !printable.MatchString(c.clientContext):
		return "its client context is none that Lambda takes"
	}
	return ""
}
