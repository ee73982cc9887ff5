// A subtest follows a nil pointer.
package app

import "testing"

type row struct {
	cells []string
	next  *row
}

func (r *row) width() int {
	return len(r.cells) // culprit: r is nil
}

func TestRows(t *testing.T) {
	t.Run("first", func(t *testing.T) { t.Log("fine") })
	t.Run("second", func(t *testing.T) {
		r := &row{}
		t.Log(r.next.width())
	})
}
