// Package aws calls the few operations of other services that a capture needs.
package aws

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"reprise/endpoint/internal/capture"
	"reprise/endpoint/internal/credentials"
	"reprise/endpoint/internal/exchange"
	"reprise/endpoint/internal/sigv4"
)

// Service is what a service's model says of it.
type Service struct {
	Host     string // As its addresses begin.
	Variable string // What AWS_ENDPOINT_URL_... ends in (SDKs reference guide, "Service-specific endpoints"); empty if it is not asked.
	Target   string // What X-Amz-Target begins with.
	Version  string // Of the JSON protocol.
}

// The services.
var (
	// Lambda's variable names this endpoint, and so says nothing of where Lambda is.
	Lambda         = Service{Host: "lambda"}
	Logs           = Service{"logs", "CLOUDWATCH_LOGS", "Logs_20140328.", "1.1"}
	SSM            = Service{"ssm", "SSM", "AmazonSSM.", "1.1"}
	SecretsManager = Service{"secretsmanager", "SECRETS_MANAGER", "secretsmanager.", "1.1"}
	DynamoDB       = Service{"dynamodb", "DYNAMODB", "DynamoDB_20120810.", "1.0"}
	S3             = Service{Host: "s3", Variable: "S3"}
)

const (
	requestTimeout = 2 * time.Second
	sends          = 3
	maxAnswerBytes = 4 << 20
	// maxObjectBytes is above the longest reply of a function.
	maxObjectBytes = 8 << 20
)

// suffixes are the partitions' domains by the beginning of their regions, where they differ (botocore's partitions).
var suffixes = map[string]string{
	"cn-": "amazonaws.com.cn", "us-iso-": "c2s.ic.gov", "us-isob-": "sc2s.sgov.gov", "us-isof-": "csp.hci.ic.gov",
	"eu-isoe-": "cloud.adc-e.uk", "eusc-": "amazonaws.eu",
}

// Address returns where a service is, in a region: what the environment says, else AWS's own address.
//
// own is this endpoint's own address, which AWS_ENDPOINT_URL may name where somebody sent every service to it.
func Address(env func(string) string, service Service, region string, isOwn func(string) bool) string {
	names := []string{"AWS_ENDPOINT_URL"}
	if service.Variable != "" {
		names = []string{"AWS_ENDPOINT_URL_" + service.Variable, "AWS_ENDPOINT_URL"}
	}
	for _, name := range names {
		if address := env(name); address != "" && !isOwn(address) {
			return strings.TrimSuffix(address, "/")
		}
	}
	suffix := "amazonaws.com"
	for prefix, other := range suffixes {
		if strings.HasPrefix(region, prefix) {
			suffix = other
		}
	}
	host := service.Host
	if strings.EqualFold(env("AWS_USE_FIPS_ENDPOINT"), "true") {
		host += "-fips"
	}
	return "https://" + host + "." + region + "." + suffix
}

// Client calls services in one region with the caller's credentials; safe to use from several goroutines.
type Client struct {
	Env    func(string) string
	Region string
	IsOwn  func(address string) bool
	Keys   *credentials.Chain
	Clock  exchange.Clock

	lock    sync.Mutex
	servers map[string]*exchange.Server
}

// Error is an answer of a service that is none of success.
type Error struct {
	Operation string
	Code      string
	Message   string
	Status    int
	Item      json.RawMessage // DynamoDB: the item that failed a condition.
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s: %s: %s", e.Operation, e.Code, capture.Shorten(e.Message))
}

// IsCode tells whether an error is a service's answer with one of these codes.
func IsCode(err error, codes ...string) bool {
	var found *Error
	if errors.As(err, &found) {
		for _, code := range codes {
			if found.Code == code {
				return true
			}
		}
	}
	return false
}

// Call calls an operation of a JSON service; it is sent at most three times while the context lasts. answer may be nil.
func (c *Client) Call(ctx context.Context, service Service, operation string, request, answer any) error {
	body, err := json.Marshal(request)
	if err != nil {
		return err
	}
	return c.again(ctx, func(ctx context.Context) error {
		header := http.Header{
			"Content-Type": {"application/x-amz-json-" + service.Version},
			"X-Amz-Target": {service.Target + operation},
		}
		address := Address(c.Env, service, c.Region, c.IsOwn)
		_, text, err := c.send(ctx, address, service.Host, http.MethodPost, operation, "/", header, body)
		if err != nil || answer == nil {
			return err
		}
		if err := json.Unmarshal(text, answer); err != nil {
			return fmt.Errorf("%s: its answer is not as expected: %w", operation, err)
		}
		return nil
	})
}

// PutObject keeps bytes in a bucket, and returns their version, if the bucket has versions.
func (c *Client) PutObject(ctx context.Context, bucket, key string, data []byte) (versionID string, err error) {
	address, path := Address(c.Env, S3, c.Region, c.IsOwn), "/"+sigv4.Encode(key, "/")
	host := strings.TrimPrefix(address, "https://")
	if strings.HasPrefix(host, "s3") && strings.Contains(host, ".amazonaws.") && !strings.Contains(bucket, ".") {
		address = "https://" + bucket + "." + host
	} else {
		path = "/" + bucket + path
	}
	err = c.again(ctx, func(ctx context.Context) error {
		header := http.Header{"Content-Type": {"binary/octet-stream"}}
		answer, _, err := c.send(ctx, address, "s3", http.MethodPut, "PutObject", path, header, data)
		if err == nil {
			versionID = answer.Get("X-Amz-Version-Id")
		}
		return err
	})
	return versionID, err
}

