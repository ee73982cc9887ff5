// Command measure runs a command, throws away what it prints, and writes what it cost: user+system CPU and wall time in
// milliseconds, peak resident memory in MB. GNU time has both too, but counts CPU in steps of 10 ms.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

func main() {
	cmd := exec.Command(os.Args[1], os.Args[2:]...)
	start := time.Now()
	err := cmd.Run()
	wall := time.Since(start)
	// What failed early was quick for no merit of its own.
	if err != nil {
		fmt.Fprintln(os.Stderr, os.Args[1], err)
		os.Exit(1)
	}
	cpu := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	peak := cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss
	fmt.Printf("%.2f %.2f %.1f\n", ms(cpu), ms(wall), float64(peak)/1024)
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
