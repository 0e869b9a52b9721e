package capture

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
)

const (
	namePattern = `[A-Za-z0-9_-]{1,140}`
	arnPrefix   = `arn:aws[a-z-]*:lambda:[a-z0-9-]+:[0-9]{12}:function:`
	qualifier   = `\$LATEST(?:\.PUBLISHED)?|[A-Za-z0-9_-]{1,128}`
)

var (
	functionName  = regexp.MustCompile(`^(?:(` + arnPrefix + `)|([0-9]{12}):function:)?(` + namePattern + `)(?::(` + qualifier + `))?$`)
	onlyQualifier = regexp.MustCompile(`^(?:` + qualifier + `)$`)
	keyText       = regexp.MustCompile(`^[!-~]{1,256}$`)
	tenantText    = regexp.MustCompile(`^[a-zA-Z0-9._:/=+\-@ ]{1,256}$`)
)

// Target is the function that a call is for.
type Target struct {
	Function  string // Unqualified ARN.
	Qualifier string // Version or alias; empty means $LATEST.
	TenantID  string // For functions with tenant isolation; else empty.
}

// Name returns the bare function name.
func (t Target) Name() string { return t.Function[strings.LastIndexByte(t.Function, ':')+1:] }

// IsKeyText tells whether a text may be a key or a scope: 1 to 256 printable ASCII characters without blanks.
func IsKeyText(text string) bool { return keyText.MatchString(text) }

// Resolve returns the allowed target that a caller's function name means, as the package reprise resolves it,
// and why there is none.
//
// A bare name means a function of the region that the caller's request was signed for: an entry of another
// region does not complete it, or a replay would go where the call did not.
func Resolve(name, asked, tenant, region string, allowed []string) (Target, string) {
	found := functionName.FindStringSubmatch(name)
	if found == nil {
		return Target{}, "it names no function"
	}
	prefix, account, bare, suffix := found[1], found[2], found[3], found[4]
	if asked != "" && !onlyQualifier.MatchString(asked) {
		return Target{}, "its qualifier is no version or alias"
	}
	if suffix != "" && asked != "" && suffix != asked {
		return Target{}, "it names two qualifiers"
	}
	if tenant != "" && !tenantText.MatchString(tenant) {
		return Target{}, "its tenant's id is none"
	}
	if asked == "" {
		asked = suffix
	}
	function := prefix + bare
	if prefix == "" {
		var why string
		if function, why = complete(bare, account, region, allowed); why != "" {
			return Target{}, why
		}
	}
	if region != "" && !strings.Contains(function, ":lambda:"+region+":") {
		return Target{}, fmt.Sprintf("%s is a function of another region than the request's", function)
	}
	for _, entry := range allowed {
		if allows(entry, function) {
			return Target{Function: function, Qualifier: asked, TenantID: tenant}, ""
		}
	}
	return Target{}, fmt.Sprintf("%s is not an allowed target", function)
}

func complete(name, account, region string, allowed []string) (string, string) {
	complete := ""
	for _, entry := range allowed {
		cut := strings.LastIndexByte(entry, ':')
		if cut < 0 {
			continue
		}
		before, tail := entry[:cut], entry[cut+1:]
		if account != "" && !strings.Contains(before, ":"+account+":") {
			continue
		}
		if region != "" && !strings.Contains(before, ":lambda:"+region+":") {
			continue
		}
		arn := before + ":" + name
		if tail != name && !(strings.HasSuffix(tail, "*") && strings.HasPrefix(name, tail[:len(tail)-1])) || !functionARN.MatchString(arn) {
			continue
		}
		if complete != "" && complete != arn {
			return "", fmt.Sprintf("%q names functions of several accounts among the targets: call it by its ARN", name)
		}
		complete = arn
	}
	if complete == "" {
		return "", fmt.Sprintf("%q is not an allowed target", name)
	}
	return complete, ""
}

// CallID returns the id of a call whose caller named its effect, or whose SDK named its invocation:
// <function name>:<key>~<32 hex>. Scope may be empty, for none.
func CallID(target Target, source, scope, key string) string {
	said := func(text string) any {
		if text == "" {
			return nil
		}
		return text
	}
	version := target.Qualifier
	if version == "" {
		version = "$LATEST"
	}
	whole := EncodeList([]any{target.Function, version, said(target.TenantID), source, said(scope), key})
	digest := sha256.Sum256(whole)
	return target.Name() + ":" + key + "~" + hex.EncodeToString(digest[:16])
}

// NewCallID returns a UUIDv7 made of an instant in milliseconds since the epoch and ten random bytes (RFC 9562,
// section 5.7).
func NewCallID(nowMs int64, random [10]byte) string {
	var id [16]byte
	for i := range 6 {
		id[i] = byte(nowMs >> (40 - 8*i))
	}
	copy(id[6:], random[:])
	id[6] = 0x70 | id[6]&0x0F
	id[8] = 0x80 | id[8]&0x3F
	text := hex.EncodeToString(id[:])
	return text[:8] + "-" + text[8:12] + "-" + text[12:16] + "-" + text[16:20] + "-" + text[20:]
}
