package invokeapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"reprise/endpoint/internal/aws"
	"reprise/endpoint/internal/credentials"
	"reprise/endpoint/internal/exchange"
	"reprise/endpoint/internal/health"
	"reprise/endpoint/internal/settings"
	"reprise/endpoint/internal/sink"
	"reprise/endpoint/internal/stack"
)

const (
	arn        = "arn:aws:lambda:eu-west-1:123456789012:function:"
	signedFor  = "AWS4-HMAC-SHA256 Credential=AKCALLER/20261129/eu-west-1/lambda/aws4_request, SignedHeaders=host, Signature=00"
	ordersPath = "/2015-03-31/functions/orders/invocations"
	throttle   = `{"Reason":"ReservedFunctionConcurrentInvocationLimitExceeded","Type":"User","message":"Rate Exceeded."}`
)

// world is an endpoint, and all that it meets, on the loopback address.
type world struct {
	t         *testing.T
	endpoint  *Endpoint
	url       string
	lambda    *lambdaFake
	stores    *storesFake
	clockSkew atomic.Int64 // Added to both clocks.
	// lastContext is that of the last request: it ends when the server notices that the caller is gone.
	lastContext atomic.Value
}

// lambdaFake counts what is sent to Lambda, and answers as a test says.
type lambdaFake struct {
	lock     sync.Mutex
	serve    http.HandlerFunc
	requests []*http.Request
	bodies   [][]byte
	server   *httptest.Server
	accepted atomic.Int64
}

func (l *lambdaFake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // Not the whole of it: Lambda would not run it.
	}
	l.lock.Lock()
	l.requests, l.bodies = append(l.requests, r), append(l.bodies, body)
	serve := l.serve
	l.lock.Unlock()
	serve(w, r)
}

func (l *lambdaFake) sends() int {
	l.lock.Lock()
	defer l.lock.Unlock()
	return len(l.requests)
}

func (l *lambdaFake) answer(serve http.HandlerFunc) {
	l.lock.Lock()
	defer l.lock.Unlock()
	l.serve = serve
}

func answering(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

func throttling(w http.ResponseWriter, r *http.Request) {
	answering(429, throttle, "X-Amzn-Errortype", "TooManyRequestsException", "X-Amzn-Requestid", "r-429")(w, r)
}

// storesFake stands for SSM, Secrets Manager, CloudWatch Logs and S3.
type storesFake struct {
	lock    sync.Mutex
	callers map[string]any
	policy  string
	targets []string
	refuse  map[string]func(http.ResponseWriter) // By operation.
	lines   []map[string]any
	puts    int
	asked   map[string]int
	objects map[string][]byte
}

func (s *storesFake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	target := r.Header.Get("X-Amz-Target")
	operation := target[strings.LastIndexByte(target, '.')+1:]
	if operation == "" {
		operation = r.Method + "Object"
	}
	s.lock.Lock()
	s.asked[operation]++
	refuse := s.refuse[operation]
	s.lock.Unlock()
	if refuse != nil {
		refuse(w)
		return
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	answer := any(map[string]any{})
	switch operation {
	case "GetParameter":
		var asked struct{ Name string }
		json.Unmarshal(body, &asked)
		value := s.policy
		if asked.Name == "/reprise/callers" {
			text, _ := json.Marshal(s.callers)
			value = string(text)
		}
		answer = map[string]any{"Parameter": map[string]string{"Value": value}}
	case "GetSecretValue":
		document, _ := json.Marshal(map[string]any{"current": "k1", "k1": strings.Repeat("0", 32), "targets": s.targets})
		answer = map[string]string{"Name": "reprise/source/web-shop", "SecretString": string(document)}
	case "PutLogEvents":
		var asked struct {
			LogGroupName string
			LogEvents    []struct{ Message string }
		}
		json.Unmarshal(body, &asked)
		s.puts++
		for _, event := range asked.LogEvents {
			var line map[string]any
			json.Unmarshal([]byte(event.Message), &line)
			line["group"] = asked.LogGroupName
			s.lines = append(s.lines, line)
		}
	case "PUTObject":
		s.objects[r.URL.Path] = body
		w.Header().Set("X-Amz-Version-Id", "v1")
		return
	}
	json.NewEncoder(w).Encode(answer)
}

func (s *storesFake) captured() []map[string]any {
	s.lock.Lock()
	defer s.lock.Unlock()
	return append([]map[string]any{}, s.lines...)
}

func (s *storesFake) refuses(operation string, how func(http.ResponseWriter)) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.refuse[operation] = how
}

func denied(w http.ResponseWriter) {
	w.Header().Set("X-Amzn-Errortype", "AccessDeniedException")
	w.WriteHeader(400)
	io.WriteString(w, `{"message": "not allowed"}`)
}

func newWorld(t *testing.T, change ...func(*settings.Settings)) *world {
	t.Helper()
	made := &world{t: t}
	made.lambda = &lambdaFake{serve: answering(200, `"fine"`, "X-Amz-Executed-Version", "7", "X-Amzn-Requestid", "r-200")}
	made.lambda.server = httptest.NewUnstartedServer(made.lambda)
	made.lambda.server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			made.lambda.accepted.Add(1)
		}
	}
	made.lambda.server.Start()
	t.Cleanup(made.lambda.server.Close)
	made.stores = &storesFake{
		callers: map[string]any{
			"bucket": "bucket", "capture_log_group": "/reprise/reprise/capture", "ledger_table": "ledger",
			"targets": []string{arn + "orders", arn + "pay*"}, "policy_parameter": "/reprise/policy", "call_timeout_s": 30,
		},
		policy: `{}`, targets: []string{"*"}, refuse: map[string]func(http.ResponseWriter){}, asked: map[string]int{},
		objects: map[string][]byte{},
	}
	stores := httptest.NewServer(made.stores)
	t.Cleanup(stores.Close)
	environment := map[string]string{
		"AWS_ACCESS_KEY_ID": "AKOWN", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "token", "AWS_REGION": "eu-west-1",
		"AWS_ENDPOINT_URL": stores.URL, "REPRISE_SOURCE": "web-shop", "REPRISE_UPSTREAM_LAMBDA": made.lambda.server.URL,
	}
	env := func(name string) string { return environment[name] }
	known, err := settings.Read(env, func() string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	for _, each := range change {
		each(&known)
	}
	clock := func() (time.Time, time.Duration) {
		wall, steady := exchange.SystemClock()
		skew := time.Duration(made.clockSkew.Load())
		return wall.Add(skew), steady + skew
	}
	keys := credentials.NewChain(clock, credentials.Sources(env, clock)...)
	client := &aws.Client{Env: env, Region: known.Region, IsOwn: known.IsOwn, Keys: keys, Clock: clock}
	made.endpoint = New(Endpoint{
		Version: "0.1.0", Settings: known, Env: env, Keys: keys, Client: client, Stack: stack.New(known, client),
		Counts: &health.Counts{Now: time.Now}, Log: slog.New(slog.DiscardHandler), Sink: sink.Choose(client, &sink.Stdout{Out: io.Discard}),
	})
	server := httptest.NewServer(http.HandlerFunc(func(writer http.ResponseWriter, r *http.Request) {
		made.lastContext.Store(&contextOf{r.Context()})
		made.endpoint.ServeHTTP(writer, r)
	}))
	t.Cleanup(server.Close)
	made.url = server.URL
	return made
}

