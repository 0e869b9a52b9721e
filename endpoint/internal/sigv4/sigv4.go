// Package sigv4 signs requests for AWS (IAM user guide, "Create a signed AWS API request").
package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Keys are what a request is signed with; the token may be empty.
type Keys struct{ AccessKeyID, SecretAccessKey, SessionToken string }

// Request is what is signed. Path and query are as they go over the wire.
type Request struct {
	Method, Host, Path, Query string
	Header                    http.Header // Gets X-Amz-Date, X-Amz-Security-Token and Authorization.
	Body                      []byte
}

// Sign adds the signature to a request's headers. Signed are the host, the content type and every header of
// AWS's own but the trace, which whoever passes a request on may alter.
func Sign(request Request, keys Keys, region, service string, now time.Time) {
	stamp := now.UTC().Format("20060102T150405Z")
	header := request.Header
	header["X-Amz-Date"] = []string{stamp}
	if keys.SessionToken != "" {
		header["X-Amz-Security-Token"] = []string{keys.SessionToken}
	}
	bodySum := sha256.Sum256(request.Body)
	bodyHash := hex.EncodeToString(bodySum[:])
	if service == "s3" {
		header["X-Amz-Content-Sha256"] = []string{bodyHash}
	}
	names := make([]string, 0, len(header)+1)
	values := make(map[string]string, len(header)+1)
	for name, all := range header {
		lower := strings.ToLower(name)
		if lower == "content-type" || strings.HasPrefix(lower, "x-amz-") {
			names = append(names, lower)
			for i, value := range all {
				if i > 0 {
					values[lower] += ","
				}
				values[lower] += strings.Join(strings.Fields(value), " ")
			}
		}
	}
	names, values["host"] = append(names, "host"), request.Host
	slices.Sort(names)

	var asked strings.Builder
	asked.Grow(512)
	asked.WriteString(request.Method + "\n" + canonicalPath(request.Path, service) + "\n" + canonicalQuery(request.Query) + "\n")
	for _, name := range names {
		asked.WriteString(name + ":" + values[name] + "\n")
	}
	listed := strings.Join(names, ";")
	asked.WriteString("\n" + listed + "\n" + bodyHash)
	askedSum := sha256.Sum256([]byte(asked.String()))

	scope := stamp[:8] + "/" + region + "/" + service + "/aws4_request"
	text := "AWS4-HMAC-SHA256\n" + stamp + "\n" + scope + "\n" + hex.EncodeToString(askedSum[:])
	signature := hex.EncodeToString(mac(signingKey(keys.SecretAccessKey, stamp[:8], region, service), text))
	header["Authorization"] = []string{
		"AWS4-HMAC-SHA256 Credential=" + keys.AccessKeyID + "/" + scope + ", SignedHeaders=" + listed + ", Signature=" + signature,
	}
}

type keyOf struct{ secret, day, region, service string }

var (
	lock      sync.Mutex
	knownKeys = map[keyOf][]byte{}
)

func signingKey(secret, day, region, service string) []byte {
	lock.Lock()
	defer lock.Unlock()
	of := keyOf{secret, day, region, service}
	if key, is := knownKeys[of]; is {
		return key
	}
	key := []byte("AWS4" + secret)
	for _, part := range []string{day, region, service, "aws4_request"} {
		key = mac(key, part)
	}
	if len(knownKeys) >= 32 {
		clear(knownKeys) // Secrets and days that went by.
	}
	knownKeys[of] = key
	return key
}

func mac(key []byte, text string) []byte {
	hash := hmac.New(sha256.New, key)
	hash.Write([]byte(text))
	return hash.Sum(nil)
}

// canonicalPath encodes a path that is encoded already once more, as every service but S3 asks for.
func canonicalPath(path, service string) string {
	if path == "" {
		return "/"
	}
	if service == "s3" {
		return path
	}
	return Encode(path, "/")
}

func canonicalQuery(query string) string {
	if query == "" {
		return ""
	}
	var pairs [][]string
	for part := range strings.SplitSeq(query, "&") {
		if part != "" {
			name, value, _ := strings.Cut(part, "=")
			pairs = append(pairs, []string{Encode(decode(name), ""), Encode(decode(value), "")})
		}
	}
	// By name, and then by value: as one text a name would come after those that it begins.
	slices.SortFunc(pairs, slices.Compare)
	parts := make([]string, len(pairs))
	for i, pair := range pairs {
		parts[i] = strings.Join(pair, "=")
	}
	return strings.Join(parts, "&")
}

const upperHex = "0123456789ABCDEF"

// Encode percent-encodes all but RFC 3986's unreserved characters, and those that are named.
func Encode(text, kept string) string {
	plain := func(char byte) bool {
		return char >= 'a' && char <= 'z' || char >= 'A' && char <= 'Z' || char >= '0' && char <= '9' ||
			char == '-' || char == '_' || char == '.' || char == '~' || strings.IndexByte(kept, char) >= 0
	}
	encoded := make([]byte, 0, len(text)+16)
	for i := range len(text) {
		if char := text[i]; plain(char) {
			encoded = append(encoded, char)
		} else {
			encoded = append(encoded, '%', upperHex[char>>4], upperHex[char&15])
		}
	}
	return string(encoded)
}

// decode undoes percent-encoding, and leaves alone what is none.
func decode(text string) string {
	if !strings.Contains(text, "%") {
		return text
	}
	decoded := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		if text[i] == '%' && i+2 < len(text) {
			if char, err := hex.DecodeString(text[i+1 : i+3]); err == nil {
				decoded = append(decoded, char[0])
				i += 2
				continue
			}
		}
		decoded = append(decoded, text[i])
	}
	return string(decoded)
}
