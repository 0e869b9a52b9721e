package invokeapi

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"reprise/endpoint/internal/capture"
	"reprise/endpoint/internal/health"
	"reprise/endpoint/internal/settings"
)

func TestAReplyGoesBackByteForByteWithEveryHeaderOfInvoke(t *testing.T) {
	w := newWorld(t)
	w.lambda.answer(answering(200, "\x00\xff", "X-Amz-Executed-Version", "7", "X-Amz-Log-Result", "bG9n", "X-Amzn-Requestid", "r", "X-Other", "o", "Content-Type", "application/json"))
	response, body := w.invoke("\xff\x00", "X-Amz-Log-Type", "Tail", "X-Amz-Client-Context", "e30=", "X-Amz-Tenant-Id", "t1", "X-Amzn-Trace-Id", "Root=1")
	expect(t, "body", body, "\x00\xff")
	for name, value := range map[string]string{
		"X-Amz-Executed-Version": "7", "X-Amz-Log-Result": "bG9n", "X-Amzn-Requestid": "r", "X-Other": "o", "Content-Type": "application/json", "Content-Length": "2",
	} {
		expect(t, name, response.Header.Get(name), value)
	}
	sent := w.lambda.requests[0]
	expect(t, "sent", string(w.lambda.bodies[0]), "\xff\x00")
	for name, value := range map[string]string{"X-Amz-Log-Type": "Tail", "X-Amz-Client-Context": "e30=", "X-Amz-Tenant-Id": "t1", "X-Amzn-Trace-Id": "Root=1", "X-Amz-Security-Token": "token"} {
		expect(t, name, sent.Header.Get(name), value)
	}
	if signed := sent.Header.Get("Authorization"); !strings.HasPrefix(signed, "AWS4-HMAC-SHA256 Credential=AKOWN/") || !strings.Contains(signed, "/eu-west-1/lambda/aws4_request") {
		t.Errorf("signed by %s", signed)
	}
}

func TestAThrottleOfTheFunctionIsCapturedAfterOneSend(t *testing.T) {
	w := newWorld(t)
	w.lambda.answer(throttling)
	response, body := w.invoke(`{"n":1}`, "Amz-Sdk-Invocation-Id", "inv-1", "X-Amzn-Trace-Id", "Root=1")
	line := w.isCaptured(response, body, "throttled")
	expect(t, "sends", w.lambda.sends(), 1)
	expect(t, "key", fmt.Sprint(line["idempotency_key"]), "sdk:inv-1")
	expect(t, "trace", fmt.Sprint(line["trace"]), "Root=1")
	expect(t, "group", fmt.Sprint(line["group"]), "/reprise/reprise/capture")
	expect(t, "id", fmt.Sprint(line["id"]), capture.CallID(capture.Target{Function: arn + "orders"}, "web-shop", "", "sdk:inv-1"))
	expect(t, "request id", response.Header.Get("X-Amzn-Requestid"), "r-429")
	if !strings.Contains(body, "refused by Lambda (429 ReservedFunctionConcurrentInvocationLimitExceeded), kept as orders:sdk:inv-1~") {
		t.Errorf("the message is %s", body)
	}
}

func TestAThrottleOfTheAccountIsCaptured(t *testing.T) {
	w := newWorld(t)
	w.lambda.answer(answering(429, `{"Reason":"ConcurrentInvocationLimitExceeded","message":"Rate Exceeded."}`, "X-Amzn-Errortype", "TooManyRequestsException:", "Retry-After", "3"))
	response, body := w.invoke("1")
	line := w.isCaptured(response, body, "throttled")
	outcome := line["outcome"].(map[string]any)
	expect(t, "reason", fmt.Sprint(outcome["reason"]), "ConcurrentInvocationLimitExceeded")
	expect(t, "retry after", outcome["retry_after_s"].(float64), 3.0)
	if id := fmt.Sprint(line["id"]); len(id) != 36 || id[14] != '7' {
		t.Errorf("a call that nobody named has id %s", id)
	}
}

func TestAnErrorOfLambdasOwnIsCaptured(t *testing.T) {
	w := newWorld(t)
	w.lambda.answer(answering(500, `{"message":"internal"}`, "X-Amzn-Errortype", "ServiceException"))
	response, body := w.invoke("1", "Amz-Sdk-Invocation-Id", "inv-1")
	w.isCaptured(response, body, "transient")
	expect(t, "sends", w.lambda.sends(), 1)
}

