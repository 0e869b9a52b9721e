// Package exchange sends an HTTP request once, and tells how far it came.
//
// net/http's client decides by itself when it sends a request again. Here a request is written on a fresh
// connection, or on an idle one that is known to live, and is never written twice: only when not one byte of it
// has left is another connection tried. HTTP/1.1, as all SDKs speak it with Lambda.
package exchange

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// freshFor is how long an idle connection is trusted. Lambda's servers keep theirs for longer, so that what is
	// younger was not closed while this process was frozen and could not see it.
	freshFor       = 20 * time.Second
	maxIdle        = 64
	connectTimeout = 5 * time.Second
	// lastWords is how long an answer is waited for that a server may have sent before it broke off reading.
	lastWords      = time.Second
	maxHeaderBytes = 64 << 10
	joinBelow      = 64 << 10
)

// Request is what is sent; Host is the URL's own.
type Request struct {
	Method string
	Target string // Path and query, as they go over the wire.
	Header http.Header
	Body   []byte
}

// Stage tells how far a request came that has no answer.
type Stage int

const (
	// NotSent: the server cannot have the whole of it.
	NotSent Stage = iota
	// Sent: it may have been served.
	Sent
)

// Error is a request without an answer.
type Error struct {
	Stage Stage
	Code  string // The SDK for Python's name of the same error.
	Err   error
}

func (e *Error) Error() string { return e.Code + ": " + e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// Clock tells two times: one that people read, and one that never steps back. Freezing a process may stop one.
type Clock func() (wall time.Time, steady time.Duration)

var began = time.Now()

// SystemClock is the machine's.
func SystemClock() (time.Time, time.Duration) {
	now := time.Now()
	return now.Round(0), now.Sub(began)
}

// Server is one address, and the idle connections to it; safe to use from several goroutines.
type Server struct {
	base    *url.URL
	host    string
	address string
	clock   Clock
	proxy   *url.URL
	tls     *tls.Config
	// aliveOf is isAlive, but in tests.
	aliveOf func(net.Conn) bool

	lock sync.Mutex
	idle []*connection
}

type connection struct {
	net.Conn
	raw    *counted
	reader *bufio.Reader
	wall   time.Time
	steady time.Duration
}

// counted knows how many bytes were handed to the system.
type counted struct {
	net.Conn
	written int
}

func (c *counted) Write(data []byte) (int, error) {
	n, err := c.Conn.Write(data)
	c.written += n
	return n, err
}

// NewServer returns the server of a URL: scheme, host and port, and a path that goes before every request's.
func NewServer(address string, clock Clock) (*Server, error) {
	base, err := url.Parse(address)
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Hostname() == "" {
		return nil, fmt.Errorf("%q is no address: give one like https://lambda.eu-west-1.amazonaws.com", address)
	}
	port := base.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[base.Scheme]
	}
	host := base.Host
	if base.Port() != "" && base.Port() == map[string]string{"http": "80", "https": "443"}[base.Scheme] {
		host = strings.TrimSuffix(host, ":"+base.Port())
	}
	server := &Server{base: base, host: host, address: net.JoinHostPort(base.Hostname(), port), clock: clock, aliveOf: isAlive}
	if base.Scheme == "https" {
		// HTTP/1.1 only: without ALPN nothing else is spoken.
		server.tls = &tls.Config{ServerName: base.Hostname(), ClientSessionCache: tls.NewLRUClientSessionCache(4)}
		if bundle := os.Getenv("AWS_CA_BUNDLE"); bundle != "" {
			if server.tls.RootCAs, err = rootsOf(bundle); err != nil {
				return nil, err
			}
		}
	}
	// Plain HTTP is for this host and its link-local neighbours (credentials, engines): no proxy has a part in that.
	if base.Scheme == "https" {
		if server.proxy, err = http.ProxyFromEnvironment(&http.Request{URL: base}); err != nil {
			return nil, fmt.Errorf("the proxy of the environment is no address: %w", err)
		}
		if server.proxy != nil && server.proxy.Scheme != "http" {
			return nil, fmt.Errorf("HTTPS_PROXY: %s is none that can be used: give one that begins with http://", server.proxy.Redacted())
		}
	}
	return server, nil
}

