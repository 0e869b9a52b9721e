package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The tests start their own program as the command, supervisor and all.
const asCommand = "REPRISE_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

type process struct {
	t       *testing.T
	command *exec.Cmd
	port    string
	errors  *bytes.Buffer
	ended   chan struct{}
}

func start(t *testing.T, env ...string) *process {
	t.Helper()
	errors := &bytes.Buffer{}
	return startSaying(t, errors, errors, env...)
}

// startSaying starts it with a standard error that may be another than the one that is read.
func startSaying(t *testing.T, to io.Writer, errors *bytes.Buffer, env ...string) *process {
	t.Helper()
	port := freePort(t)
	made := &process{t: t, port: port, errors: errors, ended: make(chan struct{})}
	made.command = exec.Command(os.Args[0])
	made.command.Stderr = to
	made.command.Env = append([]string{
		asCommand + "=1", "PATH=" + os.Getenv("PATH"), "HOME=/nowhere", "AWS_REGION=eu-west-1", "AWS_ACCESS_KEY_ID=AK", "AWS_SECRET_ACCESS_KEY=s",
		"REPRISE_SOURCE=web-shop", "REPRISE_ENDPOINT_PORT=" + port,
	}, env...)
	if err := made.command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { made.command.Wait(); close(made.ended) }()
	t.Cleanup(func() { made.command.Process.Signal(syscall.SIGTERM); <-made.ended })
	return made
}

func freePort(t *testing.T) string {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	return port
}

func (p *process) health() (report struct {
	Restarts int
	Counts   map[string]int
}) {
	p.t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		response, err := http.Get("http://127.0.0.1:" + p.port + "/health")
		if err == nil {
			json.NewDecoder(response.Body).Decode(&report)
			response.Body.Close()
			return report
		}
		if time.Now().After(end) {
			p.t.Fatalf("no health: %v\n%s", err, p.errors)
		}
	}
}

func (p *process) invoke() (string, error) {
	request, _ := http.NewRequest("POST", "http://127.0.0.1:"+p.port+"/2015-03-31/functions/orders/invocations", strings.NewReader("1"))
	request.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AK/20261129/eu-west-1/lambda/aws4_request, SignedHeaders=host, Signature=00")
	// A connection of its own: an idle one dies with the process that held it.
	response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return string(text), err
}

// child returns the serving process.
func (p *process) child() int {
	p.t.Helper()
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", p.command.Process.Pid))
	for _, thread := range threads {
		var pid int
		text, _ := os.ReadFile(thread)
		if fmt.Sscan(string(text), &pid); pid > 0 { // 0 would be this process and all beside it.
			return pid
		}
	}
	p.t.Skip("this system does not tell children")
	return -1
}

func TestCallsUnderWayAreAnsweredAfterSIGTERM(t *testing.T) {
	running, finish := make(chan struct{}), make(chan struct{})
	lambda := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(running)
		<-finish
		io.WriteString(w, `"late"`)
	}))
	defer lambda.Close()
	made := start(t, "AWS_ENDPOINT_URL="+lambda.URL, "REPRISE_UPSTREAM_LAMBDA="+lambda.URL, "AWS_ENDPOINT_URL_SSM=http://127.0.0.1:1",
		"AWS_ENDPOINT_URL_SECRETS_MANAGER=http://127.0.0.1:1")
	made.health()
	answer := make(chan string, 1)
	go func() {
		text, err := made.invoke()
		answer <- fmt.Sprint(text, err)
	}()
	<-running
	made.command.Process.Signal(syscall.SIGTERM)
	for end := time.Now().Add(10 * time.Second); ; {
		conn, err := net.Dial("tcp4", "127.0.0.1:"+made.port)
		if err != nil {
			break // Who comes now is refused, and not left waiting.
		}
		conn.Close()
		if time.Now().After(end) {
			t.Fatal("it still takes connections")
		}
	}
	close(finish)
	if got := <-answer; got != `"late"<nil>` {
		t.Errorf("got %s", got)
	}
	select {
	case <-made.ended:
	case <-time.After(10 * time.Second):
		t.Error("it did not end")
	}
}

func TestACrashOfTheServingProcessIsHealedAndTold(t *testing.T) {
	lambda := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `"fine"`) }))
	defer lambda.Close()
	made := start(t, "AWS_ENDPOINT_URL="+lambda.URL)
	made.health()
	pid := made.child()
	syscall.Kill(pid, syscall.SIGKILL)
	isGone(t, pid, false)
	// Whoever calls now waits in the socket's queue until the next process takes it.
	if text, err := made.invoke(); err != nil || text != `"fine"` {
		t.Errorf("got %s, %v", text, err)
	}
	if restarts := made.health().Restarts; restarts != 1 {
		t.Errorf("%d restarts", restarts)
	}
	if !strings.Contains(made.errors.String(), "the serving process ended, and is started again") {
		t.Errorf("it said %s", made.errors)
	}
}

