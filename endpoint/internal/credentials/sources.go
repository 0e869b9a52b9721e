package credentials

import (
	"bufio"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"reprise/endpoint/internal/exchange"
	"reprise/endpoint/internal/sigv4"
)

const (
	maxDocumentBytes = 1 << 20
	containerHost    = "http://169.254.170.2"
	metadataHost     = "http://169.254.169.254"
	metadataTimeout  = time.Second
	sends            = 3
	pause            = 100 * time.Millisecond
)

// Sources returns all of them, as this environment configures them.
func Sources(env func(string) string, clock exchange.Clock) []Source {
	return []Source{
		{"environment", func(context.Context) (Found, error) { return fromEnvironment(env) }},
		{"web identity", func(ctx context.Context) (Found, error) { return fromWebIdentity(ctx, env, clock) }},
		{"shared files", func(ctx context.Context) (Found, error) { return fromFiles(ctx, env) }},
		{"container endpoint", func(ctx context.Context) (Found, error) { return fromContainer(ctx, env, clock) }},
		{"instance metadata", func(ctx context.Context) (Found, error) { return fromInstance(ctx, env, clock) }},
	}
}

func fromEnvironment(env func(string) string) (Found, error) {
	keys := sigv4.Keys{
		AccessKeyID:     env("AWS_ACCESS_KEY_ID"),
		SecretAccessKey: env("AWS_SECRET_ACCESS_KEY"),
		SessionToken:    env("AWS_SESSION_TOKEN"),
	}
	if keys.AccessKeyID == "" {
		return Found{}, ErrNone
	}
	if keys.SecretAccessKey == "" {
		return Found{}, errors.New("AWS_ACCESS_KEY_ID is set, and AWS_SECRET_ACCESS_KEY is not: set both, or none")
	}
	return Found{Keys: keys}, nil
}

// document is what container endpoint, instance metadata and credential_process answer with; they differ in names.
type document struct {
	AccessKeyID     string `json:"AccessKeyId"`
	SecretAccessKey string
	Token           string
	SessionToken    string
	Expiration      string
}

func (d document) found() (Found, error) {
	token := d.Token
	if token == "" {
		token = d.SessionToken
	}
	found := Found{Keys: sigv4.Keys{AccessKeyID: d.AccessKeyID, SecretAccessKey: d.SecretAccessKey, SessionToken: token}}
	if d.Expiration != "" {
		at, err := time.Parse(time.RFC3339, d.Expiration)
		if err != nil {
			return Found{}, fmt.Errorf("its Expiration is no instant: %w", err)
		}
		found.ExpiresAt = at
	}
	return found, nil
}

func read(text []byte) (Found, error) {
	var found document
	if err := json.Unmarshal(text, &found); err != nil {
		return Found{}, errors.New("its answer is not JSON")
	}
	return found.found()
}

// fromContainer asks the endpoint of ECS, EKS Pod Identity or Lambda SnapStart (SDKs reference guide, "Container
// credential provider").
func fromContainer(ctx context.Context, env func(string) string, clock exchange.Clock) (Found, error) {
	address := env("AWS_CONTAINER_CREDENTIALS_FULL_URI")
	if relative := env("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"); relative != "" {
		address = containerHost + relative
	}
	if address == "" {
		return Found{}, ErrNone
	}
	target, err := url.Parse(address)
	if err != nil {
		return Found{}, errors.New("AWS_CONTAINER_CREDENTIALS_FULL_URI is no address")
	}
	if err := mayHoldCredentials(target); err != nil {
		return Found{}, err
	}
	token := env("AWS_CONTAINER_AUTHORIZATION_TOKEN")
	if path := env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"); path != "" {
		// Read each time: it is replaced while we run.
		text, err := os.ReadFile(path)
		if err != nil {
			return Found{}, fmt.Errorf("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: %w", err)
		}
		token = strings.TrimSpace(string(text))
	}
	header := http.Header{}
	if strings.ContainsAny(token, "\r\n") {
		return Found{}, errors.New("AWS_CONTAINER_AUTHORIZATION_TOKEN has a line end, which no header may")
	}
	if token != "" {
		header.Set("Authorization", token)
	}
	text, err := get(ctx, clock, target, http.MethodGet, header, nil)
	if err != nil {
		return Found{}, err
	}
	return read(text)
}

// mayHoldCredentials bounds what a token is sent to, as the SDKs do: TLS, loopback, or the link-local addresses of
// ECS and EKS.
func mayHoldCredentials(target *url.URL) error {
	if target.Scheme == "https" {
		return nil
	}
	host := target.Hostname()
	isOurs := host == "localhost" || host == "169.254.170.2" || host == "169.254.170.23" || host == "fd00:ec2::23" || net.ParseIP(host).IsLoopback()
	if isOurs && target.Scheme == "http" {
		return nil
	}
	return fmt.Errorf("AWS_CONTAINER_CREDENTIALS_FULL_URI: %s is neither https nor this host's own", target.Host)
}

