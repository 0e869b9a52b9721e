package stack

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func clock() (time.Time, time.Duration) {
	now := time.Now()
	return now, now.Sub(time.Unix(0, 0))
}

// As after a freeze: what was asked before it fails at the thaw, and says nothing of now.
func TestAQuestionThatFailsIsAskedAgainByWhoCameWhileItWasUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		known := cached[string]{clock: clock}
		asked, end := 0, make(chan struct{})
		fetch := func(context.Context) (string, error) {
			if asked++; asked == 1 {
				<-end
				return "", errors.New("the connection is gone")
			}
			return "said", nil
		}
		go known.get(t.Context(), fetch)
		synctest.Wait()
		for range 5 {
			go func() {
				if value, err := known.get(t.Context(), fetch); value != "said" {
					t.Errorf("got %q, %v", value, err)
				}
			}()
		}
		synctest.Wait() // All wait for the first one's answer.
		close(end)
		synctest.Wait()
		if asked != 2 {
			t.Errorf("asked %d times", asked)
		}
	})
}

func TestASourceThatHangsIsWaitedForShortlyWhereItHasSaidSomethingBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		known := cached[string]{clock: clock}
		known.get(t.Context(), func(context.Context) (string, error) { return "said", nil })
		time.Sleep(rememberedFor)
		before := time.Now()
		value, err := known.get(t.Context(), func(ctx context.Context) (string, error) {
			<-ctx.Done()
			return "", ctx.Err()
		})
		if value != "said" || err != nil || time.Since(before) != refreshTimeout {
			t.Errorf("got %q, %v after %s", value, err, time.Since(before))
		}
	})
}