// Host returns what the Host header says.
func (s *Server) Host() string { return s.host }

// Path returns what goes before every request's path, without its last slash.
func (s *Server) Path() string { return strings.TrimSuffix(s.base.EscapedPath(), "/") }

// String returns the server's address.
func (s *Server) String() string { return s.base.Redacted() }

// Send sends a request once. The answer's body must be closed; what is cut short gives an error of its reader.
// The context ends the wait for an answer, and for its body.
func (s *Server) Send(ctx context.Context, request Request) (*http.Response, error) {
	head := s.head(request)
	for {
		conn, isFresh, err := s.connection(ctx)
		if err != nil {
			return nil, err
		}
		stop := conn.watch(ctx)
		before := conn.raw.written
		writeErr := conn.write(head, request.Body)
		if writeErr != nil && conn.raw.written == before && !isFresh && ctx.Err() == nil {
			stop()
			conn.Close()
			continue
		}
		response, err := conn.answer(request.Method, writeErr)
		if err == nil {
			s.handOut(response, conn, stop, writeErr == nil)
			return response, nil
		}
		stop()
		conn.Close()
		stage := Sent
		if writeErr != nil {
			stage, err = NotSent, writeErr
		}
		return nil, &Error{Stage: stage, Code: codeOf(ctx, err), Err: reasonOf(ctx, err)}
	}
}

func (s *Server) head(request Request) []byte {
	head := make([]byte, 0, 2048)
	head = append(head, request.Method+" "+request.Target+" HTTP/1.1\r\nHost: "+s.host+"\r\n"...)
	for name, values := range request.Header {
		for _, value := range values {
			head = append(head, name+": "+clean.Replace(value)+"\r\n"...)
		}
	}
	if request.Method != http.MethodGet && request.Method != http.MethodHead || len(request.Body) > 0 {
		head = append(head, "Content-Length: "+strconv.Itoa(len(request.Body))+"\r\n"...)
	}
	return append(head, "\r\n"...)
}

// clean keeps a header from ending its line.
var clean = strings.NewReplacer("\r", " ", "\n", " ")

func (c *connection) write(head, body []byte) error {
	if len(body) < joinBelow {
		// One packet, where it fits.
		_, err := c.Write(append(head, body...))
		return err
	}
	if _, err := c.Write(head); err != nil {
		return err
	}
	_, err := c.Write(body)
	return err
}

// answer reads the head of an answer, after those that only announce one; of a server that broke off reading it waits
// for it only shortly.
func (c *connection) answer(method string, writeErr error) (*http.Response, error) {
	if writeErr != nil {
		c.SetReadDeadline(time.Now().Add(lastWords))
	}
	for {
		response, err := http.ReadResponse(c.reader, &http.Request{Method: method})
		if err != nil || response.StatusCode >= http.StatusOK {
			return response, err
		}
	}
}

// watch lets a context's end break what a connection waits for.
func (c *connection) watch(ctx context.Context) (stop func() bool) {
	if deadline, is := ctx.Deadline(); is {
		c.SetDeadline(deadline)
	} else {
		c.SetDeadline(time.Time{})
	}
	return context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) })
}

// body is an answer's body, which gives its connection back once it was read whole.
type body struct {
	io.ReadCloser
	done   func(isWhole bool)
	isDone bool
}

func (b *body) Read(data []byte) (int, error) {
	n, err := b.ReadCloser.Read(data)
	if err != nil && !b.isDone {
		b.isDone = true
		b.done(errors.Is(err, io.EOF))
	}
	return n, err
}

func (b *body) Close() error {
	if !b.isDone {
		b.isDone = true
		b.done(false)
	}
	return nil
}

func (s *Server) handOut(response *http.Response, conn *connection, stop func() bool, isWritten bool) {
	response.Body = &body{ReadCloser: response.Body, done: func(isWhole bool) {
		if stop() && isWhole && isWritten && !response.Close && conn.reader.Buffered() == 0 {
			s.giveBack(conn)
		} else {
			conn.Close()
		}
	}}
}

