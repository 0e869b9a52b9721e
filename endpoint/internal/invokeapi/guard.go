package invokeapi

import (
	"net/http"
)

// Guard lets a key of a caller's own have one effect, whether a live call has it or the replay of a captured one.
type Guard interface{}

func (e *Endpoint) runGuarded(r *http.Request, path, query string, asked *call) *answer {
	given, outcome := e.invoke(r, path, query, asked)
	return e.finish(asked, given, outcome)
}
