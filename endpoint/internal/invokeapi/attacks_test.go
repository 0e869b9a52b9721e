package invokeapi

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"reprise/endpoint/internal/health"
)

// halfClosed sends a request and ends its half of the connection, as a caller does that goes, and some that wait.
func (w *world) halfClosed(header ...string) *net.TCPConn {
	w.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { conn.Close() })
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: %s\r\n%s\r\nContent-Length: 1\r\n\r\n1", ordersPath, signedFor,
		strings.Join(header, "\r\n"))
	conn.(*net.TCPConn).CloseWrite()
	return conn.(*net.TCPConn)
}

func TestARetryThatHangsUpWhileItWaitsIsNotAnsweredWithASuccess(t *testing.T) {
	w := newWorld(t)
	running, finish := make(chan struct{}), make(chan struct{})
	w.lambda.answer(func(writer http.ResponseWriter, _ *http.Request) {
		close(running)
		<-finish
		io.WriteString(writer, `"once"`)
	})
	first := make(chan struct{})
	go func() {
		w.invoke("1", "Amz-Sdk-Invocation-Id", "inv-1")
		close(first)
	}()
	<-running
	said, _ := io.ReadAll(w.halfClosed("Amz-Sdk-Invocation-Id: inv-1"))
	if len(said) > 0 {
		t.Errorf("said %q before the call had an answer", said)
	}
	close(finish)
	<-first
	expect(t, "sends", w.lambda.sends(), 1)
}

func TestCallsOfOneSDKsNameThatDifferInTenantOrContextAreTwo(t *testing.T) {
	for name, value := range map[string]string{"X-Amz-Tenant-Id": "b", "X-Amz-Client-Context": base64.StdEncoding.EncodeToString([]byte(`{"custom": {}}`))} {
		w := newWorld(t)
		w.lambda.answer(throttling)
		w.invoke("1", "Amz-Sdk-Invocation-Id", "inv-1")
		w.lambda.answer(answering(200, `"another"`))
		_, body := w.invoke("1", "Amz-Sdk-Invocation-Id", "inv-1", name, value)
		expect(t, name, body, `"another"`)
	}
}

func TestHealthIsRefusedToAPageAndToABentName(t *testing.T) {
	w := newWorld(t)
	for _, header := range [][]string{{"Host", "evil.example"}, {"Origin", "https://evil.example"}} {
		response, body := w.ask("GET", "/health", "", header...)
		expect(t, header[0], response.StatusCode, 403)
		if strings.Contains(body, "web-shop") {
			t.Errorf("told %s", body)
		}
	}
}

func TestAStackThatDoesNotAnswerAnyMoreCostsNoCapture(t *testing.T) {
	w := newWorld(t)
	w.lambda.answer(throttling)
	w.invoke("1")
	end := make(chan struct{})
	for _, operation := range []string{"GetParameter", "GetSecretValue"} {
		w.stores.refuses(operation, func(http.ResponseWriter) { <-end })
	}
	t.Cleanup(func() { close(end) })
	w.clockSkew.Store(int64(2 * time.Minute))
	response, body := w.invoke("2")
	w.isCaptured(response, body, "throttled")
	expect(t, "captured", w.total(health.Captured), 2)
}

func TestWhatNobodyWaitsForAnyMoreIsNotWrittenLater(t *testing.T) {
	w := newWorld(t)
	w.lambda.answer(throttling)
	asked, end := make(chan struct{}, 8), make(chan struct{})
	w.stores.refuses("PutLogEvents", func(writer http.ResponseWriter) {
		asked <- struct{}{}
		<-end
		denied(writer)
	})
	first := make(chan struct{})
	go func() {
		w.invoke("1")
		close(first)
	}()
	<-asked // The first one's request is under way: the second waits for it.
	w.endpoint.CaptureTimeout = 100 * time.Millisecond
	response, _ := w.invoke("2")
	expect(t, "status", response.StatusCode, 429)
	if said := response.Header.Get(headerNotCaptured); strings.Contains(said, "may have it") {
		t.Errorf("a line that was not sent: %q", said)
	}
	w.stores.refuses("PutLogEvents", nil)
	close(end)
	<-first
	// Whoever writes does so in order: what is written now comes after what was left.
	w.endpoint.CaptureTimeout = 5 * time.Second
	third, body := w.invoke("3")
	w.isCaptured(third, body, "throttled")
	expect(t, "lines", len(w.stores.captured()), 1)
}

