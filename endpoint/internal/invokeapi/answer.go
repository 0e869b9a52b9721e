package invokeapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"unicode"

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

// answer tells of a call that was kept, never as a success: a failed function's name and shape, or an exception, or,
// where somebody asked for that, a plain 202.
func (k kept) answer(known settings.Settings) *answer {
	message := keptMessage(k.outcome, k.id)
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
	at := strings.NewReplacer("{id}", inURL(k.id), "{token}", k.token).Replace(known.StatusURL)
	body := capture.Object{
		{Name: "errorType", Value: "Reprise.Captured"},
		{Name: "errorMessage", Value: message},
		{Name: "reprise", Value: capture.Object{
			{Name: "id", Value: k.id}, {Name: "outcome", Value: k.outcome.Known()}, {Name: "status_token", Value: k.token}, {Name: "status_url", Value: at},
		}},
	}.Encode()
	return &answer{status: http.StatusAccepted, header: header, body: body, isKept: true, capturedAt: k.capturedAt}
}

// inURL returns a text as it stands in a path or a query, so that it makes no other address of it: a key is its caller's own.
func inURL(text string) string {
	var found strings.Builder
	for _, each := range []byte(text) {
		if each < 0x80 && (unicode.IsLetter(rune(each)) || unicode.IsDigit(rune(each)) || strings.IndexByte("-._~:!", each) >= 0) {
			found.WriteByte(each)
		} else {
			fmt.Fprintf(&found, "%%%02X", each)
		}
	}
	return found.String()
}

// keptMessage says in a sentence what became of a call that was kept, and what to do next, as every door does
// (shared/reprise/capturing/kept.py). It quotes nothing that a target says.
func keptMessage(outcome capture.Outcome, id string) string {
	then := "will be replayed"
	if outcome.Kind == capture.Unknown {
		// It may have run.
		then = "will be replayed if its policy says idempotent"
	}
	return fmt.Sprintf("%s, kept as %s, %s; reprise status %s", whatHappened(outcome), id, then, id)
}

func whatHappened(outcome capture.Outcome) string {
	why := outcome.Code
	if outcome.Reason != "" {
		why = outcome.Reason
	}
	if outcome.Status != 0 {
		why = strings.TrimSpace(fmt.Sprintf("%d %s", outcome.Status, why))
	}
	switch {
	case outcome.Kind == capture.Throttled && outcome.Status == 0:
		return fmt.Sprintf("not called again (%s)", why)
	case outcome.Kind == capture.Throttled:
		return fmt.Sprintf("refused by Lambda (%s)", why)
	case outcome.Kind == capture.FunctionError:
		return fmt.Sprintf("failed in its function (%s)", outcome.Code)
	case outcome.Kind == capture.Unknown:
		return fmt.Sprintf("not answered (%s)", why)
	}
	return fmt.Sprintf("failed on its way (%s)", why)
}

// isNotCalled are the codes of calls with keys that were not made.
var isNotCalled = map[string]bool{
	keyed.AlreadyCaptured.Code: true, keyed.InProgress.Code: true, keyed.ClaimExpired.Code: true, keyed.LedgerAway.Code: true,
}