func fromInstance(ctx context.Context, env func(string) string, clock exchange.Clock) (Found, error) {
	if strings.EqualFold(env("AWS_EC2_METADATA_DISABLED"), "true") {
		return Found{}, ErrNone
	}
	address := env("AWS_EC2_METADATA_SERVICE_ENDPOINT")
	if address == "" {
		address = metadataHost
	}
	base, err := url.Parse(strings.TrimSuffix(address, "/"))
	if err != nil {
		return Found{}, errors.New("AWS_EC2_METADATA_SERVICE_ENDPOINT is no address")
	}
	ctx, cancel := context.WithTimeout(ctx, metadataTimeout)
	defer cancel()
	// IMDSv2 (EC2 user guide, "Use the Instance Metadata Service to access instance metadata").
	token, err := get(ctx, clock, base.JoinPath("latest/api/token"), http.MethodPut,
		http.Header{"X-Aws-Ec2-Metadata-Token-Ttl-Seconds": {"300"}}, nil)
	if err != nil {
		return Found{}, ErrNone // No instance, or one that does not tell.
	}
	header := http.Header{"X-Aws-Ec2-Metadata-Token": {string(token)}}
	roles := base.JoinPath("latest/meta-data/iam/security-credentials/")
	role, err := get(ctx, clock, roles, http.MethodGet, header, nil)
	if err != nil {
		return Found{}, ErrNone // An instance without a role.
	}
	name, _, _ := strings.Cut(strings.TrimSpace(string(role)), "\n")
	text, err := get(ctx, clock, roles.JoinPath(name), http.MethodGet, header, nil)
	if err != nil {
		return Found{}, err
	}
	return read(text)
}

// fromWebIdentity trades a Kubernetes service account's token for credentials (STS API reference,
// AssumeRoleWithWebIdentity).
func fromWebIdentity(ctx context.Context, env func(string) string, clock exchange.Clock) (Found, error) {
	path, role := env("AWS_WEB_IDENTITY_TOKEN_FILE"), env("AWS_ROLE_ARN")
	if path == "" || role == "" {
		return Found{}, ErrNone
	}
	token, err := os.ReadFile(path)
	if err != nil {
		return Found{}, fmt.Errorf("AWS_WEB_IDENTITY_TOKEN_FILE: %w", err)
	}
	name := env("AWS_ROLE_SESSION_NAME")
	if name == "" {
		name = "reprise-endpoint"
	}
	address := or(env("AWS_ENDPOINT_URL_STS"), env("AWS_ENDPOINT_URL"))
	if address == "" {
		region := or(env("AWS_REGION"), env("AWS_DEFAULT_REGION"))
		if region == "" {
			return Found{}, errors.New("AWS_REGION is not set: STS is asked in a region")
		}
		address = "https://sts." + region + ".amazonaws.com"
		if strings.HasPrefix(region, "cn-") {
			address += ".cn"
		}
	}
	target, err := url.Parse(address)
	if err != nil {
		return Found{}, errors.New("AWS_ENDPOINT_URL_STS is no address")
	}
	form := url.Values{
		"Action": {"AssumeRoleWithWebIdentity"}, "Version": {"2011-06-15"}, "RoleArn": {role},
		"RoleSessionName": {name}, "WebIdentityToken": {strings.TrimSpace(string(token))},
	}
	header := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	text, err := get(ctx, clock, target, http.MethodPost, header, []byte(form.Encode()))
	if err != nil {
		return Found{}, err
	}
	var answer struct {
		Credentials struct {
			AccessKeyID     string `xml:"AccessKeyId"`
			SecretAccessKey string
			SessionToken    string
			Expiration      string
		} `xml:"AssumeRoleWithWebIdentityResult>Credentials"`
	}
	if err := xml.Unmarshal(text, &answer); err != nil {
		return Found{}, errors.New("STS's answer is not XML")
	}
	given := answer.Credentials
	return document{
		AccessKeyID: given.AccessKeyID, SecretAccessKey: given.SecretAccessKey,
		SessionToken: given.SessionToken, Expiration: given.Expiration,
	}.found()
}

func or(first, second string) string {
	if first != "" {
		return first
	}
	return second
}