func TestAFunctionsErrorIsAnAnswer(t *testing.T) {
	w := newWorld(t)
	w.lambda.answer(answering(200, `{"errorType":"E","errorMessage":"m"}`, "X-Amz-Function-Error", "Unhandled"))
	response, body := w.invoke("1")
	expect(t, "function error", response.Header.Get("X-Amz-Function-Error"), "Unhandled")
	expect(t, "body", body, `{"errorType":"E","errorMessage":"m"}`)
	expect(t, "lines", len(w.stores.captured()), 0)
}

func TestAFunctionsErrorIsCapturedWhereItsPolicySaysSo(t *testing.T) {
	w := newWorld(t)
	w.stores.policy = `{"default": {"maximum_attempts": 5}, "targets": {"orders": {"capture_on": ["function_error"]}}}`
	w.lambda.answer(answering(200, `{"errorType":"E","errorMessage":"m"}`, "X-Amz-Function-Error", "Unhandled"))
	response, body := w.invoke("1")
	w.isCaptured(response, body, "function_error")
	w.lambda.answer(throttling)
	response, _ = w.invoke("1")
	expect(t, "a throttle, which that policy does not name", response.StatusCode, 429)
}

func TestTheEnvironmentsOutcomesComeBeforeThePolicys(t *testing.T) {
	w := newWorld(t, func(s *settings.Settings) { s.CaptureOutcomes = []capture.Kind{capture.Transient} })
	w.lambda.answer(throttling)
	response, _ := w.invoke("1")
	expect(t, "status", response.StatusCode, 429)
	expect(t, "not captured", response.Header.Get(headerNotCaptured), "")
}

func TestACallerMayHaveAnExceptionOrAPlain202(t *testing.T) {
	w := newWorld(t, func(s *settings.Settings) { s.OnCapture = settings.AsException })
	w.lambda.answer(throttling)
	response, body := w.invoke("1")
	expect(t, "status", response.StatusCode, 424)
	expect(t, "code", response.Header.Get("X-Amzn-Errortype"), "CallCapturedException")
	if !strings.HasPrefix(body, `{"Message":"refused by Lambda`) || response.Header.Get(headerID) == "" {
		t.Errorf("the answer is %s", body)
	}
	w = newWorld(t, func(s *settings.Settings) { s.OnCapture = settings.AsAccepted })
	w.lambda.answer(throttling)
	response, _ = w.invoke("1")
	expect(t, "status", response.StatusCode, 202)
	expect(t, "function error", response.Header.Get("X-Amz-Function-Error"), "")
}

func TestAnUnknownOperationPasses(t *testing.T) {
	w := newWorld(t)
	w.lambda.answer(answering(429, "slow down", "X-Amzn-Errortype", "TooManyRequestsException"))
	for _, each := range []struct{ method, path string }{
		{"GET", "/2015-03-31/functions/?MaxItems=1&Marker=a%2Fb"}, {"PUT", "/2015-03-31/functions/orders/code"},
		{"DELETE", "/2017-03-31/tags/arn%3Aaws%3Alambda?tagKeys=a"}, {"POST", "/2099-01-01/new-thing"},
	} {
		response, body := w.ask(each.method, each.path, "body")
		expect(t, each.path, response.StatusCode, 429)
		expect(t, each.path, body, "slow down")
		sent := w.lambda.requests[w.lambda.sends()-1]
		expect(t, "target", sent.RequestURI, each.path)
		expect(t, "method", sent.Method, each.method)
	}
	expect(t, "lines", len(w.stores.captured()), 0)
}

func TestEventAndDryRunPass(t *testing.T) {
	w := newWorld(t)
	for kind, status := range map[string]int{"Event": 202, "DryRun": 204} {
		w.lambda.answer(answering(status, ""))
		response, _ := w.invoke("1", "X-Amz-Invocation-Type", kind)
		expect(t, kind, response.StatusCode, status)
		w.lambda.answer(throttling)
		response, body := w.invoke("1", "X-Amz-Invocation-Type", kind)
		expect(t, kind+" throttled", response.StatusCode, 429)
		expect(t, kind+" throttled", body, throttle)
	}
	expect(t, "lines", len(w.stores.captured()), 0)
}

