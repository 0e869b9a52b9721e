// Package sink brings capture lines to where they are read: into the stack's capture log group, or to standard
// output where that is captured from.
package sink

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"sync"
	"time"

	"reprise/endpoint/internal/aws"
	"reprise/endpoint/internal/exchange"
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
	ctx     context.Context
	line    []byte
	done    chan error // Holds one.
	isTaken bool       // A request with it is made, or was.
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

// Write writes a line, and returns when CloudWatch Logs has said that it has it. After an error it may have it, if the
// error says so; what is not sent when the context ends is not sent later.
func (l *LogGroup) Write(ctx context.Context, line []byte) error {
	mine := &entry{ctx: ctx, line: line, done: make(chan error, 1)}
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
	}
	l.lock.Lock()
	defer l.lock.Unlock()
	if mine.isTaken {
		return errors.New("CloudWatch Logs has not confirmed the line in time; it may have it")
	}
	return errors.New("CloudWatch Logs could not be sent the line in time")
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
	l.waiting = slices.DeleteFunc(l.waiting, func(each *entry) bool { return each.ctx.Err() != nil })
	size, count := 0, 0
	for count < len(l.waiting) && count < maxBatchLines {
		size += len(l.waiting[count].line) + eventBytes
		if size > maxBatchBytes {
			break
		}
		l.waiting[count].isTaken = true
		count++
	}
	batch := slices.Clone(l.waiting[:count])
	l.waiting = l.waiting[count:]
	return batch
}

// lastOf returns the end of the patience of those who wait: a line is not sent again after its caller was told that it
// is not kept.
func lastOf(batch []*entry) (context.Context, context.CancelFunc) {
	var last time.Time
	for _, each := range batch {
		end, is := each.ctx.Deadline()
		if !is {
			return context.WithTimeout(context.Background(), putTimeout)
		}
		if end.After(last) {
			last = end
		}
	}
	return context.WithDeadline(context.Background(), last)
}

type event struct {
	Timestamp int64  `json:"timestamp"`
	Message   string `json:"message"`
}

func (l *LogGroup) put(batch []*entry) error {
	ctx, cancel := lastOf(batch)
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
	var lost *exchange.Error
	if errors.As(err, &lost) && lost.Stage == exchange.Sent {
		err = fmt.Errorf("%w; it may have it", err)
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
