package invokeapi

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"reprise/endpoint/internal/aws"
	"reprise/endpoint/internal/capture"
	"reprise/endpoint/internal/exchange"
	"reprise/endpoint/internal/health"
	"reprise/endpoint/internal/sigv4"
)

// dropped are headers of one connection, and those that a new signature replaces.
var dropped = map[string]bool{
	"Authorization": true, "Connection": true, "Content-Length": true, "Expect": true, "Keep-Alive": true,
	"Proxy-Authorization": true, "Proxy-Connection": true, "Te": true, "Trailer": true, "Transfer-Encoding": true,
	"Upgrade": true, "X-Amz-Content-Sha256": true, "X-Amz-Date": true, "X-Amz-Security-Token": true,
}

// upstream returns where Lambda is, for requests of a region.
func (e *Endpoint) upstream(region string) string {
	if e.Settings.Upstream != "" {
		return e.Settings.Upstream
	}
	return aws.Address(e.Env, aws.Lambda, region, e.Settings.IsOwn)
}

// send signs a caller's request anew, with the caller's own credentials, and sends it once.
func (e *Endpoint) send(ctx context.Context, r *http.Request, path, query, region string, body []byte) (*http.Response, sigv4.Keys, error) {
	keys, err := e.Keys.Keys(ctx)
	if err != nil {
		return nil, keys, &noCredentials{err}
	}
	address := e.upstream(region)
	server, err := e.Client.Server(address)
	if err != nil {
		return nil, keys, &exchange.Error{Stage: exchange.NotSent, Code: "InvalidEndpoint", Err: err}
	}
	header := make(http.Header, len(r.Header)+4)
	for name, values := range r.Header {
		if !dropped[name] && !strings.HasPrefix(name, headerPrefix) {
			header[name] = values
		}
	}
	if !strings.Contains(address, ".amazonaws.") {
		header[headerHop] = []string{"1"}
	}
	target := server.Path() + path
	now, _ := e.Client.Clock()
	sigv4.Sign(sigv4.Request{
		Method: r.Method, Host: server.Host(), Path: target, Query: query, Header: header, Body: body,
	}, keys, region, "lambda", now)
	if query != "" {
		target += "?" + query
	}
	response, err := server.Send(ctx, exchange.Request{Method: r.Method, Target: target, Header: header, Body: body})
	return response, keys, err
}

type noCredentials struct{ error }

// whole reads an answer to its end, before anything of it goes on: one that is cut is an unknown outcome.
func whole(response *http.Response) (*answer, error) {
	defer response.Body.Close()
	var body []byte
	var err error
	if length := response.ContentLength; length >= 0 && length <= maxBodyBytes {
		body = make([]byte, length)
		_, err = io.ReadFull(response.Body, body)
		if err == nil {
			// The end itself, so that the connection is free again.
			_, err = io.Copy(io.Discard, response.Body)
		}
	} else if body, err = io.ReadAll(io.LimitReader(response.Body, maxBodyBytes+1)); err == nil && len(body) > maxBodyBytes {
		err = fmt.Errorf("an answer of more than %d bytes, which no operation of Lambda gives", maxBodyBytes)
	}
	if err != nil {
		return nil, err
	}
	return &answer{status: response.StatusCode, header: passedHeaders(response), body: body}, nil
}

func passedHeaders(response *http.Response) http.Header {
	header := response.Header
	for _, name := range []string{"Connection", "Keep-Alive", "Proxy-Authenticate", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Content-Length"} {
		delete(header, name)
	}
	return header
}

// once invokes the target once, and tells how that ended: an answer, whatever it is, and its outcome.
func (e *Endpoint) once(ctx context.Context, r *http.Request, path, query string, of *call) (*answer, capture.Outcome) {
	response, keys, err := e.send(ctx, r, path, query, of.region, of.body)
	if err == nil {
		var given *answer
		if given, err = whole(response); err == nil {
			outcome := capture.Classify(given.status, given.header, given.body)
			if isExpiry(outcome.Code) {
				e.Keys.Refused(keys)
			}
			given.hasRun = outcome.Kind == capture.Succeeded || outcome.Kind == capture.FunctionError
			return given, outcome
		}
		err = &exchange.Error{Stage: exchange.Sent, Code: "IncompleteReadError", Err: err}
	}
	return noAnswer(err)
}

func isExpiry(code string) bool {
	return code == "ExpiredTokenException" || code == "UnrecognizedClientException" || code == "ExpiredToken"
}

// noAnswer returns what stands for an answer that did not come, and its outcome.
func noAnswer(err error) (*answer, capture.Outcome) {
	switch err := err.(type) {
	case *noCredentials:
		return refusal(http.StatusForbidden, "MissingCredentialsException", err.Error()), capture.NeverSent("NoCredentialsError", err.Error())
	case *exchange.Error:
		if err.Stage == exchange.NotSent {
			message := "Lambda was not reached, and the function has not run: " + err.Error()
			return refusal(http.StatusBadGateway, "UpstreamUnreachableException", message), capture.NeverSent(err.Code, err.Err.Error())
		}
		message := "Lambda gave no answer, and the function may have run: " + err.Error()
		status := http.StatusBadGateway
		if err.Code == "ReadTimeoutError" {
			status = http.StatusGatewayTimeout
		}
		return refusal(status, "UpstreamNoAnswerException", message), capture.NoAnswer(err.Code, err.Err.Error())
	}
	return refusal(http.StatusBadGateway, "UpstreamUnreachableException", err.Error()), capture.NoAnswer("UnknownError", err.Error())
}

// pass hands a request on, and its answer back as it comes: it is not ours to keep.
func (e *Endpoint) pass(w http.ResponseWriter, r *http.Request, path, query, region string, body []byte) {
	response, keys, err := e.send(r.Context(), r, path, query, region, body)
	if err != nil {
		e.Counts.Count(health.UpstreamFaults)
		given, _ := noAnswer(err)
		given.write(w)
		return
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusForbidden && isExpiry(errorCode(response)) {
		e.Keys.Refused(keys)
	}
	header := w.Header()
	length := response.Header["Content-Length"]
	for name, values := range passedHeaders(response) {
		header[name] = values
	}
	if _, is := header["Content-Type"]; !is {
		header["Content-Type"] = nil
	}
	if length != nil {
		header["Content-Length"] = length
	}
	w.WriteHeader(response.StatusCode)
	flusher, _ := w.(http.Flusher)
	buffer := make([]byte, 16<<10)
	for {
		n, err := response.Body.Read(buffer)
		if n > 0 {
			if _, err := w.Write(buffer[:n]); err != nil {
				return
			}
			if length == nil {
				flusher.Flush() // A stream: each piece now.
			}
		}
		if err == io.EOF {
			return
		}
		if err != nil {
			// What was cut must not look whole.
			panic(http.ErrAbortHandler)
		}
	}
}

func errorCode(response *http.Response) string {
	code, _, _ := strings.Cut(response.Header.Get("X-Amzn-Errortype"), ":")
	return code
}