// ask sends a signed request as an SDK would, once.
func (w *world) ask(method, path, body string, header ...string) (*http.Response, string) {
	w.t.Helper()
	response, err := w.try(context.Background(), method, path, strings.NewReader(body), header...)
	if err != nil {
		w.t.Fatal(err)
	}
	text, err := io.ReadAll(response.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	response.Body.Close()
	return response, string(text)
}

func (w *world) try(ctx context.Context, method, path string, body io.Reader, header ...string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, w.url+path, body)
	if err != nil {
		w.t.Fatal(err)
	}
	request.Header.Set("Authorization", signedFor)
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			request.Host = header[i+1]
		} else {
			request.Header.Set(header[i], header[i+1])
		}
	}
	transport := &http.Transport{DisableKeepAlives: true, DisableCompression: true, ExpectContinueTimeout: time.Second}
	return (&http.Client{Transport: transport}).Do(request)
}

// invoke calls orders.
func (w *world) invoke(body string, header ...string) (*http.Response, string) {
	w.t.Helper()
	return w.ask("POST", ordersPath, body, header...)
}

func (w *world) total(name string) int { return w.endpoint.Counts.Totals()[name] }

// expect compares, and says where.
func expect[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// isCaptured expects an answer that tells of a capture, and one line of it.
func (w *world) isCaptured(response *http.Response, body, kind string) map[string]any {
	w.t.Helper()
	expect(w.t, "status", response.StatusCode, 202)
	expect(w.t, "function error", response.Header.Get("X-Amz-Function-Error"), "Captured")
	lines := w.stores.captured()
	if len(lines) == 0 {
		w.t.Fatalf("no line was written; the answer is %s", body)
	}
	line := lines[len(lines)-1]
	expect(w.t, "outcome", fmt.Sprint(line["outcome"].(map[string]any)["kind"]), kind)
	expect(w.t, "id", response.Header.Get("X-Reprise-Id"), fmt.Sprint(line["id"]))
	var document struct {
		ErrorType string
		Reprise   struct {
			ID          string
			StatusToken string `json:"status_token"`
			Outcome     struct{ Kind string }
		}
	}
	if err := json.Unmarshal([]byte(body), &document); err != nil {
		w.t.Fatal(err)
	}
	expect(w.t, "error type", document.ErrorType, "Reprise.Captured")
	expect(w.t, "id in the body", document.Reprise.ID, fmt.Sprint(line["id"]))
	expect(w.t, "outcome in the body", document.Reprise.Outcome.Kind, kind)
	expect(w.t, "token", document.Reprise.StatusToken, response.Header.Get("X-Reprise-Status-Token"))
	return line
}

// contextOf lets contexts of any type be stored in one place.
type contextOf struct{ context.Context }

// raw serves connections by hand, for faults that no HTTP server makes.
func raw(t *testing.T, serve func(conn *net.TCPConn, request []byte)) string {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				buffer := make([]byte, 64<<10)
				n, _ := conn.Read(buffer)
				serve(conn.(*net.TCPConn), bytes.Clone(buffer[:n]))
			}()
		}
	}()
	return "http://" + listener.Addr().String()
}
