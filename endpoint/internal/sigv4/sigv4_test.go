package sigv4

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// The example of the IAM user guide, "Create a signed AWS API request".
func TestTheGuidesExampleIsSignedAsThere(t *testing.T) {
	header := http.Header{"Content-Type": {"application/x-www-form-urlencoded; charset=utf-8"}}
	Sign(Request{Method: "GET", Host: "iam.amazonaws.com", Path: "/", Query: "Action=ListUsers&Version=2010-05-08", Header: header},
		Keys{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"},
		"us-east-1", "iam", time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC))
	const want = "Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
	if got := header.Get("Authorization"); !strings.HasSuffix(got, want) {
		t.Errorf("got %s", got)
	}
}

// What the SDK for Python signs, as tests/contract_vectors.py wrote it down.
func TestRequestsOfLambdaAreSignedAsTheSDKForPythonDoes(t *testing.T) {
	text, err := os.ReadFile("../../../tests/events/contract-vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var found struct {
		Signatures []struct {
			Method, Host, Path, Query, Body, Service, Region, Authorization string
			Header                                                          map[string]string
			Stamp                                                           string
		}
	}
	if err := json.Unmarshal(text, &found); err != nil || len(found.Signatures) == 0 {
		t.Fatal(err)
	}
	for _, each := range found.Signatures {
		header := http.Header{}
		for name, value := range each.Header {
			header.Set(name, value)
		}
		at, _ := time.Parse("20060102T150405Z", each.Stamp)
		Sign(Request{Method: each.Method, Host: each.Host, Path: each.Path, Query: each.Query, Header: header, Body: []byte(each.Body)},
			Keys{AccessKeyID: "AKID", SecretAccessKey: "secret", SessionToken: "token"}, each.Region, each.Service, at)
		if got := header.Get("Authorization"); got != each.Authorization {
			t.Errorf("%s?%s:\n got %s\nwant %s", each.Path, each.Query, got, each.Authorization)
		}
	}
}

func TestEachValueOfAHeaderIsTrimmedByItself(t *testing.T) {
	signed := func(values ...string) string {
		header := http.Header{"X-Amz-Meta": values}
		Sign(Request{Method: "GET", Host: "h", Path: "/", Header: header}, Keys{AccessKeyID: "AK", SecretAccessKey: "s"}, "r", "lambda", time.Unix(0, 0))
		return header.Get("Authorization")
	}
	if signed(" a  b ", "\tc ") != signed("a b,c") {
		t.Error("blanks around a value are signed")
	}
}
