// Command reprise is the local endpoint: it speaks Lambda's Invoke API beside a caller, and captures the calls that are
// refused or fail. As an extension of a Lambda function, as a sidecar, or as a daemon it is the same binary.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"syscall"
	"time"

	"reprise/endpoint/internal/aws"
	"reprise/endpoint/internal/credentials"
	"reprise/endpoint/internal/exchange"
	"reprise/endpoint/internal/extension"
	"reprise/endpoint/internal/health"
	"reprise/endpoint/internal/invokeapi"
	"reprise/endpoint/internal/settings"
	"reprise/endpoint/internal/sink"
	"reprise/endpoint/internal/stack"
	"reprise/endpoint/internal/supervisor"
)

const (
	// version is that of the package reprise (shared/reprise/version.py); a test compares them.
	version = "0.1.0"
	// drainFor is how long calls under way have after SIGTERM: less than the 30 seconds of ECS and Kubernetes.
	drainFor = 25 * time.Second
	usage    = `usage: reprise            serve on 127.0.0.1 (REPRISE_ENDPOINT_PORT, default 9350)
       reprise health     tell whether the endpoint of this host serves; exit status 0 if it does
       reprise version

The environment configures it: docs/howto/local-endpoint.md.
`
	// askAgainAfter is for an environment that does not answer.
	askAgainAfter = time.Second

	failed   = 1
	badUsage = 2
)

func main() {
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	// A log that nobody reads any more must not end those who serve. Not ignored: what is started would ignore it, too.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	command := ""
	if len(os.Args) > 1 {
		command = os.Args[1]
	}
	known, err := settings.Read(os.Getenv, func() string { return credentials.RegionOfProfile(os.Getenv) })
	switch command {
	case "version":
		fmt.Println(version)
	case "health":
		os.Exit(checkHealth(known.Port))
	case "", "serve":
		if err != nil {
			fmt.Fprintln(os.Stderr, "reprise:", err)
			os.Exit(badUsage)
		}
		if command == "serve" {
			err = serve(known, log)
		} else {
			err = supervise(known, log)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "reprise:", err)
			os.Exit(failed)
		}
	default:
		fmt.Fprint(os.Stderr, usage)
		os.Exit(badUsage)
	}
}

// supervise listens, and has a process of its own serve.
func supervise(known settings.Settings, log *slog.Logger) error {
	runtime.LockOSThread() // What is started dies with the thread that started it.
	listener, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(known.Port)))
	if err != nil {
		return fmt.Errorf("%w: set REPRISE_ENDPOINT_PORT to a free port, here and in AWS_ENDPOINT_URL_LAMBDA", err)
	}
	file, err := listener.(*net.TCPListener).File()
	if err != nil {
		return err
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	// Who connects after that is refused, and not left waiting.
	context.AfterFunc(ctx, func() { listener.Close(); file.Close() })
	if api := os.Getenv("AWS_LAMBDA_RUNTIME_API"); api != "" {
		// By the name that the environment started it with, whatever that links to.
		client, err := extension.Register(ctx, api, filepath.Base(os.Args[0]), exchange.SystemClock)
		if err != nil {
			return fmt.Errorf("the environment did not take the extension: %w", err)
		}
		go func() {
			for client.UntilShutdown(ctx) != nil && ctx.Err() == nil {
				// To end would be to end the environment, and its calls with it.
				log.Error("the environment does not answer, and is asked again")
				time.Sleep(askAgainAfter)
			}
			stop()
		}()
	}
	supervisor.Run(ctx, log, file, program, "serve")
	return nil
}

// serve serves on the socket that the supervisor holds.
func serve(known settings.Settings, log *slog.Logger) error {
	debug.SetGCPercent(50) // Small rather than fast: it lives beside somebody's program.
	listener, err := net.FileListener(os.NewFile(supervisor.ListenerFD, "listener"))
	if err != nil {
		return fmt.Errorf("`serve` is started by the supervisor: call `reprise` without an argument (%w)", err)
	}
	endpoint := compose(known, log)
	server := &http.Server{
		Handler:           endpoint,
		ReadHeaderTimeout: 10 * time.Second,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	go func() {
		// So that the first refused call finds all it needs; if it cannot be had now, that call asks again.
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		if _, err := endpoint.Stack.Caller(ctx); err != nil {
			log.Warn("nothing can be captured yet", "reason", err.Error())
		}
	}()
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.Background(), drainFor)
	defer cancel()
	return server.Shutdown(drain)
}

func compose(known settings.Settings, log *slog.Logger) *invokeapi.Endpoint {
	clock := exchange.SystemClock
	keys := credentials.NewChain(clock, credentials.Sources(os.Getenv, clock)...)
	client := &aws.Client{Env: os.Getenv, Region: known.Region, IsOwn: known.IsOwn, Keys: keys, Clock: clock}
	counts := &health.Counts{Stack: known.Stack, Now: time.Now}
	stdout := &sink.Stdout{Out: os.Stdout}
	if known.IsInLambda {
		counts.Metrics = io.Writer(os.Stdout)
	}
	restarts, _ := strconv.Atoi(os.Getenv(supervisor.RestartsVariable))
	return invokeapi.New(invokeapi.Endpoint{
		Version: version, Restarts: restarts, Settings: known, Env: os.Getenv, Keys: keys, Client: client,
		Stack: stack.New(known, client), Counts: counts, Log: log, Sink: sink.Choose(client, stdout),
	})
}

func checkHealth(port int) int {
	client := http.Client{Timeout: 2 * time.Second}
	response, err := client.Get("http://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) + "/health")
	if err != nil {
		fmt.Fprintln(os.Stderr, "reprise:", err)
		return failed
	}
	defer response.Body.Close()
	io.Copy(os.Stdout, response.Body)
	if response.StatusCode != http.StatusOK {
		return failed
	}
	return 0
}
