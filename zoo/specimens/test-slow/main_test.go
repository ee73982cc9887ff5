// A test computes for longer than the time allows.
package app

import "testing"

var sink uint64

func spin(n uint64) {
	for i := uint64(0); i < n; i++ { // culprit: nothing is stuck, it is only long
		sink += i * i // culprit
	}
}

func TestSlow(t *testing.T) {
	spin(1 << 62) // culprit: the test that takes so long
}
