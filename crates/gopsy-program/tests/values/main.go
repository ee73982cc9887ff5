// Panics with a value. What it must be read as stands in values.rs.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"
	"unsafe"
)

type level int8
type tags map[string]string
type raw []byte
type speaker func(int) string

// Larger than 128 bytes: a map keeps it behind a pointer.
type wide struct{ n [20]int64 }

type inner struct{ Code int }

func (e *inner) Error() string { return "inner" }

type outer struct {
	*inner
	Tags  map[string]string
	Lvl   level
	Deep  *outer
	Chain []error
}

type node struct {
	Name string
	Next *node
}

type parts struct {
	C64   complex64
	C128  complex128
	Any   []interface{}
	Text  []byte
	Raw   raw
	Bin   []byte
	Fn    speaker
	None  func()
	Small float64
	P     *int
	T     reflect.Type
	Chan  chan int
}

// The head of a map of buckets.
type hmap struct {
	count    int
	flags, b uint8
	overflow uint16
	hash     uint32
	buckets  unsafe.Pointer
	old      unsafe.Pointer
}

func named(i int) string { return fmt.Sprint(i) }

// A map that grows into as many buckets as it had, where there are buckets.
func sameSize() map[int]int {
	m := make(map[int]int)
	h := *(**hmap)(unsafe.Pointer(&m))
	for i := 0; i < 1000000; i++ {
		m[i] = -i
		if i >= 20 {
			delete(m, i-20)
		}
		if os.Args[2] == "buckets" && h.flags&8 != 0 && h.old != nil && len(m) > 15 {
			fmt.Println("growing")
			return m
		}
	}
	return m
}

func value(way string) interface{} {
	switch way {
	case "map":
		return map[string]int{"b": 2, "a": 1, "": 0}
	case "empty":
		return map[string]int{}
	case "named":
		return tags{"k": "v\n"}
	case "ints":
		return map[int]bool{10: true, 9: false, -5: true}
	case "floats":
		return map[float64]string{1.5: "a", -2: "b", -3: "c", 0: "d"}
	case "many", "growing", "deleted":
		m := make(map[int]int)
		n := 1000
		if way == "growing" {
			n = 27
		}
		for i := 0; i < n; i++ {
			m[i] = i * i
		}
		for i := 1; i < n && way == "deleted"; i += 2 {
			delete(m, i)
		}
		return m
	case "same-size":
		m := sameSize()
		fmt.Println(m)
		return m
	case "wide":
		return map[wide]wide{{[20]int64{1}}: {[20]int64{2}}}
	case "set":
		m := map[int8]struct{}{}
		for i := int8(0); i < 70; i++ {
			m[i] = struct{}{}
		}
		return m
	case "nested":
		return map[string]map[level][]int{"x": {1: {1, 2}, -1: nil}, "y": nil}
	case "any":
		return map[interface{}]interface{}{"a": level(3)}
	case "outer":
		return &outer{
			inner: &inner{4}, Tags: map[string]string{"k": "v"}, Lvl: 2,
			Deep: &outer{Deep: &outer{Lvl: 7}}, Chain: []error{io.EOF, &inner{5}},
		}
	case "wrapped":
		return fmt.Errorf("a: %w", fmt.Errorf("b: %w", fmt.Errorf("c: %w", errors.New("d"))))
	case "path":
		_, err := os.Open("/nope")
		return err
	case "cycle":
		n := &node{Name: "a", Next: &node{Name: "b"}}
		n.Next.Next = n
		return n
	case "parts":
		seven := 7
		return parts{
			1 + 2i, complex(1.5, -2e30), []interface{}{1, 2.5, "s", true, uint8(3), level(4), 'x', nil, 1i, []int{5}, &inner{6}, tags{"a": "b"}},
			[]byte("h\"é\n"), raw("{}"), []byte{0, 1, 255}, named, nil, 1e-7, &seven, reflect.TypeOf(tags{}), nil,
		}
	case "pointers":
		s := "x"
		p := &s
		return &p
	case "func":
		return speaker(named)
	case "type":
		return reflect.TypeOf(tags{})
	case "long":
		return strings.Repeat("long message ", 5000)
	case "list":
		var list []int
		for i := 0; i < 100; i++ {
			list = append(list, i)
		}
		return list
	case "cut":
		var list []string
		for i := 0; i < 60; i++ {
			list = append(list, strings.Repeat("x", 200))
		}
		return list
	}
	return nil
}

func main() {
	if os.Args[1] == "assert" {
		var x interface{} = 1
		fmt.Println(x.(string))
	}
	panic(value(os.Args[1]))
}
