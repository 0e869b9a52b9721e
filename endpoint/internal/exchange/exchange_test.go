package exchange

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func server(t *testing.T, address string, clock Clock) *Server {
	t.Helper()
	made, err := NewServer(address, clock)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func send(t *testing.T, to *Server) (string, error) {
	t.Helper()
	response, err := to.Send(context.Background(), Request{Method: "POST", Target: "/", Header: http.Header{}, Body: []byte("body")})
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return string(text), err
}

func counting(t *testing.T) (*httptest.Server, *atomic.Int64, *atomic.Int64) {
	var conns, requests atomic.Int64
	made := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		io.Copy(w, r.Body)
	}))
	made.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			conns.Add(1)
		}
	}
	made.Start()
	t.Cleanup(made.Close)
	return made, &conns, &requests
}

func TestAConnectionIsUsedAgainWhileItIsFreshByBothClocks(t *testing.T) {
	var wall, steady time.Duration
	clock := func() (time.Time, time.Duration) { return time.Unix(1e9, 0).Add(wall), steady }
	made, conns, _ := counting(t)
	to := server(t, made.URL, clock)
	for _, each := range []struct {
		wall, steady time.Duration
		conns        int64
	}{
		{0, 0, 1}, {19 * time.Second, 19 * time.Second, 1},
		{1 * time.Hour, 20 * time.Second, 2},             // Frozen, and the steady clock with it.
		{1*time.Hour + time.Second, 60 * time.Second, 3}, // The wall clock was set back meanwhile.
		{0, 61 * time.Second, 4},
	} {
		wall, steady = each.wall, each.steady
		if _, err := send(t, to); err != nil {
			t.Fatal(err)
		}
		if conns.Load() != each.conns {
			t.Errorf("at %s and %s: %d connections, want %d", each.wall, each.steady, conns.Load(), each.conns)
		}
	}
}

func TestAConnectionThatTheServerClosedIsNotWrittenTo(t *testing.T) {
	made, conns, requests := counting(t)
	to := server(t, made.URL, SystemClock)
	send(t, to)
	made.CloseClientConnections()
	if text, err := send(t, to); err != nil || text != "body" {
		t.Errorf("got %q, %v", text, err)
	}
	if conns.Load() != 2 || requests.Load() != 2 {
		t.Errorf("%d connections and %d requests", conns.Load(), requests.Load())
	}
}

// broken fails every write without writing anything, as a connection does that the system has given up.
type broken struct{ net.Conn }

func (broken) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

// half fails after some bytes.
type half struct{ net.Conn }

func (h half) Write(data []byte) (int, error) {
	n, _ := h.Conn.Write(data[:len(data)/2])
	return n, errors.New("broken pipe")
}

func TestAnotherConnectionIsTriedOnlyIfNothingWasWritten(t *testing.T) {
	made, _, requests := counting(t)
	to := server(t, made.URL, SystemClock)
	for _, each := range []struct {
		spoil    func(net.Conn) net.Conn
		isSent   bool
		requests int64
	}{
		{func(conn net.Conn) net.Conn { return broken{conn} }, true, 2},
		{func(conn net.Conn) net.Conn { return half{conn} }, false, 3},
	} {
		if _, err := send(t, to); err != nil {
			t.Fatal(err)
		}
		idle := to.idle[0]
		// The spoilt one is alive as far as its socket knows.
		raw := idle.raw.Conn
		idle.raw.Conn = each.spoil(raw)
		to.aliveOf = func(net.Conn) bool { return true }
		_, err := send(t, to)
		if (err == nil) != each.isSent {
			t.Errorf("got %v", err)
		}
		var lost *Error
		if err != nil && (!errors.As(err, &lost) || lost.Stage != NotSent) {
			t.Errorf("a server that had not the whole of it cannot have served it: %v", err)
		}
		if requests.Load() != each.requests {
			t.Errorf("%d requests, want %d", requests.Load(), each.requests)
		}
		raw.Close()
	}
}

func TestHeadersCannotEndTheirLine(t *testing.T) {
	listener, _ := net.Listen("tcp4", "127.0.0.1:0")
	defer listener.Close()
	seen := make(chan string, 1)
	go func() {
		conn, _ := listener.Accept()
		request, err := http.ReadRequest(bufio.NewReader(conn))
		if err == nil {
			seen <- request.Header.Get("Injected")
		}
		fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		conn.Close()
	}()
	to := server(t, "http://"+listener.Addr().String(), SystemClock)
	to.Send(context.Background(), Request{Method: "POST", Target: "/", Header: http.Header{"A": {"b\r\nInjected: yes"}}})
	if text := <-seen; text != "" {
		t.Errorf("injected: %q", text)
	}
}

func TestAProxyIsUsedByATunnelOnly(t *testing.T) {
	secure := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "through") }))
	t.Cleanup(secure.Close)
	var asked atomic.Value
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Store(r.Method + " " + r.Host)
		there, err := net.Dial("tcp", r.Host)
		if err != nil {
			w.WriteHeader(502)
			return
		}
		here, buffered, _ := w.(http.Hijacker).Hijack()
		fmt.Fprint(here, "HTTP/1.1 200 Connection established\r\n\r\n")
		go io.Copy(there, buffered)
		io.Copy(here, there)
		here.Close()
	}))
	t.Cleanup(proxy.Close)
	to := server(t, secure.URL, SystemClock)
	to.tls.RootCAs = secure.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	to.proxy, _ = to.base.Parse(proxy.URL)
	text, err := send(t, to)
	if err != nil || text != "through" {
		t.Fatalf("got %q, %v", text, err)
	}
	if want := "CONNECT " + strings.TrimPrefix(secure.URL, "https://"); asked.Load() != want {
		t.Errorf("the proxy was asked %v, want %s", asked.Load(), want)
	}
}