// get asks once, and twice more, as the SDKs do, where that may help: agents of containers are restarted.
func get(ctx context.Context, clock exchange.Clock, target *url.URL, method string, header http.Header, body []byte) ([]byte, error) {
	server, err := exchange.NewServer(target.Scheme+"://"+target.Host, clock)
	if err != nil {
		return nil, err
	}
	path := "/" + strings.TrimPrefix(target.RequestURI(), "/")
	for try := 1; ; try++ {
		text, status, err := getOnce(ctx, server, exchange.Request{Method: method, Target: path, Header: header, Body: body})
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("%s answered %d %s", target.Host, status, http.StatusText(status))
		}
		if err == nil || try == sends || status != 0 && status < http.StatusInternalServerError {
			return text, err
		}
		select {
		case <-ctx.Done():
			return text, err
		case <-time.After(time.Duration(try) * pause):
		}
	}
}

func getOnce(ctx context.Context, server *exchange.Server, request exchange.Request) (text []byte, status int, err error) {
	response, err := server.Send(ctx, request)
	if err != nil {
		return nil, 0, err
	}
	defer response.Body.Close()
	text, err = io.ReadAll(io.LimitReader(response.Body, maxDocumentBytes))
	return text, response.StatusCode, err
}

// fromFiles reads the profile of ~/.aws/credentials and ~/.aws/config (SDKs reference guide, "Shared config and
// credentials files"). Static keys and credential_process; profiles that need more than that say how to go on.
func fromFiles(ctx context.Context, env func(string) string) (Found, error) {
	name := Profile(env)
	profile, err := readProfile(env, name)
	if err != nil {
		return Found{}, err
	}
	if profile["aws_access_key_id"] != "" && profile["role_arn"] == "" {
		return Found{Keys: sigv4.Keys{
			AccessKeyID: profile["aws_access_key_id"], SecretAccessKey: profile["aws_secret_access_key"],
			SessionToken: profile["aws_session_token"],
		}}, nil
	}
	if command := profile["credential_process"]; command != "" {
		process := exec.CommandContext(ctx, "/bin/sh", "-c", command)
		process.WaitDelay = time.Second // What it left behind may hold its output open.
		text, err := process.Output()
		if err != nil {
			return Found{}, fmt.Errorf("credential_process of profile %q: %w", name, err)
		}
		return read(text)
	}
	for _, other := range []string{"sso_session", "sso_start_url", "role_arn", "login_session"} {
		if profile[other] != "" {
			return Found{}, fmt.Errorf("profile %q has %s, which is for the AWS CLI to resolve: make a profile with "+
				"`credential_process = aws configure export-credentials --profile %s` and name it in AWS_PROFILE", name, other, name)
		}
	}
	if len(profile) == 0 && env("AWS_PROFILE") != "" {
		return Found{}, fmt.Errorf("AWS_PROFILE names profile %q, and neither file has such a one: write it there, or unset the variable", name)
	}
	return Found{}, ErrNone
}

// Profile returns the name of the profile that is meant.
func Profile(env func(string) string) string {
	if name := env("AWS_PROFILE"); name != "" {
		return name
	}
	return "default"
}

// RegionOfProfile returns the region of the profile that is meant, if it names one.
func RegionOfProfile(env func(string) string) string {
	profile, err := readProfile(env, Profile(env))
	if err != nil {
		return ""
	}
	return profile["region"]
}

func readProfile(env func(string) string, name string) (map[string]string, error) {
	profile := map[string]string{}
	for _, file := range []struct{ variable, path, section string }{
		{"AWS_CONFIG_FILE", ".aws/config", "profile " + name},
		{"AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials", name}, // Wins, as in the SDKs.
	} {
		path, home := env(file.variable), env("HOME")
		if path == "" {
			path = "~/" + file.path
		}
		if rest, isAtHome := strings.CutPrefix(path, "~/"); isAtHome {
			if home == "" {
				continue // Not where the process happens to stand.
			}
			path = filepath.Join(home, rest)
		}
		section := file.section
		if name == "default" {
			section = name
		}
		if err := readSection(path, section, profile); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return profile, nil
}

func readSection(path, section string, into map[string]string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	isIn, indent := false, -1
	for lines := bufio.NewScanner(file); lines.Scan(); {
		text := strings.TrimPrefix(lines.Text(), "\ufeff")
		line := strings.TrimSpace(text)
		indented := len(text) - len(strings.TrimLeft(text, " \t"))
		switch {
		case line == "" || line[0] == '#' || line[0] == ';':
		case indent >= 0 && indented > indent: // What belongs to the setting before it.
		case line[0] == '[':
			head, _, _ := strings.Cut(line[1:], "]")
			head = strings.Join(strings.Fields(strings.ReplaceAll(head, `"`, " ")), " ")
			isIn, indent = head == section || section == "default" && head == "profile default", -1
		case isIn:
			indent = indented
			if name, value, is := strings.Cut(line, "="); is {
				into[strings.ToLower(strings.TrimSpace(name))] = strings.TrimSpace(value)
			}
		}
	}
	return nil
}
