package aws

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"reprise/endpoint/internal/credentials"
	"reprise/endpoint/internal/exchange"
	"reprise/endpoint/internal/sigv4"
)

func TestAnObjectIsReadWholeOrNotAtAll(t *testing.T) {
	const longestReply = 6_291_556 // What Lambda takes of a function, a little over 6 MB.
	size := 0
	store := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, size)) }))
	t.Cleanup(store.Close)
	source := credentials.Source{Name: "test", Fetch: func(context.Context) (credentials.Found, error) {
		return credentials.Found{Keys: sigv4.Keys{AccessKeyID: "AK", SecretAccessKey: "s"}}, nil
	}}
	client := &Client{
		Env:    func(name string) string { return map[string]string{"AWS_ENDPOINT_URL": store.URL}[name] },
		Region: "eu-west-1", IsOwn: func(string) bool { return false },
		Keys: credentials.NewChain(exchange.SystemClock, source), Clock: exchange.SystemClock,
	}
	for _, size = range []int{0, 1, 6 << 20, longestReply} {
		data, err := client.GetObject(context.Background(), "bucket", "key")
		if err != nil || len(data) != size {
			t.Errorf("of %d bytes: %d, %v", size, len(data), err)
		}
	}
	size = maxObjectBytes + 1
	if data, err := client.GetObject(context.Background(), "bucket", "key"); err == nil {
		t.Errorf("of %d bytes: %d passed for all", size, len(data))
	}
}
