package capture

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
)

// vectors are what both implementations of the contract are held to (tests/contract_vectors.py).
type vectors struct {
	Canonical []struct {
		Content   json.RawMessage
		Canonical string
	}
	Macs []struct {
		Content json.RawMessage
		KeyID   string `json:"key_id"`
		Value   string
	}
	IDs []struct {
		Target target
		Source string
		Scope  string
		Key    string
		ID     string
	}
	UUIDs []struct {
		NowMs  int64 `json:"now_ms"`
		Random string
		ID     string
	}
	KindByCode map[string]Kind `json:"kind_by_code"`
	Errors     []struct {
		Code    string
		Status  int
		Message string
		Outcome json.RawMessage
	}
	Replies []struct {
		Status        int
		FunctionError string `json:"function_error"`
		RequestID     string `json:"request_id"`
		Payload       string
		Outcome       json.RawMessage
	}
	NotAnswered struct {
		NeverSent json.RawMessage `json:"never_sent"`
		NoAnswer  json.RawMessage `json:"no_answer"`
	} `json:"not_answered"`
	Shortened []struct{ Text, Short string }
	Payloads  []struct {
		Name        string
		Once        []byte
		Times       int
		BudgetBytes int `json:"budget_bytes"`
		How         string
		SizeBytes   int `json:"size_bytes"`
		SHA256      string
	}
	Tokens []struct {
		CallID       string `json:"call_id"`
		SHA256       string
		CapturedAtUs int64 `json:"captured_at_us"`
		Token        string
	}
	Targets []struct {
		FunctionName string `json:"function_name"`
		Qualifier    string
		Allowed      []string
		Target       *target
	}
	KeyDocument string `json:"key_document"`
	Source      string
	Lines       []struct {
		Record json.RawMessage
		Line   string
	}
}

type target struct {
	Function  string
	Qualifier string
	TenantID  string `json:"tenant_id"`
}

func (t target) value() Target { return Target(t) }

const oddText = "ü€😀\x00\x1f\x7f\u0080\u2028\"\\/<>&\b\f\n\r\t"

