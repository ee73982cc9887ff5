package store

type Item struct{ N int }

type Store struct {
	Items map[string]*Item
	Pairs map[[2]byte]rune
	Any   map[string]interface{}
}

//go:noinline
func (s *Store) Put(k string, v *Item) {
	s.Items[k] = v // assign map[string]*example.com/types/store.Item
}

//go:noinline
func (s *Store) PutPair(k [2]byte) {
	s.Pairs[k]++ // assign map[[2]uint8]int32
}

//go:noinline
func (s *Store) PutAny(k string, v interface{}) {
	s.Any[k] = v // assign map[string]interface {}
}
