package sigv4

import (
	"net/url"
	"testing"
)

// The canonical form of a query is its own canonical form, and means the same.
func FuzzCanonicalQuery(f *testing.F) {
	for _, seed := range []string{"", "Qualifier=%24LATEST", "a-b=1&a=2&a", "%zz=%4&&=", "a=+%20/~"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		once := canonicalQuery(query)
		if again := canonicalQuery(once); again != once {
			t.Errorf("%q, then %q", once, again)
		}
		if _, err := url.ParseQuery(once); err != nil {
			t.Errorf("%q: %v", once, err)
		}
	})
}
