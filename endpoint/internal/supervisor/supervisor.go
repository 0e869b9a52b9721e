// Package supervisor keeps one serving process alive, and its listening socket open while there is none.
//
// A caller whose endpoint crashes between two calls notices nothing: the connection waits in the socket's queue until
// the next process takes it. A call that was under way sees its connection break, as a call to Lambda may, too.
package supervisor

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

const (
	// soon: a process that ends before this did not serve anybody.
	soon       = time.Second
	firstPause = 50 * time.Millisecond
	lastPause  = 5 * time.Second
	// ListenerFD is the listening socket in the serving process.
	ListenerFD = 3
	// RestartsVariable tells the serving process how many there were before it.
	RestartsVariable = "REPRISE_ENDPOINT_RESTARTS"
)

// Run starts a program again and again, with the socket as its third file, until the context ends. Then the program
// is told to end (SIGTERM), and has its end awaited.
func Run(ctx context.Context, log *slog.Logger, listener *os.File, program string, arguments ...string) {
	pause := firstPause
	for restarts := 0; ; restarts++ {
		began := time.Now()
		err := once(ctx, listener, restarts, program, arguments)
		if ctx.Err() != nil {
			return
		}
		log.Error("the serving process ended, and is started again", "error", fmt.Sprint(err), "restarts", restarts+1)
		if time.Since(began) >= soon {
			pause = firstPause
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		pause = min(2*pause, lastPause)
	}
}

func once(ctx context.Context, listener *os.File, restarts int, program string, arguments []string) error {
	command := exec.CommandContext(ctx, program, arguments...)
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	command.ExtraFiles = []*os.File{listener}
	command.Env = append(os.Environ(), RestartsVariable+"="+strconv.Itoa(restarts))
	// A supervisor that is killed leaves nobody behind who holds the port.
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	return command.Run()
}
