package invokeapi

import (
	"runtime/debug"
	"sync/atomic"
	"time"
)

const (
	// bigBytes is the length from which on a payload is worth giving its memory back at once.
	bigBytes   = 1 << 20
	quietAfter = time.Second
)

// memory gives back to the system what big payloads took, when there are none for a second: the process is small
// beside somebody's program, and a few payloads of 6 MB are several times its size.
type memory struct{ planned atomic.Pointer[time.Timer] }

func (m *memory) giveBackSoon() {
	next := time.AfterFunc(quietAfter, debug.FreeOSMemory)
	if before := m.planned.Swap(next); before != nil {
		before.Stop()
	}
}
