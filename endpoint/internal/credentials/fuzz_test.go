package credentials

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// No file of somebody's is the end of the process, and no name or value of one has a line end.
func FuzzProfile(f *testing.F) {
	for _, seed := range []string{"", "[default]\na=b\n", "[profile \"x\"\r\n  a =\n   b = c\n", "[", "]\n=", "\ufeff[default]\n\ta=b"} {
		f.Add(seed)
	}
	path := filepath.Join(f.TempDir(), "file")
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		found := map[string]string{}
		if err := readSection(path, "default", found); err != nil {
			t.Fatal(err)
		}
		for name, value := range found {
			if strings.ContainsAny(name+value, "\n") || name != strings.TrimSpace(name) || value != strings.TrimSpace(value) {
				t.Errorf("%q = %q", name, value)
			}
		}
	})
}