func (s *Server) giveBack(conn *connection) {
	conn.SetDeadline(time.Time{})
	conn.wall, conn.steady = s.clock()
	s.lock.Lock()
	defer s.lock.Unlock()
	if len(s.idle) >= maxIdle {
		conn.Close()
		return
	}
	s.idle = append(s.idle, conn)
}

// connection returns an idle connection that lives, else a new one.
func (s *Server) connection(ctx context.Context) (conn *connection, isFresh bool, err error) {
	wall, steady := s.clock()
	for {
		s.lock.Lock()
		if len(s.idle) == 0 {
			s.lock.Unlock()
			conn, err := s.connect(ctx)
			return conn, true, err
		}
		conn := s.idle[len(s.idle)-1]
		s.idle = s.idle[:len(s.idle)-1]
		s.lock.Unlock()
		// A clock that was set back says nothing, and so is not believed either.
		byWall, bySteady := wall.Sub(conn.wall), steady-conn.steady
		if byWall >= 0 && byWall < freshFor && bySteady < freshFor && s.aliveOf(conn.raw.Conn) {
			return conn, false, nil
		}
		conn.Close()
	}
}

var dialer = net.Dialer{
	Timeout: connectTimeout,
	// A synchronous invocation may be silent for half an hour (Lambda API reference, Invoke).
	KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 30 * time.Second, Interval: 30 * time.Second, Count: 4},
}

func (s *Server) connect(ctx context.Context) (*connection, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	address := s.address
	if s.proxy != nil {
		address = s.proxy.Host
		if s.proxy.Port() == "" {
			address = net.JoinHostPort(s.proxy.Hostname(), "80")
		}
	}
	raw, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		code := "EndpointConnectionError"
		if isTimeout(err) {
			code = "ConnectTimeoutError"
		}
		return nil, &Error{Stage: NotSent, Code: code, Err: err}
	}
	count := &counted{Conn: raw}
	conn := &connection{Conn: count, raw: count}
	if s.proxy != nil {
		if err := s.tunnel(ctx, count); err != nil {
			raw.Close()
			return nil, &Error{Stage: NotSent, Code: "ProxyConnectionError", Err: err}
		}
	}
	if s.tls != nil {
		secure := tls.Client(count, s.tls)
		if err := secure.HandshakeContext(ctx); err != nil {
			raw.Close()
			return nil, &Error{Stage: NotSent, Code: "SSLError", Err: err}
		}
		conn.Conn = secure
	}
	conn.reader = bufio.NewReaderSize(conn.Conn, 4096)
	return conn, nil
}

func (s *Server) tunnel(ctx context.Context, conn net.Conn) error {
	defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })()
	ask := "CONNECT " + s.address + " HTTP/1.1\r\nHost: " + s.address + "\r\n"
	if user := s.proxy.User; user != nil {
		password, _ := user.Password()
		ask += "Proxy-Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(user.Username()+":"+password)) + "\r\n"
	}
	if _, err := io.WriteString(conn, ask+"\r\n"); err != nil {
		return err
	}
	// Byte by byte: what follows the head is the server's.
	head := make([]byte, 0, 512)
	for one := make([]byte, 1); !strings.HasSuffix(string(head), "\r\n\r\n"); {
		if len(head) > maxHeaderBytes {
			return errors.New("the proxy's answer has no end")
		}
		if _, err := io.ReadFull(conn, one); err != nil {
			return err
		}
		head = append(head, one[0])
	}
	if line, _, _ := strings.Cut(string(head), "\r\n"); !strings.Contains(line, " 200") {
		return fmt.Errorf("the proxy refused: %s", line)
	}
	return nil
}

func codeOf(ctx context.Context, err error) string {
	if isTimeout(err) || errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return "ReadTimeoutError"
	}
	return "ConnectionClosedError"
}

func reasonOf(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the connection was closed before an answer")
	}
	return err
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}