func TestALineIsNotSentAgainOnceItsCallerWasToldThatItIsNotKept(t *testing.T) {
	w := newWorld(t)
	w.lambda.answer(throttling)
	w.endpoint.CaptureTimeout = 100 * time.Millisecond
	end := make(chan struct{})
	w.stores.refuses("PutLogEvents", func(http.ResponseWriter) { <-end })
	t.Cleanup(func() { close(end) })
	response, _ := w.invoke("1")
	expect(t, "status", response.StatusCode, 429)
	w.stores.refuses("PutLogEvents", nil)
	// Lines are sent one after the other: when the next one is there, nothing comes of the first any more.
	w.endpoint.CaptureTimeout = 5 * time.Second
	response, body := w.invoke("2")
	w.isCaptured(response, body, "throttled")
	expect(t, "lines", len(w.stores.captured()), 1)
}

func TestAnInstantThatNoReaderTakesIsRefused(t *testing.T) {
	w := newWorld(t)
	w.lambda.answer(throttling)
	for _, text := range []string{"0000-06-01T00:00:00Z", "9999-12-31T23:59:59-01:00", "0001-01-01T00:00:00+01:00"} {
		response, _ := w.invoke("1", headerNotAfter, text)
		expect(t, text, response.StatusCode, 400)
	}
	expect(t, "sends", w.lambda.sends(), 0)
	for text, at := range map[string]string{
		"2030-01-01T12:00Z": "2030-01-01T12:00:00.000000Z", "2030-01-01T12:00:00.5+0100": "2030-01-01T11:00:00.500000Z",
		"20300101T120000Z": "2030-01-01T12:00:00.000000Z", "2030-01-01 12:00:00z": "2030-01-01T12:00:00.000000Z",
	} {
		response, body := w.invoke("1", headerNotAfter, text)
		expect(t, text, fmt.Sprint(w.isCaptured(response, body, "throttled")["not_after"]), at)
	}
}

func TestAnAnswerOfUpstreamThatHasNoEndIsUnknown(t *testing.T) {
	w := newWorld(t)
	w.endpoint.Settings.Upstream = raw(t, func(conn *net.TCPConn, _ []byte) {
		fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
		piece := fmt.Sprintf("%x\r\n%s\r\n", 1<<20, strings.Repeat("x", 1<<20))
		for range maxBodyBytes>>20 + 1 {
			if _, err := io.WriteString(conn, piece); err != nil {
				return
			}
		}
		io.WriteString(conn, "0\r\n\r\n")
	})
	response, body := w.invoke("1")
	if response.StatusCode == 200 {
		t.Errorf("%d bytes of more were told as the whole", len(body))
	}
}

func TestManyCallersThatHangUpLeaveNothingBehind(t *testing.T) {
	w := newWorld(t)
	finish := make(chan struct{})
	w.lambda.answer(func(writer http.ResponseWriter, r *http.Request) {
		<-finish
		throttling(writer, r)
	})
	ctx, hangUp := context.WithCancel(context.Background())
	for i := range 50 {
		go w.try(ctx, "POST", ordersPath, strings.NewReader("1"), "Amz-Sdk-Invocation-Id", fmt.Sprint("inv-", i))
	}
	eventually(t, func() bool { return w.lambda.sends() == 50 })
	hangUp()
	close(finish)
	eventually(t, func() bool { return w.total(health.Captured) == 50 })
	expect(t, "lines", len(w.stores.captured()), 50)
}