func TestAResponseStreamPassesPieceByPiece(t *testing.T) {
	w := newWorld(t)
	second := make(chan struct{})
	w.lambda.answer(func(writer http.ResponseWriter, _ *http.Request) {
		io.WriteString(writer, "first")
		writer.(http.Flusher).Flush()
		<-second
		io.WriteString(writer, "second")
	})
	response, err := w.try(context.Background(), "POST", "/2021-11-15/functions/orders/response-streaming-invocations", strings.NewReader("1"))
	if err != nil {
		t.Fatal(err)
	}
	piece := make([]byte, 5)
	io.ReadFull(response.Body, piece)
	expect(t, "before the second", string(piece), "first")
	close(second)
	rest, _ := io.ReadAll(response.Body)
	expect(t, "rest", string(rest), "second")
}

func TestAStreamThatIsCutDoesNotLookWhole(t *testing.T) {
	w := newWorld(t)
	w.lambda.answer(func(writer http.ResponseWriter, _ *http.Request) {
		io.WriteString(writer, "first")
		writer.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	})
	response, err := w.try(context.Background(), "POST", "/2021-11-15/functions/orders/response-streaming-invocations", strings.NewReader("1"))
	if err == nil {
		_, err = io.ReadAll(response.Body)
	}
	if err == nil {
		t.Error("a cut answer ended well")
	}
}

func TestATargetOutsideTheListPassesUncapturedAndIsCounted(t *testing.T) {
	w := newWorld(t)
	w.lambda.answer(throttling)
	for _, name := range []string{"other", "arn%3Aaws%3Alambda%3Aeu-west-1%3A123456789012%3Afunction%3Aother"} {
		response, body := w.ask("POST", "/2015-03-31/functions/"+name+"/invocations", "1")
		expect(t, "status", response.StatusCode, 429)
		expect(t, "body", body, throttle)
		expect(t, "not captured", response.Header.Get(headerNotCaptured), "")
	}
	expect(t, "counted", w.total(health.UnlistedTargets), 2)
	expect(t, "sends", w.lambda.sends(), 2)
}

func TestATargetThatTheSourceMayNotSignForIsOutsideWhichTheLogTellsOnce(t *testing.T) {
	w := newWorld(t)
	var log bytes.Buffer
	w.endpoint.Log = slog.New(slog.NewTextHandler(&log, nil))
	w.stores.targets = []string{arn + "payments"}
	w.lambda.answer(throttling)
	response, _ := w.invoke("1")
	expect(t, "status", response.StatusCode, 429)
	w.invoke("2")
	expect(t, "counted", w.total(health.UnlistedTargets), 2)
	expect(t, "told", strings.Count(log.String(), "may not sign for"), 1)
	response, body := w.ask("POST", "/2015-03-31/functions/payments/invocations", "1")
	w.isCaptured(response, body, "throttled")
}

func TestAFunctionIsNamedInAnyWayThatInvokeTakes(t *testing.T) {
	w := newWorld(t)
	w.lambda.answer(throttling)
	for path, qualifier := range map[string]string{
		"orders": "<nil>", "orders%3Alive": "live", "123456789012%3Afunction%3Aorders": "<nil>",
		"arn%3Aaws%3Alambda%3Aeu-west-1%3A123456789012%3Afunction%3Aorders%3Alive": "live",
	} {
		response, body := w.ask("POST", "/2015-03-31/functions/"+path+"/invocations", "1")
		target := w.isCaptured(response, body, "throttled")["target"].(map[string]any)
		expect(t, path, fmt.Sprint(target["function"]), arn+"orders")
		expect(t, path, fmt.Sprint(target["qualifier"]), qualifier)
	}
	response, body := w.ask("POST", ordersPath+"?Qualifier=live", "1", "X-Amz-Tenant-Id", "t 1")
	target := w.isCaptured(response, body, "throttled")["target"].(map[string]any)
	expect(t, "parameter", fmt.Sprint(target["qualifier"]), "live")
	expect(t, "tenant", fmt.Sprint(target["tenant_id"]), "t 1")
}

func TestABodyOverSixMegabytesIsLambdasToRefuse(t *testing.T) {
	w := newWorld(t)
	long := strings.Repeat("x", capture.MaxPayloadBytes+1)
	w.lambda.answer(answering(413, `{"message":"too long"}`, "X-Amzn-Errortype", "RequestTooLargeException"))
	response, body := w.invoke(long)
	expect(t, "status", response.StatusCode, 413)
	expect(t, "body", body, `{"message":"too long"}`)
	w.lambda.answer(throttling)
	response, _ = w.invoke(long)
	expect(t, "throttled", response.StatusCode, 429)
	if why := response.Header.Get(headerNotCaptured); !strings.Contains(why, "over Lambda's limit") {
		t.Errorf("not captured since %q", why)
	}
}