// GetObject returns an object's bytes, if it is as short as replies are.
func (c *Client) GetObject(ctx context.Context, bucket, key string) (data []byte, err error) {
	address := Address(c.Env, S3, c.Region, c.IsOwn)
	path := "/" + bucket + "/" + sigv4.Encode(key, "/")
	err = c.again(ctx, func(ctx context.Context) error {
		_, data, err = c.send(ctx, address, "s3", http.MethodGet, "GetObject", path, http.Header{}, nil)
		return err
	})
	return data, err
}

// again repeats what may be repeated, while the context lasts.
func (c *Client) again(ctx context.Context, once func(context.Context) error) error {
	for try := 1; ; try++ {
		attempt, cancel := context.WithTimeout(ctx, requestTimeout*time.Duration(try))
		err := once(attempt)
		cancel()
		if err == nil || try == sends || ctx.Err() != nil || !mayPass(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(time.Duration(try) * 50 * time.Millisecond):
		}
	}
}

func mayPass(err error) bool {
	var refused *Error
	if errors.As(err, &refused) {
		return refused.Status >= 500 || strings.Contains(refused.Code, "Throttl") || isExpiry(refused.Code) ||
			refused.Code == "ProvisionedThroughputExceededException" || refused.Code == "ServiceUnavailableException"
	}
	var lost *exchange.Error
	return errors.As(err, &lost)
}

func isExpiry(code string) bool {
	return code == "ExpiredTokenException" || code == "ExpiredToken" || code == "UnrecognizedClientException"
}

func (c *Client) send(ctx context.Context, address, service, method, operation, path string, header http.Header, body []byte) (http.Header, []byte, error) {
	server, err := c.Server(address)
	if err != nil {
		return nil, nil, err
	}
	keys, err := c.Keys.Keys(ctx)
	if err != nil {
		return nil, nil, err
	}
	now, _ := c.Clock()
	target := server.Path() + path
	sigv4.Sign(sigv4.Request{Method: method, Host: server.Host(), Path: target, Header: header, Body: body}, keys, c.Region, service, now)
	response, err := server.Send(ctx, exchange.Request{Method: method, Target: target, Header: header, Body: body})
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", operation, err)
	}
	defer response.Body.Close()
	limit := int64(maxAnswerBytes)
	if service == "s3" {
		limit = maxObjectBytes
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, limit+1))
	if err != nil {
		return nil, nil, &exchange.Error{Stage: exchange.Sent, Code: "ConnectionClosedError", Err: err}
	}
	if int64(len(text)) > limit {
		return nil, nil, fmt.Errorf("%s: its answer has more than %d bytes", operation, limit)
	}
	if response.StatusCode >= 300 {
		refused := refusal(operation, response, text)
		if isExpiry(refused.Code) {
			c.Keys.Refused(keys)
		}
		return nil, nil, refused
	}
	return response.Header, text, nil
}

// Server returns the server of an address; its connections are shared.
func (c *Client) Server(address string) (*exchange.Server, error) {
	c.lock.Lock()
	defer c.lock.Unlock()
	if server, is := c.servers[address]; is {
		return server, nil
	}
	server, err := exchange.NewServer(address, c.Clock)
	if err != nil {
		return nil, err
	}
	if c.servers == nil {
		c.servers = map[string]*exchange.Server{}
	}
	c.servers[address] = server
	return server, nil
}

func refusal(operation string, response *http.Response, text []byte) *Error {
	var document struct {
		Type     string          `json:"__type"`
		Message  string          `json:"message"`
		Message2 string          `json:"Message"`
		Item     json.RawMessage `json:"Item"`
	}
	refused := &Error{Operation: operation, Status: response.StatusCode, Code: response.Header.Get("X-Amzn-Errortype")}
	if json.Unmarshal(text, &document) == nil {
		refused.Message, refused.Item = document.Message, document.Item
		if refused.Message == "" {
			refused.Message = document.Message2
		}
		if refused.Code == "" {
			refused.Code = document.Type
		}
	} else if code, _, is := cutBetween(text, "<Code>", "</Code>"); is {
		refused.Code = code
		refused.Message, _, _ = cutBetween(text, "<Message>", "</Message>")
	}
	refused.Code, _, _ = strings.Cut(refused.Code, ":")
	refused.Code = refused.Code[strings.LastIndexByte(refused.Code, '#')+1:]
	if refused.Code == "" {
		refused.Code = response.Status
	}
	return refused
}

func cutBetween(text []byte, begin, end string) (string, string, bool) {
	_, rest, is := bytes.Cut(text, []byte(begin))
	if !is {
		return "", "", false
	}
	found, after, is := bytes.Cut(rest, []byte(end))
	return string(found), string(after), is
}
