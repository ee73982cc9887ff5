// The test process gets SIGKILL, as from a machine that is short of memory.
package app

import (
	"syscall"
	"testing"
)

func TestKilled(t *testing.T) {
	if err := syscall.Kill(syscall.Getpid(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	select {}
}