func TestSixMegabytesGoThroughByteForByte(t *testing.T) {
	w := newWorld(t)
	long := bytes.Repeat([]byte("0123456789abcde\xff"), capture.MaxPayloadBytes/16)
	w.lambda.answer(func(writer http.ResponseWriter, _ *http.Request) { writer.Write(long) })
	_, body := w.invoke(string(long))
	if body != string(long) || !bytes.Equal(w.lambda.bodies[0], long) {
		t.Error("bytes changed under way")
	}
}

func TestChunkedBodiesAndThoseThatExpectTo100ContinueAreTaken(t *testing.T) {
	w := newWorld(t)
	// A reader of unknown length is sent in chunks.
	response, err := w.try(context.Background(), "POST", ordersPath, io.MultiReader(strings.NewReader("in "), strings.NewReader("chunks")))
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "status", response.StatusCode, 200)
	w.invoke("expected", "Expect", "100-continue")
	expect(t, "first", string(w.lambda.bodies[0]), "in chunks")
	expect(t, "second", string(w.lambda.bodies[1]), "expected")
	for _, sent := range w.lambda.requests {
		expect(t, "expect", sent.Header.Get("Expect"), "")
		if sent.ContentLength < 0 {
			t.Error("sent in chunks, which Lambda does not take from SDKs")
		}
	}
}

func TestACallerThatHangsUpWhileItSendsHasSentNothing(t *testing.T) {
	w := newWorld(t)
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: %s\r\nContent-Length: 100\r\n\r\nonly this", ordersPath, signedFor)
	conn.(*net.TCPConn).CloseWrite()
	io.ReadAll(conn)
	conn.Close()
	expect(t, "sends", w.lambda.sends(), 0)
	expect(t, "counted", w.total(health.CallersHungUp), 1)
}

func TestARetryOfAnSDKWhosePatienceEndedGetsTheFirstSendsReply(t *testing.T) {
	w := newWorld(t)
	running, finish := make(chan struct{}), make(chan struct{})
	w.lambda.answer(func(writer http.ResponseWriter, _ *http.Request) {
		close(running)
		<-finish
		io.WriteString(writer, `"once"`)
	})
	ctx, hangUp := context.WithCancel(context.Background())
	go w.try(ctx, "POST", ordersPath, strings.NewReader("1"), "Amz-Sdk-Invocation-Id", "inv-1")
	<-running
	first := w.lastContext.Load().(*contextOf)
	hangUp()
	<-first.Done()
	var retry sync.WaitGroup
	retry.Go(func() {
		_, body := w.invoke("1", "Amz-Sdk-Invocation-Id", "inv-1")
		expect(t, "while it ran", body, `"once"`)
	})
	close(finish)
	retry.Wait()
	expect(t, "sends", w.lambda.sends(), 1)
}

func TestAReplyThatNobodyTookIsKeptForTheRetry(t *testing.T) {
	w := newWorld(t)
	running, finish := make(chan struct{}), make(chan struct{})
	w.lambda.answer(func(writer http.ResponseWriter, _ *http.Request) {
		close(running)
		<-finish
		io.WriteString(writer, `"once"`)
	})
	ctx, hangUp := context.WithCancel(context.Background())
	go w.try(ctx, "POST", ordersPath, strings.NewReader("1"), "Amz-Sdk-Invocation-Id", "inv-1")
	<-running
	hangUp()
	<-w.lastContext.Load().(*contextOf).Done()
	close(finish)
	eventually(t, func() bool { return w.total(health.CallersHungUp) == 1 })
	_, body := w.invoke("1", "Amz-Sdk-Invocation-Id", "inv-1")
	expect(t, "body", body, `"once"`)
	expect(t, "sends", w.lambda.sends(), 1)
	w.lambda.answer(answering(200, `"another"`))
	_, body = w.invoke("2", "Amz-Sdk-Invocation-Id", "inv-1")
	expect(t, "another body is another call", body, `"another"`)
}

