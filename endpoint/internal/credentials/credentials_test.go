package credentials

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"reprise/endpoint/internal/exchange"
)

type place struct {
	t    *testing.T
	env  map[string]string
	skew atomic.Int64
}

func newPlace(t *testing.T, env map[string]string) *place {
	env["AWS_CONFIG_FILE"] = or(env["AWS_CONFIG_FILE"], filepath.Join(t.TempDir(), "none"))
	env["AWS_SHARED_CREDENTIALS_FILE"] = or(env["AWS_SHARED_CREDENTIALS_FILE"], filepath.Join(t.TempDir(), "none"))
	if env["AWS_EC2_METADATA_SERVICE_ENDPOINT"] == "" {
		env["AWS_EC2_METADATA_DISABLED"] = "true"
	}
	return &place{t: t, env: env}
}

func (p *place) clock() (time.Time, time.Duration) {
	wall, steady := exchange.SystemClock()
	return wall.Add(time.Duration(p.skew.Load())), steady
}

func (p *place) chain() *Chain {
	return NewChain(p.clock, Sources(func(name string) string { return p.env[name] }, p.clock)...)
}

func (p *place) key(chain *Chain) string {
	p.t.Helper()
	keys, err := chain.Keys(context.Background())
	if err != nil {
		p.t.Fatal(err)
	}
	return keys.AccessKeyID + " " + keys.SecretAccessKey + " " + keys.SessionToken
}

func expect(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func file(t *testing.T, text string) string {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTheEnvironmentComesFirst(t *testing.T) {
	here := newPlace(t, map[string]string{
		"AWS_ACCESS_KEY_ID": "AK", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t", "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/",
	})
	expect(t, here.key(here.chain()), "AK s t")
}

func TestProfilesOfTheSharedFilesAreRead(t *testing.T) {
	config := file(t, "[default]\nregion = eu-west-1\n[profile shop]\naws_access_key_id = FROMCONFIG\nregion=eu-central-1\n")
	shared := file(t, "# a comment\n[default]\naws_access_key_id = AK\naws_secret_access_key = s\n\n[shop]\naws_access_key_id=AK2\naws_secret_access_key=s2\naws_session_token=t2\n")
	here := newPlace(t, map[string]string{"AWS_CONFIG_FILE": config, "AWS_SHARED_CREDENTIALS_FILE": shared})
	expect(t, here.key(here.chain()), "AK s ")
	here.env["AWS_PROFILE"] = "shop"
	expect(t, here.key(here.chain()), "AK2 s2 t2")
	expect(t, RegionOfProfile(func(name string) string { return here.env[name] }), "eu-central-1")
}

func TestACredentialProcessIsRun(t *testing.T) {
	config := file(t, `[default]
credential_process = echo '{"Version": 1, "AccessKeyId": "AK", "SecretAccessKey": "s", "SessionToken": "t"}'
`)
	here := newPlace(t, map[string]string{"AWS_CONFIG_FILE": config})
	expect(t, here.key(here.chain()), "AK s t")
}

func TestAProfileThatNeedsTheCLISaysHowToGoOn(t *testing.T) {
	config := file(t, "[default]\nsso_session = work\n")
	here := newPlace(t, map[string]string{"AWS_CONFIG_FILE": config})
	_, err := here.chain().Keys(context.Background())
	if err == nil || !strings.Contains(err.Error(), "credential_process = aws configure export-credentials --profile default") {
		t.Errorf("got %v", err)
	}
}

func TestWithoutAnyCredentialsEverySourceIsNamed(t *testing.T) {
	here := newPlace(t, map[string]string{})
	_, err := here.chain().Keys(context.Background())
	if err == nil || !strings.Contains(err.Error(), "environment, web identity, shared files, container endpoint, instance metadata") {
		t.Errorf("got %v", err)
	}
}

// container serves the credentials of a container, others each time.
func container(t *testing.T, lifetime time.Duration) (address string, asked *atomic.Int64, isAway *atomic.Bool) {
	asked, isAway = &atomic.Int64{}, &atomic.Bool{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		number := asked.Add(1)
		if isAway.Load() || r.Header.Get("Authorization") != "secret token" {
			w.WriteHeader(500)
			return
		}
		expires := time.Now().Add(lifetime * time.Duration(number)).UTC().Format(time.RFC3339)
		fmt.Fprintf(w, `{"AccessKeyId": "AK%d", "SecretAccessKey": "s", "Token": "t", "Expiration": "%s"}`, number, expires)
	}))
	t.Cleanup(server.Close)
	return server.URL, asked, isAway
}