func TestALogThatNobodyReadsAnyMoreIsNotTheEnd(t *testing.T) {
	lambda := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(429) }))
	defer lambda.Close()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	read.Close()
	made := startSaying(t, write, &bytes.Buffer{}, "AWS_ENDPOINT_URL="+lambda.URL)
	write.Close()
	made.health()
	for range 2 { // Each is an error in the log.
		if _, err := made.invoke(); err != nil {
			t.Error(err)
		}
	}
	if report := made.health(); report.Restarts != 0 || report.Counts["CaptureFailed"] != 2 {
		t.Errorf("got %+v", report)
	}
}

func TestTheServingProcessDoesNotOutliveItsSupervisor(t *testing.T) {
	made := start(t)
	made.health()
	pid := made.child()
	made.command.Process.Kill()
	isGone(t, pid, true)
}

// isGone waits until a process has ended; with mayLinger until only its parent's word is missing.
func isGone(t *testing.T, pid int, mayLinger bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); syscall.Kill(pid, 0) == nil; time.Sleep(time.Millisecond) {
		if text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); mayLinger && strings.Contains(string(text), ") Z ") {
			return
		}
		if time.Now().After(end) {
			t.Fatal("the process does not end")
		}
	}
}

func TestSettingsThatCannotBeAreRefusedAtTheStartByName(t *testing.T) {
	port := freePort(t)
	for name, env := range map[string]string{
		"REPRISE_ENDPOINT_PORT": "REPRISE_ENDPOINT_PORT=none", "REPRISE_ON_CAPTURE": "REPRISE_ON_CAPTURE=maybe",
		"REPRISE_SOURCE": "REPRISE_SOURCE=", "AWS_REGION": "AWS_REGION=", "REPRISE_CAPTURE_OUTCOMES": "REPRISE_CAPTURE_OUTCOMES=bad",
		"REPRISE_CALL_TIMEOUT_S": "REPRISE_CALL_TIMEOUT_S=soon", "AWS_ENDPOINT_URL is": "AWS_ENDPOINT_URL=http://localhost:" + port,
		"REPRISE_UPSTREAM_LAMBDA is": "REPRISE_UPSTREAM_LAMBDA=http://127.0.0.1:" + port + "/",
	} {
		made := start(t, "REPRISE_ENDPOINT_PORT="+port, env)
		<-made.ended
		if made.command.ProcessState.ExitCode() != badUsage || !strings.Contains(made.errors.String(), name) {
			t.Errorf("%s: %d %s", env, made.command.ProcessState.ExitCode(), made.errors)
		}
	}
}

func TestAPortThatIsTakenIsNamed(t *testing.T) {
	listener, _ := net.Listen("tcp4", "127.0.0.1:0")
	defer listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	made := start(t, "REPRISE_ENDPOINT_PORT="+port)
	<-made.ended
	if !strings.Contains(made.errors.String(), "set REPRISE_ENDPOINT_PORT to a free port") {
		t.Errorf("it said %s", made.errors)
	}
}

func TestAsAnExtensionItRegistersForShutdownOnlyAndEndsWithIt(t *testing.T) {
	registered, shutdown := make(chan string, 1), make(chan struct{})
	runtimeAPI := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch r.URL.Path {
		case "/2020-01-01/extension/register":
			w.Header().Set("Lambda-Extension-Identifier", "id-1")
			registered <- r.Header.Get("Lambda-Extension-Name") + " " + string(body)
		case "/2020-01-01/extension/event/next":
			if r.Header.Get("Lambda-Extension-Identifier") != "id-1" {
				w.WriteHeader(403)
				return
			}
			<-shutdown
			io.WriteString(w, `{"eventType": "SHUTDOWN", "shutdownReason": "spindown", "deadlineMs": 0}`)
		}
	}))
	defer runtimeAPI.Close()
	made := start(t, "AWS_LAMBDA_RUNTIME_API="+strings.TrimPrefix(runtimeAPI.URL, "http://"), "AWS_LAMBDA_FUNCTION_NAME=shop", "REPRISE_SOURCE=")
	said := <-registered
	if !strings.HasSuffix(said, `{"events":["SHUTDOWN"]}`) {
		t.Errorf("it registered as %s", said)
	}
	// Whoever is started after the registration finds it listening.
	conn, err := net.Dial("tcp4", "127.0.0.1:"+made.port)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	close(shutdown)
	select {
	case <-made.ended:
	case <-time.After(10 * time.Second):
		t.Error("it did not end")
	}
}

func TestTheHealthCommandTellsWhetherItServes(t *testing.T) {
	made := start(t)
	made.health()
	check := func(port string) error {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		command := exec.CommandContext(ctx, os.Args[0], "health")
		command.Env = []string{asCommand + "=1", "REPRISE_ENDPOINT_PORT=" + port}
		return command.Run()
	}
	if err := check(made.port); err != nil {
		t.Error(err)
	}
	if check(freePort(t)) == nil {
		t.Error("nobody serves there")
	}
}

func TestTheVersionIsThatOfThePackage(t *testing.T) {
	text, err := os.ReadFile("../shared/reprise/version.py")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), `"`+version+`"`) {
		t.Errorf("%s is not in shared/reprise/version.py", version)
	}
}
