package capture

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Kind is the class of an invocation's end.
type Kind string

const (
	// Succeeded: the target ran and returned.
	Succeeded Kind = "succeeded"
	// Throttled: refused for want of capacity; the target did not run.
	Throttled Kind = "throttled"
	// Transient: failed on the way; the target did not run.
	Transient Kind = "transient"
	// FunctionError: the target ran and failed.
	FunctionError Kind = "function_error"
	// Unknown: the target may or may not have run.
	Unknown Kind = "unknown"
	// Permanent: the call can never succeed as it is.
	Permanent Kind = "permanent"
)

// Kinds are those that may be captured.
var Kinds = []Kind{Throttled, Transient, FunctionError, Unknown, Permanent}

// Outcome is how one invocation ended. Empty texts, a status of 0 and no RetryAfterS stand for what is not known.
type Outcome struct {
	Kind          Kind
	Code          string
	Reason        string
	Status        int
	Message       string
	RetryAfterS   *float64
	RequestID     string
	FunctionError string
}

func (o Outcome) object() Object {
	var status, retryAfter any
	if o.Status != 0 {
		status = o.Status
	}
	if o.RetryAfterS != nil {
		retryAfter = *o.RetryAfterS
	}
	return Object{
		{"kind", string(o.Kind)},
		{"code", orNull(o.Code)},
		{"reason", orNull(o.Reason)},
		{"status", status},
		{"message", orNull(o.Message)},
		{"retry_after_s", retryAfter},
		{"request_id", orNull(o.RequestID)},
		{"function_error", orNull(o.FunctionError)},
	}
}

// Known returns an outcome without what is not known.
func (o Outcome) Known() Object {
	return slices.DeleteFunc(o.object(), func(each Member) bool { return each.Value == nil })
}

const (
	maxMessageChars = 1024
	maxCodeChars    = 256
	maxRetryAfterS  = 43_200.0
)

// Classify returns the outcome of an invocation that was answered: the status does not reflect function errors,
// and the names of Lambda's errors decide before it (Lambda API reference, Invoke, Errors).
func Classify(status int, header http.Header, body []byte) Outcome {
	requestID := header.Get("X-Amzn-Requestid")
	if status >= 300 {
		return classifyError(status, header, body, requestID)
	}
	name := header.Get("X-Amz-Function-Error")
	if name == "" {
		return Outcome{Kind: Succeeded, Status: status, RequestID: requestID}
	}
	errorType, message := functionError(body)
	return Outcome{
		Kind: FunctionError, Code: errorType, Status: status, Message: Shorten(message),
		RequestID: requestID, FunctionError: name,
	}
}

func classifyError(status int, header http.Header, body []byte, requestID string) Outcome {
	var document map[string]any
	_ = json.Unmarshal(body, &document) // A proxy's page has no fields.
	text := func(names ...string) string {
		for _, name := range names {
			if found, is := document[name].(string); is && found != "" {
				return found
			}
		}
		return ""
	}
	code := header.Get("X-Amzn-Errortype")
	if code == "" {
		code = text("code", "Code", "__type")
	}
	code, _, _ = strings.Cut(code, ":")
	code = code[strings.LastIndexByte(code, '#')+1:]
	if code == "" {
		code = strconv.Itoa(status)
	}
	outcome := ClassifyError(code, status, text("message", "Message"))
	outcome.Reason = nameOf(text("Reason"))
	outcome.RequestID = requestID
	if code == "TooManyRequestsException" {
		outcome.RetryAfterS = seconds(header.Get("Retry-After"))
	}
	return outcome
}

// ClassifyError returns the outcome of an error of Lambda's API. Codes that the table does not name go by
// status: 429 throttled, 5xx transient, the rest permanent; 0 is no status.
func ClassifyError(code string, status int, message string) Outcome {
	kind, is := kindByCode[code]
	switch {
	case is:
	case status == http.StatusTooManyRequests:
		kind = Throttled
	case status == 0 || status >= 500:
		kind = Transient
	default:
		kind = Permanent
	}
	if next := nextStepByCode[code]; next != "" {
		message = fmt.Sprintf("%s (%s)", message, next)
	}
	return Outcome{Kind: kind, Code: nameOf(code), Status: status, Message: Shorten(message)}
}

// nameOf returns a name as a record takes it.
func nameOf(said string) string { return cut(Shorten(said), maxCodeChars) }

// NeverSent returns the outcome of an invocation that did not leave us whole: the target cannot have run.
func NeverSent(code, message string) Outcome {
	return Outcome{Kind: Transient, Code: code, Message: Shorten(message)}
}

// NoAnswer returns the outcome of an invocation that was sent and never answered.
func NoAnswer(code, message string) Outcome {
	return Outcome{Kind: Unknown, Code: code, Message: Shorten(message)}
}

