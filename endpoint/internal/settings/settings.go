// Package settings reads what the environment says, once, at the start.
package settings

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"reprise/endpoint/internal/capture"
)

// OnCapture is what a caller learns of a call that was kept.
type OnCapture string

const (
	// AsFunctionError: 202, and a function error named Captured.
	AsFunctionError OnCapture = "function_error"
	// AsException: 424, an exception of every SDK.
	AsException OnCapture = "exception"
	// AsAccepted: a plain 202.
	AsAccepted OnCapture = "accepted"
)

const (
	defaultPort = 9350
	// LongestCall is how long an answer is waited for where nobody says: Lambda's longest function, and a margin.
	LongestCall = 1830 * time.Second
	// Stdout is where lines go if this process's standard output is captured from.
	Stdout = "stdout"
)

// Settings are those of the environment; what it leaves open the stack says.
type Settings struct {
	Port            int
	Stack           string
	Source          string // Who signs; empty if the secret's own name says so.
	Region          string // Of the stack, and of requests that name none.
	OnCapture       OnCapture
	StatusURL       string
	Targets         []string // These override what the stack says, if any are set.
	Bucket          string
	SecretID        string
	LedgerTable     string
	CaptureLogGroup string
	PolicyParameter string
	CaptureOutcomes []capture.Kind
	CallTimeout     time.Duration
	Upstream        string // Lambda's address; empty for AWS's own in the request's region.
	IsInLambda      bool
}

// Read returns the settings of an environment. Each error names the variable and what to do.
//
// region returns the region of the profile, where the environment names none.
func Read(env func(string) string, region func() string) (Settings, error) {
	found := Settings{
		Port: defaultPort, Stack: env("REPRISE_STACK"), Source: env("REPRISE_SOURCE"),
		OnCapture: OnCapture(env("REPRISE_ON_CAPTURE")), StatusURL: env("REPRISE_STATUS_URL"),
		Targets: entries(env("REPRISE_TARGETS")), Bucket: env("REPRISE_BUCKET"), SecretID: env("REPRISE_MAC_SECRET_ARN"),
		LedgerTable: env("REPRISE_LEDGER_TABLE"), CaptureLogGroup: env("REPRISE_CAPTURE_LOG_GROUP"),
		PolicyParameter: env("REPRISE_POLICY_PARAMETER"),
		IsInLambda:      env("AWS_LAMBDA_RUNTIME_API") != "",
	}
	var err error
	if port := ownPort(env("AWS_ENDPOINT_URL_LAMBDA")); port != 0 {
		found.Port = port // Where its callers look for it.
	}
	if text := env("REPRISE_ENDPOINT_PORT"); text != "" {
		if found.Port, err = strconv.Atoi(text); err != nil || found.Port < 0 || found.Port > 65535 {
			return found, fmt.Errorf("REPRISE_ENDPOINT_PORT must be a port from 1 to 65535, got %q", text)
		}
	}
	if found.Stack == "" {
		found.Stack = "reprise"
	}
	if found.Source == "" {
		found.Source = env("AWS_LAMBDA_FUNCTION_NAME")
	}
	if found.Source == "" && found.SecretID == "" {
		return found, fmt.Errorf("REPRISE_SOURCE is not set: name the source that signs this caller's calls, as `reprise sources add NAME` made it")
	}
	if found.Source != "" && !capture.SourceName.MatchString(found.Source) {
		return found, fmt.Errorf("REPRISE_SOURCE: %q is no name of a source: 1 to 64 letters, digits, hyphens and underscores", found.Source)
	}
	switch found.OnCapture {
	case "":
		found.OnCapture = AsFunctionError
	case AsFunctionError, AsException, AsAccepted:
	default:
		return found, fmt.Errorf("REPRISE_ON_CAPTURE must be function_error, exception or accepted, got %q", found.OnCapture)
	}
	if found.StatusURL == "" {
		found.StatusURL = "reprise://" + found.Stack + "/calls/{id}"
	}
	if found.CaptureOutcomes, err = Outcomes(entries(env("REPRISE_CAPTURE_OUTCOMES"))); err != nil {
		return found, fmt.Errorf("REPRISE_CAPTURE_OUTCOMES: %w", err)
	}
	if text := env("REPRISE_CALL_TIMEOUT_S"); text != "" {
		seconds, err := strconv.Atoi(text)
		if err != nil || seconds < 1 {
			return found, fmt.Errorf("REPRISE_CALL_TIMEOUT_S must be a whole number above 0, got %q", text)
		}
		found.CallTimeout = time.Duration(seconds) * time.Second
	}
	for _, name := range []string{"AWS_REGION", "AWS_DEFAULT_REGION"} {
		if found.Region == "" {
			found.Region = env(name)
		}
	}
	if found.Region == "" {
		found.Region = region()
	}
	if found.Region == "" {
		return found, fmt.Errorf("AWS_REGION is not set, and the profile names no region: set it to the region of stack %q", found.Stack)
	}
	return found, found.readUpstream(env)
}

// readUpstream finds where Lambda is: AWS_ENDPOINT_URL_LAMBDA names this endpoint, so it says nothing of that.
func (s *Settings) readUpstream(env func(string) string) error {
	s.Upstream = strings.TrimSuffix(env("REPRISE_UPSTREAM_LAMBDA"), "/")
	if s.Upstream != "" && s.IsOwn(s.Upstream) {
		return fmt.Errorf("REPRISE_UPSTREAM_LAMBDA is this endpoint's own address, %s: its requests would go round in a loop. "+
			"Unset it, or name the engine that stands for Lambda", s.Upstream)
	}
	if all := env("AWS_ENDPOINT_URL"); all != "" && s.IsOwn(all) {
		return fmt.Errorf("AWS_ENDPOINT_URL is this endpoint's own address, %s, which speaks for Lambda only: "+
			"set AWS_ENDPOINT_URL_LAMBDA instead", all)
	}
	return nil
}

// ownPort returns the port of an address of this host; 0 if it is none.
func ownPort(address string) int {
	found, err := url.Parse(address)
	if err != nil || !isLoopback(found.Hostname()) {
		return 0
	}
	port, _ := strconv.Atoi(found.Port())
	return port
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && (ip.IsLoopback() || ip.IsUnspecified())
}

// IsOwn tells whether an address is this endpoint's own.
func (s *Settings) IsOwn(address string) bool {
	return s.Port != 0 && ownPort(address) == s.Port
}

// Outcomes returns kinds by their names.
func Outcomes(names []string) ([]capture.Kind, error) {
	var kinds []capture.Kind
	for _, name := range names {
		if !slices.Contains(capture.Kinds, capture.Kind(name)) {
			return nil, fmt.Errorf("%q is none of throttled, transient, function_error, unknown, permanent", name)
		}
		kinds = append(kinds, capture.Kind(name))
	}
	return kinds, nil
}

func entries(text string) []string {
	var found []string
	for entry := range strings.SplitSeq(text, ",") {
		if entry = strings.TrimSpace(entry); entry != "" {
			found = append(found, entry)
		}
	}
	return found
}
