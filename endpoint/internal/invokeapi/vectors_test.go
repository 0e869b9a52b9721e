package invokeapi

import (
	"encoding/json"
	"net/http"
	"os"
	"reflect"
	"testing"

	"reprise/endpoint/internal/capture"
	"reprise/endpoint/internal/settings"
)

// The answers and the callers' words that both implementations are held to (tests/contract_vectors.py).
func readVectors(t *testing.T, into any) {
	t.Helper()
	text, err := os.ReadFile("../../../tests/events/contract-vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatal(err)
	}
}

func TestAKeptCallIsToldAsEveryDoorTellsIt(t *testing.T) {
	var found struct {
		Kept []struct {
			Outcome struct {
				Kind          capture.Kind
				Code, Reason  string
				Status        int
				Message       string
				RetryAfterS   *float64 `json:"retry_after_s"`
				RequestID     string   `json:"request_id"`
				FunctionError string   `json:"function_error"`
			}
			StatusURL string `json:"status_url"`
			Document  any
		}
	}
	readVectors(t, &found)
	for _, each := range found.Kept {
		told := kept{id: "orders:a/b?c&d#e%~00!00", token: "token", outcome: capture.Outcome(each.Outcome)}
		given := told.answer(settings.Settings{OnCapture: settings.AsFunctionError, StatusURL: each.StatusURL})
		var document any
		if err := json.Unmarshal(given.body, &document); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(document, each.Document) {
			t.Errorf("\n got %v\nwant %v", document, each.Document)
		}
	}
	expect(t, "outcomes", len(found.Kept), 10)
}

func TestWhatACallerSaysIsReadAsEveryDoorReadsIt(t *testing.T) {
	var found struct {
		Said []struct {
			Headers       map[string]string
			ClientContext string `json:"client_context"`
			Refused       string
			Said          struct {
				IdempotencyKey string `json:"idempotency_key"`
				Scope          string
				NotAfter       string `json:"not_after"`
			}
		}
	}
	readVectors(t, &found)
	for _, each := range found.Said {
		header := http.Header{}
		for name, value := range each.Headers {
			header.Set(name, value)
		}
		got, err := readSaid(header, each.ClientContext)
		if each.Refused != "" {
			if bad, is := err.(*badRequest); !is || bad.field != each.Refused {
				t.Errorf("%v %s: got %v, want %s refused", each.Headers, each.ClientContext, err, each.Refused)
			}
			continue
		}
		want := said{key: each.Said.IdempotencyKey, scope: each.Said.Scope, notAfter: each.Said.NotAfter}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%v %s: got %v, %v, want %v", each.Headers, each.ClientContext, got, err, want)
		}
	}
}

func TestWhereALateResultGoesIsOneOfThePlacesThatThereAre(t *testing.T) {
	for text, is := range map[string]bool{
		`{"queue": "arn:aws:sqs:eu-west-1:123456789012:q"}`: true, `{"event": true}`: true, `{"event": "a  line of text"}`: true, `{"event": "two\nlines"}`: false,
		`{"webhook": "https://a.example/"}`: true, `null`: true, `{}`: false, `{"event": false}`: false, `{"event": ""}`: false,
		`{"queue": "a b"}`: false, `{"queue": 1}`: false, `{"queue": "q", "event": true}`: false, `{"other": "x"}`: false, `"queue"`: false,
	} {
		if _, err := replyTo(json.RawMessage(text)); (err == nil) != is {
			t.Errorf("%s: %v", text, err)
		}
	}
}
