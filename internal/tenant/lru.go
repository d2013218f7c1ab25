package tenant

import "container/list"

// lru is a cache that is bounded in entries and in what they weigh: what was
// not asked for the longest gives way. Not safe for concurrent use.
type lru[K comparable, V any] struct {
	entries  map[K]*list.Element
	order    *list.List // the most recent first
	most     int
	heaviest int
	weight   int
	weighs   func(V) int
}

type lruEntry[K comparable, V any] struct {
	key    K
	value  V
	weight int
}

func newLRU[K comparable, V any](most, heaviest int, weighs func(V) int) *lru[K, V] {
	return &lru[K, V]{entries: map[K]*list.Element{}, order: list.New(), most: most, heaviest: heaviest, weighs: weighs}
}

func (c *lru[K, V]) get(key K) (v V, ok bool) {
	e, ok := c.entries[key]
	if !ok {
		return v, false
	}
	c.order.MoveToFront(e)
	return e.Value.(*lruEntry[K, V]).value, true
}

func (c *lru[K, V]) put(key K, value V) {
	w := c.weighs(value)
	if e, ok := c.entries[key]; ok {
		c.remove(e)
	}
	c.entries[key] = c.order.PushFront(&lruEntry[K, V]{key, value, w})
	c.weight += w
	for len(c.entries) > c.most || c.weight > c.heaviest && len(c.entries) > 1 {
		c.remove(c.order.Back())
	}
}

func (c *lru[K, V]) remove(e *list.Element) {
	old := c.order.Remove(e).(*lruEntry[K, V])
	delete(c.entries, old.key)
	c.weight -= old.weight
}

func (c *lru[K, V]) clear() {
	clear(c.entries)
	c.order.Init()
	c.weight = 0
}

func (c *lru[K, V]) len() int { return len(c.entries) }