func TestCredentialsOfAContainerAreReplacedBeforeTheyExpire(t *testing.T) {
	address, asked, _ := container(t, time.Hour)
	here := newPlace(t, map[string]string{
		"AWS_CONTAINER_CREDENTIALS_FULL_URI": address, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": file(t, "secret token\n"),
	})
	chain := here.chain()
	expect(t, here.key(chain), "AK1 s t")
	expect(t, here.key(chain), "AK1 s t")
	here.skew.Store(int64(56 * time.Minute))
	expect(t, here.key(chain), "AK1 s t") // Nobody waits for the new ones.
	for end := time.Now().Add(5 * time.Second); asked.Load() < 2 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	for end := time.Now().Add(5 * time.Second); here.key(chain) != "AK2 s t"; {
		if time.Now().After(end) {
			t.Fatal("the new ones were not taken")
		}
	}
}

func TestCredentialsThatExpiredBetweenTwoCallsAreReplacedFirst(t *testing.T) {
	address, _, _ := container(t, time.Hour)
	here := newPlace(t, map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": address, "AWS_CONTAINER_AUTHORIZATION_TOKEN": "secret token"})
	chain := here.chain()
	here.key(chain)
	here.skew.Store(int64(90 * time.Minute))
	expect(t, here.key(chain), "AK2 s t")
}

func TestCredentialsThatAWSCallsExpiredAreAskedForAnew(t *testing.T) {
	address, _, _ := container(t, time.Hour)
	here := newPlace(t, map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": address, "AWS_CONTAINER_AUTHORIZATION_TOKEN": "secret token"})
	chain := here.chain()
	keys, _ := chain.Keys(context.Background())
	chain.Refused(keys)
	expect(t, here.key(chain), "AK2 s t")
	chain.Refused(keys) // Those are gone already.
	expect(t, here.key(chain), "AK2 s t")
}

func TestAnEndpointThatIsAwayLeavesTheOldOnesWhileTheyLast(t *testing.T) {
	address, _, isAway := container(t, time.Hour)
	here := newPlace(t, map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": address, "AWS_CONTAINER_AUTHORIZATION_TOKEN": "secret token"})
	chain := here.chain()
	here.key(chain)
	isAway.Store(true)
	here.skew.Store(int64(57 * time.Minute))
	expect(t, here.key(chain), "AK1 s t")
	here.skew.Store(int64(61 * time.Minute))
	if _, err := chain.Keys(context.Background()); err == nil || !strings.Contains(err.Error(), "container endpoint") {
		t.Errorf("got %v", err)
	}
}

func TestATokenIsNotSentJustAnywhere(t *testing.T) {
	here := newPlace(t, map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://evil.example/", "AWS_CONTAINER_AUTHORIZATION_TOKEN": "secret token"})
	if _, err := here.chain().Keys(context.Background()); err == nil || !strings.Contains(err.Error(), "neither https nor this host's own") {
		t.Errorf("got %v", err)
	}
}

func TestAnInstanceIsAskedByItsSecondVersion(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == "PUT" && r.URL.Path == "/latest/api/token":
			io.WriteString(w, "session")
		case r.Header.Get("X-Aws-Ec2-Metadata-Token") != "session":
			w.WriteHeader(401)
		case r.URL.Path == "/latest/meta-data/iam/security-credentials/":
			io.WriteString(w, "role")
		case r.URL.Path == "/latest/meta-data/iam/security-credentials/role":
			io.WriteString(w, `{"AccessKeyId": "AK", "SecretAccessKey": "s", "Token": "t", "Expiration": "2099-01-01T00:00:00Z"}`)
		}
	}))
	t.Cleanup(server.Close)
	here := newPlace(t, map[string]string{"AWS_EC2_METADATA_SERVICE_ENDPOINT": server.URL})
	expect(t, here.key(here.chain()), "AK s t")
}

func TestAServiceAccountsTokenIsTradedForCredentials(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.ParseForm()
		if r.Form.Get("WebIdentityToken") != "jwt" || r.Form.Get("RoleArn") != "arn:aws:iam::123456789012:role/shop" {
			w.WriteHeader(400)
			return
		}
		io.WriteString(w, `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult>
<Credentials><AccessKeyId>AK</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>
</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`)
	}))
	t.Cleanup(server.Close)
	here := newPlace(t, map[string]string{
		"AWS_WEB_IDENTITY_TOKEN_FILE": file(t, "jwt\n"), "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/shop", "AWS_ENDPOINT_URL_STS": server.URL,
	})
	expect(t, here.key(here.chain()), "AK s t")
}