func TestAContextThatIsNoTextSaysNothing(t *testing.T) {
	w := newWorld(t)
	w.lambda.answer(throttling)
	context := base64.StdEncoding.EncodeToString([]byte("{\"custom\": {\"reprise\": {\"idempotency_key\": \"\xff\"}}}"))
	response, body := w.invoke("1", "X-Amz-Client-Context", context)
	line := w.isCaptured(response, body, "throttled")
	expect(t, "context", fmt.Sprint(line["client_context"]), context)
}

// bytes sends what no HTTP client would, and returns what comes back.
func (w *world) bytes(text string) string {
	w.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		w.t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	io.WriteString(conn, strings.NewReplacer("PATH", ordersPath, "AUTH", "Authorization: "+signedFor, "\n", "\r\n").Replace(text))
	conn.(*net.TCPConn).CloseWrite()
	said, _ := io.ReadAll(conn)
	return string(said)
}

func TestRequestsThatCouldBeReadTwoWaysAreSentOnceOrNotAtAll(t *testing.T) {
	for what, each := range map[string]struct {
		text   string
		status string
		sends  int
		body   string
	}{
		"two lengths":          {"POST PATH HTTP/1.1\nHost: 127.0.0.1\nAUTH\nContent-Length: 1\nContent-Length: 2\n\n12", "400", 0, ""},
		"length and chunks":    {"POST PATH HTTP/1.1\nHost: 127.0.0.1\nAUTH\nContent-Length: 99\nTransfer-Encoding: chunked\n\n1\n1\n0\n\n", "200", 1, "1"},
		"chunks by half":       {"POST PATH HTTP/1.1\nHost: 127.0.0.1\nAUTH\nTransfer-Encoding: chunked\n\n5\n12", "", 0, ""},
		"odd encoding":         {"POST PATH HTTP/1.1\nHost: 127.0.0.1\nAUTH\nTransfer-Encoding: xchunked\n\n1\n1\n0\n\n", "501", 0, ""},
		"absolute form":        {"POST http://127.0.0.1PATH HTTP/1.1\nHost: 127.0.0.1\nAUTH\nContent-Length: 1\n\n1", "403", 0, ""},
		"another's absolute":   {"POST http://evil.example/ HTTP/1.1\nHost: 127.0.0.1\nAUTH\nContent-Length: 1\n\n1", "403", 0, ""},
		"tunnel":               {"CONNECT 127.0.0.1:80 HTTP/1.1\nHost: 127.0.0.1\nAUTH\n\n", "403", 0, ""},
		"no host":              {"POST PATH HTTP/1.0\nAUTH\nContent-Length: 1\n\n1", "403", 0, ""},
		"two hosts":            {"POST PATH HTTP/1.1\nHost: 127.0.0.1\nHost: evil.example\nAUTH\nContent-Length: 1\n\n1", "400", 0, ""},
		"HTTP/2 by knowledge":  {"PRI * HTTP/2.0\n\nSM\n\n", "4", 0, ""},
		"a folded header":      {"POST PATH HTTP/1.1\nHost: 127.0.0.1\nAUTH\nX-Amz-Log-Type: Tail\n X-Evil: 1\nContent-Length: 1\n\n1", "", -1, ""},
		"a blank in a name":    {"POST PATH HTTP/1.1\nHost: 127.0.0.1\nAUTH\nX-Amz-Log-Type : Tail\nContent-Length: 1\n\n1", "400", 0, ""},
		"a line end in a path": {"POST /2015-03-31/functions/orders%0d%0aX-Evil:%201/invocations HTTP/1.1\nHost: 127.0.0.1\nAUTH\nContent-Length: 1\n\n1", "200", 1, "1"},
		"a second request":     {"POST PATH HTTP/1.1\nHost: 127.0.0.1\nAUTH\nContent-Length: 1\n\n1POST PATH HTTP/1.1\nHost: evil.example\nAUTH\nContent-Length: 1\n\n2", "200", 1, "1"},
	} {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t)
			said := w.bytes(each.text)
			if each.status != "" && !strings.HasPrefix(said, "HTTP/1.1 "+each.status) && !strings.HasPrefix(said, "HTTP/1.0 "+each.status) || each.status == "" && strings.HasPrefix(said, "HTTP/1.1 200") && each.sends == 0 {
				t.Errorf("said %q", said)
			}
			if each.sends >= 0 {
				expect(t, "sends", w.lambda.sends(), each.sends)
			}
			for i, body := range w.lambda.bodies {
				if i == 0 && each.body != "" {
					expect(t, "body", string(body), each.body)
				}
				if w.lambda.requests[i].Header.Get("X-Evil") != "" {
					t.Error("a header was injected")
				}
			}
		})
	}
}

