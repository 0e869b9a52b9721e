package settings

import (
	"testing"
)

func read(t *testing.T, env map[string]string) Settings {
	t.Helper()
	env["REPRISE_SOURCE"], env["AWS_REGION"] = "web-shop", "eu-west-1"
	found, err := Read(func(name string) string { return env[name] }, func() string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestThePortIsWhereItsCallersLookForIt(t *testing.T) {
	for _, each := range []struct {
		address, port string
		want          int
	}{
		{"", "", 9350}, {"http://127.0.0.1:9999", "", 9999}, {"http://localhost:9999/", "", 9999}, {"http://127.0.0.1:9999", "9998", 9998},
		{"https://lambda.eu-west-1.amazonaws.com", "", 9350}, {"http://127.0.0.1", "", 9350},
	} {
		found := read(t, map[string]string{"AWS_ENDPOINT_URL_LAMBDA": each.address, "REPRISE_ENDPOINT_PORT": each.port})
		if found.Port != each.want {
			t.Errorf("%v: got %d", each, found.Port)
		}
	}
}

func TestAnAddressIsItsOwnByHostAndPort(t *testing.T) {
	found := read(t, map[string]string{})
	for address, is := range map[string]bool{
		"http://127.0.0.1:9350": true, "http://localhost:9350/": true, "http://[::1]:9350": true, "http://0.0.0.0:9350": true,
		"http://127.0.0.1:9351": false, "http://10.0.0.1:9350": false, "": false, "://": false,
	} {
		if found.IsOwn(address) != is {
			t.Errorf("%q: got %t", address, !is)
		}
	}
}