func TestARetryOfACapturedCallIsToldTheSameAndNotSent(t *testing.T) {
	w := newWorld(t)
	w.lambda.answer(throttling)
	first, _ := w.invoke("1", "Amz-Sdk-Invocation-Id", "inv-1")
	w.lambda.answer(answering(200, `"would be a second execution"`))
	second, _ := w.invoke("1", "Amz-Sdk-Invocation-Id", "inv-1")
	expect(t, "status", second.StatusCode, 202)
	expect(t, "id", second.Header.Get(headerID), first.Header.Get(headerID))
	expect(t, "sends", w.lambda.sends(), 1)
	w.clockSkew.Store(int64(rememberedFor))
	third, _ := w.invoke("1", "Amz-Sdk-Invocation-Id", "inv-1")
	expect(t, "after five minutes", third.StatusCode, 200)
}

func TestARetryOfACallThatWasNotCapturedIsSent(t *testing.T) {
	w := newWorld(t)
	w.lambda.answer(answering(403, `{}`, "X-Amzn-Errortype", "AccessDeniedException"))
	w.invoke("1", "Amz-Sdk-Invocation-Id", "inv-1")
	w.lambda.answer(answering(200, `"now"`))
	_, body := w.invoke("1", "Amz-Sdk-Invocation-Id", "inv-1")
	expect(t, "body", body, `"now"`)
	expect(t, "remembered", len(w.endpoint.retries.tries), 0)
}

func TestTwoHundredRefusedCallsAtOnceAreAllCapturedInFewRequests(t *testing.T) {
	w := newWorld(t)
	w.lambda.answer(throttling)
	w.invoke("warm") // Settings and stream are known.
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() {
			response, _ := w.invoke(fmt.Sprint(i), "Amz-Sdk-Invocation-Id", fmt.Sprint("inv-", i))
			expect(t, "status", response.StatusCode, 202)
		})
	}
	all.Wait()
	ids := map[any]bool{}
	for _, line := range w.stores.captured() {
		ids[line["id"]] = true
	}
	expect(t, "calls captured", len(ids), 201)
	expect(t, "lines", len(w.stores.captured()), 201)
	expect(t, "sends", w.lambda.sends(), 201)
}

func TestLambdaThatCannotBeReachedIsTransient(t *testing.T) {
	// Nobody listens at port 1.
	w := newWorld(t, func(s *settings.Settings) { s.Upstream = "http://127.0.0.1:1" })
	response, body := w.invoke("1")
	line := w.isCaptured(response, body, "transient")
	expect(t, "code", fmt.Sprint(line["outcome"].(map[string]any)["code"]), "EndpointConnectionError")
}

func TestAConnectionThatIsResetBeforeTheAnswerIsUnknownAndSentOnce(t *testing.T) {
	var sends atomic.Int64
	address := raw(t, func(conn *net.TCPConn, _ []byte) {
		sends.Add(1)
		conn.SetLinger(0) // A reset, not an end.
	})
	w := newWorld(t, func(s *settings.Settings) { s.Upstream = address })
	response, body := w.invoke("1")
	w.isCaptured(response, body, "unknown")
	expect(t, "sends", sends.Load(), 1)
	if !strings.Contains(body, "will be replayed if its policy says idempotent") {
		t.Errorf("the message is %s", body)
	}
}

func TestAnAnswerThatIsCutIsUnknown(t *testing.T) {
	address := raw(t, func(conn *net.TCPConn, _ []byte) {
		io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this")
	})
	w := newWorld(t, func(s *settings.Settings) { s.Upstream = address })
	response, body := w.invoke("1")
	line := w.isCaptured(response, body, "unknown")
	expect(t, "code", fmt.Sprint(line["outcome"].(map[string]any)["code"]), "IncompleteReadError")
}

func TestAConnectionThatEndsAfterAnAnswerIsNotUsedAgain(t *testing.T) {
	ended := make(chan struct{}, 3)
	address := raw(t, func(conn *net.TCPConn, _ []byte) {
		io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n1234")
		conn.Close() // Without a word.
		ended <- struct{}{}
	})
	w := newWorld(t, func(s *settings.Settings) { s.Upstream = address })
	for range 3 {
		response, body := w.invoke("1")
		expect(t, "status", response.StatusCode, 200)
		expect(t, "body", body, "1234")
		<-ended
	}
	expect(t, "lines", len(w.stores.captured()), 0)
}