func TestOnlyAConfirmedLineIsACapture(t *testing.T) {
	code := func(status int, code string) func(http.ResponseWriter) {
		return func(writer http.ResponseWriter) {
			writer.Header().Set("X-Amzn-Errortype", code)
			writer.WriteHeader(status)
			io.WriteString(writer, `{"message": "no"}`)
		}
	}
	for what, each := range map[string]struct {
		refuse func(http.ResponseWriter)
		said   string
	}{
		"rejected, and answered with 200": {func(writer http.ResponseWriter) {
			io.WriteString(writer, `{"rejectedLogEventsInfo": {"tooOldLogEventEndIndex": 0}}`)
		}, "clock"},
		"a page of a proxy's":        {func(writer http.ResponseWriter) { io.WriteString(writer, "<html>fine</html>") }, "not as expected"},
		"an empty answer":            {func(http.ResponseWriter) {}, "not as expected"},
		"a redirect":                 {code(307, "Redirect"), "Redirect"},
		"no group":                   {code(400, "ResourceNotFoundException"), "ResourceNotFoundException"},
		"throttled for ever":         {code(400, "ThrottlingException"), "ThrottlingException"},
		"a connection that is reset": {func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, "may have it"},
	} {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t)
			w.stores.refuses("PutLogEvents", each.refuse)
			w.stores.refuses("CreateLogStream", nil)
			w.lambda.answer(throttling)
			response, body := w.invoke("1", "Amz-Sdk-Invocation-Id", "inv-1")
			expect(t, "status", response.StatusCode, 429)
			expect(t, "body", body, throttle)
			if said := response.Header.Get(headerNotCaptured); !strings.Contains(said, each.said) {
				t.Errorf("not captured since %q", said)
			}
			// The next try is another send, and may be kept.
			w.stores.refuses("PutLogEvents", nil)
			response, body = w.invoke("1", "Amz-Sdk-Invocation-Id", "inv-1")
			w.isCaptured(response, body, "throttled")
		})
	}
}

func TestAStoreThatThrottlesOnceIsAskedAgain(t *testing.T) {
	w := newWorld(t)
	w.stores.refuses("PutLogEvents", func(writer http.ResponseWriter) {
		w.stores.refuses("PutLogEvents", nil)
		writer.Header().Set("X-Amzn-Errortype", "ThrottlingException")
		writer.WriteHeader(400)
	})
	w.lambda.answer(throttling)
	response, body := w.invoke("1")
	w.isCaptured(response, body, "throttled")
}

func TestAnEncodedPayloadIsNotCaptured(t *testing.T) {
	for _, encoding := range []string{"gzip", "aws-chunked"} {
		w := newWorld(t)
		w.lambda.answer(throttling)
		response, _ := w.invoke("1", "Content-Encoding", encoding, "X-Amz-Content-Sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER")
		expect(t, encoding, response.StatusCode, 429)
		if said := response.Header.Get(headerNotCaptured); !strings.Contains(said, "encoded") {
			t.Errorf("not captured since %q", said)
		}
		expect(t, "sent on as it is", w.lambda.requests[0].Header.Get("Content-Encoding"), encoding)
	}
}

func TestAnAnswerInAnotherProtocolIsNoSuccess(t *testing.T) {
	w := newWorld(t)
	w.endpoint.Settings.Upstream = raw(t, func(conn *net.TCPConn, _ []byte) {
		io.WriteString(conn, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nhello")
	})
	response, body := w.invoke("1")
	w.isCaptured(response, body, "unknown")
}
