package credentials

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"reprise/endpoint/internal/exchange"
)

func (p *place) refused(t *testing.T, parts ...string) {
	t.Helper()
	keys, err := p.chain().Keys(context.Background())
	for _, part := range parts {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("got %v, %v, want an error with %q", keys.AccessKeyID, err, part)
		}
	}
}

const elses = `{"AccessKeyId": "SOMEBODY-ELSES", "SecretAccessKey": "s", "Token": "t"}`

func TestCredentialsThatWereMeantAreNotReplacedBySomebodyElses(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(elses)) }))
	t.Cleanup(server.Close)
	for what, each := range map[string]struct {
		env   map[string]string
		parts []string
	}{
		"a profile that is in no file": {
			map[string]string{"AWS_PROFILE": "shpo", "AWS_SHARED_CREDENTIALS_FILE": file(t, "[shop]\naws_access_key_id = AK\naws_secret_access_key = s\n")},
			[]string{"shared files", `"shpo"`, "AWS_PROFILE"},
		},
		"half a key": {map[string]string{"AWS_ACCESS_KEY_ID": "AK"}, []string{"environment", "AWS_SECRET_ACCESS_KEY"}},
	} {
		each.env["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = server.URL
		t.Run(what, func(t *testing.T) { newPlace(t, each.env).refused(t, each.parts...) })
	}
}

func TestProfilesAreReadAsTheSDKsReadThem(t *testing.T) {
	for what, text := range map[string]string{
		"a name in quotes":       "[profile \"shop\"]\naws_access_key_id = AK\naws_secret_access_key = s\n",
		"blanks around the name": "[ profile\tshop ]\naws_access_key_id=AK\naws_secret_access_key=s\n",
		"lines that are moved in": "[profile shop]\n  aws_access_key_id = AK\n  aws_secret_access_key = s\n" +
			"  s3 =\n    aws_access_key_id = NESTED\n    addressing_style = path\n",
		"settings in a setting": "[profile shop]\naws_access_key_id = AK\naws_secret_access_key = s\ns3 =\n  aws_secret_access_key = NESTED\n",
		"other systems' lines":  "\ufeff[profile shop]\r\naws_access_key_id = AK\r\naws_secret_access_key = s\r\n",
	} {
		t.Run(what, func(t *testing.T) {
			here := newPlace(t, map[string]string{"AWS_PROFILE": "shop", "AWS_CONFIG_FILE": file(t, text)})
			expect(t, here.key(here.chain()), "AK s ")
		})
	}
}

func TestAFileIsLookedForAtHomeOnly(t *testing.T) {
	home := t.TempDir()
	os.Mkdir(filepath.Join(home, ".aws"), 0o700)
	os.WriteFile(filepath.Join(home, ".aws", "credentials"), []byte("[default]\naws_access_key_id = AK\naws_secret_access_key = s\n"), 0o600)
	t.Chdir(home)
	env := map[string]string{"AWS_EC2_METADATA_DISABLED": "true"}
	without := &place{t: t, env: env}
	without.refused(t, "no AWS credentials")
	for name, value := range map[string]string{"HOME": home, "AWS_SHARED_CREDENTIALS_FILE": "~/.aws/credentials"} {
		with := &place{t: t, env: map[string]string{"AWS_EC2_METADATA_DISABLED": "true", "HOME": home, name: value}}
		expect(t, with.key(with.chain()), "AK s ")
	}
}

func TestACredentialProcessThatLeavesAChildBehindIsNotWaitedForEver(t *testing.T) {
	here := newPlace(t, map[string]string{"AWS_CONFIG_FILE": file(t, "[default]\ncredential_process = sleep 8 & wait\n")})
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	began := time.Now()
	if _, err := fromFiles(ctx, func(name string) string { return here.env[name] }); err == nil {
		t.Error("got credentials")
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("waited %s", took)
	}
}

func TestTwoHundredCallsAskASourceThatIsAwayOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked, end := 0, make(chan struct{})
		source := Source{"slow", func(context.Context) (Found, error) {
			asked++
			<-end
			return Found{}, context.DeadlineExceeded
		}}
		chain := NewChain(exchange.SystemClock, source)
		for range 200 {
			go func() {
				if _, err := chain.Keys(t.Context()); err == nil {
					t.Error("got keys")
				}
			}()
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := chain.Keys(ctx); err == nil || !strings.Contains(err.Error(), "in time") {
			t.Errorf("whoever has no more time got %v", err)
		}
		synctest.Wait()
		close(end)
		synctest.Wait()
		if asked != 1 {
			t.Errorf("asked %d times", asked)
		}
	})
}

func TestAContainersEndpointThatTripsIsAskedAgain(t *testing.T) {
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) < 3 {
			w.WriteHeader(503)
			return
		}
		w.Write([]byte(`{"AccessKeyId": "AK", "SecretAccessKey": "s", "Token": "t"}`))
	}))
	t.Cleanup(server.Close)
	here := newPlace(t, map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": server.URL})
	expect(t, here.key(here.chain()), "AK s t")
}

func TestATokenThatIsNoHeaderIsRefusedAndNotTold(t *testing.T) {
	here := newPlace(t, map[string]string{
		"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/", "AWS_CONTAINER_AUTHORIZATION_TOKEN": "secret\r\nInjected: yes",
	})
	here.refused(t, "AWS_CONTAINER_AUTHORIZATION_TOKEN")
	if _, err := here.chain().Keys(context.Background()); strings.Contains(err.Error(), "secret\r") {
		t.Errorf("told: %v", err)
	}
}

func TestWhereATokenMayGo(t *testing.T) {
	for address, may := range map[string]bool{
		"http://127.0.0.1/": true, "http://127.9.9.9:80/x": true, "http://[::1]/": true, "http://localhost:81/": true, "https://any.example/": true,
		"http://169.254.170.2/": true, "http://169.254.170.23/v1": true, "http://[fd00:ec2::23]/v1": true,
		"http://169.254.169.254/": false, "http://localhost.evil.example/": false, "http://127.0.0.1.evil.example/": false,
		"http://127.0.0.1@evil.example/": false, "http://169.254.170.2@evil.example/": false, "http://0.0.0.0/": false, "ftp://127.0.0.1/": false, "/x": false,
		"http://2130706433/": false,
	} {
		here := newPlace(t, map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": address})
		ctx, cancel := context.WithCancel(context.Background())
		cancel() // Nothing is to be asked.
		_, err := fromContainer(ctx, func(name string) string { return here.env[name] }, here.clock)
		isRefused := err != nil && (strings.Contains(err.Error(), "neither https") || strings.Contains(err.Error(), "no address"))
		if isRefused == may {
			t.Errorf("%s: %v", address, err)
		}
	}
	relative := newPlace(t, map[string]string{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "@evil.example/v2"})
	relative.refused(t, "evil.example")
}

func TestSTSIsAskedWhereEveryServiceIs(t *testing.T) {
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.WriteHeader(400)
	}))
	t.Cleanup(server.Close)
	here := newPlace(t, map[string]string{
		"AWS_WEB_IDENTITY_TOKEN_FILE": file(t, "jwt"), "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/shop", "AWS_ENDPOINT_URL": server.URL,
	})
	here.refused(t, "web identity", "400")
	if asked.Load() != 1 {
		t.Errorf("asked %d times", asked.Load())
	}
}