func TestARefusalBeforeTheBodyWasReadIsTheAnswer(t *testing.T) {
	address := raw(t, func(conn *net.TCPConn, _ []byte) {
		io.WriteString(conn, "HTTP/1.1 429 Too Many\r\nX-Amzn-Errortype: TooManyRequestsException\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		conn.CloseWrite()
		io.Copy(io.Discard, conn)
	})
	w := newWorld(t, func(s *settings.Settings) { s.Upstream = address })
	response, body := w.invoke(strings.Repeat("x", 5<<20))
	w.isCaptured(response, body, "throttled")
}

func TestACallThatOutlastsTheLongestTargetIsUnknown(t *testing.T) {
	w := newWorld(t, func(s *settings.Settings) { s.CallTimeout = 50 * time.Millisecond })
	if _, err := w.endpoint.Stack.Caller(context.Background()); err != nil {
		t.Fatal(err)
	}
	end := make(chan struct{})
	t.Cleanup(func() { close(end) })
	w.lambda.answer(func(http.ResponseWriter, *http.Request) { <-end })
	response, body := w.invoke("1")
	line := w.isCaptured(response, body, "unknown")
	expect(t, "code", fmt.Sprint(line["outcome"].(map[string]any)["code"]), "ReadTimeoutError")
	expect(t, "sends", w.lambda.sends(), 1)
}

func TestAnUnknownOutcomeThatNoPolicyHasCapturedIsAnErrorThatSaysSo(t *testing.T) {
	address := raw(t, func(conn *net.TCPConn, _ []byte) { conn.SetLinger(0) })
	w := newWorld(t, func(s *settings.Settings) {
		s.Upstream, s.CaptureOutcomes = address, []capture.Kind{capture.Throttled}
	})
	response, body := w.invoke("1")
	expect(t, "status", response.StatusCode, 502)
	if !strings.Contains(body, "the function may have run") {
		t.Errorf("the message is %s", body)
	}
}

func TestLambdasWordOnASkewedClockIsPassedOn(t *testing.T) {
	w := newWorld(t)
	said := `{"message":"Signature expired: 20261129T120000Z is now earlier than 20261129T121000Z"}`
	w.lambda.answer(answering(403, said, "X-Amzn-Errortype", "InvalidSignatureException"))
	response, body := w.invoke("1")
	expect(t, "status", response.StatusCode, 403)
	expect(t, "body", body, said)
	expect(t, "code", response.Header.Get("X-Amzn-Errortype"), "InvalidSignatureException")
	expect(t, "lines", len(w.stores.captured()), 0)
}

func TestAStoreThatRefusesLeavesTheTargetsOwnAnswer(t *testing.T) {
	for operation, why := range map[string]string{
		"GetParameter": "/reprise/callers", "GetSecretValue": "reprise/source/web-shop", "PutLogEvents": "PutLogEvents: AccessDeniedException",
	} {
		w := newWorld(t)
		w.stores.refuses(operation, denied)
		w.lambda.answer(throttling)
		response, body := w.invoke("1")
		expect(t, operation, response.StatusCode, 429)
		expect(t, operation, body, throttle)
		expect(t, operation, response.Header.Get("X-Amzn-Errortype"), "TooManyRequestsException")
		if said := response.Header.Get(headerNotCaptured); !strings.Contains(said, why) {
			t.Errorf("%s: not captured since %q", operation, said)
		}
		expect(t, "counted", w.total(health.CaptureFailed), 1)
	}
}

func TestASlowStoreIsWaitedForAWhileOnly(t *testing.T) {
	w := newWorld(t)
	end := make(chan struct{})
	w.stores.refuses("PutLogEvents", func(http.ResponseWriter) { <-end })
	t.Cleanup(func() { close(end) })
	w.endpoint.CaptureTimeout = 200 * time.Millisecond
	w.lambda.answer(throttling)
	began := time.Now()
	response, _ := w.invoke("1")
	expect(t, "status", response.StatusCode, 429)
	if said := response.Header.Get(headerNotCaptured); !strings.Contains(said, "it may have it") {
		t.Errorf("not captured since %q", said)
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("waited %s", took)
	}
}

func TestALogStreamThatIsMissingIsMade(t *testing.T) {
	w := newWorld(t)
	is := false
	w.stores.refuses("PutLogEvents", func(writer http.ResponseWriter) {
		writer.Header().Set("X-Amzn-Errortype", "ResourceNotFoundException")
		writer.WriteHeader(400)
		is = true
		w.stores.refuses("PutLogEvents", nil)
	})
	w.lambda.answer(throttling)
	response, body := w.invoke("1")
	w.isCaptured(response, body, "throttled")
	expect(t, "was missing", is, true)
	expect(t, "made", w.stores.asked["CreateLogStream"], 1)
}

func TestALongPayloadIsKeptBeforeItsLineIsWritten(t *testing.T) {
	w := newWorld(t)
	w.lambda.answer(throttling)
	// Chance would not compress; this does not, either.
	long := make([]byte, 300<<10)
	state := uint32(1)
	for i := range long {
		state = state*1664525 + 1013904223
		long[i] = byte(state >> 24)
	}
	response, body := w.invoke(string(long), "Amz-Sdk-Invocation-Id", "inv-1")
	line := w.isCaptured(response, body, "throttled")
	check := line["payload"].(map[string]any)["claim_check"].(map[string]any)
	expect(t, "bucket", fmt.Sprint(check["bucket"]), "bucket")
	expect(t, "version", fmt.Sprint(check["version_id"]), "v1")
	expect(t, "place", fmt.Sprint(check["key"]), "payloads/"+fmt.Sprint(line["id"])+"/"+capture.Digest(long)[:16])
	if !bytes.Equal(w.stores.objects["/bucket/"+fmt.Sprint(check["key"])], long) {
		t.Error("the object is not the payload")
	}
	w.stores.refuses("PUTObject", denied)
	response, _ = w.invoke(string(long))
	expect(t, "without S3", response.StatusCode, 429)
	expect(t, "lines", len(w.stores.captured()), 1)
}

func TestAStackThatIsAwayAtFirstIsAskedAgain(t *testing.T) {
	w := newWorld(t)
	w.stores.refuses("GetParameter", denied)
	response, _ := w.invoke("1")
	expect(t, "a call that needs nothing of it", response.StatusCode, 200)
	w.lambda.answer(throttling)
	w.invoke("1")
	w.stores.refuses("GetParameter", nil)
	w.clockSkew.Store(int64(6 * time.Second))
	response, body := w.invoke("1")
	w.isCaptured(response, body, "throttled")
}

func TestWhatTheStackSaidStaysWhileItIsAway(t *testing.T) {
	w := newWorld(t)
	w.lambda.answer(throttling)
	w.invoke("1")
	w.stores.refuses("GetParameter", denied)
	w.stores.refuses("GetSecretValue", denied)
	w.clockSkew.Store(int64(time.Hour))
	response, body := w.invoke("2")
	w.isCaptured(response, body, "throttled")
}

func TestAfterAnHourFrozenConnectionsAreNewAndSettingsAreReadAgain(t *testing.T) {
	w := newWorld(t)
	w.lambda.answer(throttling)
	w.invoke("1")
	before := w.lambda.accepted.Load()
	w.invoke("2")
	expect(t, "connections while it is warm", w.lambda.accepted.Load(), before)
	asked := w.stores.asked["GetSecretValue"]
	w.clockSkew.Store(int64(time.Hour))
	response, body := w.invoke("3")
	w.isCaptured(response, body, "throttled")
	expect(t, "connections after it", w.lambda.accepted.Load(), before+1)
	expect(t, "keys read again", w.stores.asked["GetSecretValue"], asked+1)
	expect(t, "sends", w.lambda.sends(), 3)
}

func TestACallersOwnKeyMakesTheIdAndIsNotSentOn(t *testing.T) {
	w := newWorld(t)
	w.lambda.answer(throttling)
	response, body := w.invoke("1", headerKey, "order-1", headerScope, "shop", headerNotAfter, "2026-12-01T00:00:00+01:00", "Amz-Sdk-Invocation-Id", "inv-1")
	line := w.isCaptured(response, body, "throttled")
	expect(t, "id", fmt.Sprint(line["id"]), capture.CallID(capture.Target{Function: arn + "orders"}, "web-shop", "shop", "order-1"))
	expect(t, "key", fmt.Sprint(line["idempotency_key"]), "order-1")
	expect(t, "scope", fmt.Sprint(line["scope"]), "shop")
	expect(t, "not after", fmt.Sprint(line["not_after"]), "2026-11-30T23:00:00.000000Z")
	for name := range w.lambda.requests[0].Header {
		if strings.HasPrefix(name, headerPrefix) && name != headerHop {
			t.Errorf("%s was sent on", name)
		}
	}
}

func TestTheClientContextMayCarryTheKeyAndTravelsOnAsItIs(t *testing.T) {
	w := newWorld(t)
	w.lambda.answer(throttling)
	said := base64.StdEncoding.EncodeToString([]byte(`{"custom": {"reprise": {"idempotency_key": "order-1", "not_after": "2026-12-01T00:00:00Z"}}}`))
	response, body := w.invoke("1", "X-Amz-Client-Context", said)
	line := w.isCaptured(response, body, "throttled")
	expect(t, "key", fmt.Sprint(line["idempotency_key"]), "order-1")
	expect(t, "context", fmt.Sprint(line["client_context"]), said)
	expect(t, "sent", w.lambda.requests[0].Header.Get("X-Amz-Client-Context"), said)
}

func TestABadKeyIsAnErrorThatNamesItAndNothingIsSent(t *testing.T) {
	w := newWorld(t)
	for name, header := range map[string][]string{
		headerKey: {headerKey, "two words"}, headerScope: {headerScope, "shop"}, headerNotAfter: {headerNotAfter, "tomorrow"},
	} {
		response, body := w.invoke("1", header...)
		expect(t, name, response.StatusCode, 400)
		if !strings.Contains(body, name) {
			t.Errorf("%s is not named: %s", name, body)
		}
	}
	expect(t, "sends", w.lambda.sends(), 0)
}

func TestACallOfADurableExecutionIsNotCaptured(t *testing.T) {
	w := newWorld(t)
	w.lambda.answer(throttling)
	response, _ := w.invoke("1", "X-Amz-Durable-Execution-Name", "e1")
	expect(t, "status", response.StatusCode, 429)
	if said := response.Header.Get(headerNotCaptured); !strings.Contains(said, "durable execution") {
		t.Errorf("not captured since %q", said)
	}
}

func TestOnlySignedRequestsOfThisHostAreServed(t *testing.T) {
	w := newWorld(t)
	for what, header := range map[string][]string{
		"a name that was bent to this host": {"Host", "evil.example"}, "a page of a browser": {"Origin", "https://evil.example"},
		"a fetch of a browser": {"Sec-Fetch-Site", "cross-site"}, "no signature": {"Authorization", "Bearer x"},
		"another service": {"Authorization", strings.Replace(signedFor, "/lambda/", "/s3/", 1)}, "a loop": {headerHop, "1"},
	} {
		response, body := w.invoke("1", header...)
		if response.StatusCode < 400 || response.Header.Get("X-Amzn-Errortype") == "" {
			t.Errorf("%s: served: %d %s", what, response.StatusCode, body)
		}
	}
	expect(t, "sends", w.lambda.sends(), 0)
}

func TestTheRegionIsTheOneThatTheCallerSignedFor(t *testing.T) {
	w := newWorld(t)
	w.lambda.answer(throttling)
	response, _ := w.invoke("1", "Authorization", strings.Replace(signedFor, "eu-west-1", "us-east-1", 1))
	expect(t, "orders of another region is no target", response.StatusCode, 429)
	if signed := w.lambda.requests[0].Header.Get("Authorization"); !strings.Contains(signed, "/us-east-1/lambda/") {
		t.Errorf("signed for %s", signed)
	}
	w.endpoint.Settings.Upstream = ""
	w.endpoint.Env = func(string) string { return "" }
	expect(t, "address", w.endpoint.upstream("us-east-1"), "https://lambda.us-east-1.amazonaws.com")
	expect(t, "address in China", w.endpoint.upstream("cn-north-1"), "https://lambda.cn-north-1.amazonaws.com.cn")
}

func TestHealthTellsVersionStackAndCounts(t *testing.T) {
	w := newWorld(t)
	w.invoke("1")
	response, err := http.Get(w.url + "/health")
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(response.Body)
	for _, part := range []string{`"version":"0.1.0"`, `"stack":"reprise"`, `"source":"web-shop"`, `"calls":1`} {
		if !strings.Contains(string(body), part) {
			t.Errorf("%s is not in %s", part, body)
		}
	}
}

func TestInLambdaACaptureIsAMetric(t *testing.T) {
	w := newWorld(t)
	var lines bytes.Buffer
	w.endpoint.Counts.Metrics = &lines
	w.endpoint.Counts.Stack = "reprise"
	w.lambda.answer(throttling)
	w.invoke("1")
	text, _ := bufio.NewReader(&lines).ReadString('\n')
	if !strings.Contains(text, `"Namespace":"Reprise"`) || !strings.Contains(text, `"Captured":1`) || !strings.Contains(text, `"stack":"reprise"`) {
		t.Errorf("the line is %s", text)
	}
}

func eventually(t *testing.T, is func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); !is(); {
		if time.Now().After(end) {
			t.Fatal("it did not come")
		}
		time.Sleep(time.Millisecond)
	}
}
