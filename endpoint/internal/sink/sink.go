// Package sink brings capture lines to where they are read: into the stack's capture log group, or to standard
// output where that is captured from.
package sink

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"regexp"
	"sync"
	"time"

	"reprise/endpoint/internal/aws"
	"reprise/endpoint/internal/settings"
)

const (
	// maxBatchBytes and eventBytes: CloudWatch Logs API reference, PutLogEvents: 1,048,576 bytes, and 26 for each event.
	maxBatchBytes = 1_048_576
	eventBytes    = 26
	maxBatchLines = 1000
	putTimeout    = 8 * time.Second
)

// Sink takes finished lines.
type Sink interface {
	// Write writes one line whole; nil only if whoever reads lines will have it.
	Write(ctx context.Context, line []byte) error
}

// Stdout writes lines to a stream of this process.
type Stdout struct {
	Out  io.Writer
	lock sync.Mutex
}

// Write writes a line in one piece.
func (s *Stdout) Write(_ context.Context, line []byte) error {
	s.lock.Lock()
	defer s.lock.Unlock()
	_, err := s.Out.Write(append(line[:len(line):len(line)], '\n'))
	return err
}

// LogGroup writes lines to a stream of this process's own in one log group. Lines that come while a request is under
// way share the next one.
type LogGroup struct {
	client *aws.Client
	group  string
	stream string

	lock      sync.Mutex
	waiting   []*entry
	isWriting bool
}

type entry struct {
	line []byte
	done chan error // Holds one.
}

var noStream = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// NewLogGroup returns the sink of a group. Nobody else writes to its stream, so that people see who wrote what.
func NewLogGroup(client *aws.Client, group string) *LogGroup {
	who := os.Getenv("AWS_LAMBDA_FUNCTION_NAME")
	if who == "" {
		who, _ = os.Hostname()
	}
	if who = noStream.ReplaceAllString(who, "-"); who == "" {
		who = "process"
	}
	var random [8]byte
	rand.Read(random[:])
	return &LogGroup{client: client, group: group, stream: who + "/" + hex.EncodeToString(random[:])}
}

// Write writes a line, and returns when CloudWatch Logs has said that it has it. After an error it may have it.
func (l *LogGroup) Write(ctx context.Context, line []byte) error {
	mine := &entry{line: line, done: make(chan error, 1)}
	l.lock.Lock()
	l.waiting = append(l.waiting, mine)
	if !l.isWriting {
		l.isWriting = true
		go l.writeAll()
	}
	l.lock.Unlock()
	select {
	case err := <-mine.done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("CloudWatch Logs has not confirmed the line in time; it may have it")
	}
}

func (l *LogGroup) writeAll() {
	for {
		l.lock.Lock()
		batch := l.next()
		if len(batch) == 0 {
			l.isWriting = false
			l.lock.Unlock()
			return
		}
		l.lock.Unlock()
		err := l.put(batch)
		for _, each := range batch {
			each.done <- err
		}
	}
}

// next takes from what waits as much as one request may hold.
func (l *LogGroup) next() []*entry {
	size, count := 0, 0
	for count < len(l.waiting) && count < maxBatchLines {
		size += len(l.waiting[count].line) + eventBytes
		if size > maxBatchBytes {
			break
		}
		count++
	}
	batch := l.waiting[:count:count]
	l.waiting = l.waiting[count:]
	return batch
}

type event struct {
	Timestamp int64  `json:"timestamp"`
	Message   string `json:"message"`
}

func (l *LogGroup) put(batch []*entry) error {
	ctx, cancel := context.WithTimeout(context.Background(), putTimeout)
	defer cancel()
	now, _ := l.client.Clock()
	events := make([]event, len(batch))
	for i, each := range batch {
		events[i] = event{now.UnixMilli(), string(each.line)}
	}
	request := map[string]any{"logGroupName": l.group, "logStreamName": l.stream, "logEvents": events}
	var answer struct {
		Rejected map[string]any `json:"rejectedLogEventsInfo"`
	}
	err := l.client.Call(ctx, aws.Logs, "PutLogEvents", request, &answer)
	if aws.IsCode(err, "ResourceNotFoundException") {
		made := map[string]any{"logGroupName": l.group, "logStreamName": l.stream}
		err = l.client.Call(ctx, aws.Logs, "CreateLogStream", made, nil)
		if err == nil || aws.IsCode(err, "ResourceAlreadyExistsException") {
			err = l.client.Call(ctx, aws.Logs, "PutLogEvents", request, &answer)
		}
	}
	if err == nil && len(answer.Rejected) > 0 {
		err = fmt.Errorf("CloudWatch Logs refused the line: is this machine's clock right? %v", answer.Rejected)
	}
	return err
}

// Choose returns the sink of each group by its name; settings.Stdout is the stream.
func Choose(client *aws.Client, stdout *Stdout) func(group string) Sink {
	var lock sync.Mutex
	groups := map[string]*LogGroup{}
	return func(group string) Sink {
		if group == settings.Stdout {
			return stdout
		}
		lock.Lock()
		defer lock.Unlock()
		if groups[group] == nil {
			groups[group] = NewLogGroup(client, group)
		}
		return groups[group]
	}
}
