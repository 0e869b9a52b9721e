// Package extension is what makes the process an extension of a Lambda function's environment (Lambda developer guide,
// "Using the Lambda Extensions API to create extensions").
//
// Only SHUTDOWN is asked for. INVOKE events would say nothing that a caller's request does not say itself, and each
// would have to be answered before the function's invocation counts as done: its time would be the caller's.
package extension

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"reprise/endpoint/internal/exchange"
)

// Client speaks the Extensions API.
type Client struct {
	server *exchange.Server
	id     string
}

// Register makes this process known to its environment, by the name of its file.
func Register(ctx context.Context, runtimeAPI, name string, clock exchange.Clock) (*Client, error) {
	server, err := exchange.NewServer("http://"+runtimeAPI, clock)
	if err != nil {
		return nil, err
	}
	client := &Client{server: server}
	header := http.Header{"Lambda-Extension-Name": {name}, "Content-Type": {"application/json"}}
	answer, _, err := client.send(ctx, http.MethodPost, "/2020-01-01/extension/register", header, []byte(`{"events":["SHUTDOWN"]}`))
	if err != nil {
		return nil, err
	}
	client.id = answer.Get("Lambda-Extension-Identifier")
	return client, nil
}

// UntilShutdown returns when the environment is about to end.
func (c *Client) UntilShutdown(ctx context.Context) error {
	for {
		header := http.Header{"Lambda-Extension-Identifier": {c.id}}
		_, text, err := c.send(ctx, http.MethodGet, "/2020-01-01/extension/event/next", header, nil)
		if err != nil {
			return err
		}
		var event struct {
			EventType string `json:"eventType"`
		}
		if json.Unmarshal(text, &event) == nil && event.EventType == "SHUTDOWN" {
			return nil
		}
	}
}

func (c *Client) send(ctx context.Context, method, path string, header http.Header, body []byte) (http.Header, []byte, error) {
	response, err := c.server.Send(ctx, exchange.Request{Method: method, Target: path, Header: header, Body: body})
	if err != nil {
		return nil, nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answered %s: %s", path, response.Status, bytes.TrimSpace(text))
	}
	return response.Header, text, err
}