func read(t *testing.T) (vectors, *Keys) {
	t.Helper()
	text, err := os.ReadFile("../../../tests/events/contract-vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var found vectors
	if err := json.Unmarshal(text, &found); err != nil {
		t.Fatal(err)
	}
	keys, err := ReadKeys(found.KeyDocument, found.Source)
	if err != nil {
		t.Fatal(err)
	}
	return found, keys
}

// objectOf returns a JSON value as this package has it, its members in their order.
func objectOf(t *testing.T, raw json.RawMessage) Object {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	return valueOf(t, decoder).(Object)
}

func valueOf(t *testing.T, decoder *json.Decoder) any {
	token, err := decoder.Token()
	if err != nil {
		t.Fatal(err)
	}
	switch token := token.(type) {
	case json.Number:
		if whole, err := token.Int64(); err == nil {
			return int(whole)
		}
		number, err := token.Float64()
		if err != nil {
			t.Fatal(err)
		}
		return number
	case json.Delim:
		if token == '[' {
			list := []any{}
			for decoder.More() {
				list = append(list, valueOf(t, decoder))
			}
			decoder.Token()
			return list
		}
		object := Object{}
		for decoder.More() {
			name, _ := decoder.Token()
			object = append(object, Member{name.(string), valueOf(t, decoder)})
		}
		decoder.Token()
		return object
	}
	return token
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if got != want {
		t.Errorf("%s:\n got %v\nwant %v", what, got, want)
	}
}

func sameOutcome(t *testing.T, what string, got Outcome, want json.RawMessage) {
	t.Helper()
	same(t, what, string(got.object().Canonical()), string(objectOf(t, want).Canonical()))
}

func TestTheCanonicalFormIsPythons(t *testing.T) {
	found, _ := read(t)
	for _, each := range found.Canonical {
		same(t, "canonical", string(objectOf(t, each.Content).Canonical()), each.Canonical)
	}
}

func TestMacsArePythons(t *testing.T) {
	found, keys := read(t)
	for _, each := range found.Macs {
		keyID, value := keys.Sign(objectOf(t, each.Content))
		same(t, "key id", keyID, each.KeyID)
		same(t, "mac", value, each.Value)
	}
}

func TestIdsArePythons(t *testing.T) {
	found, _ := read(t)
	for _, each := range found.IDs {
		same(t, each.Key, CallID(each.Target.value(), each.Source, each.Scope, each.Key), each.ID)
		if !IsKeyText(each.Key) {
			t.Errorf("%q is a key", each.Key)
		}
	}
	for _, each := range found.UUIDs {
		var random [10]byte
		hex.Decode(random[:], []byte(each.Random))
		same(t, "uuid", NewCallID(each.NowMs, random), each.ID)
	}
}

func TestOutcomesArePythons(t *testing.T) {
	found, _ := read(t)
	same(t, "codes", len(kindByCode), len(found.KindByCode))
	for code, kind := range found.KindByCode {
		same(t, code, kindByCode[code], kind)
	}
	for _, each := range found.Errors {
		sameOutcome(t, each.Code, ClassifyError(each.Code, each.Status, each.Message), each.Outcome)
	}
	for _, each := range found.Replies {
		header := http.Header{"X-Amzn-Requestid": {each.RequestID}}
		if each.FunctionError != "" {
			header.Set("X-Amz-Function-Error", each.FunctionError)
		}
		sameOutcome(t, each.Payload, Classify(each.Status, header, []byte(each.Payload)), each.Outcome)
	}
	sameOutcome(t, "never sent", NeverSent("ConnectTimeoutError", oddText), found.NotAnswered.NeverSent)
	sameOutcome(t, "no answer", NoAnswer("ReadTimeoutError", strings.Repeat("x", 2000)), found.NotAnswered.NoAnswer)
}

func TestMessagesAreShortenedAsPythonDoes(t *testing.T) {
	found, _ := read(t)
	for _, each := range found.Shortened {
		same(t, "short", Shorten(each.Text), each.Short)
	}
}

// The bytes of gzip may differ from one implementation to the next; what they hold may not.
func TestPayloadsArePackedAsPythonDoes(t *testing.T) {
	found, _ := read(t)
	for _, each := range found.Payloads {
		data := bytes.Repeat(each.Once, each.Times)
		payload, isPacked := Pack(data, each.BudgetBytes)
		how := "claim_check"
		if isPacked {
			how = "inline"
			if payload.Inline == nil {
				how = "gzip_base64"
			}
		}
		same(t, each.Name, how, each.How)
		same(t, each.Name, payload.SizeBytes, each.SizeBytes)
		same(t, each.Name, payload.SHA256, each.SHA256)
		switch how {
		case "inline":
			same(t, each.Name, *payload.Inline, string(data))
		case "gzip_base64":
			packed, _ := base64.StdEncoding.DecodeString(*payload.GzipBase64)
			reader, err := gzip.NewReader(bytes.NewReader(packed))
			if err != nil {
				t.Fatal(err)
			}
			whole, _ := io.ReadAll(reader)
			same(t, each.Name, string(whole), string(data))
		}
	}
}

func TestStatusTokensArePythons(t *testing.T) {
	found, keys := read(t)
	for _, each := range found.Tokens {
		same(t, each.CallID, keys.StatusToken(each.CallID, each.SHA256, each.CapturedAtUs), each.Token)
	}
}

func TestTargetsAreResolvedAsPythonDoes(t *testing.T) {
	found, _ := read(t)
	for _, each := range found.Targets {
		got, why := Resolve(each.FunctionName, each.Qualifier, "", "", each.Allowed)
		if (why == "") != (each.Target != nil) {
			t.Errorf("%q: %q, want %v", each.FunctionName, why, each.Target)
		} else if why == "" {
			same(t, each.FunctionName, got, each.Target.value())
		}
	}
}

func TestANameIsNoFunctionOfAnotherRegion(t *testing.T) {
	allowed := []string{"arn:aws:lambda:eu-west-1:123456789012:function:orders"}
	if _, why := Resolve("orders", "", "", "us-east-1", allowed); why == "" {
		t.Error("a replay would go where the call did not")
	}
}

func TestANameOfTwoAccountsIsNone(t *testing.T) {
	allowed := []string{
		"arn:aws:lambda:eu-west-1:123456789012:function:orders", "arn:aws:lambda:eu-west-1:210987654321:function:orders",
	}
	if _, why := Resolve("orders", "", "", "eu-west-1", allowed); !strings.Contains(why, "several accounts") {
		t.Errorf("got %q", why)
	}
}

// Whole lines, byte for byte: what one writes the other would have written.
func TestLinesArePythons(t *testing.T) {
	found, keys := read(t)
	for _, each := range found.Lines {
		var said struct {
			ID         string
			CapturedAt string `json:"captured_at"`
			Source     struct{ Version string }
			Target     target
			Payload    struct {
				Inline     *string
				ClaimCheck *struct {
					Bucket, Key string
					VersionID   string `json:"version_id"`
				} `json:"claim_check"`
				SizeBytes int `json:"size_bytes"`
				SHA256    string
			}
			ClientContext string `json:"client_context"`
			Outcome       struct {
				Kind          Kind
				Code, Reason  string
				Status        int
				Message       string
				RetryAfterS   *float64 `json:"retry_after_s"`
				RequestID     string   `json:"request_id"`
				FunctionError string   `json:"function_error"`
			}
			NotAfter       string `json:"not_after"`
			Trace          string
			IdempotencyKey string `json:"idempotency_key"`
			Scope          string
			ReplyTo        map[string]any `json:"reply_to"`
		}
		if err := json.Unmarshal(each.Record, &said); err != nil {
			t.Fatal(err)
		}
		record := Record{
			ID: said.ID, CapturedAt: said.CapturedAt, SourceVersion: said.Source.Version, Target: said.Target.value(),
			Payload:       Payload{Inline: said.Payload.Inline, SizeBytes: said.Payload.SizeBytes, SHA256: said.Payload.SHA256},
			ClientContext: said.ClientContext, Outcome: Outcome(said.Outcome), NotAfter: said.NotAfter, Trace: said.Trace,
			IdempotencyKey: said.IdempotencyKey, Scope: said.Scope,
		}
		for kind, value := range said.ReplyTo {
			record.ReplyTo = append(record.ReplyTo, Member{kind, value})
		}
		if check := said.Payload.ClaimCheck; check != nil {
			record.Payload.ClaimCheck = &ClaimCheck{check.Bucket, check.Key, check.VersionID}
		}
		same(t, "line", string(record.Line(keys)), each.Line)
	}
}

func TestAKeyDocumentThatThePipelineWouldRefuseIsRefused(t *testing.T) {
	long := strings.Repeat("x", 32)
	for _, text := range []string{
		``, `[]`, `null`, `{}`, `{"current": "k1"}`, `{"current": "k1", "k1": "short"}`, `{"current": "k1", "k1": null}`,
		`{"current": "k1", "k1": 1}`, `{"current": "k1", "k1": "` + long + `", "k2": ""}`,
		`{"current": "a/b", "a/b": "` + long + `"}`, `{"current": "k1", "k1": "` + long + `", "targets": "*"}`,
	} {
		if _, err := ReadKeys(text, "web-shop"); err == nil {
			t.Errorf("%s was accepted", text)
		}
	}
}

func TestASourceSignsForWhatItsListNames(t *testing.T) {
	arn := "arn:aws:lambda:eu-west-1:123456789012:function:orders"
	for list, may := range map[string]bool{"*": true, arn: true, "arn:aws:lambda:eu-west-1:123456789012:function:or*": true, arn + "2": false, "": false} {
		keys := &Keys{Source: "web-shop", Targets: slices.DeleteFunc([]string{list}, func(entry string) bool { return entry == "" })}
		same(t, list, keys.MaySign(arn), may)
	}
}

func TestAnErrorDocumentThatIsNoTextIsNone(t *testing.T) {
	found := Classify(200, http.Header{"X-Amz-Function-Error": {"Unhandled"}}, []byte("{\"errorType\": \"E\xff\"}"))
	if found.Code != "Unknown" || found.Message != "the function failed without an error document" {
		t.Errorf("got %v", found)
	}
}
