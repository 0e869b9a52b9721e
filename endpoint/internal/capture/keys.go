package capture

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

const minKeyLength = 32

var (
	// SourceName is what a source may be called.
	SourceName  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`)
	keyName     = regexp.MustCompile(`(?s)^[^/]{1,64}$`)
	functionARN = regexp.MustCompile(`^` + arnPrefix + namePattern + `$`)
)

// Keys are the keys of one source that are valid now, and the targets that it may sign for.
type Keys struct {
	Source  string
	Targets []string
	current string
	keys    map[string]string
}

// ReadKeys reads a source's key document, {"current": "k1", "k1": "<key>", "targets": ["<ARN>"]}, and refuses
// what the pipeline would refuse: of what it signs nothing would be believed.
func ReadKeys(text, source string) (*Keys, error) {
	about := fmt.Sprintf("key document of source %q", source)
	var document map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &document); err != nil || document == nil {
		return nil, fmt.Errorf(`%s must be JSON like {"current": "k1", "k1": "<key>", "targets": ["<ARN>"]}`, about)
	}
	found := &Keys{Source: source, keys: map[string]string{}}
	for name, raw := range document {
		var err error
		switch name {
		case "current":
			err = unmarshalText(raw, &found.current)
		case "targets":
			err = json.Unmarshal(raw, &found.Targets)
		default:
			var key string
			err = unmarshalText(raw, &key)
			found.keys[name] = key
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %q is not as expected", about, name)
		}
	}
	if _, is := found.keys[found.current]; !is {
		return nil, fmt.Errorf("%s names %q as current key, but holds no such key", about, found.current)
	}
	for name, key := range found.keys {
		if !keyName.MatchString(name) {
			return nil, fmt.Errorf("%s: key name %q is not 1 to 64 characters without a slash", about, name)
		}
		if length := utf8.RuneCountInString(key); length < minKeyLength {
			return nil, fmt.Errorf("%s: key %q has %d characters, and needs %d: remove it, or make a longer one",
				about, name, length, minKeyLength)
		}
	}
	return found, nil
}

// unmarshalText takes text only: null would be no key, and pass for an empty one.
func unmarshalText(raw json.RawMessage, text *string) error {
	if len(raw) == 0 || raw[0] != '"' {
		return fmt.Errorf("no text")
	}
	return json.Unmarshal(raw, text)
}

// Sign returns the MAC of content: the key's id, and the hex HMAC of its canonical form.
func (k *Keys) Sign(content Object) (keyID, value string) {
	keyID = k.Source + "/" + k.current
	signed := append(append(Object{}, content...), Member{"mac", Object{{"key_id", keyID}}})
	return keyID, k.hmac(signed.Canonical())
}

// MaySign tells whether the source may sign for a target, as far as its own list goes.
func (k *Keys) MaySign(function string) bool {
	for _, entry := range k.Targets {
		if entry == "*" && functionARN.MatchString(function) || entry != "*" && allows(entry, function) {
			return true
		}
	}
	return false
}

// StatusToken returns the secret by which a caller may ask for its captured call.
func (k *Keys) StatusToken(callID, sha256Hex string, capturedAtUs int64) string {
	said := fmt.Sprintf("%s.%d", sha256Hex[:16], capturedAtUs)
	message := append([]byte("reprise status token\n"), EncodeList([]any{callID, said})...)
	return said + "." + k.hmac(message)[:32]
}

func (k *Keys) hmac(message []byte) string {
	mac := hmac.New(sha256.New, []byte(k.keys[k.current]))
	mac.Write(message)
	return hex.EncodeToString(mac.Sum(nil))
}

func allows(entry, function string) bool {
	if prefix, isOpen := strings.CutSuffix(entry, "*"); isOpen {
		return strings.HasPrefix(function, prefix)
	}
	return entry == function
}
