package invokeapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"reprise/endpoint/internal/capture"
	"reprise/endpoint/internal/keyed"
	"reprise/endpoint/internal/settings"
)

// answer is what a caller gets.
type answer struct {
	status int
	header http.Header
	body   []byte
	isKept bool // The call is captured.
	// capturedAt is when, if it was just now.
	capturedAt string
	hasRun     bool // The target ran, and this is its reply.
}

func (a *answer) write(w http.ResponseWriter) error {
	header := w.Header()
	for name, values := range a.header {
		header[name] = values
	}
	if _, is := header["Content-Type"]; !is {
		header["Content-Type"] = nil // Or net/http would guess one.
	}
	header["Content-Length"] = []string{strconv.Itoa(len(a.body))}
	w.WriteHeader(a.status)
	_, err := w.Write(a.body)
	return err
}

// refusal is an error of this endpoint's own, in the shape of Lambda's API.
func refusal(status int, code, message string) *answer {
	body, _ := json.Marshal(map[string]string{"Type": "User", "Message": message, "message": message})
	return &answer{
		status: status, body: body,
		header: http.Header{"Content-Type": {"application/json"}, "X-Amzn-Errortype": {code}},
	}
}

// kept is a call whose line is written, or was before.
type kept struct {
	id, token string
	outcome   capture.Outcome
	requestID string
	// capturedAt is as the record has it.
	capturedAt string
}

type outcomeDocument struct {
	Kind   string `json:"kind"`
	Code   string `json:"code,omitempty"`
	Reason string `json:"reason,omitempty"`
	Status int    `json:"status,omitempty"`
}

// answer tells of a call that was kept, never as a success: a failed function's name and shape, or an exception, or,
// where somebody asked for that, a plain 202.
func (k kept) answer(known settings.Settings) *answer {
	message := fmt.Sprintf("%s, kept as %s, %s; reprise status %s", how(k.outcome), k.id, prospect(k.outcome), k.id)
	header := http.Header{
		"Content-Type": {"application/json"},
		headerID:       {k.id},
		headerToken:    {k.token},
	}
	if k.requestID != "" {
		header["X-Amzn-Requestid"] = []string{k.requestID}
	}
	if known.OnCapture == settings.AsException {
		header["X-Amzn-Errortype"] = []string{"CallCapturedException"}
		body, _ := json.Marshal(map[string]string{"Type": "User", "Message": message})
		return &answer{status: http.StatusFailedDependency, header: header, body: body, isKept: true, capturedAt: k.capturedAt}
	}
	if known.OnCapture == settings.AsFunctionError {
		header["X-Amz-Function-Error"] = []string{"Captured"}
	}
	body, _ := json.Marshal(map[string]any{
		"errorType":    "Reprise.Captured",
		"errorMessage": message,
		"reprise": map[string]any{
			"id":           k.id,
			"outcome":      outcomeDocument{string(k.outcome.Kind), k.outcome.Code, k.outcome.Reason, k.outcome.Status},
			"status_token": k.token,
			"status_url":   strings.NewReplacer("{id}", k.id, "{token}", k.token).Replace(known.StatusURL),
		},
	})
	return &answer{status: http.StatusAccepted, header: header, body: body, isKept: true, capturedAt: k.capturedAt}
}

// how says in words how a call ended.
func how(outcome capture.Outcome) string {
	code := outcome.Code
	if outcome.Reason != "" {
		code = outcome.Reason
	}
	if outcome.Status != 0 {
		code = strings.TrimSpace(fmt.Sprintf("%d %s", outcome.Status, code))
	}
	switch {
	case outcome.Status == 0 && isNotCalled[outcome.Code]:
		return outcome.Message
	case outcome.Kind == capture.Throttled:
		return fmt.Sprintf("refused by Lambda (%s)", code)
	case outcome.Kind == capture.FunctionError:
		return fmt.Sprintf("the function failed (%s)", outcome.Code)
	case outcome.Kind == capture.Unknown:
		return fmt.Sprintf("no answer from Lambda (%s)", code)
	}
	if outcome.Status == 0 {
		return fmt.Sprintf("could not be sent to Lambda (%s)", code)
	}
	return fmt.Sprintf("failed in Lambda (%s)", code)
}

// isNotCalled are the codes of calls with keys that were not made, each with words of its own.
var isNotCalled = map[string]bool{
	keyed.AlreadyCaptured.Code: true, keyed.InProgress.Code: true, keyed.ClaimExpired.Code: true, keyed.LedgerAway.Code: true,
}

func prospect(outcome capture.Outcome) string {
	if outcome.Kind == capture.Unknown {
		return "will be replayed if its policy says that it may run twice"
	}
	return "will be replayed"
}