func seconds(text string) *float64 {
	found, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil || math.IsNaN(found) || found < 0 || math.IsInf(found, 0) {
		return nil
	}
	found = min(found, maxRetryAfterS)
	return &found
}

func functionError(body []byte) (errorType, message string) {
	var document map[string]any
	if !isText(body) || json.Unmarshal(body, &document) != nil || document == nil {
		return "Unknown", "the function failed without an error document"
	}
	errorType, _ = document["errorType"].(string)
	if errorType == "" {
		errorType = "Unknown"
	}
	message, _ = document["errorMessage"].(string)
	if message == "" {
		message = "no error message"
	}
	return nameOf(errorType), message
}

// Shorten returns text as one printable line of at most 1,024 characters: what terminals and chats could obey
// becomes an escape, as Python spells it.
func Shorten(text string) string {
	fields := strings.FieldsFunc(text, func(char rune) bool {
		return unicode.IsSpace(char) || char >= 0x1c && char <= 0x1f // What Python's str.split takes for blanks.
	})
	var line strings.Builder
	for _, char := range strings.Join(fields, " ") {
		switch {
		case unicode.IsPrint(char):
			line.WriteRune(char)
		case char <= 0x7F:
			fmt.Fprintf(&line, `\x%02x`, char)
		case char <= 0xFFFF:
			fmt.Fprintf(&line, `\u%04x`, char)
		default:
			fmt.Fprintf(&line, `\U%08x`, char)
		}
	}
	whole := []rune(line.String())
	if len(whole) <= maxMessageChars {
		return string(whole)
	}
	return string(whole[:maxMessageChars-1]) + "…"
}

func cut(text string, chars int) string {
	if whole := []rune(text); len(whole) > chars {
		return string(whole[:chars])
	}
	return text
}

var kindByCode = map[string]Kind{
	"TooManyRequestsException":                 Throttled,
	"ThrottlingException":                      Throttled,
	"Throttling":                               Throttled,
	"RequestLimitExceeded":                     Throttled,
	"EC2ThrottledException":                    Transient,
	"ServiceException":                         Transient,
	"ServiceUnavailableException":              Transient,
	"ENILimitReachedException":                 Transient,
	"ENINotReadyException":                     Transient,
	"SubnetIPAddressLimitReachedException":     Transient,
	"ResourceNotReadyException":                Transient,
	"ResourceConflictException":                Transient,
	"EFSIOException":                           Transient,
	"EFSMountConnectivityException":            Transient,
	"EFSMountTimeoutException":                 Transient,
	"S3FilesMountConnectivityException":        Transient,
	"S3FilesMountTimeoutException":             Transient,
	"SnapStartNotReadyException":               Transient,
	"SnapStartTimeoutException":                Transient,
	"SnapStartRegenerationFailureException":    Transient,
	"CodeArtifactUserPendingException":         Transient,
	"CodeArtifactUserDeletedException":         Transient,
	"ServiceQuotaExceededException":            Transient,
	"ExpiredTokenException":                    Transient,
	"UnrecognizedClientException":              Transient,
	"EC2AccessDeniedException":                 Permanent,
	"EC2UnexpectedException":                   Transient,
	"EFSMountFailureException":                 Permanent,
	"InvalidRuntimeException":                  Permanent,
	"InvalidSecurityGroupIDException":          Permanent,
	"InvalidSubnetIDException":                 Permanent,
	"InvalidZipFileException":                  Permanent,
	"KMSAccessDeniedException":                 Permanent,
	"KMSDisabledException":                     Permanent,
	"KMSInvalidStateException":                 Permanent,
	"KMSNotFoundException":                     Permanent,
	"S3FilesMountFailureException":             Permanent,
	"SnapStartException":                       Permanent,
	"RecursiveInvocationException":             Permanent,
	"ModeNotSupportedException":                Permanent,
	"ResourceNotFoundException":                Permanent,
	"AccessDeniedException":                    Permanent,
	"NoPublishedVersionException":              Permanent,
	"RuntimeAliasDeletedException":             Permanent,
	"RuntimeVersionDeletedException":           Permanent,
	"CodeArtifactUserFailedException":          Permanent,
	"DurableExecutionAlreadyStartedException":  Permanent,
	"InvalidParameterValueException":           Permanent,
	"InvalidRequestContentException":           Permanent,
	"RequestTooLargeException":                 Permanent,
	"SerializedRequestEntityTooLargeException": Permanent,
	"UnsupportedMediaTypeException":            Permanent,
}

var nextStepByCode = map[string]string{
	"ResourceNotFoundException":    "the function or its qualifier is gone: deploy it again, then redrive",
	"AccessDeniedException":        "the replayer may not invoke it: check Targets and the function's policy",
	"RequestTooLargeException":     "the payload is over Lambda's limit and can never be accepted",
	"KMSAccessDeniedException":     "the function's KMS key refuses it: repair the key policy, then redrive",
	"RecursiveInvocationException": "Lambda stopped a loop: check who invokes whom",
}
