// Package capture turns a call that was refused or failed into a signed capture line.
//
// The line's contract is shared with the package reprise (shared/reprise/capturing), and held by
// tests/events/contract-vectors.json, which both implementations are tested on.
package capture

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Object is a JSON object whose members keep their order. Values are nil, bool, string, int, float64, []any
// and Object.
type Object []Member

// Member is one name and its value.
type Member struct {
	Name  string
	Value any
}

// Encode returns an object as ASCII JSON without blanks, its members in their order.
func (o Object) Encode() []byte { return appendValue(nil, o, false, "") }

// Canonical returns one byte string for all orders of the same object: members sorted by name.
func (o Object) Canonical() []byte { return appendValue(nil, o, true, "") }

// EncodeList returns a list as Python's json.dumps spells it by default, with a blank after each comma.
func EncodeList(list []any) []byte { return appendValue(nil, list, false, " ") }

func appendValue(out []byte, value any, sorted bool, afterComma string) []byte {
	switch value := value.(type) {
	case nil:
		return append(out, "null"...)
	case bool:
		return strconv.AppendBool(out, value)
	case int:
		return strconv.AppendInt(out, int64(value), 10)
	case float64:
		return appendFloat(out, value)
	case string:
		return AppendString(out, value)
	case []any:
		out = append(out, '[')
		for i, each := range value {
			if i > 0 {
				out = append(append(out, ','), afterComma...)
			}
			out = appendValue(out, each, sorted, afterComma)
		}
		return append(out, ']')
	case Object:
		if sorted {
			value = slices.Clone(value)
			// Python sorts by code point, as UTF-8's bytes do.
			slices.SortFunc(value, func(a, b Member) int { return strings.Compare(a.Name, b.Name) })
		}
		out = append(out, '{')
		for i, each := range value {
			if i > 0 {
				out = append(append(out, ','), afterComma...)
			}
			out = append(AppendString(out, each.Name), ':')
			out = appendValue(out, each.Value, sorted, afterComma)
		}
		return append(out, '}')
	}
	panic("no JSON value")
}

// appendFloat spells a number as Python's repr does: shortest digits, and an exponent of two digits at least
// below 1e-4 and from 1e16 on.
func appendFloat(out []byte, value float64) []byte {
	if size := math.Abs(value); size != 0 && (size < 1e-4 || size >= 1e16) {
		return strconv.AppendFloat(out, value, 'e', -1, 64)
	}
	start := len(out)
	out = strconv.AppendFloat(out, value, 'f', -1, 64)
	if !strings.ContainsRune(string(out[start:]), '.') {
		out = append(out, ".0"...)
	}
	return out
}

const hexDigits = "0123456789abcdef"

// AppendString appends text as an ASCII JSON string. What is no UTF-8 becomes U+FFFD.
func AppendString(out []byte, text string) []byte {
	out = append(out, '"')
	for _, char := range text {
		switch {
		case char == '"' || char == '\\':
			out = append(out, '\\', byte(char))
		case char == '\n':
			out = append(out, '\\', 'n')
		case char == '\r':
			out = append(out, '\\', 'r')
		case char == '\t':
			out = append(out, '\\', 't')
		case char == '\b':
			out = append(out, '\\', 'b')
		case char == '\f':
			out = append(out, '\\', 'f')
		case char >= ' ' && char <= '~':
			out = append(out, byte(char))
		case char > 0xFFFF:
			char -= 0x10000
			out = appendUnit(out, 0xD800+char>>10)
			out = appendUnit(out, 0xDC00+char&0x3FF)
		default:
			out = appendUnit(out, char)
		}
	}
	return append(out, '"')
}

func appendUnit(out []byte, unit rune) []byte {
	return append(out, '\\', 'u', hexDigits[unit>>12&0xF], hexDigits[unit>>8&0xF], hexDigits[unit>>4&0xF], hexDigits[unit&0xF])
}

// stringLength returns how many bytes AppendString adds, without making them.
func stringLength(text string) int {
	length := 2
	for _, char := range text {
		switch {
		case char == '"' || char == '\\' || char == '\n' || char == '\r' || char == '\t' || char == '\b' || char == '\f':
			length += 2
		case char >= ' ' && char <= '~':
			length++
		case char > 0xFFFF:
			length += 12
		default:
			length += 6
		}
	}
	return length
}

func isText(data []byte) bool { return utf8.Valid(data) }
